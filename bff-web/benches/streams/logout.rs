//! A thousand users sign out at one replica; their streams are on another.

use std::{net::SocketAddr, time::Duration};

use actix_web::http::header::{COOKIE, SET_COOKIE};
use awc::Client;
use futures_util::{StreamExt, stream};
use sandbox::Sandbox;
use shared_lib::{
    clock::Clock,
    testing::{RedisServer, eventually},
};
use tokio::sync::mpsc;

use super::{
    Finding, client,
    notification_service::NotificationLog,
    percentile,
    process::Process,
    sessions::{self, SignedIn},
};

const SESSIONS: usize = 1_000;

/// Users that sign out at the same time.
const AT_ONCE: usize = 20;

const PATIENCE: Duration = Duration::from_secs(60);

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
pub async fn measure() -> Vec<Finding> {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let redis = RedisServer::start().await;
    let log = NotificationLog::start();
    let variables = sessions::variables(&redis.url(), &log.url(), sandbox.issuer());
    let users = sessions::sign_in(&variables, SESSIONS).await;
    let (here, there) = (Process::start(&variables), Process::start(&variables));
    let (seen, mut arriving) = mpsc::unbounded_channel();
    let connections =
        users.iter().enumerate().map(|(number, user)| client::connect(there.public, user, number, seen.clone()));
    stream::iter(connections).buffer_unordered(100).collect::<Vec<()>>().await;
    assert!(eventually(PATIENCE, || async { log.watching() == SESSIONS }).await, "each user has a stream");

    let client = Client::builder().timeout(PATIENCE).disable_redirects().finish();
    let clock = Clock::system();
    let signing_out = users.iter().map(|user| {
        let (client, clock) = (&client, &clock);
        async move {
            let token = csrf_token(client, here.public, user).await;
            let at = clock.now();
            sign_out(client, here.public, user, &token).await;
            at
        }
    });
    let began: Vec<_> = stream::iter(signing_out).buffered(AT_ONCE).collect().await;
    let mut took = Vec::with_capacity(SESSIONS);
    while took.len() < SESSIONS {
        let one = tokio::time::timeout(PATIENCE, arriving.recv()).await.expect("it comes").expect("clients live");
        assert_eq!((one.event.name.as_str(), one.event.data.as_str()), ("session-ended", r#"{"reason":"signed-out"}"#));
        took.push(one.at - began[one.client]);
    }
    took.sort_unstable();
    println!(
        "\n{SESSIONS} sign-outs at one replica, streams on another: p50 {:.0} ms, p99 {:.0} ms, last {:.0} ms",
        percentile(&took, 0.5),
        percentile(&took, 0.99),
        percentile(&took, 1.0)
    );
    vec![Finding::new(
        "from the sign-out to the end of its stream on another replica, p99",
        percentile(&took, 0.99),
        1_000.0,
        "ms",
    )]
}

async fn csrf_token(client: &Client, service: SocketAddr, user: &SignedIn) -> String {
    let request =
        client.get(format!("http://{service}/api/auth/session")).insert_header((COOKIE, user.cookie.as_str()));
    let answer = request.send().await.expect("it answers");
    assert_eq!(answer.status().as_u16(), 200);
    let lines = answer.headers().get_all(SET_COOKIE).filter_map(|line| line.to_str().ok());
    let tokens: Vec<&str> = lines.filter_map(|line| line.strip_prefix("XSRF-TOKEN=")?.split(';').next()).collect();
    (*tokens.first().expect("it is set")).to_owned()
}

async fn sign_out(client: &Client, service: SocketAddr, user: &SignedIn, token: &str) {
    let request = client
        .post(format!("http://{service}/api/auth/logout"))
        .insert_header((COOKIE, format!("{}; XSRF-TOKEN={token}", user.cookie)))
        .insert_header(("x-xsrf-token", token))
        .insert_header(("sec-fetch-site", "same-origin"));
    let answer = request.send().await.expect("it answers");
    assert_eq!(answer.status().as_u16(), 200);
}
