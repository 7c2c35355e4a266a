//! bff-mobile as the apps meet it: over HTTP, in front of the sandbox.

mod access_tokens;
mod batch;
mod contract;
mod devices;
mod dpop;
mod harness;
mod home;
mod notifications;
mod orders;
mod product_feed;
mod products;
mod provider_away;
mod representation;
mod rollout;
mod settings;
mod token_exchange;
mod tracing;
