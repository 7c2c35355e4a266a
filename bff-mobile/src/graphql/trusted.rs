//! Trusted documents: those that the teams of the apps have published, known by their SHA-256. A request then names a
//! document by its hash, and where only such documents are taken nobody else's document is ever parsed.
//!
//! The file is what the usual tools write for persisted documents: one JSON object from hash to document. Each document
//! is read, counted and kept parsed at the start, so one that is over the limits stops the start and not an app.

use std::{collections::HashMap, path::Path};

use async_graphql::parser::types::ExecutableDocument;
use sha2::{Digest, Sha256};
use shared_lib::problem::Problem;

use super::Limits;

/// The documents by the hexadecimal form of their hash.
#[derive(Debug, Default)]
pub struct TrustedDocuments(HashMap<String, ExecutableDocument>);

/// Why the documents cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustedError {
    /// The file cannot be read.
    #[error("the file of trusted documents cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// It is not what it should be.
    #[error("the file of trusted documents is no JSON object from hash to document")]
    Malformed(#[from] serde_json::Error),
    /// A document stands under a hash that is not its own.
    #[error("the document under {0:?} has another SHA-256")]
    Hash(String),
    /// A document cannot be executed.
    #[error("the document {0} is refused")]
    Refused(String, #[source] Problem),
}

impl TrustedDocuments {
    /// Reads the file.
    ///
    /// # Errors
    /// [`TrustedError`].
    pub fn read(file: &Path, limits: &Limits) -> Result<Self, TrustedError> {
        Self::parse(&std::fs::read_to_string(file)?, limits)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`TrustedError`].
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, TrustedError> {
        let documents: HashMap<String, String> = serde_json::from_str(text)?;
        let mut trusted = HashMap::with_capacity(documents.len());
        for (hash, document) in documents {
            if hash != hash_of(&document) {
                return Err(TrustedError::Hash(hash));
            }
            let parsed =
                limits.parse(&document, false).map_err(|problem| TrustedError::Refused(hash.clone(), problem))?;
            trusted.insert(hash, parsed);
        }
        Ok(Self(trusted))
    }

    /// The document of this name: its hash, with or without `sha256:` before it.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&ExecutableDocument> {
        self.0.get(id.strip_prefix("sha256:").unwrap_or(id))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The name of a document.
#[must_use]
pub fn hash_of(document: &str) -> String {
    Sha256::digest(document.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::graphql::limits::Limits;

    const LIMITS: Limits = Limits { bytes: 200, tokens: 20, depth: 3, fields: 5, aliases: 1, directives: 1 };

    fn file(hash: &str, document: &str) -> String {
        json!({ hash: document }).to_string()
    }

    /// Shows: M9
    #[test]
    fn a_document_is_found_by_its_own_hash_only() {
        let document = "{ me { name } }";
        let trusted = TrustedDocuments::parse(&file(&hash_of(document), document), &LIMITS).expect("it is right");
        assert_eq!(trusted.len(), 1);
        assert!(trusted.find(&hash_of(document)).is_some());
        assert!(trusted.find(&format!("sha256:{}", hash_of(document))).is_some());
        assert!(trusted.find(&hash_of("{ me { name }}")).is_none());
        assert!(trusted.find("").is_none());
    }

    /// Shows: M9
    #[test]
    fn a_file_that_is_wrong_is_refused_as_a_whole() {
        let outcome = |text: &str| TrustedDocuments::parse(text, &LIMITS).map(|_| ());
        assert!(matches!(outcome("[]"), Err(TrustedError::Malformed(_))));
        assert!(matches!(outcome(&file("abc", "{ a }")), Err(TrustedError::Hash(hash)) if hash == "abc"));
        for document in ["{ a { b { c { d } } } }", "{ a", "{ __schema { types { name } } }"] {
            let outcome = outcome(&file(&hash_of(document), document));
            assert!(matches!(outcome, Err(TrustedError::Refused(..))), "{document}: {outcome:?}");
        }
    }
}
