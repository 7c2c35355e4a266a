//! Why a value does not fit its type, kept as data instead of as text: serde's own messages print the value, and a
//! secret's value may reach no message.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::key_path::KeyPath;

/// The first fault that reading the typed settings met.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where. Set on the way out by the innermost table or list that knows it.
    pub path: Option<KeyPath>,
    pub kind: FaultKind,
}

#[derive(Debug)]
pub(super) enum FaultKind {
    /// Another type or an impossible value. What was found is looked up in the tree by who may print it.
    Mismatch {
        expected: String,
    },
    UnknownKey {
        known: Vec<String>,
    },
    UnknownChoice {
        known: Vec<String>,
    },
    Missing {
        key: String,
    },
    /// A type's own words. They may quote the value.
    Other {
        message: String,
    },
}

impl Fault {
    pub(super) fn mismatch(expected: impl Into<String>) -> Self {
        FaultKind::Mismatch { expected: expected.into() }.into()
    }

    /// Says where, unless something further inside did.
    pub(super) fn at(mut self, path: &KeyPath) -> Self {
        self.path.get_or_insert_with(|| path.clone());
        self
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { path: None, kind }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setting does not fit its type")
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        FaultKind::Other { message: message.to_string() }.into()
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(expected.to_string())
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::mismatch(expected.to_string())
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        FaultKind::UnknownChoice { known: owned(known) }.into()
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        FaultKind::UnknownKey { known: owned(known) }.into()
    }

    fn missing_field(key: &'static str) -> Self {
        FaultKind::Missing { key: key.to_owned() }.into()
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
