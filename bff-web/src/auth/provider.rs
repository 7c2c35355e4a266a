//! What this service asks of the OpenID provider.

use std::time::Duration;

use shared_lib::{
    context::RequestContext,
    downstream::budget::RequestBudget,
    jwt::{IdTokenClaims, IdTokenExpectations, TokenError},
    oauth::{AuthorizationRequest, CodeExchange, EndSession, OAuthError, Pkce, TokenResponse},
    settings::Secret,
};
use url::Url;

use super::{
    WorkerAuth,
    callback::LoginError,
    session_ends::EndReason,
    session_store::{SessionSecret, StoreError},
    tokens::Tokens,
    transaction::Transaction,
};

/// The time for a call that no request waits for.
pub(super) const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(10);

/// Attempts on the wire for such a call: metadata and the call itself, each with a retry.
const BACKGROUND_ATTEMPTS: u32 = 4;

impl WorkerAuth {
    /// Where the browser goes to sign in.
    ///
    /// # Errors
    /// When the provider is away or refuses.
    pub(super) async fn authorization_url(
        &self,
        ctx: &RequestContext,
        transaction: &Transaction,
    ) -> Result<Url, OAuthError> {
        let oidc = &self.settings.oidc;
        let challenge = Pkce::from_verifier(Secret::from(transaction.verifier.as_str())).challenge();
        let redirect_uri = self.redirect_uri();
        let extra: Vec<_> = oidc.audience.iter().map(|audience| ("audience".to_owned(), audience.clone())).collect();
        let mut request =
            AuthorizationRequest::new(&redirect_uri, &oidc.scopes, &transaction.state, &transaction.nonce, &challenge);
        request.extra = &extra;
        request.acr_values = &transaction.step_up.acr_values;
        request.max_age = transaction.step_up.max_age();
        self.provider.authorization_url(ctx, &request).await
    }

    /// Checks who answered an authorization request (RFC 9207 section 2.4).
    ///
    /// # Errors
    /// Another issuer, or a provider that is away.
    pub(super) async fn check_issuer(&self, ctx: &RequestContext, issuer: Option<&str>) -> Result<(), LoginError> {
        let metadata = self.provider.metadata(ctx).await.map_err(LoginError::Provider)?;
        metadata.check_response_issuer(issuer).map_err(LoginError::Issuer)
    }

    /// Exchanges the code, and believes the ID token that comes with the answer.
    ///
    /// # Errors
    /// A provider that refuses or is away, an ID token that is missing or wrong.
    pub(super) async fn exchange_code(
        &self,
        ctx: &RequestContext,
        code: &str,
        transaction: &Transaction,
    ) -> Result<(TokenResponse, IdTokenClaims), LoginError> {
        let pkce = Pkce::from_verifier(Secret::from(transaction.verifier.as_str()));
        let (code, redirect_uri) = (Secret::from(code), self.redirect_uri());
        let exchange = CodeExchange { code: &code, redirect_uri: &redirect_uri, pkce: &pkce };
        let answer = self.provider.exchange_code(ctx, &exchange).await;
        // A code that is not good is the fault of whoever sent it, and nothing that an operator has to know of.
        let answer = answer.map_err(|error| match error.is_invalid_grant() {
            true => LoginError::Code(error),
            false => LoginError::Provider(error),
        })?;
        let id_token = answer.id_token.as_ref().ok_or(LoginError::NoIdToken)?;
        let step_up = &transaction.step_up;
        let expected = IdTokenExpectations {
            max_age: step_up.max_age(),
            subject: step_up.subject.as_deref(),
            ..IdTokenExpectations::login(&transaction.nonce, answer.access_token.expose())
        };
        let error = match self.id_tokens.verify(ctx, id_token.expose(), &expected).await {
            Ok(claims) if step_up.is_met_by(&claims) => return Ok((answer, claims)),
            Ok(_) | Err(TokenError::AuthenticationTooOld) => LoginError::TooWeak,
            Err(TokenError::Subject) if step_up.subject.is_some() => LoginError::OtherUser,
            Err(error) => LoginError::IdToken(error),
        };
        // What was granted with it is of no use to anybody.
        let lead = self.settings.oidc.refresh_lead();
        self.revoke_later(Some(ctx), &Tokens::from_answer(&answer, None, self.clock.wall(), lead));
        Err(error)
    }

    /// Where the browser goes to end the provider's session. `None` when the provider has no such address or is away.
    pub(super) async fn end_session_url(&self, ctx: &RequestContext, hint: &str) -> Option<Url> {
        let end = EndSession {
            logout_hint: Some(hint),
            post_logout_redirect_uri: Some(self.settings.server.public_origin.as_str()),
            state: None,
        };
        self.provider.end_session_url(ctx, &end).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a session goes on at the provider");
            None
        })
    }

    /// Revokes the refresh token of a session that has ended, without anybody waiting for it. A provider that is away does
    /// not keep a user signed in here.
    pub(super) fn revoke_later(&self, ctx: Option<&RequestContext>, tokens: &Tokens) {
        let Some(refresh_token) = tokens.refresh_token() else { return };
        let (provider, context) = (self.provider.clone(), self.background(ctx));
        actix_web::rt::spawn(async move {
            if let Err(error) = provider.revoke(&context, &refresh_token).await {
                tracing::warn!(%error, "a refresh token could not be revoked");
            }
        });
    }

    /// Ends the session that a new one takes the place of, and revokes what it was granted.
    ///
    /// # Errors
    /// A store that is away.
    pub(super) async fn end_replaced(&self, ctx: &RequestContext, old: &SessionSecret) -> Result<(), StoreError> {
        let tokens = self.sessions.tokens(old).await?;
        let ended = self.sessions.end(&old.id(), EndReason::SignedInAgain).await?;
        if let Some(tokens) = tokens.filter(|_| ended) {
            self.revoke_later(Some(ctx), &tokens);
        }
        Ok(())
    }

    /// The context of a call that goes on when the request that caused it is over. It stays in that request's trace.
    pub(super) fn background(&self, cause: Option<&RequestContext>) -> RequestContext {
        let budget = RequestBudget::new(self.clock.clone(), BACKGROUND_TIMEOUT, BACKGROUND_ATTEMPTS);
        match cause {
            None => RequestContext::background(budget),
            Some(cause) => RequestContext::new(budget, cause.request_id().clone(), None, None, cause.trace().clone()),
        }
    }

    fn redirect_uri(&self) -> String {
        // The origin's address ends with a slash.
        format!("{}api/auth/callback", self.settings.server.public_origin)
    }
}
