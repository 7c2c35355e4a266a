//! Asking for what belongs to a partner: with our own token, and in the partner's name.
//!
//! Services believe the name from this client only. It comes from the stored key and from nowhere else: no header of a
//! request is passed on.

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::{StatusCode, header::HeaderName},
    web,
};
use futures_util::future::LocalBoxFuture;
use shared_lib::{
    context::RequestContext,
    downstream::{Call, DownstreamError},
    oauth::ProviderClient,
    problem::{Problem, kinds},
    settings::Secret,
};

/// Names the partner to the services.
pub const PARTNER_ID: HeaderName = HeaderName::from_static("x-partner-id");

/// Who we are to the services. One for each worker.
#[derive(Clone)]
pub struct PartnerIdentity {
    provider: ProviderClient,
    audience: String,
}

impl PartnerIdentity {
    /// Tokens of this audience, from this provider.
    #[must_use]
    pub fn new(provider: ProviderClient, audience: &str) -> Self {
        Self { provider, audience: audience.to_owned() }
    }

    async fn act(&self, context: RequestContext) -> Result<AsPartner, Problem> {
        let owner = context.require_caller()?.subject.clone();
        let token = self.provider.client_credentials(&context, Some(&self.audience), &[]).await;
        let token = token.map_err(|error| error.into_problem("provider"))?;
        Ok(AsPartner { context, owner, token, identity: self.clone() })
    }
}

/// A request's partner, with what the services ask for to believe it. Handlers take it as an argument, and services that
/// keep what belongs to partners take nothing else.
pub struct AsPartner {
    context: RequestContext,
    owner: String,
    token: Secret,
    identity: PartnerIdentity,
}

impl AsPartner {
    /// The context to call in.
    #[must_use]
    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// The name under which the services know the partner.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Adds our token and the partner's name to a call.
    pub fn sign(&self, call: Call) -> Call {
        call.bearer(&self.token).header(PARTNER_ID, &self.owner)
    }

    /// Looks at the answer of a signed call: a token that was refused is not used again.
    ///
    /// # Errors
    /// The answer's own.
    pub fn notice<T>(&self, answer: Result<T, DownstreamError>) -> Result<T, DownstreamError> {
        if answer.as_ref().is_err_and(|error| error.status() == Some(StatusCode::UNAUTHORIZED)) {
            self.identity.provider.forget_client_credentials(Some(&self.identity.audience), &[]);
        }
        answer
    }
}

impl FromRequest for AsPartner {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let identity = request.app_data::<web::Data<PartnerIdentity>>().cloned();
        let context = request.extensions().get::<RequestContext>().cloned();
        Box::pin(async move {
            match (identity, context) {
                (Some(identity), Some(context)) => identity.act(context).await,
                _ => Err(Problem::new(&kinds::INTERNAL_ERROR)
                    .caused_by("a handler asked for a partner whom no guard let in")),
            }
        })
    }
}
