//! How a backend-for-frontend listens: routes with policies, the gate in front of them, the management listener, and
//! the way out.
//!
//! # The order of things around a handler
//! From the outside in; each stands where it stands for a reason.
//! 1. trace ([`telemetry`](crate::telemetry)): outermost, so that everything below has a span and a request id.
//! 2. response headers ([`ResponseHeaders`]): security headers and the request id are on every answer, errors included.
//! 3. problems ([`RenderProblems`](crate::problem::RenderProblems)): inside the trace, because it logs; outside
//!    everything that can fail.
//! 4. the limit on the size of a request's head.
//! 5. the limit on concurrent requests ([`AdaptiveLimit`]): before any work is done for a request that is one too many.
//! 6. what a BFF adds of its own, such as its session.
//! 7. the gate ([`RouteTable::into_scope`]): looks the route's policy up, asks the BFF's [`Guard`] who is calling and
//!    whether that is allowed, and makes the request's context. A route without a policy does not exist.
//! 8. the handler.

pub mod adaptive_limit;
mod gate;
mod head_limit;
mod headers;
mod http1;
mod listener;
mod management;
mod openapi;
mod policy;
mod readiness;
mod routes;

pub use adaptive_limit::AdaptiveLimit;
pub use gate::{Admission, Guard};
pub(crate) use head_limit::limit_head;
pub use headers::ResponseHeaders;
pub(crate) use http1::serve_http1;
pub use listener::{BindError, Part, bind, give_up_on_silent_peers};
pub use management::{InfoSource, Management, serve_management};
pub use openapi::describe;
pub use policy::{Access, CsrfCheck, Policy, TokenOwner, caller, public, scopes};
pub use readiness::Readiness;
pub use routes::{Route, RouteTable};
