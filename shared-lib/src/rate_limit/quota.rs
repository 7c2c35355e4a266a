//! So many units in a day or a month of the calendar.
//!
//! The calendar is UTC's, so that everybody's day turns at the same moment and a month is the month of an invoice. That
//! is another promise than a [`RatePolicy`](super::RatePolicy)'s: two days may be used up within a minute around
//! midnight. So the header field states no window for it, only when it begins again.

use std::{fmt, time::Duration};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The most that a header field can carry (RFC 9651, section 3.3.1), which no quota comes near.
pub const MAX_QUOTA: u64 = 999_999_999_999_999;

/// A stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From midnight to midnight, UTC.
    Day,
    /// From the first of a month to the first of the next, UTC.
    Month,
}

impl Period {
    /// The name of its quotas, in headers and in the problem of a refused call.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The first day of the one that holds this moment. It names the period.
    #[must_use]
    pub fn begins(self, now: Timestamp) -> Date {
        let today = now.to_zoned(TimeZone::UTC).date();
        match self {
            Self::Day => today,
            Self::Month => today.first_of_month(),
        }
    }

    /// How long it goes on.
    #[must_use]
    pub fn rest(self, now: Timestamp) -> Duration {
        let first = self.begins(now);
        let next = match self {
            Self::Day => first.saturating_add(1.day()),
            Self::Month => first.saturating_add(1.month()),
        };
        let end = next.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |end| end.timestamp());
        Duration::try_from(end.duration_since(now)).unwrap_or_default()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// At most `units` units in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaPolicy {
    period: Period,
    units: u64,
    shadow: bool,
}

impl QuotaPolicy {
    /// A quota of so many units, at most [`MAX_QUOTA`].
    #[must_use]
    pub fn new(period: Period, units: u64) -> Self {
        Self { period, units: units.min(MAX_QUOTA), shadow: false }
    }

    /// The same in shadow: what it would refuse is counted, and nobody is refused or told.
    #[must_use]
    pub fn in_shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// Whether it only counts.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// The period.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// Units in each period.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.units
    }

    /// Whether so much more does not fit. What costs nothing always does.
    #[must_use]
    pub(super) fn refuses(&self, used: u64, cost: u32) -> bool {
        cost > 0 && used.saturating_add(u64::from(cost)) > self.units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    /// Shows: P3
    #[test]
    fn days_and_months_are_those_of_utc() {
        let late = at("2028-02-29T23:59:58.5Z");
        assert_eq!(Period::Day.begins(late).to_string(), "2028-02-29");
        assert_eq!(Period::Month.begins(late).to_string(), "2028-02-01");
        assert_eq!(Period::Day.rest(late), Duration::from_millis(1500));
        assert_eq!(Period::Month.rest(late), Duration::from_millis(1500));
        let midnight = at("2028-12-31T00:00:00Z");
        assert_eq!(Period::Day.rest(midnight), Duration::from_secs(86_400));
        assert_eq!(Period::Month.rest(at("2028-12-01T00:00:00Z")), Duration::from_secs(31 * 86_400));
        assert_eq!(Period::Month.begins(at("2029-01-01T00:30:00+01:00")).to_string(), "2028-12-01");
    }

    /// Shows: P3
    #[test]
    fn what_costs_nothing_fits_a_quota_that_is_used_up() {
        let quota = QuotaPolicy::new(Period::Day, 10);
        assert!(!quota.refuses(9, 1) && quota.refuses(9, 2) && quota.refuses(10, 1));
        assert!(!quota.refuses(11, 0));
    }
}
