//! A service from outside: its limits, its edge, and what operators can do.
#![cfg(feature = "test-util")]

#[path = "server/limit.rs"]
mod limit;
#[path = "server/management.rs"]
mod management;
#[path = "server/tiny.rs"]
mod tiny;
