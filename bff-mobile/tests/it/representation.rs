//! What an answer costs on the wire: entity tags and content codings.

use std::io::Read as _;

use awc::http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use sandbox::chaos::Rule;
use shared_lib::testing::{Received, receive};

use crate::harness::Stage;

const HOME: &str = "/v1/home";
const PRODUCTS: &str = "/v1/products?size=20";

async fn get(stage: &Stage, path: &str, codings: &str, tags: Option<&str>) -> Received {
    let request = stage.service.client().get(stage.service.url(path)).no_decompress();
    let mut request = request.bearer_auth(stage.token("alice")).insert_header((ACCEPT_ENCODING, codings));
    if let Some(tags) = tags {
        request = request.insert_header((IF_NONE_MATCH, tags));
    }
    receive(request.send()).await
}

fn tag(received: &Received) -> &str {
    received.header("etag").expect("a tag")
}

/// Shows: M5
#[actix_web::test]
async fn what_an_app_has_already_is_not_sent_again() {
    let stage = Stage::new().await;
    for path in [HOME, PRODUCTS] {
        let first = get(&stage, path, "identity", None).await;
        assert_eq!(first.status, 200);
        assert!(tag(&first).starts_with("W/\""), "{}", tag(&first));
        assert_eq!(first.header("cache-control"), Some("private, no-cache"));
        let strong = tag(&first).trim_start_matches("W/");
        for known in [tag(&first), strong, "*", &format!("\"x\", {}", tag(&first))] {
            let again = get(&stage, path, "identity", Some(known)).await;
            assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path} {known}");
            for field in ["etag", "cache-control", "vary"] {
                assert_eq!(again.header(field), first.header(field), "{path} {field}");
            }
            assert_eq!(again.header("content-type"), None, "{path}");
        }
        assert_eq!(get(&stage, path, "identity", Some("\"other\"")).await.status, 200);
    }
}

/// Shows: M5
#[actix_web::test]
async fn another_content_has_another_tag_and_another_receipt_has_not() {
    let stage = Stage::new().await;
    let whole = get(&stage, HOME, "identity", None).await;
    stage.disturb("accounts", Rule::status(500));
    let without = get(&stage, HOME, "identity", Some(tag(&whole))).await;
    assert_eq!(without.status, 200, "the balance is missing");
    assert_ne!(tag(&without), tag(&whole));
}

/// Shows: M5
#[actix_web::test]
async fn each_coding_is_a_representation_with_a_tag_of_its_own() {
    let stage = Stage::new().await;
    let plain = get(&stage, PRODUCTS, "identity", None).await;
    let mut tags = vec![tag(&plain).to_owned()];
    for (accepted, coding) in [("gzip", "gzip"), ("zstd", "zstd"), ("br", "br"), ("gzip, deflate, br, zstd", "br")] {
        let coded = get(&stage, PRODUCTS, accepted, None).await;
        assert_eq!((coded.status.as_u16(), coded.header("content-encoding")), (200, Some(coding)), "{accepted}");
        assert!(coded.body.len() * 2 < plain.body.len(), "{coding}: {} bytes", coded.body.len());
        assert_eq!(coded.header("vary").map(str::to_ascii_lowercase).as_deref(), Some("accept-encoding"));
        if coding == "gzip" {
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(&coded.body[..]).read_to_end(&mut text).expect("gzip");
            assert_eq!(text, plain.body);
        }
        assert_eq!(get(&stage, PRODUCTS, accepted, Some(tag(&coded))).await.status, 304, "{accepted}");
        assert_eq!(get(&stage, PRODUCTS, accepted, Some(tag(&plain))).await.status, 200, "{accepted}");
        tags.push(tag(&coded).to_owned());
    }
    tags.pop();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4, "{tags:?}");
}

/// Shows: M5
#[actix_web::test]
async fn who_may_not_have_an_answer_does_not_learn_whether_it_changed() {
    let stage = Stage::new().await;
    let known = get(&stage, PRODUCTS, "identity", None).await;
    let request = stage.service.client().get(stage.service.url(PRODUCTS)).insert_header((IF_NONE_MATCH, tag(&known)));
    let refused = receive(request.send()).await;
    assert_eq!((refused.status.as_u16(), refused.header("etag")), (401, None));
    assert_eq!(refused.header("cache-control"), Some("no-store"));
}
