//! Looks at the circuit breakers once a second, so that their transitions show in logs on time also while nobody calls,
//! and shows them as metrics.
//!
//! Series are bounded by the configuration: `trifront.circuit_breaker.state` has one for each downstream and state, 1 for
//! the state that it is in and 0 for the others; `trifront.circuit_breaker.transitions` has one for each downstream.

use std::{sync::Arc, time::Duration};

use opentelemetry::{KeyValue, global};
use tokio::task::JoinHandle;

use crate::{circuit_breaker::State, downstream::Registry};

const INTERVAL: Duration = Duration::from_secs(1);

const STATES: [State; 6] =
    [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::Disabled, State::MetricsOnly];

/// Watches until it is dropped.
pub(super) struct BreakerWatch(JoinHandle<()>);

impl BreakerWatch {
    /// Begins. Needs a tokio runtime, and the meters to be installed.
    pub(super) fn start(registry: Registry) -> Self {
        let registry = Arc::new(registry);
        show(&registry);
        Self(tokio::spawn(async move {
            let mut interval = tokio::time::interval(INTERVAL);
            loop {
                interval.tick().await;
                // Taking a snapshot lets overdue transitions happen.
                drop(registry.breakers());
            }
        }))
    }
}

impl Drop for BreakerWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The meters read the breakers as long as the watch goes on.
fn show(registry: &Arc<Registry>) {
    let meter = global::meter("trifront.circuit_breaker");
    let weak = Arc::downgrade(registry);
    meter
        .u64_observable_gauge("trifront.circuit_breaker.state")
        .with_description("1 for the state that the circuit breaker of a downstream is in, 0 for the others")
        .with_callback(move |observer| {
            let Some(registry) = weak.upgrade() else { return };
            for (name, breaker) in registry.breakers() {
                for state in STATES {
                    let attributes =
                        [KeyValue::new("peer.service", name.clone()), KeyValue::new("state", state.as_str())];
                    observer.observe(u64::from(breaker.state == state), &attributes);
                }
            }
        })
        .build();
    let weak = Arc::downgrade(registry);
    meter
        .u64_observable_counter("trifront.circuit_breaker.transitions")
        .with_description("Changes of state of the circuit breaker of a downstream since the start")
        .with_callback(move |observer| {
            let Some(registry) = weak.upgrade() else { return };
            for (name, breaker) in registry.breakers() {
                // The generation counts the transitions.
                observer.observe(breaker.generation, &[KeyValue::new("peer.service", name)]);
            }
        })
        .build();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use url::Url;

    use super::*;
    use crate::{circuit_breaker::Outcome, clock::Clock, downstream::DownstreamSettings};

    /// Shows: S2
    #[actix_web::test]
    async fn an_open_breaker_goes_half_open_on_time_while_nobody_calls_or_looks() {
        let mut settings = DownstreamSettings::for_address(&Url::parse("http://127.0.0.1:9").expect("an address"));
        settings.circuit_breaker.minimum_calls = 1;
        let (clock, hand) = Clock::manual();
        let settings = BTreeMap::from([("backend".to_owned(), settings)]);
        let registry = Registry::new(&settings, &clock).expect("it needs nothing");
        let breaker = registry.breaker("backend").expect("it is configured").clone();
        let _watch = BreakerWatch::start(registry);
        breaker.try_acquire().expect("it is closed").record(Outcome::Failure);
        // The debug text is the one look at a breaker that lets no transition happen.
        assert!(format!("{breaker:?}").contains("Open"), "{breaker:?}");
        hand.advance(Duration::from_secs(6));
        let becomes_half_open = async {
            while !format!("{breaker:?}").contains("HalfOpen") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(10), becomes_half_open).await.is_ok(), "{breaker:?}");
    }
}
