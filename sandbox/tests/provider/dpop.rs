//! DPoP: proofs, binding, nonces.

use std::time::Duration;

use actix_web::http::StatusCode;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox::provider::ProviderSettings;
use serde_json::{Value, json};

use crate::keys::ClientKey;
use crate::running::{Answer, MOBILE_REDIRECT, Running, VERIFIER, claims, mobile_request};

/// The claims of a good proof for an endpoint.
fn good(running: &Running, method: &str, path: &str, jti: &str) -> Value {
    json!({ "htm": method, "htu": format!("{}{path}", running.issuer), "iat": running.now(), "jti": jti })
}

fn proof(running: &Running, key: &ClientKey, jti: &str) -> String {
    key.proof(good(running, "POST", "/token", jti), json!({}), json!({}))
}

async fn redeem(running: &Running, code: &str, proof: &str) -> Answer {
    let form = [
        ("client_id", "mobile-app"),
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", MOBILE_REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    running.post("/token", &form, &[("dpop", proof)]).await
}

async fn refresh(running: &Running, token: &str, headers: &[(&str, &str)]) -> Answer {
    let form = [("client_id", "mobile-app"), ("grant_type", "refresh_token"), ("refresh_token", token)];
    running.post("/token", &form, headers).await
}

async fn code(running: &Running) -> String {
    running.browser().code_for("alice", &mobile_request(&[])).await
}

fn ath(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// Shows: M4.
#[actix_web::test]
async fn a_proof_binds_access_and_refresh_token_to_the_key() {
    let running = Running::start().await;
    let key = ClientKey::new();
    let tokens = redeem(&running, &code(&running).await, &proof(&running, &key, "1")).await;
    assert_eq!((tokens.status, tokens.text("token_type").as_str()), (StatusCode::OK, "DPoP"), "{}", tokens.body);
    let access = tokens.text("access_token");
    assert_eq!(claims(&access)["cnf"], json!({ "jkt": key.jkt() }));

    let refresh_token = tokens.text("refresh_token");
    refresh(&running, &refresh_token, &[]).await.assert_refused(400, "invalid_grant");
    let other = proof(&running, &ClientKey::new(), "2");
    refresh(&running, &refresh_token, &[("dpop", &other)]).await.assert_refused(400, "invalid_grant");
    let own = proof(&running, &key, "3");
    assert_eq!(refresh(&running, &refresh_token, &[("dpop", &own)]).await.status, StatusCode::OK);
}

/// Shows: M4.
#[actix_web::test]
async fn a_bound_token_works_with_its_proof_only() {
    let running = Running::start().await;
    let key = ClientKey::new();
    let access = redeem(&running, &code(&running).await, &proof(&running, &key, "1")).await.text("access_token");
    let dpop = format!("DPoP {access}");
    let with_ath = |key: &ClientKey, jti: &str, ath: &str| {
        key.proof(good(&running, "GET", "/userinfo", jti), json!({ "ath": ath }), json!({}))
    };
    let bearer = running.userinfo(&access).await;
    bearer.assert_refused(401, "invalid_token");
    let without = running.get("/userinfo", &[("authorization", &dpop)]).await;
    without.assert_refused(401, "invalid_token");
    for (proof, error) in [
        (with_ath(&ClientKey::new(), "2", &ath(&access)), "invalid_token"),
        (with_ath(&key, "3", &ath("another")), "invalid_dpop_proof"),
    ] {
        let answer = running.get("/userinfo", &[("authorization", &dpop), ("dpop", &proof)]).await;
        answer.assert_refused(401, error);
        assert!(answer.header("www-authenticate").starts_with("DPoP error="));
    }
    let good = with_ath(&key, "4", &ath(&access));
    let answer = running.get("/userinfo", &[("authorization", &dpop), ("dpop", &good)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

/// Shows: M4.
#[actix_web::test]
async fn each_thing_that_can_be_wrong_with_a_proof_is_noticed() {
    let running = Running::start().await;
    let key = ClientKey::new();
    let now = running.now();
    for (claim_changes, header_changes) in [
        (json!({ "htm": "GET" }), json!({})),
        (json!({ "htu": format!("{}/par", running.issuer) }), json!({})),
        (json!({ "htu": "https://other.example/token" }), json!({})),
        (json!({ "iat": now - 61 }), json!({})),
        (json!({ "iat": now + 61 }), json!({})),
        (json!({ "jti": null }), json!({})),
        (json!({ "jti": "" }), json!({})),
        (json!({}), json!({ "typ": "JWT" })),
        (json!({}), json!({ "jwk": null })),
        (json!({}), json!({ "jwk": ClientKey::new().jwk })),
        (json!({}), json!({ "crit": ["exp"] })),
    ] {
        let bad = key.proof(good(&running, "POST", "/token", "1"), claim_changes.clone(), header_changes.clone());
        let answer = refresh(&running, "x.y", &[("dpop", &bad)]).await;
        assert_eq!(answer.text("error"), "invalid_dpop_proof", "{claim_changes} {header_changes}");
    }
    for (member, jti, error) in [("d", "2", "invalid_dpop_proof"), ("note", "3", "invalid_grant")] {
        let mut jwk = serde_json::to_value(&key.jwk).expect("a JWK");
        jwk[member] = json!("AAAA");
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
        let proof = key.proof_with_raw_header(&header, &good(&running, "POST", "/token", jti));
        refresh(&running, "x.y", &[("dpop", &proof)]).await.assert_refused(400, error);
    }
    let fine = proof(&running, &key, "1");
    refresh(&running, "x.y", &[("dpop", &fine), ("dpop", &fine)]).await.assert_refused(400, "invalid_dpop_proof");
    refresh(&running, "x.y", &[("dpop", &fine)]).await.assert_refused(400, "invalid_grant");
    refresh(&running, "x.y", &[("dpop", &fine)]).await.assert_refused(400, "invalid_dpop_proof");
}

/// Shows: M4.
#[actix_web::test]
async fn a_required_nonce_is_given_and_makes_the_sender_s_clock_irrelevant() {
    let running = Running::with(ProviderSettings { dpop_nonce_required: true, ..ProviderSettings::default() }).await;
    let key = ClientKey::new();
    let code = code(&running).await;
    let first = redeem(&running, &code, &proof(&running, &key, "1")).await;
    first.assert_refused(400, "use_dpop_nonce");
    let nonce = first.header("dpop-nonce").to_owned();
    let with_nonce = |jti: &str, nonce: &str| {
        let changes = json!({ "nonce": nonce, "iat": running.now() - 86_400 });
        key.proof(good(&running, "POST", "/token", jti), changes, json!({}))
    };
    redeem(&running, &code, &with_nonce("2", "made-up")).await.assert_refused(400, "use_dpop_nonce");
    let tokens = redeem(&running, &code, &with_nonce("3", &nonce)).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    assert_eq!(tokens.header("dpop-nonce"), nonce);

    running.clock.advance(Duration::from_secs(300));
    let stale = refresh(&running, &tokens.text("refresh_token"), &[("dpop", &with_nonce("4", &nonce))]).await;
    stale.assert_refused(400, "use_dpop_nonce");
    let fresh = stale.header("dpop-nonce").to_owned();
    assert_ne!(fresh, nonce);
    let answer = refresh(&running, &tokens.text("refresh_token"), &[("dpop", &with_nonce("5", &fresh))]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_code_can_be_bound_to_a_key_from_the_beginning() {
    let running = Running::start().await;
    let key = ClientKey::new();
    let query = mobile_request(&[("dpop_jkt", &key.jkt())]);
    let stolen = running.browser().code_for("alice", &query).await;
    let other = proof(&running, &ClientKey::new(), "1");
    redeem(&running, &stolen, &other).await.assert_refused(400, "invalid_grant");
    let code = running.browser().code_for("alice", &query).await;
    assert_eq!(redeem(&running, &code, &proof(&running, &key, "2")).await.status, StatusCode::OK);
}
