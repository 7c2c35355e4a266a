//! `fields=`: an app says which members of a list's elements it wants, and pays for no others.

use serde::Serialize;
use serde_json::{Map, Value};
use shared_lib::{pagination::QueryReader, problem::FieldError};
use utoipa::IntoParams;

/// The members that were asked for, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(Option<Vec<&'static str>>);

/// The parameter, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct FieldsParam {
    /// The members of each element that are wanted, separated by commas; left out: all of them. An unknown one is an
    /// error.
    #[param(example = "id,name")]
    fields: Option<String>,
}

/// An element with the members that were asked for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Trimmed<T> {
    /// All of them.
    Whole(T),
    /// Some.
    Part(Map<String, Value>),
}

impl Fields {
    /// Reads `fields`. `allowed` are the members by their names in the answer.
    pub fn read(query: &mut QueryReader<'_>, allowed: &'static [&'static str]) -> Self {
        let Some(asked) = query.text("fields") else { return Self(None) };
        let mut wanted = Vec::new();
        for name in asked.split(',') {
            match allowed.iter().copied().find(|known| *known == name) {
                Some(known) => wanted.push(known),
                None => {
                    let detail = "names a member that the elements do not have";
                    query.reject(FieldError::query("fields", detail).allowing(allowed.iter().copied()));
                    break;
                }
            }
        }
        Self(Some(wanted))
    }

    /// Leaves out what was not asked for.
    pub fn trim<T: Serialize>(&self, element: T) -> Trimmed<T> {
        let Self(Some(wanted)) = self else { return Trimmed::Whole(element) };
        match serde_json::to_value(&element) {
            Ok(Value::Object(mut members)) => {
                members.retain(|name, _| wanted.contains(&name.as_str()));
                Trimmed::Part(members)
            }
            // What is no object has no members to leave out.
            _ => Trimmed::Whole(element),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALLOWED: &[&str] = &["id", "name"];

    fn read(query: &str) -> Option<Fields> {
        let mut reader = QueryReader::new(query);
        let fields = Fields::read(&mut reader, ALLOWED);
        reader.finish().ok().map(|()| fields)
    }

    /// Shows: M6
    #[test]
    fn only_the_fields_that_were_asked_for_are_left() {
        let element = json!({"id": "a", "name": "b"});
        let trimmed = |query| serde_json::to_value(read(query).expect("valid").trim(&element)).expect("JSON");
        assert_eq!(trimmed(""), element);
        assert_eq!(trimmed("fields=name"), json!({"name": "b"}));
        assert_eq!(trimmed("fields=name,id,name"), element);
    }

    /// Shows: M6
    #[test]
    fn an_unknown_field_is_an_error_that_lists_the_known_ones() {
        for query in ["fields=price", "fields=", "fields=id,", "fields=id,%20name", "fields=ID", "fields=id&fields=id"]
        {
            assert_eq!(read(query), None, "{query}");
        }
        let mut reader = QueryReader::new("fields=id,price");
        let _ = Fields::read(&mut reader, ALLOWED);
        let problem = reader.finish().expect_err("it is refused").to_json(None);
        assert_eq!(problem["errors"][0]["allowed"], json!(ALLOWED));
    }
}
