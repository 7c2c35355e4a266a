//! The layers as trees of values that each know where they came from: the built-in defaults, one file, the environment.

use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};

use super::SettingsError;
use super::findings::{Finding, Findings};
use super::key_path::KeyPath;

const VARIABLE: &str = "environment variable ";
const SECRET_FILE: &str = "secret file ";

/// Whether the value's layer knows text only, so that the type that is asked for decides how to read it.
pub(super) fn is_free_text(value: &Value) -> bool {
    value.origin().is_some_and(|origin| origin.starts_with(VARIABLE) || origin.starts_with(SECRET_FILE))
}

/// The origin of a value that was read from a `<key>_file`.
pub(super) fn secret_file_origin(path: &Path, named_by: &str) -> String {
    format!("{SECRET_FILE}{}, named by {named_by}", path.display())
}

/// Where the settings come from, besides the built-in defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A TOML file that overrides defaults.
    pub file: Option<PathBuf>,
    /// Environment variables; those that begin with `<PREFIX>__` override the file.
    pub env: Vec<(String, String)>,
}

impl Sources {
    /// The process's environment and the file of the command line, else of the variable `<PREFIX>_CONFIG`.
    pub fn from_process(prefix: &str, file_flag: Option<PathBuf>) -> Self {
        Self::from_environment(
            prefix,
            file_flag,
            std::env::vars_os().filter_map(|(name, value)| {
                // A value that is no UTF-8 keeps the replacement character, by which `load` knows and refuses it.
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            }),
        )
    }

    fn from_environment(
        prefix: &str,
        file_flag: Option<PathBuf>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Self {
        let (file_variable, keys) = (format!("{prefix}_CONFIG"), format!("{prefix}__"));
        let mut sources = Self { file: file_flag, env: Vec::new() };
        for (name, value) in variables {
            if name == file_variable && sources.file.is_none() && !value.is_empty() {
                sources.file = Some(value.into());
            } else if name.starts_with(&keys) {
                sources.env.push((name, value));
            }
        }
        sources
    }
}

/// One layer, ready to be merged.
#[derive(Debug, Clone)]
pub(super) struct Layer(pub Value);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        self.0.clone().into_table()
    }
}

/// The layers on top of each other, the last one on top. Tables are merged, lists and single values are replaced.
pub(super) fn merge(layers: Vec<Layer>) -> Result<Value, SettingsError> {
    let builder = layers.into_iter().fold(Config::builder(), ConfigBuilder::<DefaultState>::add_source);
    Ok(builder.build().map_err(SettingsError::Merge)?.cache)
}

/// Reads TOML text.
///
/// # Errors
/// Text that is not TOML. The message says where, and does not show the line: it may hold a secret.
pub(super) fn toml_layer(text: &str, origin: &str) -> Result<Layer, SettingsError> {
    if let Err(fault) = text.parse::<toml::Table>() {
        let before = fault.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        return Err(SettingsError::Syntax {
            origin: origin.to_owned(),
            line: before.matches('\n').count() + 1,
            message: fault.message().to_owned(),
        });
    }
    let table = File::from_str(text, FileFormat::Toml).collect().map_err(SettingsError::Merge)?;
    Ok(Layer(with_origin(Value::new(None, table), &origin.to_owned())))
}

fn with_origin(value: Value, origin: &String) -> Value {
    let kind = match value.kind {
        ValueKind::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| (key, with_origin(value, origin)));
            ValueKind::Table(entries.collect())
        }
        ValueKind::Array(items) => {
            ValueKind::Array(items.into_iter().map(|value| with_origin(value, origin)).collect())
        }
        kind => kind,
    };
    Value::new(Some(origin), kind)
}

/// The variables `<PREFIX>__SECTION__KEY` as a tree. Other variables are no matter of ours; Kubernetes, for one, sets
/// `BFF_WEB_SERVICE_HOST` and the like for a service named `bff-web`.
pub(super) fn environment_layer(prefix: &str, variables: &[(String, String)], findings: &mut Findings) -> Layer {
    let prefix = format!("{prefix}__");
    let mut variables: Vec<_> = variables
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?.to_ascii_lowercase(), name, value)))
        .collect();
    variables.sort();
    let mut root = Value::new(None, Map::<String, Value>::new());
    for (key, name, value) in variables {
        let mut refuse = |path: String, message: &str| {
            findings.push(Finding { path, message: message.to_owned(), origin: Some(format!("{VARIABLE}{name}")) });
        };
        let segments: Vec<&str> = key.split("__").collect();
        if segments.contains(&"") {
            refuse(segments.join("."), "the variable names no key: a section or a key between its `__` is empty");
            continue;
        }
        let path = segments.iter().fold(KeyPath::default(), |path, segment| path.child(segment));
        if value.contains('\u{fffd}') {
            refuse(path.to_string(), "the variable's value is not valid UTF-8");
            continue;
        }
        if !insert(&mut root, &path, Value::new(Some(&format!("{VARIABLE}{name}")), value.as_str())) {
            refuse(path.to_string(), "another variable already gives the whole section as one value");
        }
    }
    Layer(root)
}

/// Puts a value at a path and makes the tables on the way. False when something other than a table is in the way.
fn insert(root: &mut Value, path: &KeyPath, new: Value) -> bool {
    let Some((parent, _)) = path.split_last() else {
        return false;
    };
    let mut step = KeyPath::default();
    for segment in parent.segments() {
        step = step.child(segment);
        if step.get(root).is_none() {
            step.set(root, Value::new(None, Map::<String, Value>::new()));
        }
    }
    path.set(root, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_over_the_variable_that_names_the_file() {
        let variables = || [("BFF_WEB_CONFIG".to_owned(), "from-variable.toml".to_owned())].into_iter();
        let by_flag = Sources::from_environment("BFF_WEB", Some("from-flag.toml".into()), variables());
        let by_variable = Sources::from_environment("BFF_WEB", None, variables());
        assert_eq!(by_flag.file, Some("from-flag.toml".into()));
        assert_eq!(by_variable.file, Some("from-variable.toml".into()));
    }

    #[test]
    fn variables_of_others_are_not_taken() {
        let variables = [("BFF_WEB_SERVICE_HOST", "10.0.0.1"), ("BFF_WEB__SERVER__PORT", "1"), ("PATH", "/bin")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let sources = Sources::from_environment("BFF_WEB", None, variables.into_iter());
        assert_eq!(sources.env, [("BFF_WEB__SERVER__PORT".to_owned(), "1".to_owned())]);
        assert_eq!(sources.file, None);
    }
}
