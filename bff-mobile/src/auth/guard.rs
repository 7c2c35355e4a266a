//! The guard in front of every route.

use std::time::Duration;

use actix_web::{HttpMessage, dev::ServiceRequest, http::header::HeaderValue};
use futures_util::future::LocalBoxFuture;
use shared_lib::{
    context::{Caller, RequestContext},
    downstream::budget::RequestBudget,
    jwt::{
        AccessTokenClaims, AccessTokenVerifier,
        dpop::{DpopVerifier, ProofOf},
    },
    problem::Problem,
    server::{Access, Admission, Guard, Route},
    settings::Secret,
};
use url::Url;

use super::{
    challenge::{self, DPOP_NONCE},
    credentials::{self, Credentials},
    on_behalf::SubjectToken,
};
use crate::rollout::Rollout;

/// How long a request waits for signing keys when its token names one that is not known yet.
const KEYS_TIMEOUT: Duration = Duration::from_secs(2);

/// Lets in who shows a valid access token with the scopes of the route, by an app that is not too old. A token that is
/// bound to a key needs a proof that its bearer holds it.
pub struct TokenGuard {
    verifier: AccessTokenVerifier,
    dpop: DpopVerifier,
    origin: Url,
    rollout: Rollout,
}

impl TokenGuard {
    /// A guard that believes what these verifiers believe. `origin` is where the apps reach this service.
    #[must_use]
    pub fn new(verifier: AccessTokenVerifier, dpop: DpopVerifier, origin: Url, rollout: Rollout) -> Self {
        Self { verifier, dpop, origin, rollout }
    }

    async fn decide(&self, request: &ServiceRequest, route: &Route) -> Result<Admission, Problem> {
        self.rollout.check(request.headers())?;
        let (token, claims, next_nonce) = match credentials::read(request).map_err(challenge::unreadable)? {
            Credentials::None if route.policy.access == Access::Public => return Ok(Admission::default()),
            Credentials::None => return Err(challenge::missing()),
            Credentials::Bearer(token) => {
                let claims = self.verify(&token).await?;
                // Without a proof of possession a bound token is anybody's (RFC 9449 section 7.2).
                if claims.cnf_jkt.is_some() {
                    return Err(challenge::wrong_scheme("the token is bound to a key and needs a proof"));
                }
                (token, claims, None)
            }
            Credentials::Dpop(token) => {
                let claims = self.verify(&token).await?;
                let next_nonce = self.check_proof(request, &token, &claims)?;
                (token, claims, next_nonce)
            }
        };
        let subject = SubjectToken { token, expires_at: claims.expires_at };
        // The token is not the caller's downstream: it was issued for this API, see `OnBehalf`.
        let caller = Caller { subject: claims.subject, scopes: claims.scopes, token: None };
        authorize(&caller, route)?;
        request.extensions_mut().insert(subject);
        let headers = next_nonce.map(|nonce| (DPOP_NONCE, nonce)).into_iter().collect();
        Ok(Admission { caller: Some(caller), headers, ..Admission::default() })
    }

    async fn verify(&self, token: &Secret) -> Result<AccessTokenClaims, Problem> {
        let context = RequestContext::background(RequestBudget::starting_now(KEYS_TIMEOUT));
        self.verifier.verify(&context, token.expose()).await.map_err(challenge::refused)
    }

    /// Gives the nonce that the app is to use from now on.
    fn check_proof(
        &self,
        request: &ServiceRequest,
        token: &Secret,
        claims: &AccessTokenClaims,
    ) -> Result<Option<HeaderValue>, Problem> {
        let Some(thumbprint) = &claims.cnf_jkt else {
            return Err(challenge::wrong_scheme("the token is not bound to a key"));
        };
        let mut proofs = request.headers().get_all("dpop");
        let (Some(proof), None) = (proofs.next().and_then(|proof| proof.to_str().ok()), proofs.next()) else {
            return Err(challenge::not_one_proof());
        };
        let mut target = self.origin.clone();
        target.set_path(request.path());
        let of =
            ProofOf { method: request.method().as_str(), target: &target, access_token: token.expose(), thumbprint };
        let proof = self.dpop.verify(proof, &of).map_err(|error| challenge::unproven(error, &self.dpop))?;
        Ok(proof.next_nonce.as_deref().and_then(challenge::nonce_value))
    }
}

/// Compares a caller's scopes with those that the route asks for.
///
/// # Errors
/// The refusal that names them.
pub(crate) fn authorize(caller: &Caller, route: &Route) -> Result<(), Problem> {
    match route.policy.access {
        Access::Scopes(needed) if !needed.iter().all(|scope| caller.has_scope(scope)) => {
            Err(challenge::insufficient_scope(needed))
        }
        _ => Ok(()),
    }
}

impl Guard for TokenGuard {
    fn admit<'a>(
        &'a self,
        request: &'a ServiceRequest,
        route: &'a Route,
    ) -> LocalBoxFuture<'a, Result<Admission, Problem>> {
        Box::pin(self.decide(request, route))
    }
}
