//! What the three backends-for-frontends share. Nothing here knows the shop that the samples are about.

pub mod aggregate;
pub mod circuit_breaker;
pub mod clock;
pub mod conditional;
pub mod context;
pub mod downstream;
pub mod idempotency;
pub mod jwt;
pub mod oauth;
pub mod pagination;
pub mod problem;
pub mod rate_limit;
pub mod server;
pub mod service;
pub mod settings;
pub mod stream;
pub mod telemetry;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod versioning;
