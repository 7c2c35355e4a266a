//! bff-mobile as the apps meet it: over HTTP, in front of the sandbox.

mod access_tokens;
mod batch;
mod bombs;
mod contract;
mod cut_network;
mod devices;
mod dpop;
mod graphql;
mod graphql_refusals;
mod harness;
mod home;
mod notifications;
mod orders;
mod payload;
mod product_feed;
mod products;
mod provider_away;
mod representation;
mod rollout;
mod settings;
mod signing_keys;
mod token_exchange;
mod tracing;
