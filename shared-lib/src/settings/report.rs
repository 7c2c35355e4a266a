//! Words for a fault: what is wrong, what would be right, where it came from; never the value of a secret.

use config::{Value, ValueKind};

use super::fault::{Fault, FaultKind};
use super::findings::Finding;
use super::key_path::KeyPath;

/// Describes `fault` of the key at `path`.
pub(super) fn finding(fault: &Fault, path: &KeyPath, root: &Value, secrets: &[&str]) -> Finding {
    let printable = !secrets.iter().any(|pattern| path.touches(pattern));
    let found = found(path.nearest(root).get(root), printable);
    let message = match &fault.kind {
        FaultKind::Mismatch { expected } => format!("expected {expected}, found {found}"),
        FaultKind::UnknownChoice { known } => {
            format!("expected one of {}, found {found}{}", known.join(", "), choice_hint(path, root, known, printable))
        }
        FaultKind::UnknownKey { known } => unknown_key(path, known, secrets),
        FaultKind::Missing { .. } => "required, but no layer gives it".to_owned(),
        FaultKind::Other { message } if printable => format!("{message}, found {found}"),
        FaultKind::Other { .. } => "not a valid value (not shown, it is secret)".to_owned(),
    };
    Finding { path: path.to_string(), message, origin: path.origin(root) }
}

fn unknown_key(path: &KeyPath, known: &[String], secrets: &[&str]) -> String {
    let Some((section, name)) = path.split_last() else {
        return "unknown key".to_owned();
    };
    let mut known = known.to_vec();
    for key in known.clone() {
        if secrets.iter().any(|pattern| section.child(&key).matches(pattern)) {
            known.push(format!("{key}_file"));
        }
    }
    known.sort();
    let hint = nearest(name, &known).map(|key| format!(" Did you mean `{key}`?")).unwrap_or_default();
    format!("unknown key.{hint} Known here: {}", known.join(", "))
}

fn choice_hint(path: &KeyPath, root: &Value, known: &[String], printable: bool) -> String {
    match path.get(root).map(|value| &value.kind) {
        Some(ValueKind::String(text)) if printable => {
            nearest(text, known).map(|choice| format!(". Did you mean `{choice}`?")).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// The known name that is most like `name`, if any is close enough to be what was meant.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

fn found(value: Option<&Value>, printable: bool) -> String {
    let kind = value.map(|value| &value.kind);
    let (what, text) = match kind {
        Some(ValueKind::Table(_)) => return "a table".to_owned(),
        Some(ValueKind::Array(_)) => return "a list".to_owned(),
        Some(ValueKind::Nil) | None => return "nothing".to_owned(),
        Some(ValueKind::String(text)) => ("the text", format!("{text:?}")),
        Some(ValueKind::Boolean(flag)) => ("the truth value", flag.to_string()),
        Some(ValueKind::Float(number)) => ("the number", number.to_string()),
        Some(ValueKind::I64(number)) => ("the number", number.to_string()),
        Some(other) => ("the number", other.to_string()),
    };
    if printable { format!("{what} {text}") } else { "another value (not shown, it is secret)".to_owned() }
}
