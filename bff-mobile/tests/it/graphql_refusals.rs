//! What is refused before it costs anything, and what is told of it.

use std::fs;

use actix_web::http::Method;
use bff_mobile::graphql::{Graphql, trusted::hash_of};
use serde_json::{Value, json};
use shared_lib::testing::receive;

use crate::{
    bombs,
    graphql::{HOME, ask, calls},
    harness::{Stage, sandbox, settings},
};

fn code(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["code"]
}

/// Shows: M9
#[actix_web::test]
async fn documents_that_are_bombs_are_refused_and_no_service_is_asked() {
    let stage = Stage::new().await;
    for bomb in bombs::all() {
        let refused = ask(&stage, &bomb.body).await;
        assert_eq!(refused.status, 400, "{}: {}", bomb.name, refused.text());
        let answer = refused.json();
        assert_eq!((answer.get("data"), code(&answer)), (None, &json!(bomb.code)), "{}: {answer}", bomb.name);
        assert_eq!(answer["errors"][0]["extensions"]["limit"].as_str(), bomb.limit, "{}: {answer}", bomb.name);
        assert!(answer["errors"][0]["extensions"]["requestId"].is_string());
    }
    assert_eq!(calls(&stage), 0, "no service was asked");
    assert_eq!(stage.sandbox.provider().counters().token_exchanges, 0, "and no token exchanged");
    assert_eq!(ask(&stage, &json!({"query": HOME})).await.status, 200, "what screens need is far below the limits");
}

/// Shows: M9
#[actix_web::test]
async fn what_is_no_request_is_refused() {
    let stage = Stage::new().await;
    for body in ["", "{", "{}", "{\"query\": 1}", "null"] {
        let request = stage.request(Method::POST, "/graphql").content_type("application/json");
        let refused = receive(request.send_body(body)).await;
        assert_eq!((refused.status.as_u16(), code(&refused.json())), (400, &json!("malformed-body")), "{body}");
    }
    let request = stage.request(Method::POST, "/graphql").content_type("text/plain");
    let text = receive(request.send_body("{\"query\":\"{unread}\"}")).await;
    assert_eq!((text.status.as_u16(), &text.json()["code"]), (415, &json!("unsupported-media-type")));
    assert_eq!(stage.get("/graphql?query=%7Bunread%7D").await.status, 405);
    assert_eq!(calls(&stage), 0);
}

/// Shows: M9
#[actix_web::test]
async fn where_documents_have_to_be_trusted_others_are_not_even_read() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), json!({ hash_of(HOME): HOME }).to_string()).expect("it can be written");
    let stage = Stage::with(&[
        ("BFF_MOBILE__GRAPHQL__DOCUMENTS", "trusted"),
        ("BFF_MOBILE__GRAPHQL__DOCUMENTS_FILE", file.path().to_str().expect("a plain path")),
    ])
    .await;
    let by_hash = ask(&stage, &json!({ "documentId": format!("sha256:{}", hash_of(HOME)) })).await;
    assert_eq!((by_hash.status.as_u16(), &by_hash.json()["data"]["me"]["name"]), (200, &json!("Alice")));
    let apollo = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash_of(HOME) } } });
    assert_eq!(ask(&stage, &apollo).await.json(), by_hash.json());
    let before = calls(&stage);
    for document in ["{ unread }", "{", HOME] {
        let refused = ask(&stage, &json!({ "query": document })).await;
        assert_eq!((refused.status.as_u16(), code(&refused.json())), (403, &json!("graphql-document-not-trusted")));
    }
    let unknown = ask(&stage, &json!({ "documentId": hash_of("{ unread }") })).await;
    assert_eq!((unknown.status.as_u16(), code(&unknown.json())), (400, &json!("graphql-document-unknown")));
    assert_eq!(calls(&stage), before);
}

/// Shows: M9
#[actix_web::test]
async fn the_schema_is_told_in_development_and_never_in_production() {
    let stage = Stage::new().await;
    let introspection = "query I { __schema { queryType { name } types { ...T } } } \
         fragment T on __Type { name fields { name type { name ofType { name ofType { name ofType { name ofType { name \
         ofType { name ofType { name } } } } } } } } }";
    let told = ask(&stage, &json!({ "query": introspection })).await.json();
    assert_eq!(told["data"]["__schema"]["queryType"]["name"], "Query", "{told}");
    let wrong = ask(&stage, &json!({"query": "{ unred }"})).await.json();
    assert!(wrong["errors"][0]["message"].as_str().expect("a text").contains("unred"), "{wrong}");

    let graphql = &settings(&sandbox().await, &[]).graphql;
    let production = Graphql::new(graphql.rules(true), Default::default());
    let body = json!({ "query": introspection }).to_string();
    let problem = production.admit(body.as_bytes()).err().expect("it is refused");
    assert_eq!(problem.kind().code, "graphql-introspection-off");
    let development = Graphql::new(graphql.rules(false), Default::default());
    assert!(development.admit(body.as_bytes()).is_ok());
}
