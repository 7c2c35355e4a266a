//! What a hub shows of itself. One label, the hub's name, which is fixed when it is built.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use opentelemetry::{KeyValue, global};

use super::hub::{Refusal, Shared};

/// Running totals.
#[derive(Debug, Default)]
pub(super) struct Counts {
    opened: AtomicU64,
    cut: AtomicU64,
    refused_of_key: AtomicU64,
    refused: AtomicU64,
    refused_draining: AtomicU64,
    sent_away: AtomicU64,
    gaps: AtomicU64,
    upstream_opened: AtomicU64,
    signals: AtomicU64,
}

/// What has happened since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Streams that were opened.
    pub opened: u64,
    /// Streams that were cut because their reader was too slow.
    pub cut: u64,
    /// Streams refused for the key's limit.
    pub refused_of_key: u64,
    /// Streams refused for the process's limit.
    pub refused: u64,
    /// Streams refused because the process drains.
    pub refused_draining: u64,
    /// Clients that were sent away for a reason that is none of the hub's.
    pub sent_away: u64,
    /// Readers told of a gap because the upstream could no longer tell what lies there.
    pub gaps: u64,
    /// Upstream streams that were opened, the first time and again.
    pub upstream_opened: u64,
    /// Events and positions that upstream streams told.
    pub signals: u64,
}

impl Counts {
    pub(super) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn upstream_opened(&self) {
        self.upstream_opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::TooManyOfKey => &self.refused_of_key,
            Refusal::TooMany => &self.refused,
            Refusal::Draining => &self.refused_draining,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sent_away(&self) {
        self.sent_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn took_in(&self, cut: usize, gaps: usize) {
        self.signals.fetch_add(1, Ordering::Relaxed);
        if cut > 0 {
            self.cut.fetch_add(cut as u64, Ordering::Relaxed);
        }
        if gaps > 0 {
            self.gaps.fetch_add(gaps as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            opened: read(&self.opened),
            cut: read(&self.cut),
            refused_of_key: read(&self.refused_of_key),
            refused: read(&self.refused),
            refused_draining: read(&self.refused_draining),
            sent_away: read(&self.sent_away),
            gaps: read(&self.gaps),
            upstream_opened: read(&self.upstream_opened),
            signals: read(&self.signals),
        }
    }
}

/// Has the meters read these numbers as long as the hub lives.
pub(super) fn observe(name: &'static str, shared: &Arc<Shared>) {
    let meter = global::meter("trifront.stream");
    let label = [KeyValue::new("stream", name)];
    let gauge = |metric: &'static str, description: &'static str, read: fn(&Shared) -> usize| {
        let (weak, label) = (Arc::downgrade(shared), label.clone());
        meter
            .u64_observable_gauge(metric)
            .with_description(description)
            .with_callback(move |observer| {
                if let Some(shared) = weak.upgrade() {
                    observer.observe(read(&shared) as u64, &label);
                }
            })
            .build();
    };
    gauge("trifront.stream.open", "Streams that are open", Shared::streams);
    gauge("trifront.stream.keys", "Keys with an upstream stream", Shared::keys);
    let counter = |metric: &'static str, description: &'static str, read: fn(&Totals) -> u64| {
        let (weak, label) = (Arc::downgrade(shared), label.clone());
        meter
            .u64_observable_counter(metric)
            .with_description(description)
            .with_callback(move |observer| {
                if let Some(shared) = weak.upgrade() {
                    observer.observe(read(&shared.counts.totals()), &label);
                }
            })
            .build();
    };
    counter("trifront.stream.opened", "Streams that were opened", |totals| totals.opened);
    counter("trifront.stream.cut", "Streams cut because their reader was too slow", |totals| totals.cut);
    counter("trifront.stream.refused", "Streams refused for a limit, or because sessions are out of reach", |totals| {
        totals.refused_of_key + totals.refused + totals.sent_away
    });
    counter("trifront.stream.gaps", "Readers told that events are missing", |totals| totals.gaps);
    counter("trifront.stream.upstream_opened", "Upstream streams opened", |totals| totals.upstream_opened);
}
