//! Labels of a metric that come from outside: few, whatever comes.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// What those beyond the bound are counted as.
const OTHER: &str = "other";

/// The first values that come are labels of their own; those beyond the bound are counted together, as `other`.
#[derive(Debug)]
pub struct FewLabels {
    max: usize,
    known: Mutex<BTreeSet<String>>,
}

impl FewLabels {
    /// At most so many of their own.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, known: Mutex::default() }
    }

    /// The label of this value.
    #[must_use]
    pub fn of(&self, value: &str) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(value) {
            if known.len() >= self.max {
                return OTHER.to_owned();
            }
            known.insert(value.to_owned());
        }
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: S8
    #[test]
    fn however_many_values_come_the_labels_are_few_and_those_that_came_first_stay() {
        let labels = FewLabels::new(3);
        let seen: BTreeSet<String> = (0..1000).map(|number| labels.of(&format!("partner-{number}"))).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["other", "partner-0", "partner-1", "partner-2"]);
        assert_eq!(labels.of("partner-1"), "partner-1");
        assert_eq!(labels.of("partner-3"), "other");
    }
}
