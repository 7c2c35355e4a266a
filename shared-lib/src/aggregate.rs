//! Puts a screen together from parts that are fetched at once, and says how it was put together.
//!
//! A composite is either needed or optional in each of its parts. A needed part that fails fails the page, at once and
//! with a truthful status; the calls for the other parts are cancelled. An optional part never fails the page: it is
//! left out, or replaced by a fallback, and the [`Receipt`] says so.
//!
//! ```
//! # use shared_lib::{aggregate::{Composite, Receipt}, downstream::{DownstreamError, Fetched}, problem::Problem};
//! # async fn user() -> Result<Fetched<String>, DownstreamError> { std::future::pending().await }
//! # async fn balance() -> Result<Fetched<i64>, DownstreamError> { std::future::pending().await }
//! # #[expect(dead_code, reason = "the example only has to compile")]
//! # async fn page() -> Result<(String, Option<i64>, Receipt), Problem> {
//! let parts = Composite::new();
//! let (user, balance) = futures_util::try_join!(
//!     parts.required("user", user()),
//!     parts.optional("balance", balance()),
//! )?;
//! Ok((user, balance, parts.into_receipt()))
//! # }
//! ```

use std::{cell::RefCell, collections::BTreeMap, future::Future};

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    downstream::{DownstreamError, Fetched, Freshness},
    problem::Problem,
};

/// How a composite was put together: one entry a part. It is not part of an entity tag, because it says when and not
/// what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipt(BTreeMap<String, PartReceipt>);

/// How one part was come by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartReceipt {
    /// Where the part came from.
    pub state: PartState,
    /// When the service gave it (RFC 3339, UTC). Absent for a part that is missing or a fallback.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// Why it is not live; absent when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "timeout")]
    pub reason: Option<&'static str>,
}

/// Where a part came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartState {
    /// Asked for just now.
    Live,
    /// From a cache, within its lifetime.
    Cached,
    /// From a cache, past its lifetime.
    Stale,
    /// A value that stands in for the part.
    Fallback,
    /// Left out.
    Missing,
}

/// A composite that is being put together. It notes what becomes of each part.
#[derive(Debug, Default)]
pub struct Composite {
    receipt: RefCell<BTreeMap<String, PartReceipt>>,
}

impl Composite {
    /// Begins a composite.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A part that the page cannot do without.
    ///
    /// # Errors
    /// The failure as a problem that names the part; with `try_join!` it ends the page and cancels the other parts.
    pub async fn required<T>(
        &self,
        name: &'static str,
        part: impl Future<Output = Result<Fetched<T>, DownstreamError>>,
    ) -> Result<T, Problem> {
        match part.await {
            Ok(fetched) => Ok(self.received(name, fetched)),
            Err(error) => Err(error.into_problem(name)),
        }
    }

    /// A part that the page can do without.
    ///
    /// # Errors
    /// Never; the type is that of [`required`](Self::required), so that both stand in one `try_join!`.
    pub async fn optional<T>(
        &self,
        name: &'static str,
        part: impl Future<Output = Result<Fetched<T>, DownstreamError>>,
    ) -> Result<Option<T>, Problem> {
        match part.await {
            Ok(fetched) => Ok(Some(self.received(name, fetched))),
            Err(error) => {
                self.replaced(name, PartState::Missing, &error);
                Ok(None)
            }
        }
    }

    /// A part that has a stand-in.
    ///
    /// # Errors
    /// Never; see [`optional`](Self::optional).
    pub async fn optional_or<T>(
        &self,
        name: &'static str,
        part: impl Future<Output = Result<Fetched<T>, DownstreamError>>,
        fallback: impl FnOnce() -> T,
    ) -> Result<T, Problem> {
        match part.await {
            Ok(fetched) => Ok(self.received(name, fetched)),
            Err(error) => {
                self.replaced(name, PartState::Fallback, &error);
                Ok(fallback())
            }
        }
    }

    /// The receipt, once all parts are in.
    #[must_use]
    pub fn into_receipt(self) -> Receipt {
        Receipt(self.receipt.into_inner())
    }

    fn received<T>(&self, name: &str, fetched: Fetched<T>) -> T {
        let (state, reason) = match fetched.freshness {
            Freshness::Live => (PartState::Live, None),
            Freshness::Cached => (PartState::Cached, Some("cached")),
            Freshness::Stale(reason) => (PartState::Stale, Some(reason)),
        };
        self.note(name, PartReceipt { state, as_of: Some(fetched.as_of), reason });
        fetched.value
    }

    fn replaced(&self, name: &str, state: PartState, error: &DownstreamError) {
        tracing::warn!(
            part = name,
            service = &*error.service,
            reason = error.failure.reason(),
            "an optional part failed"
        );
        self.note(name, PartReceipt { state, as_of: None, reason: Some(error.failure.reason()) });
    }

    fn note(&self, name: &str, part: PartReceipt) {
        self.receipt.borrow_mut().insert(name.to_owned(), part);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        sync::Arc,
        time::Duration,
    };

    use serde_json::json;

    use super::*;
    use crate::downstream::Failure;

    const NOON: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn fetched<T>(value: T, freshness: Freshness) -> Result<Fetched<T>, DownstreamError> {
        Ok(Fetched { value, freshness, as_of: NOON })
    }

    fn timed_out<T>() -> Result<Fetched<T>, DownstreamError> {
        Err(DownstreamError::new(&Arc::from("accounts"), Failure::TimedOut(Duration::from_secs(2))))
    }

    #[actix_web::test]
    async fn the_receipt_says_of_each_part_how_it_was_come_by() {
        let parts = Composite::new();
        let values = futures_util::try_join!(
            parts.required("user", ready(fetched("Alice", Freshness::Live))),
            parts.optional("orders", ready(fetched(3, Freshness::Stale("revalidating")))),
            parts.optional("balance", ready(timed_out::<i64>())),
            parts.optional_or("promotions", ready(timed_out()), Vec::<u8>::new),
        )
        .expect("no needed part failed");
        assert_eq!(values, ("Alice", Some(3), None, Vec::new()));
        assert_eq!(
            serde_json::to_value(parts.into_receipt()).expect("a receipt is JSON"),
            json!({
                "user": {"state": "live", "asOf": "2023-11-14T22:13:20Z"},
                "orders": {"state": "stale", "asOf": "2023-11-14T22:13:20Z", "reason": "revalidating"},
                "balance": {"state": "missing", "reason": "timeout"},
                "promotions": {"state": "fallback", "reason": "timeout"},
            })
        );
    }

    #[actix_web::test]
    async fn a_needed_part_that_fails_ends_the_page_while_others_are_still_under_way() {
        let parts = Composite::new();
        let outcome = futures_util::try_join!(
            parts.required("user", ready(timed_out::<()>())),
            parts.optional("balance", pending::<Result<Fetched<()>, DownstreamError>>()),
        );
        let problem = outcome.expect_err("the page fails").to_json(None);
        assert_eq!(
            (&problem["status"], &problem["part"], &problem["reason"]),
            (&json!(504), &json!("user"), &json!("timeout"))
        );
    }
}
