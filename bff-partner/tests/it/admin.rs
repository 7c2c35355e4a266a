//! What operators do to keys over HTTP.

use awc::{ClientRequest, http::Method};
use serde_json::{Value, json};
use shared_lib::testing::{Received, receive};

use crate::harness::Stage;

fn request(stage: &Stage, method: Method, path: &str) -> ClientRequest {
    stage.service.client().request(method, stage.service.management_url(path))
}

async fn ask(stage: &Stage, method: Method, path: &str, body: Option<Value>) -> Received {
    let request = request(stage, method, path).bearer_auth("dev-only-operator-token");
    match body {
        Some(body) => receive(request.send_json(&body)).await,
        None => receive(request.send()).await,
    }
}

/// Shows: S12
#[actix_web::test]
async fn without_the_operator_token_nothing_can_be_done_or_seen() {
    let stage = Stage::new().await;
    let id = &stage.key[9..21];
    let key = format!("/admin/keys/{id}");
    let rotate = format!("{key}/rotate");
    for (method, path) in [
        (Method::GET, "/admin/keys"),
        (Method::GET, "/admin/key-changes"),
        (Method::GET, "/admin/versions"),
        (Method::POST, "/admin/keys"),
        (Method::GET, key.as_str()),
        (Method::DELETE, key.as_str()),
        (Method::POST, rotate.as_str()),
    ] {
        let refused = receive(request(&stage, method.clone(), path).bearer_auth(&stage.key).send()).await;
        assert_eq!(refused.status, 401, "{method} {path}");
    }
    assert_eq!(stage.get("/v1/products?size=1").await.status, 200);
    assert_eq!(stage.get("/admin/keys").await.status, 404, "it is not on the public port");
}

/// Shows: P1, S12
#[actix_web::test]
async fn a_key_is_created_shown_replaced_and_ended() {
    let stage = Stage::new().await;
    let new = json!({
        "partner": "bolt", "environment": "test", "plan": "silver", "scopes": ["products:read"],
        "networks": ["127.0.0.0/8"], "expiresInS": 3600,
    });
    let created = ask(&stage, Method::POST, "/admin/keys", Some(new)).await;
    assert_eq!((created.status.as_u16(), created.header("cache-control")), (201, Some("no-store")));
    let created = created.json();
    let (key, id) = (created["key"].as_str().expect("a key"), created["id"].as_str().expect("an id"));
    assert_eq!(stage.get_with("/v1/products?size=1", key).await.status, 200);

    let replaced = ask(&stage, Method::POST, &format!("/admin/keys/{id}/rotate"), Some(json!({"overlapS": 60}))).await;
    assert_eq!(replaced.status, 201);
    assert_eq!(replaced.json()["networks"], json!(["127.0.0.0/8"]));
    assert_eq!(ask(&stage, Method::DELETE, &format!("/admin/keys/{id}"), None).await.status, 204);
    assert_eq!(stage.get_with("/v1/products?size=1", key).await.status, 401);

    let shown = ask(&stage, Method::GET, &format!("/admin/keys/{id}"), None).await.json();
    assert_eq!((&shown["state"], &shown["replacedBy"]), (&json!("revoked"), &replaced.json()["id"]));
    let audit: Vec<_> = shown["audit"].as_array().expect("a log").iter().map(|line| &line["action"]).collect();
    assert_eq!(audit, [&json!("created"), &json!("rotated"), &json!("revoked")]);
    for line in shown["audit"].as_array().expect("a log") {
        assert_eq!((&line["actor"], &line["source"]), (&json!("operator"), &json!("127.0.0.1")));
    }
    let changes = ask(&stage, Method::GET, "/admin/key-changes?limit=1", None).await.json();
    assert_eq!(changes.as_array().map(Vec::len), Some(1));
    assert_eq!((&changes[0]["keyId"], &changes[0]["action"]), (&json!(id), &json!("revoked")), "the newest");
    for wrong in ["limit=0", "limit=1001", "limit=x", "page=1"] {
        let refused = ask(&stage, Method::GET, &format!("/admin/key-changes?{wrong}"), None).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
    let listed = ask(&stage, Method::GET, "/admin/keys?partner=bolt", None).await;
    assert_eq!(listed.json().as_array().map(Vec::len), Some(2));
    assert!(!listed.text().contains(&key[22..]), "no secret is ever shown again");
}

#[actix_web::test]
async fn what_makes_no_key_is_refused() {
    let stage = Stage::new().await;
    let new = |partner: &str, environment: &str| json!({"partner": partner, "environment": environment, "plan": "free", "scopes": ["products:read"]});
    for body in [new("Bolt Ltd", "test"), new("bolt", "prod")] {
        let refused = ask(&stage, Method::POST, "/admin/keys", Some(body)).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &json!("validation-failed")));
    }
    assert_eq!(ask(&stage, Method::DELETE, "/admin/keys/nothing", None).await.status, 404);
    assert_eq!(ask(&stage, Method::GET, "/admin/keys/nothing", None).await.status, 404);
}
