//! The service as a whole, on real sockets, in front of the real sandbox.

mod auth;
mod contract;
mod dashboard;
mod harness;
mod outages;
mod products;
mod products_page;
mod settings;
mod start_page;
mod trace;
