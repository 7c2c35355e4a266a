//! Whether this instance wants new work.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Ready until told to drain. A downstream or a store that is away does not change it: every instance would leave the
/// load balancer at once, and the callers whom the outage does not concern would lose their service too.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that this instance wants no new work. It cannot be taken back.
    pub fn drain(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is on its way out.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
