//! Documents that would cost more than they may. A test shows that each is refused and no service asked; a benchmark
//! measures what the refusal costs.

use serde_json::{Value, json};

/// The code of everything that there is too much of.
const LIMIT: &str = "graphql-limit-exceeded";
const CYCLE: &str = "graphql-fragment-cycle";
const INVALID: &str = "graphql-invalid-document";
const UNKNOWN: &str = "graphql-document-unknown";

/// One of them.
pub struct Bomb {
    /// What it is.
    pub name: &'static str,
    /// The request's body.
    pub body: Value,
    /// The code with which it is refused.
    pub code: &'static str,
    /// The limit that it is over.
    #[allow(dead_code, reason = "the benchmark does not need it")]
    pub limit: Option<&'static str>,
}

fn document(name: &'static str, document: &str, code: &'static str, limit: Option<&'static str>) -> Bomb {
    Bomb { name, body: json!({ "query": document }), code, limit }
}

/// All of them.
pub fn all() -> Vec<Bomb> {
    let list = |number: usize, make: &dyn Fn(usize) -> String| (0..number).map(make).collect::<String>();
    let aliased = list(50, &|number| format!("a{number}: me {{ name }} "));
    let doubling = list(30, &|number| format!("fragment F{number} on Query {{ ...F{0} ...F{0} }} ", number + 1));
    let lists = "{ products(size: 100) { content { id name img } } orders(size: 100) { content { id lines { product { id } } } } }";
    let sized = "query Q($n: Int!) { orders(size: $n) { content { id lines { product { id name } } } } }";
    let counted = "query Q($n: Int!) { products(size: $n) { totalElements } }";
    let home = "{ me { name } }";
    vec![
        document("deep", &format!("{{ {} name {} }}", "me { ".repeat(20), "}".repeat(20)), LIMIT, Some("depth")),
        document("deeper than a stack", &"{a".repeat(3_000), LIMIT, Some("nesting")),
        document("wide", &format!("{{ {} }}", "unread ".repeat(400)), LIMIT, Some("fields")),
        document("aliased", &format!("{{ {aliased} }}"), LIMIT, Some("aliases")),
        document(
            "flooded with directives",
            &format!("{{ unread {} }}", "@include(if: true) ".repeat(50)),
            LIMIT,
            Some("directives"),
        ),
        document(
            "flooded with unknown directives",
            &format!("{{ unread {} }}", "@a".repeat(2_000)),
            LIMIT,
            Some("directives"),
        ),
        document("flooded with tokens", &format!("{{ {} }}", "a ".repeat(3_000)), LIMIT, Some("tokens")),
        document("long", &format!("{{ unread # {} \n }}", "x".repeat(20_000)), LIMIT, Some("bytes")),
        Bomb {
            name: "large variables",
            body: json!({"query": home, "variables": {"a": "x".repeat(100_000)}}),
            code: LIMIT,
            limit: Some("body"),
        },
        document("a fragment in itself", "{ ...F } fragment F on Query { ...F }", CYCLE, None),
        document(
            "fragments in one another",
            "{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }",
            CYCLE,
            None,
        ),
        document(
            "fragments that double",
            &format!("{{ ...F0 }} {doubling} fragment F30 on Query {{ unread }}"),
            LIMIT,
            Some("fields"),
        ),
        document("large lists", lists, LIMIT, Some("complexity")),
        Bomb {
            name: "large lists by a variable",
            body: json!({"query": sized, "variables": {"n": 100}}),
            code: LIMIT,
            limit: Some("complexity"),
        },
        Bomb {
            name: "batched",
            body: json!([{"query": home}, {"query": home}]),
            code: "graphql-batch-refused",
            limit: None,
        },
        document("no document", "SELECT * FROM users", "graphql-syntax-error", None),
        document("half a document", "{ unread", "graphql-syntax-error", None),
        document("an unknown field", "{ passwords }", INVALID, None),
        Bomb {
            name: "an unknown operation",
            body: json!({"query": home, "operationName": "Other"}),
            code: INVALID,
            limit: None,
        },
        document("a subscription", "subscription { unread }", INVALID, None),
        Bomb {
            name: "a wrong variable",
            body: json!({"query": counted, "variables": {"n": "many"}}),
            code: INVALID,
            limit: None,
        },
        Bomb { name: "an unknown hash", body: json!({"documentId": "sha256:00"}), code: UNKNOWN, limit: None },
        Bomb {
            name: "an unknown hash, as Apollo's clients send it",
            body: json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "00"}}}),
            code: UNKNOWN,
            limit: None,
        },
    ]
}
