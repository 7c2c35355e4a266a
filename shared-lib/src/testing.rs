//! What tests of a BFF and of this library stand on: the real service on a free port ([`TestService`]), a downstream
//! that answers what the test says ([`FakeDownstream`]), whole answers to assert on ([`Received`]), and
//! [`eventually`] for what happens elsewhere.
//!
//! Nothing here sleeps for a fixed time and nothing listens on a fixed port, so tests run in parallel and on a slow
//! machine alike. Everything panics with a reason instead of returning errors: a test that cannot go on has failed.

mod event_parser;
mod fake_downstream;
pub mod otlp;
mod postgres_server;
mod process;
mod received;
mod redis_server;
mod service;

use std::{future::Future, time::Duration};

pub use event_parser::{Dispatched, EventParser};
pub use fake_downstream::{Answer, FakeDownstream, Hold, SeenRequest};
pub use postgres_server::PostgresServer;
pub use process::resident_bytes;
pub use received::{Received, receive};
pub use redis_server::{KeptData, RedisServer};
pub use service::TestService;

/// How often [`eventually`] looks.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Looks until `holds` says true, for what no event announces to the test. False when it did not within `deadline`.
///
/// ```
/// # use std::time::Duration;
/// # #[actix_web::main]
/// # async fn main() {
/// use shared_lib::testing::eventually;
/// assert!(eventually(Duration::from_secs(5), || async { true }).await, "the breaker opens");
/// # }
/// ```
#[must_use = "whether it came to hold is what the test asserts"]
pub async fn eventually<F>(deadline: Duration, mut holds: impl FnMut() -> F) -> bool
where
    F: Future<Output = bool>,
{
    let polling = async {
        while !holds().await {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(deadline, polling).await.is_ok()
}
