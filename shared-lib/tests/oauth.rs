//! The client of an OpenID provider, against a real one.

#[path = "oauth/harness.rs"]
mod harness;
#[path = "oauth/login.rs"]
mod login;
#[path = "oauth/metadata.rs"]
mod metadata;
#[path = "oauth/plain_provider.rs"]
mod plain_provider;
#[path = "oauth/service_tokens.rs"]
mod service_tokens;
#[path = "oauth/token_endpoint.rs"]
mod token_endpoint;
#[path = "oauth/token_exchange.rs"]
mod token_exchange;
