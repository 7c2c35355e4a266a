//! Layered, typed settings, checked as a whole before a service starts.
//!
//! Layers, the later one wins: the built-in `config/default.toml`, then one file (`--config FILE` or
//! `BFF_WEB_CONFIG`), then the environment (`BFF_WEB__SECTION__KEY`). Every secret key may be given as `<key>_file`
//! instead. The `config` crate reads and merges the layers; [`value_reader`] turns the tree into types.
//!
//! A service that starts with settings that nobody meant is worse than one that does not start. So an unknown key is
//! an error, a wrong type is an error, and all errors are reported at once, each with its full path, its origin and
//! what would be right, and none with the value of a secret.

mod adaptive_limit;
mod environment;
mod fault;
mod findings;
mod key_path;
mod layers;
mod management;
mod report;
mod secret;
mod secret_files;
mod server;
mod string_list;
mod telemetry;
mod value_reader;

use std::path::PathBuf;

use config::{Value, ValueKind};
use serde::de::DeserializeOwned;

use fault::{Fault, FaultKind};
use key_path::KeyPath;
use layers::Layer;
use value_reader::{PLACEHOLDER, ValueReader};

pub use adaptive_limit::AdaptiveLimitSettings;
pub use environment::Environment;
pub use findings::{Finding, Findings, key};
pub use layers::Sources;
pub use management::ManagementSettings;
pub use secret::Secret;
pub use server::ServerSettings;
pub use string_list::StringList;
pub use telemetry::{ContinuedTraces, LogFormat, TelemetrySettings};

/// Marks secrets that are public because they are built in for development. Production refuses them.
pub const DEVELOPMENT_SECRET_MARK: &str = "dev-only-";

/// The settings of one service: a struct with `deny_unknown_fields`, whose root has the key `environment`.
pub trait Settings: DeserializeOwned {
    /// What the service's variables begin with: `BFF_WEB` for `BFF_WEB__SERVER__PORT` and `BFF_WEB_CONFIG`.
    const PREFIX: &'static str;
    /// The text of the built-in `default.toml`, which gives every key that is not optional.
    const DEFAULTS: &'static str;
    /// What messages call that file, such as `bff-web/config/default.toml`.
    const DEFAULTS_NAME: &'static str;
    /// The keys whose value may be given as `<key>_file` and never reaches a message: dotted, `*` for any one segment,
    /// such as `downstreams.*.token`.
    const SECRETS: &'static [&'static str];

    /// Checks what types cannot, such as ranges and keys that need each other, and notes every fault.
    fn audit(&self, findings: &mut Findings);
}

/// Why the settings were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file is away or unreadable.
    #[error("the settings file {} cannot be read", path.display())]
    File {
        /// The file's path as given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A layer is not TOML. The line itself is not shown: it may hold a secret.
    #[error("{origin}, line {line}: not valid TOML: {message}")]
    Syntax {
        /// The file or the built-in defaults.
        origin: String,
        /// The line, counted from 1.
        line: usize,
        /// The parser's words.
        message: String,
    },
    /// The layers could not be put together.
    #[error("the settings' layers cannot be merged")]
    Merge(#[source] config::ConfigError),
    /// Keys or values are wrong.
    #[error("the settings have {} fault(s):\n{_0}", _0.len())]
    Invalid(Findings),
}

/// Reads, merges and checks the settings of a service.
///
/// # Errors
/// [`SettingsError::Invalid`] with everything that is wrong; the other variants when a layer cannot be read at all.
pub fn load<S: Settings>(sources: &Sources) -> Result<S, SettingsError> {
    let mut findings = Findings::new();
    let defaults = layers::toml_layer(S::DEFAULTS, &format!("built-in defaults {}", S::DEFAULTS_NAME))?;
    let mut all = vec![defaults.clone()];
    if let Some(path) = &sources.file {
        let text =
            std::fs::read_to_string(path).map_err(|source| SettingsError::File { path: path.clone(), source })?;
        all.push(layers::toml_layer(&text, &format!("file {}", path.display()))?);
    }
    all.push(layers::environment_layer(S::PREFIX, &sources.env, &mut findings));
    secret_files::settle(&mut all, S::SECRETS, &mut findings);
    let mut root = layers::merge(all)?;
    let mut reported = secret_files::read(&mut root, S::SECRETS, &mut findings);
    let settings = read_types::<S>(&mut root, &defaults, &mut reported, &mut findings);
    refuse_development_secrets(&root, S::SECRETS, &mut findings);
    if let Some(settings) = &settings {
        let mut audited = Findings::new();
        settings.audit(&mut audited);
        for mut finding in audited {
            let path = KeyPath::parse(&finding.path);
            if !reported.iter().any(|known| path.is_within(known)) {
                finding.origin = finding.origin.or_else(|| path.get(&root).and_then(|_| path.origin(&root)));
                findings.push(finding);
            }
        }
    }
    match settings {
        Some(settings) if findings.is_empty() => Ok(settings),
        _ => Err(SettingsError::Invalid(findings)),
    }
}

/// Reads the tree into the type. serde stops at the first fault, so each fault is noted, mended in the tree and the
/// tree read again. `None` when a fault could not be mended; the settings of a mended tree serve the audit only.
fn read_types<S: Settings>(
    root: &mut Value,
    defaults: &Layer,
    reported: &mut Vec<KeyPath>,
    findings: &mut Findings,
) -> Option<S> {
    loop {
        let fault = match S::deserialize(ValueReader::root(root)) {
            Ok(settings) => return Some(settings),
            Err(fault) => fault,
        };
        let path = fault.path.clone().unwrap_or_default();
        let path = match &fault.kind {
            FaultKind::Missing { key } => path.child(key),
            _ => path,
        };
        if !reported.iter().any(|known| path.is_within(known)) {
            findings.push(report::finding(&fault, &path, root, S::SECRETS));
            reported.push(path.clone());
        }
        if !mend(&fault, &path, root, &defaults.0) {
            return None;
        }
    }
}

/// Takes a reported fault out of the tree: an unknown key goes; a wrong value becomes the default or, when there is
/// none or it is no better, a placeholder. False when there is nothing left to try, so that reading ends.
fn mend(fault: &Fault, path: &KeyPath, root: &mut Value, defaults: &Value) -> bool {
    if matches!(fault.kind, FaultKind::UnknownKey { .. }) {
        return path.remove(root).is_some();
    }
    if matches!(fault.kind, FaultKind::Missing { .. }) {
        return path.set(root, Value::new(None, PLACEHOLDER));
    }
    let path = path.nearest(root);
    let current = path.get(root);
    if current.is_none_or(|value| value.kind == PLACEHOLDER) {
        return false;
    }
    let better = path.get(defaults).filter(|default| current.is_some_and(|value| value.kind != default.kind));
    let replacement = better.cloned().unwrap_or_else(|| Value::new(None, PLACEHOLDER));
    path.set(root, replacement)
}

fn refuse_development_secrets(root: &Value, secrets: &[&str], findings: &mut Findings) {
    let environment = KeyPath::parse("environment");
    let is_production = environment
        .get(root)
        .is_some_and(|value| matches!(&value.kind, ValueKind::String(text) if text == "production"));
    if !is_production {
        return;
    }
    for path in secrets.iter().flat_map(|pattern| secret_files::expand(root, &KeyPath::parse(pattern))) {
        if path.get(root).is_some_and(|value| holds_mark(&value.kind)) {
            findings.push(Finding {
                path: path.to_string(),
                message: format!(
                    "a development secret (marked `{DEVELOPMENT_SECRET_MARK}`) is refused in production; set a secret \
                     of your own with `{path}` or `{path}_file`"
                ),
                origin: path.origin(root),
            });
        }
    }
}

/// The mark counts anywhere in the text: a secret may be part of an address.
fn holds_mark(kind: &ValueKind) -> bool {
    match kind {
        ValueKind::String(text) => text.contains(DEVELOPMENT_SECRET_MARK),
        ValueKind::Array(items) => items.iter().any(|item| holds_mark(&item.kind)),
        ValueKind::Table(table) => table.values().any(|value| holds_mark(&value.kind)),
        _ => false,
    }
}
