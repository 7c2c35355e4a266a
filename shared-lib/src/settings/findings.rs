//! All that is wrong with the settings, collected: who starts a service should mend its settings once, not once per
//! fault.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The key's full path, such as `downstreams.catalog.timeout_ms`.
    pub path: String,
    /// What is wrong and what would be right. Never a secret's value.
    pub message: String,
    /// Where the value came from: a file, a variable or the built-in defaults. `None` when no layer gave it.
    pub origin: Option<String>,
}

/// Collects [`Finding`]s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a fault of the key at `path`. The message must not carry a secret's value.
    pub fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.push(Finding { path: path.into(), message: message.into(), origin: None });
    }

    /// Notes a fault unless `holds`. The message says what would be right.
    pub fn require(&mut self, holds: bool, path: impl Into<String>, message: impl Into<String>) {
        if !holds {
            self.error(path, message);
        }
    }

    /// Notes a fault with its origin.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many faults there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The faults in the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "(root)" } else { &self.path };
        write!(f, "{path}: {}", self.message)?;
        match &self.origin {
            Some(origin) => write!(f, " [{origin}]"),
            None => Ok(()),
        }
    }
}

/// One line per fault.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, finding) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}  {finding}")?;
        }
        Ok(())
    }
}

/// The path of `key` in the section `prefix`, which is empty at the root.
pub fn key(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}
