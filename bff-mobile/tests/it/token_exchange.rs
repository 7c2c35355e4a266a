//! As whom the services are asked: as the caller, by a token of their own audience.

use sandbox::chaos::Rule;
use shared_lib::testing::receive;

use crate::harness::{ALL_SCOPES, Stage};

/// The services that keep private data, and those that do not.
const PRIVATE: [&str; 4] = ["accounts", "notifications", "orders", "users"];

/// Shows: S13
#[actix_web::test]
async fn private_services_are_asked_with_an_exchanged_token_of_the_same_subject() {
    let stage = Stage::new().await;
    assert_eq!(stage.get("/v1/home").await.status, 200);
    assert_eq!(stage.sandbox.provider().counters().token_exchanges, 1, "one exchange for the whole screen");
    for service in PRIVATE {
        let calls = stage.sandbox.chaos().calls(service);
        assert_eq!(calls.len(), 1, "{service}");
        assert_eq!(calls[0].subject.as_deref(), Some("usr_alice"), "{service}");
        // The app's own token names the client `mobile-app`; that the audience is right is for the service to refuse.
        assert_eq!(calls[0].client_id.as_deref(), Some("bff-mobile"), "{service}");
    }
    let public = stage.sandbox.chaos().calls("promotions");
    assert_eq!(public[0].headers.get("authorization"), None, "a public service needs no token");
}

/// Shows: S13
#[actix_web::test]
async fn services_refuse_the_apps_own_token_so_the_exchange_is_needed() {
    let stage = Stage::new().await;
    let client = stage.service.client();
    let url = format!("{}/me", stage.sandbox.url("users"));
    let relayed = receive(client.get(&url).bearer_auth(stage.token("alice")).send()).await;
    assert_eq!(relayed.status, 401);
}

#[actix_web::test]
async fn an_exchanged_token_serves_until_it_expires_and_only_its_own_caller() {
    let stage = Stage::new().await;
    let (alice, bob) = (stage.token("alice"), stage.token("bob"));
    for _ in 0..3 {
        assert_eq!(stage.get_with("/v1/home", &alice).await.json()["name"], "Alice");
        assert_eq!(stage.get_with("/v1/home", &bob).await.json()["name"], "Bob");
    }
    assert_eq!(stage.sandbox.provider().counters().token_exchanges, 2);
}

#[actix_web::test]
async fn public_data_needs_no_exchange() {
    let stage = Stage::new().await;
    assert_eq!(stage.get("/v1/products?size=1").await.status, 200);
    assert_eq!(stage.sandbox.provider().counters().token_exchanges, 0);
    assert_eq!(stage.sandbox.chaos().calls("catalog")[0].headers.get("authorization"), None);
}

#[actix_web::test]
async fn a_token_that_was_revoked_meanwhile_is_refused_as_invalid() {
    let stage = Stage::new().await;
    let token = stage.token("alice");
    let revoke = format!("{}/revoke", stage.sandbox.issuer());
    let form = [("token", token.as_str()), ("client_id", "mobile-app")];
    let revoked = receive(stage.service.client().post(revoke).send_form(&form)).await;
    assert_eq!(revoked.status, 200);
    let refused = stage.get_with("/v1/home", &token).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (401, &serde_json::json!("invalid-token")));
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

#[actix_web::test]
async fn headers_that_speak_for_the_caller_do_not_pass() {
    let stage = Stage::new().await;
    let request = stage.service.client().get(stage.service.url("/v1/home")).bearer_auth(stage.token("alice"));
    let request = request
        .insert_header(("x-partner-id", "acme"))
        .insert_header(("x-user-id", "usr_bob"))
        .insert_header(("cookie", "session=stolen"))
        .insert_header(("x-forwarded-user", "usr_bob"));
    assert_eq!(receive(request.send()).await.status, 200);
    for service in PRIVATE {
        for call in stage.sandbox.chaos().calls(service) {
            for name in ["x-partner-id", "x-user-id", "cookie", "x-forwarded-user"] {
                assert!(!call.headers.contains_key(name), "{service} saw {name}");
            }
        }
    }
}

#[actix_web::test]
async fn a_provider_that_cannot_exchange_is_not_the_callers_fault() {
    let stage = Stage::new().await;
    // Let in once, so that the keys are there.
    let token = stage.token_with("alice", &ALL_SCOPES, |token| token);
    assert_eq!(stage.get_with("/v1/products?size=1", &token).await.status, 200);
    stage.disturb("provider", Rule::status(500).on("/token"));
    let failed = stage.get_with("/v1/home", &token).await;
    assert_eq!(failed.status, 502);
    assert_eq!(failed.json()["part"], "provider");
    assert_eq!(failed.header("www-authenticate"), None, "the app must not sign out");
}
