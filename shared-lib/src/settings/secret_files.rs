//! The `<key>_file` twins of secret keys: the file's content is the value. That keeps a secret out of the environment,
//! where child processes and crash reports would see it.

use std::path::Path;

use config::{Value, ValueKind};

use super::findings::{Finding, Findings};
use super::key_path::{KeyPath, sorted};
use super::layers::{Layer, secret_file_origin};
use super::value_reader::PLACEHOLDER;

const SUFFIX: &str = "_file";

/// Lets a key of an upper layer replace its twin of a lower one, whichever of the two each layer gives. Both in one
/// layer is a fault.
pub(super) fn settle(layers: &mut [Layer], secrets: &[&str], findings: &mut Findings) {
    for upper in 0..layers.len() {
        for pattern in secrets {
            for (key, twin) in twins(&layers[upper].0, pattern) {
                let layer = &mut layers[upper].0;
                if is_blank(twin.get(layer)) {
                    twin.remove(layer);
                }
                let (plain, file) = (key.get(layer).is_some(), twin.get(layer).is_some());
                if file && !is_blank(key.get(layer)) {
                    findings.push(Finding {
                        path: key.to_string(),
                        message: format!("given twice: both `{key}` and `{twin}`; keep one of them"),
                        origin: twin.origin(layer),
                    });
                    twin.remove(layer);
                } else if file {
                    key.remove(layer);
                }
                if plain || file {
                    for lower in &mut layers[..upper] {
                        key.remove(&mut lower.0);
                        twin.remove(&mut lower.0);
                    }
                }
            }
        }
    }
}

/// Puts the files' contents in place of their names. What cannot be read is a finding, and a placeholder in the tree.
pub(super) fn read(root: &mut Value, secrets: &[&str], findings: &mut Findings) -> Vec<KeyPath> {
    let mut unread = Vec::new();
    for pattern in secrets {
        for (key, twin) in twins(root, pattern) {
            let origin = twin.origin(root);
            let Some(named) = twin.remove(root) else {
                continue;
            };
            let value = match content(&named) {
                Ok((path, text)) => {
                    let named_by = format!("{twin} [{}]", origin.as_deref().unwrap_or_default());
                    Value::new(Some(&secret_file_origin(Path::new(path), &named_by)), text)
                }
                Err(message) => {
                    findings.push(Finding { path: twin.to_string(), message, origin: origin.clone() });
                    unread.push(key.clone());
                    Value::new(origin.as_ref(), PLACEHOLDER)
                }
            };
            key.set(root, value);
        }
    }
    unread
}

fn content(named: &Value) -> Result<(&str, String), String> {
    let ValueKind::String(path) = &named.kind else {
        return Err("expected the path of a file that holds the secret".to_owned());
    };
    let text = std::fs::read_to_string(path).map_err(|fault| format!("the file {path} cannot be read: {fault}"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(format!("the file {path} is empty"));
    }
    Ok((path, text.to_owned()))
}

fn is_blank(value: Option<&Value>) -> bool {
    value.is_none_or(|value| matches!(&value.kind, ValueKind::String(text) if text.is_empty()))
}

/// The secret keys that `pattern` names in this tree and of which either twin is there, with the twin's path.
fn twins(root: &Value, pattern: &str) -> Vec<(KeyPath, KeyPath)> {
    let Some((sections, leaf)) = KeyPath::parse(pattern).split_last().map(|(path, leaf)| (path, leaf.to_owned()))
    else {
        return Vec::new();
    };
    let keys = expand(root, &sections).into_iter();
    keys.map(|section| (section.child(&leaf), section.child(&format!("{leaf}{SUFFIX}"))))
        .filter(|(key, twin)| key.get(root).is_some() || twin.get(root).is_some())
        .collect()
}

/// The paths in the tree that a pattern names; `*` is each key of a table and each item of a list.
pub(super) fn expand(root: &Value, pattern: &KeyPath) -> Vec<KeyPath> {
    let mut paths = vec![KeyPath::default()];
    for segment in pattern.segments() {
        paths = paths.iter().flat_map(|path| steps(root, path, segment)).collect();
    }
    paths
}

fn steps(root: &Value, path: &KeyPath, segment: &str) -> Vec<KeyPath> {
    let candidates = match path.get(root).map(|value| &value.kind) {
        _ if segment != "*" => vec![path.child(segment)],
        Some(ValueKind::Table(table)) => sorted(table).into_iter().map(|(key, _)| path.child(key)).collect(),
        Some(ValueKind::Array(items)) => (0..items.len()).map(|index| path.child(&index.to_string())).collect(),
        _ => Vec::new(),
    };
    candidates.into_iter().filter(|candidate| candidate.get(root).is_some()).collect()
}
