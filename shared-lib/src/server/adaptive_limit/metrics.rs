//! What the limit shows of itself: three numbers without labels.

use std::sync::{Arc, Weak};

use opentelemetry::global;

use super::handle::Shared;

/// Has the meters read these numbers as long as the limit lives.
pub(super) fn observe(shared: &Arc<Shared>) {
    let meter = global::meter("trifront.server");
    let weak = Arc::downgrade(shared);
    let read = move |read: fn(&Shared) -> u64| Weak::upgrade(&weak).map(|shared| read(&shared));
    let (limit, in_flight, shed) = (read.clone(), read.clone(), read);
    meter
        .u64_observable_gauge("trifront.server.concurrency_limit")
        .with_description("Requests that may be worked on at once, as the adaptive limit has it now")
        .with_callback(move |observer| {
            if let Some(value) = limit(|shared| u64::from(shared.limit())) {
                observer.observe(value, &[]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("trifront.server.requests_in_flight")
        .with_description("Requests that are worked on, exempt routes not counted")
        .with_callback(move |observer| {
            if let Some(value) = in_flight(|shared| u64::from(shared.in_flight())) {
                observer.observe(value, &[]);
            }
        })
        .build();
    meter
        .u64_observable_counter("trifront.server.requests_shed")
        .with_description("Requests refused because more were in flight than the adaptive limit allows")
        .with_callback(move |observer| {
            if let Some(value) = shed(Shared::shed_total) {
                observer.observe(value, &[]);
            }
        })
        .build();
}
