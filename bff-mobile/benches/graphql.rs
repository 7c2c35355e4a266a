//! What GraphQL costs: the home screen by its own endpoint and as a document, and documents that are refused. It prints
//! the tables of `docs/GRAPHQL.md`; `make bench-graphql` runs it.
//!
//! The service is the real process with one worker; its processor time is read from the system, the token's check, HTTP
//! and TCP included, so the rows can be compared with each other. The services behind it are the sandbox, in this process.

use std::{process::Stdio, time::Duration};

use awc::{Client, ClientRequest, http::Method};
use bff_mobile::graphql::trusted::hash_of;
use futures_util::future::join_all;
use sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

#[path = "../tests/it/bombs.rs"]
mod bombs;

/// The screen as a document, as an app would write it.
const HOME: &str = "query Home {\n  me { name }\n  balance { minor currency }\n  unread\n  lastOrder { id status \
     total { minor currency } }\n  promotions { id title percent }\n}";
const SERVICES: [&str; 7] = ["accounts", "catalog", "devices", "notifications", "orders", "promotions", "users"];
const SCOPES: [&str; 7] = [
    "accounts:read",
    "catalog:read",
    "devices:write",
    "notifications:read",
    "notifications:write",
    "orders:read",
    "orders:write",
];
/// Requests at the same time.
const CONCURRENT: usize = 8;
/// Requests a row, unless the variable `REQUESTS` says otherwise: enough for a second of processor time, of which the
/// system counts hundredths.
const REQUESTS: usize = 4_000;

/// The service, which ends with this.
struct Service {
    child: Child,
    url: String,
}

/// One row: what is asked.
struct Asked {
    method: Method,
    path: &'static str,
    body: Option<Value>,
}

struct Stage {
    sandbox: Sandbox,
    service: Service,
    client: Client,
    token: String,
}

impl Stage {
    async fn new(trusted: &str) -> Self {
        let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bff-mobile"));
        command.env_clear().stdout(Stdio::piped()).kill_on_drop(true);
        for (name, value) in [
            ("SERVER__PORT", "0"),
            ("SERVER__WORKERS", "1"),
            ("MANAGEMENT__PORT", "0"),
            ("JWT__ISSUER", sandbox.issuer()),
            ("TELEMETRY__LOG_FORMAT", "json"),
            ("TELEMETRY__LOG_LEVEL", "warn,bff_mobile=info,shared_lib::service=info"),
            ("GRAPHQL__DOCUMENTS_FILE", trusted),
        ] {
            command.env(format!("BFF_MOBILE__{name}"), value);
        }
        for service in SERVICES {
            command.env(format!("BFF_MOBILE__DOWNSTREAMS__{}__URLS", service.to_uppercase()), sandbox.url(service));
        }
        let mut child = command.spawn().expect("the service starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let url = loop {
            let line = lines.next_line().await.expect("its output can be read").expect("it goes on until it is ready");
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(public) = line["public"].as_str() {
                break format!("http://{public}");
            }
        };
        // Nobody reads on, and a full pipe would stop it.
        actix_web::rt::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let lifetime = Duration::from_secs(3_600);
        let token = sandbox.provider().access_token("alice", "mobile-app", "bff-mobile", &SCOPES, lifetime);
        let token = token.expect("alice exists");
        let client = Client::builder().timeout(Duration::from_secs(30)).finish();
        Self { sandbox, service: Service { child, url }, client, token }
    }

    fn request(&self, asked: &Asked) -> ClientRequest {
        let url = format!("{}{}", self.service.url, asked.path);
        self.client.request(asked.method.clone(), url).bearer_auth(&self.token).no_decompress()
    }

    /// Status and bytes of the answer.
    async fn ask(&self, asked: &Asked, codings: &str) -> (u16, usize) {
        let request = self.request(asked).insert_header(("accept-encoding", codings.to_owned()));
        let answer = match &asked.body {
            Some(body) => request.send_json(body).await,
            None => request.send().await,
        };
        let mut answer = answer.expect("the service answers");
        let body = answer.body().await.expect("the answer can be read");
        (answer.status().as_u16(), body.len())
    }

    fn calls(&self) -> usize {
        SERVICES.iter().map(|service| self.sandbox.chaos().calls(service).len()).sum()
    }

    /// Microseconds of processor time that the service takes for one request, and calls to services.
    async fn cost(&self, asked: &Asked, expected: u16) -> (f64, usize) {
        for _ in 0..CONCURRENT {
            assert_eq!(self.ask(asked, "identity").await.0, expected);
        }
        self.sandbox.chaos().clear_calls();
        self.ask(asked, "identity").await;
        let calls = self.calls();
        let before = self.processor_time();
        #[expect(clippy::disallowed_methods, reason = "how long to measure is for who measures to say")]
        let requests = std::env::var("REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(REQUESTS);
        let turns = requests.div_ceil(CONCURRENT);
        join_all((0..CONCURRENT).map(|_| async {
            for _ in 0..turns {
                assert_eq!(self.ask(asked, "identity").await.0, expected);
            }
        }))
        .await;
        self.sandbox.chaos().clear_calls();
        let spent = self.processor_time() - before;
        (spent.as_secs_f64() * 1e6 / (turns * CONCURRENT) as f64, calls)
    }

    /// What the service has taken so far (proc_pid_stat(5), fields 14 and 15, in hundredths of a second).
    fn processor_time(&self) -> Duration {
        let id = self.service.child.id().expect("it runs");
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("this is measured on Linux");
        let (_, after_name) = stat.rsplit_once(") ").expect("the name is in parentheses");
        let fields: Vec<u64> = after_name.split(' ').skip(11).take(2).filter_map(|text| text.parse().ok()).collect();
        Duration::from_millis(fields.iter().sum::<u64>() * 10)
    }
}

fn graph(body: Value) -> Asked {
    Asked { method: Method::POST, path: "/graphql", body: Some(body) }
}

#[expect(clippy::print_stdout, reason = "printing is what this is for")]
async fn both_ways(stage: &Stage) {
    println!(
        "\n| the home screen | request body | answer | in brotli | calls | processor time |\n|---|---|---|---|---|---|"
    );
    let rows = [
        ("`GET /v1/home`", Asked { method: Method::GET, path: "/v1/home", body: None }),
        ("the document, by its hash", graph(json!({ "documentId": format!("sha256:{}", hash_of(HOME)) }))),
        ("the document, as text", graph(json!({ "query": HOME }))),
    ];
    for (name, asked) in rows {
        let sent = asked.body.as_ref().map_or(0, |body| body.to_string().len());
        let (plain, brotli) = (stage.ask(&asked, "identity").await.1, stage.ask(&asked, "br").await.1);
        let (time, calls) = stage.cost(&asked, 200).await;
        println!("| {name} | {sent} | {plain} | {brotli} | {calls} | {time:.0} us |");
    }
}

#[expect(clippy::print_stdout, reason = "printing is what this is for")]
async fn refused(stage: &Stage) {
    println!("\n| refused | request body | code | calls | processor time |\n|---|---|---|---|---|");
    let nothing = Asked { method: Method::GET, path: "/v1/nothing", body: None };
    let (time, calls) = stage.cost(&nothing, 404).await;
    println!("| an address that is not there (for comparison) | 0 | `not-found` | {calls} | {time:.0} us |");
    for bomb in bombs::all() {
        let sent = bomb.body.to_string().len();
        let (time, calls) = stage.cost(&graph(bomb.body), 400).await;
        println!("| {} | {sent} | `{}` | {calls} | {time:.0} us |", bomb.name, bomb.code);
    }
}

fn main() {
    // `cargo test --benches` runs it too, only to see that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    actix_web::rt::System::new().block_on(async {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), json!({ hash_of(HOME): HOME }).to_string()).expect("it can be written");
        let stage = Stage::new(file.path().to_str().expect("a plain path")).await;
        both_ways(&stage).await;
        refused(&stage).await;
    });
}
