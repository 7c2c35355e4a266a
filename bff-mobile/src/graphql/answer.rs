//! What the engine leaves to do with an answer, at its root: it gives the parts in the order in which they were found, and
//! leaves out one that failed although it cannot be null. The specification has the document's order (section 7.2.2), and
//! null for the whole when such a part failed (section 6.4.4). Below the root every field that can fail can be null.

use async_graphql::{
    PathSegment, Response, Value,
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};

/// The names of the parts of an operation's answer, in the document's order. Its fragments hold no cycle any more.
pub(super) fn order(document: &ExecutableDocument, operation: Option<&str>) -> Vec<String> {
    let mut operations = document.operations.iter();
    let operation = match operation {
        None => operations.next(),
        Some(name) => operations.find(|(known, _)| known.is_some_and(|known| known == name)),
    };
    let mut names = Vec::new();
    if let Some((_, operation)) = operation {
        collect(document, &operation.node.selection_set.node, &mut names);
    }
    names
}

fn collect(document: &ExecutableDocument, set: &SelectionSet, names: &mut Vec<String>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => names.push(field.node.response_key().node.to_string()),
            Selection::InlineFragment(inline) => collect(document, &inline.node.selection_set.node, names),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    collect(document, &fragment.node.selection_set.node, names);
                }
            }
        }
    }
}

/// The data of an answer; nothing when nothing was executed.
pub(super) fn data(response: Response, order: &[String]) -> Option<Value> {
    let is_executed = response.errors.is_empty() || response.errors.iter().any(|error| !error.path.is_empty());
    if !is_executed {
        return None;
    }
    let Value::Object(mut parts) = response.data else { return Some(Value::Null) };
    let is_left_out =
        |path: &[PathSegment]| matches!(path, [PathSegment::Field(name)] if !parts.contains_key(name.as_str()));
    if response.errors.iter().any(|error| is_left_out(&error.path)) {
        return Some(Value::Null);
    }
    let place = |name: &str| order.iter().position(|known| known == name);
    parts.sort_by(|one, _, other, _| place(one).cmp(&place(other)));
    Some(Value::Object(parts))
}
