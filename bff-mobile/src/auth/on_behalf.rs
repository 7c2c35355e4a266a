//! Asking private services on behalf of the caller.

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web};
use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use shared_lib::{
    context::{Caller, RequestContext},
    oauth::{ErrorCode, OAuthError, ProviderClient},
    problem::{Problem, kinds},
    settings::Secret,
};

use super::challenge;

/// The access token that the request was let in with. It is for this API and for the exchange, and for nothing else.
#[derive(Clone)]
pub(crate) struct SubjectToken {
    pub(super) token: Secret,
    pub(super) expires_at: Timestamp,
}

/// The context of a request as private services are called in it: the caller's token is one for their audience.
///
/// A handler takes it as an argument, and services that keep private data take nothing else, so no screen can relay
/// the token that it was called with. The exchange is made once a token: its result is kept until it expires, and
/// callers who ask at the same time wait for the same answer.
pub struct OnBehalf(RequestContext);

impl OnBehalf {
    /// The context to call in.
    #[must_use]
    pub fn context(&self) -> &RequestContext {
        &self.0
    }
}

/// Exchanges callers' tokens (RFC 8693). One for each worker.
pub struct TokenExchange {
    provider: ProviderClient,
    audience: String,
}

impl TokenExchange {
    /// An exchange for tokens of this audience.
    #[must_use]
    pub fn new(provider: ProviderClient, audience: &str) -> Self {
        Self { provider, audience: audience.to_owned() }
    }

    /// The caller of something that was let in as a whole, as private services know it.
    pub(crate) async fn for_part(
        &self,
        context: &RequestContext,
        identity: &PartIdentity,
    ) -> Result<OnBehalf, Problem> {
        self.on_behalf(context, &identity.subject).await
    }

    async fn on_behalf(&self, context: &RequestContext, subject: &SubjectToken) -> Result<OnBehalf, Problem> {
        let caller = context.require_caller()?;
        // No scopes are named: the caller's own carry over, and the provider decides what they are worth there.
        let exchange = self.provider.exchange(context, &subject.token, subject.expires_at, &self.audience, &[]);
        let token = exchange.await.map_err(refused)?;
        let caller = Caller { token: Some(token), ..caller.clone() };
        Ok(OnBehalf(context.called_by(caller)))
    }
}

/// RFC 8693 section 2.2.2 has one code for a subject token that is not good any more, such as one that was revoked
/// since it was issued. Then the caller needs another; everything else is between the provider and us.
fn refused(error: OAuthError) -> Problem {
    match error.code() {
        Some(ErrorCode::InvalidRequest | ErrorCode::InvalidGrant) => {
            challenge::invalid_token("the token is no longer valid").caused_by(error)
        }
        _ => error.into_problem("provider"),
    }
}

impl FromRequest for OnBehalf {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let exchange = request.app_data::<web::Data<TokenExchange>>().cloned();
        let context = RequestContext::of(request);
        let subject = request.extensions().get::<SubjectToken>().cloned();
        Box::pin(async move {
            match (exchange, context, subject) {
                (Some(exchange), Ok(context), Some(subject)) => exchange.on_behalf(&context, &subject).await,
                // A public route without credentials is no place to ask for private data.
                _ => Err(Problem::new(&kinds::INTERNAL_ERROR)
                    .caused_by("a handler asked for private data of a caller whom no guard let in")),
            }
        })
    }
}

/// As whom the parts of a batch are asked: the caller who was let in with the whole, and the token that the caller
/// showed.
#[derive(Clone)]
pub struct PartIdentity {
    pub(crate) caller: Caller,
    subject: SubjectToken,
}

impl PartIdentity {
    /// The identity of a request that the guard let in.
    ///
    /// # Errors
    /// When it let nobody in.
    pub fn of(request: &HttpRequest, context: &RequestContext) -> Result<Self, Problem> {
        let caller = context.require_caller()?.clone();
        let subject = request.extensions().get::<SubjectToken>().cloned();
        let subject = subject
            .ok_or_else(|| Problem::new(&kinds::INTERNAL_ERROR).caused_by("a caller was let in without a token"))?;
        Ok(Self { caller, subject })
    }

    /// What [`OnBehalf`] looks for in a request.
    pub(crate) fn into_subject(self) -> SubjectToken {
        self.subject
    }
}
