//! The downstream layer against real servers: what callers get, what goes on the wire, and what is given back.

#[path = "downstream/cache.rs"]
mod cache;
#[path = "downstream/cancellation.rs"]
mod cancellation;
#[path = "downstream/connections.rs"]
mod connections;
#[path = "downstream/faults.rs"]
mod faults;
#[path = "downstream/forward.rs"]
mod forward;
#[path = "downstream/grpc.rs"]
mod grpc;
#[path = "downstream/harness.rs"]
mod harness;
#[path = "downstream/instances.rs"]
mod instances;
#[path = "downstream/manual.rs"]
mod manual;
#[path = "downstream/request_budget.rs"]
mod request_budget;
#[path = "downstream/retries.rs"]
mod retries;
#[path = "downstream/shared_cache.rs"]
mod shared_cache;
#[path = "downstream/sharing.rs"]
mod sharing;
#[path = "downstream/tls.rs"]
mod tls;
