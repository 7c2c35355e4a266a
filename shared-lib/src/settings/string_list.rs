//! A list of texts.

use std::ops::Deref;

use serde::Deserialize;

/// A list of texts; the environment may give it as comma-separated text, as any list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StringList(Vec<String>);

impl Deref for StringList {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl From<Vec<String>> for StringList {
    fn from(items: Vec<String>) -> Self {
        Self(items)
    }
}
