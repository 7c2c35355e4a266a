//! What was decided about a call's limits, for handlers and for who finds later that the call cost nothing.

use std::{
    future::{Ready, ready},
    rc::Rc,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use shared_lib::{
    problem::{Problem, kinds},
    rate_limit::Decision,
};

use crate::limits::Bill;

/// A call that was let in, and what it was charged.
#[derive(Clone)]
pub struct AdmittedCall(Rc<(Decision, Bill)>);

impl AdmittedCall {
    pub(super) fn new(decision: Decision, bill: Bill) -> Self {
        Self(Rc::new((decision, bill)))
    }

    /// What was decided.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.0.0
    }

    /// What it was charged.
    #[must_use]
    pub fn bill(&self) -> &Bill {
        &self.0.1
    }
}

impl FromRequest for AdmittedCall {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let call = request.extensions().get::<Self>().cloned();
        ready(call.ok_or_else(|| {
            Problem::new(&kinds::INTERNAL_ERROR).caused_by("a handler asked for a call that no guard admitted")
        }))
    }
}
