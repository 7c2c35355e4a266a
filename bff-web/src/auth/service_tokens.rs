//! Whose token goes to which service: the route's policy says whose, and the service's audience says which one.
//!
//! A user's token is relayed to a service without an audience of its own, and exchanged for one of that audience where
//! `[oidc.audiences]` names it (RFC 8693). This service's own tokens are got by client credentials. Both are kept until
//! shortly before they end; exchanged ones by session and by the very token that they were made from, so nobody gets
//! another's, a refresh brings new ones, and the session's end drops them.

use actix_web::web;
use futures_util::future::LocalBoxFuture;
use shared_lib::{
    context::{Credentials, RequestContext},
    downstream::{Failure, Tokens},
    oauth::OAuthError,
    settings::Secret,
};

use super::WorkerAuth;

/// The rule.
pub struct ServiceTokens {
    auth: web::Data<WorkerAuth>,
}

impl ServiceTokens {
    /// For the worker with this.
    #[must_use]
    pub fn new(auth: web::Data<WorkerAuth>) -> Self {
        Self { auth }
    }

    fn audience(&self, downstream: &str) -> Option<&str> {
        self.auth.settings.oidc.audiences.get(downstream).map(String::as_str)
    }

    async fn find(&self, context: &RequestContext, downstream: &str) -> Result<Option<Secret>, OAuthError> {
        let provider = &self.auth.provider;
        match context.credentials() {
            None | Some(Credentials::None) => Ok(None),
            Some(Credentials::User(user)) => match self.audience(downstream) {
                None => Ok(Some(user.token.clone())),
                Some(audience) => provider.exchange_user_token(context, user, audience).await.map(Some),
            },
            Some(Credentials::Client) => {
                let scopes = &self.auth.settings.oidc.client_scopes;
                provider.client_credentials(context, self.audience(downstream), scopes).await.map(Some)
            }
        }
    }
}

impl Tokens for ServiceTokens {
    fn token<'a>(
        &'a self,
        context: &'a RequestContext,
        downstream: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<Secret>, Failure>> {
        Box::pin(async move { self.find(context, downstream).await.map_err(|error| Failure::NoToken(error.into())) })
    }

    /// It may have been revoked. The next call gets another.
    fn refused(&self, context: &RequestContext, downstream: &str) {
        let (provider, audience) = (&self.auth.provider, self.audience(downstream));
        match (context.credentials(), audience) {
            (Some(Credentials::User(user)), Some(audience)) => provider.forget_exchanged(user, audience),
            (Some(Credentials::Client), audience) => {
                provider.forget_client_credentials(audience, &self.auth.settings.oidc.client_scopes);
            }
            _ => {}
        }
    }
}
