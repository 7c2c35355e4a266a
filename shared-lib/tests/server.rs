//! A service from outside: its limits, its edge, and what operators can do.
#![cfg(feature = "test-util")]

#[path = "server/edge.rs"]
mod edge;
#[path = "server/limit.rs"]
mod limit;
#[path = "server/management.rs"]
mod management;
#[path = "server/methods.rs"]
mod methods;
#[path = "server/tiny.rs"]
mod tiny;
