//! Methods that a path does not have, and HEAD.

use actix_web::http::Method;
use serde_json::json;
use shared_lib::testing::{TestService, receive};

use crate::tiny::{Tiny, settings};

#[actix_web::test]
async fn a_wrong_method_on_a_known_path_is_told_the_right_ones() {
    let service = TestService::start::<Tiny>(settings(&[])).await;
    for (method, path, allow) in [
        (Method::PUT, "/v1/things/7", "GET, HEAD, POST"),
        (Method::OPTIONS, "/v1/things/7", "GET, HEAD, POST"),
        (Method::POST, "/v1/work", "GET, HEAD"),
    ] {
        let answer = receive(service.client().request(method.clone(), service.url(path)).send()).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some(allow)), "{method} {path}");
        assert_eq!(answer.json()["code"], "method-not-allowed");
        assert_eq!(answer.json()["requestId"].as_str(), answer.header("x-request-id"));
    }
    let nothing = receive(service.client().put(service.url("/v1/nothing")).send()).await;
    assert_eq!((nothing.status.as_u16(), nothing.header("allow")), (404, None));
}

#[actix_web::test]
async fn head_answers_like_get_without_the_body() {
    let service = TestService::start::<Tiny>(settings(&[])).await;
    let get = service.get("/v1/things/7").await;
    assert_eq!(get.json(), json!({"id": "7"}));
    let head = service.client().head(service.url("/v1/things/7")).send().await.expect("it answers");
    assert_eq!(head.status().as_u16(), 200);
    for name in ["content-type", "content-length", "cache-control", "x-content-type-options"] {
        let value = head.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(value, get.header(name), "{name}");
    }
    let body = receive(service.client().head(service.url("/v1/things/7")).send()).await.body;
    assert!(body.is_empty(), "{body:?}");
}
