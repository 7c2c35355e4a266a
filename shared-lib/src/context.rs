//! What one inbound request carries through the house: its budget, its id, its place in the trace, and its caller.
//!
//! The route gate makes a [`RequestContext`] once it has let the request in, and handlers take it as an argument.
//! Everything that calls a downstream asks for one, so no call can be made outside a budget.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use jiff::Timestamp;

use crate::{
    downstream::budget::RequestBudget,
    problem::{Problem, kinds},
    settings::Secret,
    telemetry::request_id::RequestId,
};

/// Who makes the request, as the BFF's own authentication found out.
#[derive(Debug, Clone)]
pub struct Caller {
    /// A stable name of the caller within this BFF: the subject of a token, the id of a partner.
    pub subject: String,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// The access token that the caller is known by downstream, where the BFF relays one.
    pub token: Option<Secret>,
}

impl Caller {
    /// Whether this scope was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

/// Whose token the calls of a request carry, once its route's policy and its caller are known.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Nobody's.
    None,
    /// The user's.
    User(UserToken),
    /// This BFF's own.
    Client,
}

/// The access token of a signed-in user.
#[derive(Debug, Clone)]
pub struct UserToken {
    /// The token.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Names the session that it belongs to. What is made of the token falls with that.
    pub session: [u8; 32],
}

/// The context of one inbound request. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestContext(Arc<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    budget: RequestBudget,
    request_id: RequestId,
    caller: Option<Caller>,
    credentials: Option<Credentials>,
    locale: Option<String>,
    trace: opentelemetry::Context,
}

impl RequestContext {
    /// The context of a request that was let in.
    #[must_use]
    pub fn new(
        budget: RequestBudget,
        request_id: RequestId,
        caller: Option<Caller>,
        locale: Option<String>,
        trace: opentelemetry::Context,
    ) -> Self {
        Self(Arc::new(Parts { budget, request_id, caller, credentials: None, locale, trace }))
    }

    /// The same, with calls that carry this token.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        Arc::make_mut(&mut self.0).credentials = Some(credentials);
        self
    }

    /// The context of work that no request asked for, such as a refresh of signing keys.
    #[must_use]
    pub fn background(budget: RequestBudget) -> Self {
        Self::new(budget, RequestId::fresh(), None, None, opentelemetry::Context::new())
    }

    /// The same context with another caller, such as one who is known downstream by another token.
    #[must_use]
    pub fn called_by(&self, caller: Caller) -> Self {
        let Parts { budget, request_id, locale, trace, .. } = &*self.0;
        Self::new(budget.clone(), request_id.clone(), Some(caller), locale.clone(), trace.clone())
    }

    /// The context of a request that a gate let in, for code that is handed a request and not its parts.
    ///
    /// # Errors
    /// When no gate did, which is a fault of this program.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let context = request.extensions().get::<Self>().cloned();
        context.ok_or_else(|| {
            Problem::new(&kinds::INTERNAL_ERROR).caused_by("a handler asked for a context that no route gate made")
        })
    }

    /// The context of work that goes on for a caller after the request that asked for it, such as to open a stream again.
    #[must_use]
    pub fn on_behalf_of(budget: RequestBudget, caller: Caller) -> Self {
        Self::new(budget, RequestId::fresh(), Some(caller), None, opentelemetry::Context::new())
    }

    /// The time and the wire attempts that are left.
    #[must_use]
    pub fn budget(&self) -> &RequestBudget {
        &self.0.budget
    }

    /// The id under which support finds this request.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.0.request_id
    }

    /// The authenticated caller, if there is one.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.0.caller.as_ref()
    }

    /// Whose token calls carry, where the route's policy has decided it.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.0.credentials.as_ref()
    }

    /// The caller of a route that only authenticated callers reach.
    ///
    /// # Errors
    /// An `unauthenticated` problem where there is none.
    pub fn require_caller(&self) -> Result<&Caller, Problem> {
        self.caller().ok_or_else(|| Problem::new(&kinds::UNAUTHENTICATED))
    }

    /// The `Accept-Language` that goes downstream, as the client sent it.
    #[must_use]
    pub fn locale(&self) -> Option<&str> {
        self.0.locale.as_deref()
    }

    /// The trace context that downstream calls continue.
    #[must_use]
    pub fn trace(&self) -> &opentelemetry::Context {
        &self.0.trace
    }
}

impl FromRequest for RequestContext {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}
