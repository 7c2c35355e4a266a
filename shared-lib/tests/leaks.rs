//! Memory and connections come back after faults. A process of its own, because it looks at the whole process.

use std::{collections::BTreeMap, fs, net::TcpListener, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, Responder, web};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use shared_lib::{
    clock::Clock,
    context::RequestContext,
    downstream::{Downstream, DownstreamSettings, Registry, budget::RequestBudget},
    testing::eventually,
};
use url::Url;

/// The size of the bodies that could be forgotten, in bytes.
const BODY: usize = 256 * 1024;
/// Rounds of all faults: 1,000 bodies in all, so that one forgotten in 16 shows.
const ROUNDS: usize = 200;
/// Each way in which a call ends badly while a body is about, and last one where no answer comes.
const FAULTS: [&str; 6] = ["malformed", "wrong-type", "error-status", "broken-off", "too-large", "hang"];

/// A downstream that remembers nothing, so that what grows is ours.
async fn fault(kind: web::Path<String>) -> impl Responder {
    let body = Bytes::from(vec![b'['; BODY]);
    match kind.as_str() {
        "malformed" => HttpResponse::Ok().content_type("application/json").body(body),
        "wrong-type" => HttpResponse::Ok().content_type("text/html").body(body),
        "error-status" => HttpResponse::InternalServerError().content_type("application/json").body(body),
        "too-large" => HttpResponse::Ok().content_type("application/json").body([body.clone(), body].concat()),
        "broken-off" => {
            let parts = stream::iter([Ok(body), Err(std::io::Error::other("on purpose"))]);
            HttpResponse::Ok().content_type("application/json").streaming(parts)
        }
        _ => std::future::pending().await,
    }
}

/// Resident memory of this process, in bytes (`/proc/self/statm` counts pages).
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("a process has its memory");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
}

/// Open files of this process, sockets among them.
fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").expect("a process has its files").count()
}

async fn round(downstream: &Downstream) {
    for kind in FAULTS {
        let patience = if kind == "hang" { 20 } else { 5_000 };
        let context = RequestContext::background(RequestBudget::starting_now(Duration::from_millis(patience)));
        let outcome = downstream.get(&context, &[kind]).json::<Value>().await;
        assert!(outcome.is_err(), "{kind}");
    }
}

/// Shows: S7
#[actix_web::test]
async fn memory_and_connections_come_back_after_every_fault() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let server = HttpServer::new(|| App::new().route("/{kind}", web::get().to(fault))).workers(1).disable_signals();
    let server = server.h1_allow_half_closed(false).listen(listener).expect("the listener can be used").run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let mut settings = DownstreamSettings::for_address(&Url::parse(&url).expect("an address"));
    settings.retry.max_attempts = 1;
    settings.max_body_bytes = BODY + BODY / 2;
    settings.circuit_breaker.minimum_calls = u32::MAX;
    settings.circuit_breaker.window_size = u32::MAX;
    let registry =
        Registry::new(&BTreeMap::from([("shop".to_owned(), settings)]), &Clock::system()).expect("a registry");
    let downstream = registry.for_worker().get("shop").expect("the downstream");

    for _ in 0..ROUNDS / 4 {
        round(&downstream).await;
    }
    let (memory, files) = (resident(), open_files());
    for _ in 0..ROUNDS {
        round(&downstream).await;
    }
    // A call that was given up ends when its task is next looked at.
    let is_idle = || async { registry.loads()["shop"].is_idle() && open_files() <= files + 4 };
    let is_back = eventually(Duration::from_secs(20), is_idle).await;
    assert!(is_back, "{} files are open, {files} were; {:?}", open_files(), registry.loads());
    let grown = resident().saturating_sub(memory);
    assert!(grown < 16 * 1024 * 1024, "resident memory grew by {grown} bytes");
    handle.stop(false).await;
}
