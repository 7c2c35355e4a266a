//! The contract as a page for people: every operation, its parameters and answers, and every type. It is made once from the
//! OpenAPI document, has no script and loads nothing.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::openapi::OpenApi;

use crate::html::escape;

const STYLE: &str = include_str!("api_docs/style.css");

/// The page and the document, as they are sent.
pub struct ApiDocs {
    /// HTML.
    pub page: String,
    /// Its content security policy.
    pub policy: String,
    /// The OpenAPI document.
    pub document: String,
}

impl ApiDocs {
    /// Of this document.
    ///
    /// # Errors
    /// A document that is not JSON.
    pub fn new(document: &OpenApi) -> serde_json::Result<Self> {
        let json = serde_json::to_value(document)?;
        let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Ok(Self { page: page(&json), policy, document: document.to_pretty_json()? })
    }
}

// Writing to a text does not fail, so its results are left alone.
fn page(document: &Value) -> String {
    let (title, about) = (text(&document["info"]["title"]), text(&document["info"]["description"]));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{about} \
         The same for machines: <a href=\"/api/docs/openapi.json\">openapi.json</a>.</p>\n"
    );
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item).filter(|(_, operation)| operation.get("responses").is_some()) {
            write_operation(&mut html, method, path, operation);
        }
    }
    html.push_str("<h2>Types</h2>\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let name = escape(name);
        let _ =
            write!(html, "<section id=\"type-{name}\">\n<h3>{name}</h3>\n<p>{}</p>\n", text(&schema["description"]));
        write_members(&mut html, schema);
        html.push_str("</section>\n");
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

fn write_operation(html: &mut String, method: &str, path: &str, operation: &Value) {
    let who =
        if operation["security"].as_array().is_some_and(|ways| !ways.is_empty()) { "signed in" } else { "anybody" };
    let old = if operation["deprecated"] == true { " · deprecated" } else { "" };
    let _ = write!(
        html,
        "<details id=\"{id}\">\n<summary><code>{method} {path}</code> {summary} <small>{who}{old}</small></summary>\n<p>{about}</p>\n",
        id = text(&operation["operationId"]),
        method = escape(&method.to_uppercase()),
        path = escape(path),
        summary = text(&operation["summary"]),
        about = text(&operation["description"]),
    );
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let rows = parameters.iter().map(|parameter| {
        let required = if parameter["required"] == true { ", required" } else { "" };
        let place = format!("{}{required}", text(&parameter["in"]));
        [text(&parameter["name"]), place, kind(&parameter["schema"]), text(&parameter["description"])]
    });
    table(html, ["Parameter", "In", "Type", "Meaning"], rows);
    for (media, content) in members(&operation["requestBody"]["content"]) {
        let _ = writeln!(html, "<p>Body: {} as <code>{}</code></p>", kind(&content["schema"]), escape(media));
    }
    let rows = members(&operation["responses"]).map(|(status, response)| {
        let bodies = members(&response["content"]).map(|(media, content)| (escape(media), kind(&content["schema"])));
        let (media, kinds): (Vec<_>, Vec<_>) = bodies.unzip();
        [escape(status), kinds.join(", "), media.join(", "), text(&response["description"])]
    });
    table(html, ["Status", "Type", "As", "Meaning"], rows);
    html.push_str("</details>\n");
}

/// The members of an object, those of its parts included.
fn write_members(html: &mut String, schema: &Value) {
    let rows = members(&schema["properties"]).map(|(name, member)| {
        let required = schema["required"].as_array().is_some_and(|required| required.iter().any(|known| known == name));
        let presence = if required { "always" } else { "may be absent" };
        [escape(name), kind(member), presence.to_owned(), text(&member["description"])]
    });
    table(html, ["Member", "Type", "", "Meaning"], rows);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        if part.get("$ref").is_some() {
            let _ = writeln!(html, "<p>and the members of {}</p>", kind(part));
        }
        write_members(html, part);
    }
}

fn table(html: &mut String, head: [&str; 4], rows: impl Iterator<Item = [String; 4]>) {
    let rows: String = rows.map(|cells| format!("<tr><td>{}</td></tr>\n", cells.join("</td><td>"))).collect();
    if !rows.is_empty() {
        let _ = write!(html, "<table>\n<tr><th>{}</th></tr>\n{rows}</table>\n", head.join("</th><th>"));
    }
}

/// What a schema allows, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#type-{0}\">{0}</a>", escape(name));
    }
    if let Some(parts) = schema["allOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        return parts.iter().filter(|part| part["type"] != "null").map(kind).collect::<Vec<_>>().join(" and ");
    }
    let name = match &schema["type"] {
        Value::Array(names) => names.iter().filter(|name| *name != "null").map(text).collect::<Vec<_>>().join(" or "),
        name => text(name),
    };
    let mut words = if name == "array" { format!("list of {}", kind(&schema["items"])) } else { name };
    if let Some(allowed) = schema["enum"].as_array() {
        let _ = write!(words, " ({})", allowed.iter().map(text).collect::<Vec<_>>().join(", "));
    }
    for (rule, meaning) in [
        ("format", ""),
        ("pattern", "like "),
        ("minimum", "from "),
        ("maximum", "to "),
        ("maxLength", "at most long: "),
        ("default", "default "),
    ] {
        if let Some(value) = schema.get(rule) {
            let _ = write!(words, ", {meaning}<code>{}</code>", text(value));
        }
    }
    words
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// A value as text for HTML; nothing for none.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_document_says_is_escaped() {
        let evil = "<script>alert(1)</script>";
        let html = page(&json!({
            "info": { "title": evil },
            "paths": { evil: { "get": { "summary": evil, "parameters": [{ "name": evil }], "responses": { evil: {} } } } },
            "components": { "schemas": { evil: { "properties": { evil: { "$ref": evil } } } } },
        }));
        assert!(!html.contains("<script"), "{html}");
        assert_eq!(html.matches("&lt;script&gt;").count(), html.matches("alert(1)").count());
    }
}
