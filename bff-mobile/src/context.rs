//! The context of what a screen does: that of the request, or, for a part of a batch, one that spends the batch's
//! budget.

use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use shared_lib::{
    context::{Caller, RequestContext},
    downstream::budget::RequestBudget,
    problem::{Problem, kinds},
};

/// The budget that all parts of a batch share. It is among a part's extensions.
#[derive(Debug, Clone)]
pub struct SharedBudget(pub RequestBudget);

/// The context to call services in. Handlers take it instead of the [`RequestContext`] that the gate made, because the
/// gate gives each part of a batch a budget of its own.
#[derive(Debug, Clone)]
pub struct Context(RequestContext);

impl Context {
    /// The context of this request.
    ///
    /// # Errors
    /// When no route gate let the request in.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let extensions = request.extensions();
        let context = extensions.get::<RequestContext>().ok_or_else(|| {
            Problem::new(&kinds::INTERNAL_ERROR).caused_by("a handler asked for a context that no route gate made")
        })?;
        Ok(Self(match extensions.get::<SharedBudget>() {
            Some(SharedBudget(budget)) => rebuilt(context, budget.clone(), context.caller().cloned()),
            None => context.clone(),
        }))
    }

    /// The same context with another caller.
    #[must_use]
    pub fn called_by(&self, caller: Caller) -> RequestContext {
        rebuilt(&self.0, self.0.budget().clone(), Some(caller))
    }
}

fn rebuilt(context: &RequestContext, budget: RequestBudget, caller: Option<Caller>) -> RequestContext {
    RequestContext::new(
        budget,
        context.request_id().clone(),
        caller,
        context.locale().map(ToOwned::to_owned),
        context.trace().clone(),
    )
}

impl Deref for Context {
    type Target = RequestContext;

    fn deref(&self) -> &RequestContext {
        &self.0
    }
}

impl FromRequest for Context {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}
