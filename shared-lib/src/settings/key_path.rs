//! Where a setting stands in the tree, such as `downstreams.catalog.timeout_ms`, and how to walk there.

use std::fmt;

use config::{Map, Value, ValueKind};

/// The segments of a key's path from the root; an index into a list is a segment of digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// Splits dotted text. Keys that contain a dot themselves are built with [`KeyPath::child`].
    pub fn parse(text: &str) -> Self {
        Self(text.split('.').filter(|segment| !segment.is_empty()).map(str::to_owned).collect())
    }

    /// The path one step further.
    pub fn child(&self, segment: &str) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment.to_owned());
        Self(segments)
    }

    /// The path without its last segment, and that segment. `None` at the root.
    pub fn split_last(&self) -> Option<(Self, &str)> {
        let (last, parent) = self.0.split_last()?;
        Some((Self(parent.to_vec()), last))
    }

    /// The segments from the root.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Whether this is `other` or stands below it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// Whether `pattern` (dotted, `*` for any one segment) names this key, a part of it or something below it.
    /// That is the cautious reading: it decides whether a value may be printed.
    pub fn touches(&self, pattern: &str) -> bool {
        pattern.split('.').zip(&self.0).all(|(wanted, segment)| wanted == "*" || wanted == segment)
    }

    /// Whether `pattern` (dotted, `*` for any one segment) names exactly this key.
    pub fn matches(&self, pattern: &str) -> bool {
        pattern.split('.').count() == self.0.len() && self.touches(pattern)
    }

    /// The value at this path.
    pub(super) fn get<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |value, segment| match &value.kind {
            ValueKind::Table(table) => table.get(segment),
            ValueKind::Array(items) => items.get(segment.parse::<usize>().ok()?),
            _ => None,
        })
    }

    fn get_mut<'a>(&self, root: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(root, |value, segment| match &mut value.kind {
            ValueKind::Table(table) => table.get_mut(segment),
            ValueKind::Array(items) => items.get_mut(segment.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The longest beginning of this path that stands in the tree: the second item of a list that was given as one
    /// text, for instance, is that text.
    pub(super) fn nearest(&self, root: &Value) -> Self {
        let mut path = self.clone();
        while path.get(root).is_none() && path.0.pop().is_some() {}
        path
    }

    /// Puts a value at this path. False when its parent is neither there nor a table or list.
    pub(super) fn set(&self, root: &mut Value, new: Value) -> bool {
        let Some((parent, last)) = self.split_last() else {
            *root = new;
            return true;
        };
        match parent.get_mut(root).map(|value| &mut value.kind) {
            Some(ValueKind::Table(table)) => {
                table.insert(last.to_owned(), new);
                true
            }
            Some(ValueKind::Array(items)) => match last.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                Some(slot) => {
                    *slot = new;
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    /// Takes a key out of its table.
    pub(super) fn remove(&self, root: &mut Value) -> Option<Value> {
        let (parent, last) = self.split_last()?;
        match &mut parent.get_mut(root)?.kind {
            ValueKind::Table(table) => table.remove(last),
            _ => None,
        }
    }

    /// Where the value came from, as text for people. A table that several layers fill has no origin of its own: the
    /// one of its first key speaks for it.
    pub(super) fn origin(&self, root: &Value) -> Option<String> {
        origin_of(self.nearest(root).get(root)?)
    }
}

fn origin_of(value: &Value) -> Option<String> {
    if let Some(origin) = value.origin() {
        return Some(origin.to_owned());
    }
    match &value.kind {
        ValueKind::Table(table) => sorted(table).into_iter().find_map(|(_, child)| origin_of(child)),
        ValueKind::Array(items) => items.iter().find_map(origin_of),
        _ => None,
    }
}

/// A table's entries in the order of their names, so that messages do not change from run to run.
pub(super) fn sorted(table: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment.parse::<usize>() {
                Ok(index) if at > 0 => write!(f, "[{index}]")?,
                _ if at > 0 => write!(f, ".{segment}")?,
                _ => f.write_str(segment)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_with_dots_and_list_indexes_in_brackets() {
        let path = KeyPath::parse("downstreams.catalog.urls.1");
        assert_eq!(path.to_string(), "downstreams.catalog.urls[1]");
    }

    #[test]
    fn a_pattern_touches_what_contains_the_secret_and_what_lies_in_it() {
        let pattern = "downstreams.*.token";
        assert!(KeyPath::parse("downstreams.catalog.token").matches(pattern));
        assert!(KeyPath::parse("downstreams").touches(pattern));
        assert!(KeyPath::parse("downstreams.catalog.token.0").touches(pattern));
        assert!(!KeyPath::parse("downstreams.catalog.timeout_ms").touches(pattern));
        assert!(!KeyPath::parse("downstreams.catalog").matches(pattern));
    }
}
