//! Access tokens that are bound to a key, and the proofs that their bearers hold it.

use actix_web::http::Method;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared_lib::testing::{Received, receive};

use crate::harness::{ALL_SCOPES, Stage};

/// The built-in origin: where the apps believe the service to be, whatever its port in a test.
const ORIGIN: &str = "http://localhost:8081";
const HOME: &str = "/v1/home";

struct Phone {
    pair: EcdsaKeyPair,
    proofs: std::cell::Cell<u32>,
}

impl Phone {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { pair, proofs: std::cell::Cell::new(0) }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"crv": "P-256", "kty": "EC", "x": x, "y": y})
    }

    /// RFC 7638: the required members in alphabetical order.
    fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.jwk().to_string()))
    }

    fn token(&self, stage: &Stage) -> String {
        stage.token_with("alice", &ALL_SCOPES, |token| token.bound_to(&self.thumbprint()))
    }

    fn proof(&self, method: &str, path: &str, token: &str, nonce: Option<&str>) -> String {
        self.proofs.set(self.proofs.get() + 1);
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let claims = json!({
            "jti": format!("proof {}", self.proofs.get()), "htm": method, "htu": format!("{ORIGIN}{path}"),
            // This phone believes it to be 1970.
            "iat": 60, "ath": URL_SAFE_NO_PAD.encode(Sha256::digest(token)), "nonce": nonce,
        });
        let claims: serde_json::Map<_, _> =
            claims.as_object().expect("an object").clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims.into()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn get(stage: &Stage, path: &str, token: &str, proofs: &[&str]) -> Received {
    let mut request = stage.service.client().request(Method::GET, stage.service.url(path));
    request = request.insert_header(("authorization", format!("DPoP {token}")));
    for proof in proofs {
        request = request.append_header(("dpop", *proof));
    }
    receive(request.send()).await
}

/// What the app learns from the first refusal.
async fn nonce(stage: &Stage, phone: &Phone, token: &str) -> String {
    let refused = get(stage, HOME, token, &[&phone.proof("GET", HOME, token, None)]).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (401, &json!("dpop-nonce-required")));
    assert!(challenge(&refused).contains("error=\"use_dpop_nonce\""), "{}", challenge(&refused));
    refused.header("dpop-nonce").expect("a nonce").to_owned()
}

fn challenge(received: &Received) -> &str {
    received.header("www-authenticate").expect("a challenge")
}

/// Shows: M4, S13
#[actix_web::test]
async fn a_phone_with_a_wrong_clock_is_let_in_by_a_proof_with_the_servers_nonce() {
    let stage = Stage::new().await;
    let phone = Phone::new();
    let token = phone.token(&stage);
    let nonce = nonce(&stage, &phone, &token).await;
    let proof = phone.proof("GET", HOME, &token, Some(&nonce));
    let home = get(&stage, HOME, &token, &[&proof]).await;
    assert_eq!(home.status, 200, "{}", home.text());
    assert_eq!(home.json()["name"], "Alice");
    for call in stage.sandbox.chaos().calls("users") {
        assert_eq!(call.client_id.as_deref(), Some("bff-mobile"), "the bound token itself goes nowhere");
    }
}

/// Shows: M4
#[actix_web::test]
async fn a_bound_token_is_refused_as_a_bearer_token() {
    let stage = Stage::new().await;
    let phone = Phone::new();
    let token = phone.token(&stage);
    let nonce = nonce(&stage, &phone, &token).await;
    let alone = stage.get_with(HOME, &token).await;
    let proof = phone.proof("GET", HOME, &token, Some(&nonce));
    let url = stage.service.url(HOME);
    let with_proof = receive(stage.service.client().get(url).bearer_auth(&token).insert_header(("dpop", proof)).send());
    for refused in [alone, with_proof.await] {
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (401, &json!("invalid-token")));
        assert!(challenge(&refused).starts_with("DPoP "), "{}", challenge(&refused));
        assert!(challenge(&refused).contains("error=\"invalid_token\""), "{}", challenge(&refused));
    }
}

/// Shows: M4
#[actix_web::test]
async fn an_unbound_token_is_refused_with_a_proof() {
    let stage = Stage::new().await;
    let (phone, token) = (Phone::new(), stage.token("alice"));
    let refused = get(&stage, HOME, &token, &[&phone.proof("GET", HOME, &token, None)]).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (401, &json!("invalid-token")));
}

/// Shows: M4
#[actix_web::test]
async fn proofs_that_are_not_exactly_one_for_this_request_are_refused() {
    let stage = Stage::new().await;
    let (phone, thief) = (Phone::new(), Phone::new());
    let token = phone.token(&stage);
    let nonce = nonce(&stage, &phone, &token).await;
    let nonce = Some(nonce.as_str());
    let good = phone.proof("GET", HOME, &token, nonce);
    let second = phone.proof("GET", HOME, &token, nonce);
    let table = [
        ("none", vec![]),
        ("two", vec![good.clone(), second]),
        ("of another method", vec![phone.proof("POST", HOME, &token, nonce)]),
        ("of another address", vec![phone.proof("GET", "/v1/orders", &token, nonce)]),
        ("of another token", vec![phone.proof("GET", HOME, "another", nonce)]),
        ("of another key", vec![thief.proof("GET", HOME, &token, nonce)]),
        ("garbage", vec!["garbage".to_owned()]),
    ];
    for (what, proofs) in table {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let refused = get(&stage, HOME, &token, &proofs).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (401, &json!("invalid-dpop-proof")), "{what}");
        assert!(challenge(&refused).contains("error=\"invalid_dpop_proof\""), "{what}");
    }
    assert_eq!(get(&stage, &format!("{HOME}?"), &token, &[&good]).await.status, 200);
    let replayed = get(&stage, HOME, &token, &[&good]).await;
    assert_eq!((replayed.status.as_u16(), &replayed.json()["code"]), (401, &json!("invalid-dpop-proof")));
}

/// Shows: M4, M3
#[actix_web::test]
async fn without_credentials_both_schemes_are_offered() {
    let stage = Stage::new().await;
    let refused = stage.service.get(HOME).await;
    let challenges = refused.header_values("www-authenticate");
    assert_eq!(challenges.len(), 2);
    assert!(challenges[1].starts_with("DPoP realm=\"bff-mobile\", algs=\""), "{challenges:?}");
    assert!(challenges[1].contains("ES256") && !challenges[1].contains("error"), "{challenges:?}");
}
