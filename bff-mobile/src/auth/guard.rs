//! The guard in front of every route.

use std::time::Duration;

use actix_web::{HttpMessage, dev::ServiceRequest};
use futures_util::future::LocalBoxFuture;
use shared_lib::{
    context::{Caller, RequestContext},
    downstream::budget::RequestBudget,
    jwt::{AccessTokenClaims, AccessTokenVerifier, TokenError},
    problem::Problem,
    server::{Access, Admission, Guard, Route},
    settings::Secret,
};

use super::{
    challenge,
    credentials::{self, Credentials},
    on_behalf::SubjectToken,
};

/// How long a request waits for signing keys when its token names one that is not known yet.
const KEYS_TIMEOUT: Duration = Duration::from_secs(2);

/// Lets in who shows a valid access token with the scopes of the route.
pub struct BearerGuard {
    verifier: AccessTokenVerifier,
}

impl BearerGuard {
    /// A guard that believes what this verifier believes.
    #[must_use]
    pub fn new(verifier: AccessTokenVerifier) -> Self {
        Self { verifier }
    }

    async fn decide(&self, request: &ServiceRequest, route: &Route) -> Result<Admission, Problem> {
        let token = match credentials::read(request).map_err(challenge::unreadable)? {
            Credentials::Bearer(token) => token,
            Credentials::None if route.policy.access == Access::Public => return Ok(Admission::default()),
            Credentials::None => return Err(challenge::missing()),
        };
        let claims = self.verify(&token).await.map_err(challenge::refused)?;
        if let Access::Scopes(needed) = route.policy.access
            && !needed.iter().all(|scope| claims.has_scope(scope))
        {
            return Err(challenge::insufficient_scope(needed));
        }
        request.extensions_mut().insert(SubjectToken { token, expires_at: claims.expires_at });
        // The token is not the caller's downstream: it was issued for this API, see `OnBehalf`.
        let caller = Caller { subject: claims.subject, scopes: claims.scopes, token: None };
        Ok(Admission { caller: Some(caller), ..Admission::default() })
    }

    async fn verify(&self, token: &Secret) -> Result<AccessTokenClaims, TokenError> {
        let context = RequestContext::background(RequestBudget::starting_now(KEYS_TIMEOUT));
        let claims = self.verifier.verify(&context, token.expose()).await?;
        // Without a proof of possession a bound token is anybody's (RFC 9449 section 7.2).
        if claims.cnf_jkt.is_some() { Err(TokenError::Binding) } else { Ok(claims) }
    }
}

impl Guard for BearerGuard {
    fn admit<'a>(
        &'a self,
        request: &'a ServiceRequest,
        route: &'a Route,
    ) -> LocalBoxFuture<'a, Result<Admission, Problem>> {
        Box::pin(self.decide(request, route))
    }
}
