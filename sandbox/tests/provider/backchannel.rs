//! Back-channel logout: what the clients are told, over HTTP.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use sandbox::provider::{DeliveryOutcome, LogoutDelivery, SessionSelector};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use crate::running::{Running, jwt_parts, mobile_request, web_request};

#[derive(Deserialize)]
struct Form {
    logout_token: String,
}

/// A client's endpoint: it answers with one status, or never, and passes on what it is told.
struct Listener {
    address: String,
    tokens: mpsc::UnboundedReceiver<String>,
    server: ServerHandle,
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

fn listen(status: Option<u16>) -> Listener {
    let (sender, tokens) = mpsc::unbounded_channel();
    let server = HttpServer::new(move || {
        let sender = sender.clone();
        let answer = move |form: web::Form<Form>| {
            let sender = sender.clone();
            async move {
                sender.send(form.into_inner().logout_token).expect("the test listens");
                match status {
                    Some(302) => HttpResponse::Found().insert_header(("location", "/elsewhere")).finish(),
                    Some(status) => HttpResponse::build(status.try_into().expect("a status")).finish(),
                    None => std::future::pending().await,
                }
            }
        };
        App::new().route("/logout", web::post().to(answer))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .expect("a free port");
    let address = format!("http://{}/logout", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Listener { address, tokens, server: handle }
}

fn register(running: &Running, client: &str, address: &str) {
    let address = address.to_owned();
    running.handle.change_client(client, |client| client.backchannel_logout_uri = Some(address)).expect("a client");
}

fn alice() -> SessionSelector {
    SessionSelector::Subject("usr_alice".into())
}

/// Shows: W10.
#[actix_web::test]
async fn each_client_of_the_session_gets_a_logout_token() {
    let running = Running::start().await;
    let (mut web, mut mobile) = (listen(Some(200)), listen(Some(204)));
    register(&running, "bff-web", &web.address);
    register(&running, "mobile-app", &mobile.address);
    let mut browser = running.browser();
    browser.code_for("alice", &web_request(&[])).await;
    browser.authorize(&mobile_request(&[])).await;
    let sid = running.handle.sessions()[0].sid.clone();

    let (ended, deliveries) = running.handle.end_session(&alice()).await;
    let accepted = |client: &str| LogoutDelivery { client_id: client.into(), outcome: DeliveryOutcome::Accepted };
    assert_eq!((ended, deliveries), (1, vec![accepted("bff-web"), accepted("mobile-app")]));

    let (header, mut claims) = jwt_parts(&web.tokens.recv().await.expect("a token"));
    assert_eq!(header["typ"], json!("logout+jwt"));
    assert!(claims["jti"].take().is_string());
    let now = running.now();
    assert_eq!(
        claims,
        json!({
            "iss": running.issuer, "sub": "usr_alice", "aud": "bff-web", "sid": sid, "iat": now, "exp": now + 120,
            "jti": null, "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        })
    );
    let (_, claims) = jwt_parts(&mobile.tokens.recv().await.expect("a token"));
    assert_eq!(claims["aud"], json!("mobile-app"));
}

/// Shows: W10.
#[actix_web::test]
async fn a_logout_in_the_browser_reaches_the_clients() {
    let running = Running::start().await;
    let mut client = listen(Some(200));
    register(&running, "bff-web", &client.address);
    let mut browser = running.browser();
    let code = browser.code_for("alice", &web_request(&[])).await;
    let hint = running.redeem(&code).await.text("id_token");
    browser.get(&format!("/logout?id_token_hint={hint}")).await;
    let (_, claims) = jwt_parts(&client.tokens.recv().await.expect("a token"));
    assert_eq!(claims["sub"], json!("usr_alice"));
}

#[actix_web::test]
async fn a_client_that_refuses_redirects_hangs_or_is_away_is_reported_in_bounded_time() {
    let running = Running::start().await;
    running.handle.change_settings(|settings| settings.backchannel_timeout = Duration::from_millis(200));
    let (refusing, redirecting, hanging) = (listen(Some(400)), listen(Some(302)), listen(None));
    for (address, outcome) in [
        (refusing.address.as_str(), DeliveryOutcome::Refused(400)),
        (redirecting.address.as_str(), DeliveryOutcome::Refused(302)),
        (hanging.address.as_str(), DeliveryOutcome::TimedOut),
        ("http://127.0.0.1:1/logout", DeliveryOutcome::Unreachable),
        ("not an address", DeliveryOutcome::Unreachable),
    ] {
        register(&running, "bff-web", address);
        running.browser().code_for("alice", &web_request(&[])).await;
        let (ended, deliveries) = running.handle.end_session(&alice()).await;
        let outcomes: Vec<_> = deliveries.iter().map(|delivery| delivery.outcome).collect();
        assert_eq!((ended, outcomes), (1, vec![outcome]), "{address}");
    }
}

#[actix_web::test]
async fn a_session_ends_by_its_sid_over_http_and_no_other_does() {
    let running = Running::start().await;
    let mut client = listen(Some(200));
    register(&running, "bff-web", &client.address);
    running.browser().code_for("alice", &web_request(&[])).await;
    running.browser().code_for("alice", &web_request(&[])).await;
    let sid = running.handle.sessions()[0].sid.clone();
    let answer = running.post("/dev/end-session", &[("sid", &sid)], &[]).await;
    assert_eq!(answer.json(), json!({ "ended": 1, "deliveries": [{ "client_id": "bff-web", "outcome": "accepted" }] }));
    let (_, claims) = jwt_parts(&client.tokens.recv().await.expect("a token"));
    assert_eq!(claims["sid"], json!(sid));
    assert_eq!(running.handle.sessions().len(), 1);
}
