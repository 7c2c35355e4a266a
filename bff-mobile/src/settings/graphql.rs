//! `[graphql]`: what a document may cost, and which documents are taken.

use serde::Deserialize;
use shared_lib::settings::{Findings, key};

use crate::graphql::{Limits, Rules};

/// Which documents are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Documents {
    /// Any within the limits.
    Any,
    /// Those of the file alone.
    Trusted,
}

/// What a document may cost, and which documents are taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphqlSettings {
    /// Which documents are taken.
    pub documents: Documents,
    /// The published documents; absent: none.
    pub documents_file: Option<String>,
    /// The largest request, in bytes.
    pub max_body_bytes: usize,
    /// The longest document, in bytes.
    pub max_document_bytes: usize,
    /// The most tokens.
    pub max_tokens: usize,
    /// The most fields below one another.
    pub max_depth: usize,
    /// The most fields, fragments counted as often as they are used.
    pub max_fields: usize,
    /// The most aliases.
    pub max_aliases: usize,
    /// The most directives.
    pub max_directives: usize,
    /// The highest complexity.
    pub max_complexity: usize,
}

impl GraphqlSettings {
    /// The rules; in development the schema is told.
    #[must_use]
    pub fn rules(&self, production: bool) -> Rules {
        Rules {
            limits: Limits {
                bytes: self.max_document_bytes,
                tokens: self.max_tokens,
                depth: self.max_depth,
                fields: self.max_fields,
                aliases: self.max_aliases,
                directives: self.max_directives,
            },
            max_complexity: self.max_complexity,
            max_body_bytes: self.max_body_bytes,
            only_trusted: self.documents == Documents::Trusted,
            development: !production,
        }
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        let has_file = self.documents == Documents::Any || self.documents_file.is_some();
        let message = "must be set when [graphql] documents is \"trusted\", or nothing could be asked for";
        findings.require(has_file, key(prefix, "documents_file"), message);
        for (name, value, maximum) in [
            ("max_body_bytes", self.max_body_bytes, 1_048_576),
            ("max_document_bytes", self.max_document_bytes, 65_536),
            ("max_tokens", self.max_tokens, 10_000),
            ("max_depth", self.max_depth, 30),
            ("max_fields", self.max_fields, 5_000),
            ("max_aliases", self.max_aliases, 1_000),
            ("max_directives", self.max_directives, 1_000),
            ("max_complexity", self.max_complexity, 100_000),
        ] {
            let within = (1..=maximum).contains(&value);
            findings.require(within, key(prefix, name), format!("must be from 1 to {maximum}"));
        }
    }
}
