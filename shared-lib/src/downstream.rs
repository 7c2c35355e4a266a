//! The only place that sends HTTP and gRPC to other services.
//!
//! A [`Registry`] is built once a process: it holds, for each downstream of the configuration, what all workers share
//! (settings, circuit breaker, retry budget). [`Registry::for_worker`] adds what a worker has to itself: one HTTP
//! client a downstream, because `awc` clients do not cross threads, and because one client a downstream is the
//! bulkhead (a client's connection limit holds for all its hosts together, so a slow host would starve the others).
//!
//! A call goes through the layers in this order, and each attempt on the wire goes through the last five again:
//! cache, coalescing, retry (policy and budget), bulkhead, circuit breaker, request budget, time-out, bounded body.

mod answers;
pub mod balance;
pub mod budget;
mod cache;
mod call;
mod client;
mod coalesce;
mod error;
mod failures;
mod fetched;
mod forward;
pub mod grpc;
mod instances;
mod layers;
mod load;
mod observe;
mod registry;
pub mod retry;
mod settings;
mod step_up;
mod tls;
mod tokens;
pub mod websocket;
mod wire;

pub use cache::CacheSettings;
pub use call::{Answer, Call, Readable};
pub use error::{DownstreamError, Failure};
pub use failures::FailureSettings;
pub use fetched::{Fetched, Freshness};
pub use forward::{ForwardError, ForwardLimits, Forwarded, ForwardedBody, Upload, UploadFault};
pub use instances::{Discover, Resolve};
pub use load::Load;
pub use registry::{Downstream, Downstreams, Registry, RegistryError};
pub use settings::{DownstreamSettings, DownstreamsSettings};
pub use step_up::StepUp;
pub use tls::{TlsError, TlsSettings};
pub use tokens::Tokens;
