//! What a call owes whose weight only its handler knows, because it is charged for each of the items that it carries.
//!
//! The guard gives such a call its place among those at the same time, and charges nothing. The handler
//! [pays](Toll::pay) before it does anything, so the whole weight is charged at once or not at all, and
//! [says so](Paid::say) with whatever it answers.

use std::{
    future::{Ready, ready},
    num::NonZeroU32,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse,
    dev::Payload,
    http::header::{HeaderName, HeaderValue},
};
use shared_lib::problem::{Problem, kinds};

use crate::limits::Account;

/// What is owed.
#[derive(Clone)]
pub struct Toll {
    account: Account,
    weight: NonZeroU32,
}

/// That it was paid.
#[must_use = "the answer has to say what is left"]
pub struct Paid(Vec<(HeaderName, HeaderValue)>);

impl Toll {
    /// So much for each item.
    pub(super) fn new(account: Account, weight: NonZeroU32) -> Self {
        Self { account, weight }
    }

    /// Pays for so many items, at least for one. What the plan never admits is charged as one.
    ///
    /// # Errors
    /// [`RATE_LIMITED`](crate::limits::RATE_LIMITED), which has cost nothing;
    /// [`TOO_HEAVY_FOR_PLAN`](crate::limits::TOO_HEAVY_FOR_PLAN).
    pub async fn pay(&self, items: usize) -> Result<Paid, Problem> {
        let items = u32::try_from(items).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let cost = self.weight.saturating_mul(items);
        match self.account.refuse_what_never_fits(cost) {
            Ok(()) => Ok(Paid(self.account.charge(cost, cost.get()).await?.0.headers())),
            Err(refusal) => {
                let (decision, _) = self.account.charge(self.weight, self.weight.get()).await?;
                Err(with(decision.headers(), refusal))
            }
        }
    }
}

impl Paid {
    /// The answer with what is promised and what is left.
    ///
    /// # Errors
    /// The answer's own, which says the same.
    pub fn say(self, answer: Result<HttpResponse, Problem>) -> Result<HttpResponse, Problem> {
        let mut response = answer.map_err(|problem| with(self.0.clone(), problem))?;
        for (name, value) in self.0 {
            response.headers_mut().append(name, value);
        }
        Ok(response)
    }
}

fn with(headers: Vec<(HeaderName, HeaderValue)>, problem: Problem) -> Problem {
    headers.into_iter().fold(problem, |problem, (name, value)| problem.header(name, value))
}

impl FromRequest for Toll {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let toll = request.extensions().get::<Self>().cloned();
        ready(toll.ok_or_else(|| {
            Problem::new(&kinds::INTERNAL_ERROR).caused_by("a handler asked for a toll that no guard left to it")
        }))
    }
}
