//! What was decided, and how clients are told.

use std::{fmt::Write, time::Duration};

use actix_web::http::header::{HeaderName, HeaderValue};

/// What is promised (draft-ietf-httpapi-ratelimit-headers, section 3).
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left (draft-ietf-httpapi-ratelimit-headers, section 4).
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// In what a policy promises its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// In any window of this length.
    Window(Duration),
    /// In each period of the calendar.
    Calendar,
    /// At the same time.
    Concurrent,
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Redis, for all replicas together.
    Shared,
    /// This process, for itself.
    Local,
}

impl Tier {
    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Local => "local",
        }
    }
}

/// Where one policy stands after a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyState {
    /// The policy's name.
    pub name: String,
    /// Units that it promises.
    pub quota: u64,
    /// In what it promises them.
    pub measure: Measure,
    /// Units that could be had now.
    pub remaining: u64,
    /// For a policy that refused, the time until what was asked for can be had; otherwise the time until as much as can
    /// be had at once is there again. Of a quota always the rest of its period.
    pub reset: Duration,
    /// Whether it refused.
    pub violated: bool,
}

/// What was decided about one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Every policy that was asked and refuses, in the order in which they are configured.
    pub states: Vec<PolicyState>,
    /// The names of the policies in shadow that would have refused. Nobody outside is told.
    pub shadowed: Vec<String>,
    /// Who decided, where a tier was asked.
    pub tier: Option<Tier>,
}

impl Decision {
    /// Whether the call may be made. If not, it has cost nothing.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.states.iter().all(|state| !state.violated)
    }

    /// The names of the policies that refused.
    #[must_use]
    pub fn violated(&self) -> Vec<&str> {
        self.states.iter().filter(|state| state.violated).map(|state| state.name.as_str()).collect()
    }

    /// How long to wait after a refusal: until every policy that refused has what was asked for.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.states.iter().filter(|state| state.violated).map(|state| state.reset).max().unwrap_or_default()
    }

    /// Adds the policies of another decision about the same call.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.states.extend(other.states);
        self.shadowed.extend(other.shadowed);
        self.tier = self.tier.or(other.tier);
        self
    }

    /// The same where each quota has got so many units back.
    #[must_use]
    pub fn without_quotas(&self, units: u32) -> Self {
        let mut decision = self.clone();
        for state in decision.states.iter_mut().filter(|state| state.measure == Measure::Calendar) {
            state.remaining = state.remaining.saturating_add(u64::from(units)).min(state.quota);
        }
        decision
    }

    /// The two fields for the answer; none where no policy was asked.
    #[must_use]
    pub fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let (mut promised, mut left) = (String::new(), String::new());
        for state in &self.states {
            let separator = if promised.is_empty() { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(promised, "{separator}\"{}\";q={}", state.name, state.quota);
            let _ = match state.measure {
                Measure::Window(window) => write!(promised, ";w={}", whole_seconds(window)),
                // `w` would promise something about any window of that length.
                Measure::Calendar => Ok(()),
                Measure::Concurrent => write!(promised, ";qu=\"concurrent-requests\""),
            };
            let _ = write!(left, "{separator}\"{}\";r={}", state.name, state.remaining);
            if !state.reset.is_zero() {
                let _ = write!(left, ";t={}", whole_seconds(state.reset));
            }
        }
        [(RATE_LIMIT_POLICY, promised), (RATE_LIMIT, left)]
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?)))
            .collect()
    }
}

/// Rounded up, so that nobody comes too early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str, remaining: u64, reset_ms: u64, violated: bool) -> PolicyState {
        PolicyState {
            name: name.to_owned(),
            quota: 100,
            measure: Measure::Window(Duration::from_secs(60)),
            remaining,
            reset: Duration::from_millis(reset_ms),
            violated,
        }
    }

    fn texts(decision: &Decision) -> Vec<String> {
        decision.headers().iter().map(|(_, value)| value.to_str().expect("text").to_owned()).collect()
    }

    /// Shows: P3
    #[test]
    fn the_fields_are_lists_of_structured_items_in_one_order() {
        let states = vec![state("burst", 50, 29_001, false), state("sustained", 7, 0, false)];
        let decision = Decision { states, ..Decision::default() };
        assert_eq!(
            texts(&decision),
            ["\"burst\";q=100;w=60, \"sustained\";q=100;w=60", "\"burst\";r=50;t=30, \"sustained\";r=7"]
        );
        assert!(decision.is_admitted());
    }

    /// Shows: P3
    #[test]
    fn a_refusal_names_who_refused_and_waits_for_the_slowest_of_them() {
        let states =
            vec![state("burst", 0, 400, true), state("sustained", 0, 1_001, true), state("day", 9, 9_000, false)];
        let decision = Decision { states, ..Decision::default() };
        assert!(!decision.is_admitted());
        assert_eq!(decision.violated(), ["burst", "sustained"]);
        assert_eq!(decision.retry_after(), Duration::from_millis(1_001));
    }

    /// Shows: P3
    #[test]
    fn a_quota_says_when_it_begins_again_and_promises_nothing_about_windows() {
        let day = PolicyState { measure: Measure::Calendar, ..state("day", 7, 3_600_000, false) };
        let concurrency = PolicyState { measure: Measure::Concurrent, ..state("concurrency", 99, 0, false) };
        let decision = Decision { states: vec![day, concurrency], ..Decision::default() };
        assert_eq!(
            texts(&decision),
            [
                "\"day\";q=100, \"concurrency\";q=100;qu=\"concurrent-requests\"",
                "\"day\";r=7;t=3600, \"concurrency\";r=99"
            ]
        );
    }

    #[test]
    fn without_policies_everything_is_admitted_and_nothing_said() {
        assert!(Decision::default().is_admitted() && Decision::default().headers().is_empty());
    }
}
