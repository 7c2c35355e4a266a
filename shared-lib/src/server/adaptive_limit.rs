//! A limit on the requests in flight that follows their latency: what is too much is refused at once, while what is
//! admitted is still answered in time.
//!
//! A service that takes in more than it can serve does not serve more: each request waits longer, until clients give up
//! on answers that are being worked on, and the useful throughput goes to nothing. The right number of requests in flight
//! is throughput times latency (Little's law), which nobody can write into a configuration, because it changes with
//! every release of every service behind. So it is measured.
//!
//! # The algorithm
//! It is Gradient2 of Netflix's concurrency-limits: for each window of samples the limit becomes
//! `limit * clamp(tolerance * usual / measured, 0.5, 1) + sqrt(limit)`, smoothed. Latency as usual lets the limit grow by
//! its square root; latency over the tolerance means that requests queue somewhere, and the limit shrinks. A limit of
//! which less than half is used is left alone. Vegas and the original Gradient were not taken, because they compare with
//! the least latency ever seen, which in a service of mixed routes is that of its cheapest; additive increase with
//! multiplicative decrease was not, because it only sees an overload once requests time out.
//!
//! Three things differ from Gradient2, each for a fault of it that a backend-for-frontend meets:
//! - **The usual latency does not learn from an overload.** Gradient2 averages whatever it measures, so in an overload
//!   of minutes the queueing becomes usual and the limit rises with it. Here it is learnt upwards only from windows in
//!   which less than half of the limit was in use. Where there were none for 15 seconds, a probe halves the limit for a
//!   moment and, once the queue has gone, learns from what is admitted then. So a service that has really become slower is found out, too.
//! - **Each route has its own usual latency**, and a sample counts by its ratio to that. A change in the mix of requests
//!   is not a change in latency.
//! - **Refusals and failures do not count**: a burst of quick 401s is no sign of spare capacity. Requests that were given
//!   up count when they took longer than usual, so those who leave do not hide the waiting.
//!
//! # Where it stands
//! One limit for the process, outside the gate, so that a refusal costs no authentication; inside the trace and the
//! response headers, so that it can be seen. Probes and metrics are on another listener. Routes that wait on purpose take
//! [`Policy::unlimited_concurrency`](super::Policy::unlimited_concurrency). A place is held until the answer's head is
//! ready: a stream that has begun holds none.

mod gradient;
mod handle;
mod metrics;
mod middleware;

#[cfg(test)]
mod tests;

pub use handle::{AdaptiveLimit, Ending, Permit};
pub use middleware::{AdaptiveLimitService, LimitedResponse};
