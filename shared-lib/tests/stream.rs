//! Server-sent events: what is on the wire, who gets what after which interruption, and what it may cost.

#[path = "stream/encoding.rs"]
mod encoding;
#[path = "stream/http.rs"]
mod http;
#[path = "stream/limits.rs"]
mod limits;
#[path = "stream/resuming.rs"]
mod resuming;
#[path = "stream/schedules.rs"]
mod schedules;
#[path = "stream/service.rs"]
mod service;
#[path = "stream/slow_readers.rs"]
mod slow_readers;
