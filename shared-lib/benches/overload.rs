//! What an overload does to a service with and without its limit on concurrent requests, in one run.
//!
//! A service calls a downstream that can do 20 things at once, 50 ms each: 400 in a second. Requests arrive evenly at a
//! share or a multiple of that, whether or not earlier ones are answered (an open loop), and want their answer within a
//! second. The downstream works through its queue in order, also for those who have left. Breaker, bulkhead, coalescing
//! and retries are out of the way, so that the limit is all that differs.
//!
//! Run with `make bench`. It takes two minutes, and prints a table; it fails when the promise does not hold:
//! at three times the capacity at least 80 % of the best goodput with the limit, and less than that without.

#[path = "../tests/server/tiny.rs"]
mod tiny;

use std::{
    cell::RefCell,
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, web};
use awc::{Client, Connector};
use shared_lib::{clock::Clock, service::launch};
use tokio::sync::Semaphore;

use tiny::{Tiny, settings};

const PLACES: usize = 20;
const SERVICE: Duration = Duration::from_millis(50);
const CAPACITY: f64 = 400.0;
const PATIENCE: Duration = Duration::from_secs(1);
const LOADS: [f64; 4] = [0.5, 0.9, 1.5, 3.0];
const WARM_UP: Duration = Duration::from_secs(4);
const MEASURED: Duration = Duration::from_secs(10);
/// Clients give up after this; the service has answered by then, or has failed the test.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of one request.
struct Outcome {
    status: Option<u16>,
    took: Duration,
}

struct Row {
    goodput: f64,
    shed: f64,
    late: f64,
    p50: Duration,
    p99: Duration,
    limit: String,
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
fn main() -> ExitCode {
    let system = actix_web::rt::System::new();
    let mut at_three_times = Vec::new();
    let mut best: f64 = 0.0;
    println!(
        "| limit | offered | goodput /s | of the capacity | refused /s | late /s | p50 | p99 of the admitted | limit at the end |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for limited in [true, false] {
        for load in LOADS {
            let row = system.block_on(offer(load, limited));
            let share = 100.0 * row.goodput / CAPACITY;
            println!(
                "| {} | {load:.1}x | {:.0} | {share:.0} % | {:.0} | {:.0} | {} ms | {} ms | {} |",
                if limited { "on" } else { "off" },
                row.goodput,
                row.shed,
                row.late,
                row.p50.as_millis(),
                row.p99.as_millis(),
                row.limit,
            );
            best = best.max(row.goodput);
            if load >= 3.0 {
                at_three_times.push(row.goodput);
            }
        }
    }
    let holds = matches!(at_three_times[..], [with, without] if with >= 0.8 * best && without < 0.8 * best);
    println!("\nbest goodput {best:.0} /s; at three times the capacity: {at_three_times:.0?} /s with and without");
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One service and one downstream of their own, and this load on them.
async fn offer(load: f64, limited: bool) -> Row {
    let (backend, backend_handle) = downstream();
    let running = launch::<Tiny>(
        Arc::new(settings(&[
            ("TINY__SERVER__REQUEST_TIMEOUT_MS", &PATIENCE.as_millis().to_string()),
            ("TINY__SERVER__ADAPTIVE_LIMIT__ENABLED", if limited { "true" } else { "false" }),
            ("TINY__DOWNSTREAMS__BACKEND__URLS", &format!("http://{backend}")),
            ("TINY__DOWNSTREAMS__BACKEND__TIMEOUT_MS", "5000"),
            ("TINY__DOWNSTREAMS__BACKEND__MAX_CONNECTIONS", "10000"),
            ("TINY__DOWNSTREAMS__BACKEND__MAX_CONCURRENT", "10000"),
            ("TINY__DOWNSTREAMS__BACKEND__CIRCUIT_BREAKER__INITIAL_STATE", "disabled"),
            ("TINY__DOWNSTREAMS__BACKEND__RETRY__MAX_ATTEMPTS", "1"),
        ])),
        Clock::system(),
        None,
    )
    .await
    .expect("the service starts");
    let client = Client::builder()
        .connector(Connector::new().limit(20_000))
        .timeout(CLIENT_TIMEOUT)
        .disable_redirects()
        .finish();
    let url = format!("http://{}/v1/work", running.public);

    let clock = Clock::system();
    let begin = clock.now();
    let outcomes = Rc::new(RefCell::new(Vec::new()));
    let interval = Duration::from_secs_f64(1.0 / (CAPACITY * load));
    let count = ((WARM_UP + MEASURED).as_secs_f64() / interval.as_secs_f64()) as u32;
    let mut requests = Vec::new();
    for number in 0..count {
        let due = begin + interval * number;
        tokio::time::sleep_until(due.into()).await;
        let (client, url, clock, outcomes) = (client.clone(), url.clone(), clock.clone(), Rc::clone(&outcomes));
        requests.push(actix_web::rt::spawn(async move {
            let status = match client.get(url).send().await {
                Ok(mut response) => response.body().await.ok().map(|_| response.status().as_u16()),
                Err(_) => None,
            };
            // From when it was due, so that a generator that is behind does not make the service look better.
            let took = clock.now().saturating_duration_since(due);
            if due >= begin + WARM_UP {
                outcomes.borrow_mut().push(Outcome { status, took });
            }
        }));
    }
    let limit = present_limit(&client, running.management).await;
    for request in requests {
        request.await.expect("no request panics");
    }
    running.drain().await;
    backend_handle.stop(false).await;
    let outcomes = outcomes.take();
    summarize(&outcomes, limit)
}

fn summarize(outcomes: &[Outcome], limit: String) -> Row {
    let rate = |count: usize| count as f64 / MEASURED.as_secs_f64();
    let good = outcomes.iter().filter(|outcome| outcome.status == Some(200) && outcome.took <= PATIENCE).count();
    let shed = outcomes.iter().filter(|outcome| outcome.status == Some(503)).count();
    let mut admitted: Vec<_> =
        outcomes.iter().filter(|outcome| outcome.status != Some(503)).map(|outcome| outcome.took).collect();
    admitted.sort_unstable();
    let percentile = |percent: usize| admitted.get(admitted.len() * percent / 100).copied().unwrap_or_default();
    Row {
        goodput: rate(good),
        shed: rate(shed),
        late: rate(outcomes.len() - good - shed),
        p50: percentile(50),
        p99: percentile(99),
        limit,
    }
}

async fn present_limit(client: &Client, management: SocketAddr) -> String {
    let mut response = client.get(format!("http://{management}/metrics")).send().await.expect("metrics answer");
    let body = response.body().await.expect("metrics are text");
    let text = String::from_utf8_lossy(&body);
    let line = text.lines().find(|line| line.starts_with("trifront_server_concurrency_limit"));
    line.and_then(|line| line.rsplit(' ').next()).unwrap_or("?").to_owned()
}

/// Does `PLACES` things at once, in the order in which they came.
fn downstream() -> (SocketAddr, ServerHandle) {
    let places = web::Data::new(Semaphore::new(PLACES));
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("some port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = HttpServer::new(move || App::new().app_data(places.clone()).default_service(web::to(work)))
        .workers(1)
        .backlog(8192)
        .max_connections(20_000)
        .tcp_nodelay(true)
        .disable_signals()
        .listen(listener)
        .expect("the listener can be used")
        .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (address, handle)
}

async fn work(places: web::Data<Semaphore>) -> HttpResponse {
    // A task of its own goes on when the client has left.
    let work = actix_web::rt::spawn(async move {
        let _place = places.acquire().await.expect("it is never closed");
        tokio::time::sleep(SERVICE).await;
    });
    work.await.expect("it does not panic");
    HttpResponse::Ok().json(serde_json::json!({"done": true}))
}
