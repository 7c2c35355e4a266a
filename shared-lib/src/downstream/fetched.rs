//! A value that came from a downstream, and how fresh it is.

use jiff::Timestamp;

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Asked for just now.
    Live,
    /// From a cache, within its lifetime.
    Cached,
    /// From a cache, past its lifetime: it is being asked for anew (`revalidating`), or the downstream failed; the
    /// text is the reason as [`Failure::reason`](super::Failure::reason) gives it.
    Stale(&'static str),
}

/// A value with its provenance. [`aggregate`](crate::aggregate) writes the provenance into the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub freshness: Freshness,
    /// When the downstream gave it.
    pub as_of: Timestamp,
}

impl<T> Fetched<T> {
    /// The same provenance for a value made from this one.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Fetched<U> {
        Fetched { value: make(self.value), freshness: self.freshness, as_of: self.as_of }
    }
}
