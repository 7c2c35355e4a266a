//! What the BFFs stand in front of, for development and tests: demo services over REST, gRPC and WebSocket, an OpenID provider, and
//! faults on demand. Never deployed to production.
//!
//! [`Sandbox`] runs all of it, or some parts, inside the calling process on threads of its own.

pub mod chaos;
pub mod clock;
pub mod part;
pub mod provider;

mod access;
pub mod cli;
pub mod notifications;
mod sandbox;
mod seed;
mod server;
mod services;

pub use self::{
    sandbox::{Listener, Ports, Sandbox, SandboxBuilder, StartError},
    seed::DEFAULT_SEED,
};
