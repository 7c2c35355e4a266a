//! The service as a whole, on real sockets, in front of the real sandbox.

mod attacks;
mod auth;
mod caching;
mod cart;
mod chat;
mod contract;
mod dashboard;
mod degradation;
mod docs;
mod harness;
mod isolation;
mod notification_read;
mod orders;
mod outages;
mod product;
mod products;
mod products_page;
mod proxy;
mod response_headers;
mod settings;
mod spa;
mod start_page;
mod streams;
mod trace;
mod v1;
