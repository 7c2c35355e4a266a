//! What was decided, and how clients are told.

use std::{fmt::Write, time::Duration};

use actix_web::http::header::{HeaderName, HeaderValue};

/// What is promised (draft-ietf-httpapi-ratelimit-headers, section 3).
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left (draft-ietf-httpapi-ratelimit-headers, section 4).
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Where one policy stands after a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyState {
    /// The policy's name.
    pub name: String,
    /// Units that it promises in a window.
    pub quota: u32,
    /// The window; none for a limit on calls at the same time.
    pub window: Option<Duration>,
    /// Units that could be had now.
    pub remaining: u32,
    /// For a policy that refused, the time until what was asked for can be had; otherwise the time until as much as can
    /// be had at once is there again.
    pub reset: Duration,
    /// Whether it refused.
    pub violated: bool,
}

/// What was decided about one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Every policy that was asked, in the order in which they are configured.
    pub states: Vec<PolicyState>,
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
        self
    }

    /// The two fields for the answer; none where no policy was asked.
    #[must_use]
    pub fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let (mut promised, mut left) = (String::new(), String::new());
        for state in &self.states {
            let separator = if promised.is_empty() { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(promised, "{separator}\"{}\";q={}", state.name, state.quota);
            let _ = match state.window {
                Some(window) => write!(promised, ";w={}", whole_seconds(window)),
                None => write!(promised, ";qu=\"concurrent-requests\""),
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

    fn state(name: &str, remaining: u32, reset_ms: u64, violated: bool) -> PolicyState {
        PolicyState {
            name: name.to_owned(),
            quota: 100,
            window: Some(Duration::from_secs(60)),
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
        let decision = Decision { states: vec![state("burst", 50, 29_001, false), state("sustained", 7, 0, false)] };
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
        let decision = Decision { states };
        assert!(!decision.is_admitted());
        assert_eq!(decision.violated(), ["burst", "sustained"]);
        assert_eq!(decision.retry_after(), Duration::from_millis(1_001));
    }

    #[test]
    fn without_policies_everything_is_admitted_and_nothing_said() {
        assert!(Decision::default().is_admitted() && Decision::default().headers().is_empty());
    }
}
