//! The real process, from its start to its end by SIGTERM.

use std::{process::Stdio, sync::Arc, time::Duration};

use awc::Client;
use sandbox::{Sandbox, provider::JwtBuilder};
use serde_json::{Value, json};
use shared_lib::testing::{Answer, FakeDownstream, eventually, otlp::OtlpReceiver, receive};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    sync::Mutex,
};

/// It only ends tests that hang.
const PATIENCE: Duration = Duration::from_secs(20);
const TRACE: &str = "7c3d9f6a2b1e40588d2f6c1b0a9e8d7f";

/// A service as a process. It is killed when this is dropped.
struct Process {
    child: Child,
    public: String,
    management: String,
    /// What it has logged since it was ready.
    log: Arc<Mutex<Vec<Value>>>,
}

impl Process {
    /// Starts it and waits until it says that it is ready.
    async fn start(variables: &[(&str, String)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bff-mobile"))
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (*name, value)))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut next = async || {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it logs in time");
            line.expect("its output can be read").map(|line| serde_json::from_str::<Value>(&line).unwrap_or_default())
        };
        let ready = loop {
            let line = next().await.expect("it goes on until it is ready");
            if line["public"].is_string() {
                break line;
            }
        };
        let address = |name: &str| format!("http://{}", ready[name].as_str().expect("an address"));
        let (public, management) = (address("public"), address("management"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&log);
        actix_web::rt::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                seen.lock().await.push(serde_json::from_str(&line).unwrap_or_default());
            }
        });
        Self { child, public, management, log }
    }

    async fn terminate(&self) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill can be started");
        assert!(sent.success());
    }

    async fn logged(&self, message: &str) -> bool {
        self.log.lock().await.iter().any(|line| line["message"] == message)
    }
}

/// Shows: S9
#[actix_web::test]
async fn a_process_that_is_told_to_stop_finishes_what_it_began_and_sends_what_it_measured() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let catalog = FakeDownstream::start(Answer::json(&json!({"items": [], "total": 0})));
    let collector = OtlpReceiver::start();
    let mut process = Process::start(&[
        ("BFF_MOBILE__SERVER__PORT", "0".to_owned()),
        ("BFF_MOBILE__SERVER__WORKERS", "1".to_owned()),
        ("BFF_MOBILE__SERVER__REQUEST_TIMEOUT_MS", "30000".to_owned()),
        ("BFF_MOBILE__SERVER__DRAIN_DELAY_MS", "500".to_owned()),
        ("BFF_MOBILE__MANAGEMENT__PORT", "0".to_owned()),
        ("BFF_MOBILE__JWT__ISSUER", sandbox.issuer().to_owned()),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__URLS", catalog.url()),
        ("BFF_MOBILE__DOWNSTREAMS__CATALOG__TIMEOUT_MS", "30000".to_owned()),
        ("BFF_MOBILE__TELEMETRY__LOG_FORMAT", "json".to_owned()),
        ("BFF_MOBILE__TELEMETRY__CONTINUE_TRACES_OF", "everyone".to_owned()),
        ("BFF_MOBILE__TELEMETRY__OTLP_ENDPOINT", collector.endpoint().to_string()),
        // So long that only the end of the process sends spans.
        ("BFF_MOBILE__TELEMETRY__EXPORT_INTERVAL_MS", "60000".to_owned()),
    ])
    .await;
    let client = Client::builder().timeout(PATIENCE).disable_redirects().finish();
    let readyz = format!("{}/readyz", process.management);
    assert_eq!(receive(client.get(&readyz).send()).await.status.as_u16(), 200);

    let token = sandbox
        .provider()
        .access_token_builder("alice", "mobile-app", "bff-mobile", &["catalog:read"], Duration::from_secs(300))
        .and_then(JwtBuilder::build)
        .expect("alice exists");
    let hold = catalog.hold();
    let request = client
        .get(format!("{}/v1/products", process.public))
        .bearer_auth(token)
        .insert_header(("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01")));
    let in_flight = actix_web::rt::spawn(receive(request.send()));
    catalog.arrived(1).await;

    process.terminate().await;
    let unready = eventually(PATIENCE, || async { receive(client.get(&readyz).send()).await.status.as_u16() == 503 });
    assert!(unready.await, "readiness turns while the request is under way");
    assert!(!in_flight.is_finished());
    let address = process.public.trim_start_matches("http://").to_owned();
    let deaf = eventually(PATIENCE, || async { TcpStream::connect(&address).await.is_err() });
    assert!(deaf.await, "after the delay nobody new is let in");
    assert!(!in_flight.is_finished(), "what was begun goes on");

    hold.release();
    let answer = in_flight.await.expect("it ends");
    assert_eq!((answer.status.as_u16(), &answer.json()["totalElements"]), (200, &json!(0)));
    assert_eq!(answer.header("connection"), Some("close"), "the client is to go elsewhere");

    let ended = tokio::time::timeout(PATIENCE, process.child.wait()).await.expect("it ends by itself");
    assert_eq!(ended.expect("it can be waited for").code(), Some(0));
    let measured = collector.wait_for(|spans| spans.iter().any(|span| span.trace_id == TRACE), PATIENCE);
    assert!(measured.await.is_some(), "the spans were sent on the way out");
    assert!(eventually(PATIENCE, || process.logged("stopped")).await);
}
