//! The contract as a page.

use crate::harness::World;

#[actix_web::test]
async fn every_operation_and_type_is_on_a_page_that_runs_and_loads_nothing() {
    let world = World::start().await;
    let answer = world.service.get("/api/docs").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    let html = answer.text();
    for foreign in ["<script", "http://", "https://", "src="] {
        assert!(!html.contains(foreign), "{foreign} is on the page");
    }
    let document = world.service.get("/api/docs/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for operation in item.as_object().expect("operations").values() {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(html.contains(&format!("<details id=\"{id}\">")), "{id} of {path}");
        }
    }
    for name in document["components"]["schemas"].as_object().expect("types").keys() {
        assert!(html.contains(&format!("<section id=\"type-{name}\">")), "{name}");
    }
}

#[actix_web::test]
async fn it_can_be_turned_off() {
    let world = World::start_with(&[("BFF_WEB__API_DOCS__ENABLED", "false")]).await;
    for path in ["/api/docs", "/api/docs/openapi.json"] {
        assert_eq!(world.service.get(path).await.status, 404, "{path}");
    }
}
