//! What a refused key costs, and whether the time tells why it was refused: the real service as a process, asked over one
//! connection. `make bench-keys` runs it.
//!
//! - CPU is the process's own, by the kernel's account, for batches of each kind in turn; the kinds are compared with a
//!   request that shows no key at all and is refused too.
//! - Time is the caller's: the four kinds that only the store tells apart, in turn; the slowest tenth is left out, since
//!   it says more of the machine than of the service. Two kinds are told apart where Welch's |t| is above 4.5, the bound
//!   of dudect (Reparaz, Balasch, Verbauwhede: Dude, is my code constant time?).

#![expect(clippy::print_stdout, reason = "a measurement is for reading")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bff_partner::{
    database::Database,
    keys::{By, KeyAdmin, KeyEnvironment, KeyFormat, KeyStore, NewKey},
};
use serde_json::Value;
use shared_lib::{clock::Clock, settings::Secret};

const CHECKSUM_KEY: &str = "dev-only-bff-partner-checksum-key";
const BY: By<'_> = By { actor: "bench", source: "here" };
const ROUNDS: usize = 40;
const BATCH: usize = 250;
/// Those that only the store tells apart stand last.
const KINDS: [&str; 6] = ["no key", "made up", "unknown", "wrong secret", "revoked", "expired"];
const TOLD_APART: f64 = 4.5;

struct Service {
    child: Child,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[actix_web::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/keys.db", folder.path().display());
    let keys = keys(&url).await;
    let service = start(&url);
    let clock = Clock::system();
    let mut connection = BufReader::new(TcpStream::connect(&service.address).expect("it listens"));
    connection.get_ref().set_nodelay(true).expect("a socket");

    let (mut cpu, mut times) = (vec![Vec::new(); KINDS.len()], vec![Vec::new(); KINDS.len()]);
    for key in &keys {
        // The first look at a key is the store's, and the same for all.
        (0..BATCH).for_each(|_| ask(&mut connection, key.as_deref()));
    }
    for _ in 0..ROUNDS {
        for (kind, key) in keys.iter().enumerate() {
            let before = cpu_nanos(service.child.id());
            (0..BATCH).for_each(|_| ask(&mut connection, key.as_deref()));
            cpu[kind].push((cpu_nanos(service.child.id()) - before) as f64 / BATCH as f64 / 1000.0);
        }
        for turn in 0..BATCH {
            // Each kind stands in each place of the row equally often, so that no place favours one.
            for place in 0..4 {
                let kind = 2 + (turn + place) % 4;
                let asked = clock.now();
                ask(&mut connection, keys[kind].as_deref());
                times[kind].push(clock.now().saturating_duration_since(asked).as_nanos() as f64 / 1000.0);
            }
        }
    }

    let bare = median(&mut cpu[0]);
    println!("{:<14} {:>16} {:>20}", "refused for", "CPU us/request", "beyond no key, us");
    for (kind, batches) in KINDS.iter().zip(&mut cpu) {
        let cost = median(batches);
        println!("{kind:<14} {cost:>16.1} {:>20.1}", cost - bare);
    }
    println!("\n{:<14} {:>16} {:>20}", "refused for", "median time, us", "|t| against unknown");
    let mut told_apart = false;
    let unknown = without_slowest(&mut times[2].clone());
    for (kind, samples) in KINDS.iter().zip(&mut times).skip(2) {
        let samples = without_slowest(samples);
        let t = welch(&unknown, &samples).abs();
        told_apart |= t > TOLD_APART;
        println!("{kind:<14} {:>16.1} {t:>20.2}", samples[samples.len() / 2]);
    }
    assert!(!told_apart, "the time tells why a key was refused");
}

/// A key of each kind; none for the first.
async fn keys(url: &str) -> Vec<Option<String>> {
    let store = KeyStore::new(Database::open(&Secret::from(url)).await.expect("the store opens"));
    let format = KeyFormat::new(&Secret::from(CHECKSUM_KEY));
    // A clock of the past, so that a key of a minute is over.
    let (clock, _) = Clock::manual();
    let scopes = vec!["products:read"];
    let admin = KeyAdmin::new(format.clone(), store.clone(), vec!["free".to_owned()], scopes, clock);
    let new = |expires_in| NewKey {
        partner: "acme".to_owned(),
        environment: KeyEnvironment::Test,
        plan: "free".to_owned(),
        scopes: vec!["products:read".to_owned()],
        networks: Vec::new(),
        expires_in,
    };
    let others = KeyFormat::new(&Secret::from("the checksum key of somebody else"));
    let made_up = others.mint(KeyEnvironment::Test).key;
    let unknown = format.mint(KeyEnvironment::Test).key;
    // A record whose secret is another than the one that is shown with its id.
    let wrong = format.mint(KeyEnvironment::Test);
    let mut record = admin.create(new(None), BY).await.expect("a key").record;
    record.id.clone_from(&wrong.id);
    store.add(&record, BY).await.expect("a record");
    let revoked = admin.create(new(None), BY).await.expect("a key");
    assert!(admin.revoke(&revoked.record.id, BY).await.expect("the key is there"));
    let expired = admin.create(new(Some(Duration::from_secs(60))), BY).await.expect("a key");
    let keys = [made_up, unknown, wrong.key, revoked.key, expired.key];
    [None].into_iter().chain(keys.iter().map(|key| Some(key.expose().to_owned()))).collect()
}

fn start(database_url: &str) -> Service {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bff-partner"))
        .env_clear()
        .env("BFF_PARTNER__SERVER__PORT", "0")
        .env("BFF_PARTNER__SERVER__WORKERS", "1")
        .env("BFF_PARTNER__MANAGEMENT__PORT", "0")
        .env("BFF_PARTNER__TELEMETRY__LOG_FORMAT", "json")
        .env("BFF_PARTNER__KEYS__DATABASE_URL", database_url)
        // What is remembered stays so, and nobody is told to stop.
        .env("BFF_PARTNER__KEYS__FRESH_MS", "60000")
        .env("BFF_PARTNER__KEYS__MAX_REFUSED_PER_MINUTE", "1000000000")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let address = loop {
        let line = lines.next().expect("it goes on until it is ready").expect("its output can be read");
        let line: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(address) = line["public"].as_str() {
            break address.to_owned();
        }
    };
    // Somebody reads what it says until it ends.
    std::thread::spawn(move || lines.for_each(drop));
    Service { child, address }
}

/// One request, and its whole answer.
fn ask(connection: &mut BufReader<TcpStream>, key: Option<&str>) {
    let key = key.map_or(String::new(), |key| format!("x-api-key: {key}\r\n"));
    let request = format!("GET /v1/products HTTP/1.1\r\nhost: localhost\r\n{key}\r\n");
    connection.get_mut().write_all(request.as_bytes()).expect("it reads");
    let (mut line, mut length, mut first) = (String::new(), 0, true);
    loop {
        line.clear();
        connection.read_line(&mut line).expect("it answers");
        if first {
            assert!(line.starts_with("HTTP/1.1 401"), "{line}");
            first = false;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).expect("a whole body");
}

/// What all threads of a process have taken of the processors.
fn cpu_nanos(id: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{id}/task")).expect("it runs").flatten();
    let taken = threads.filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
    taken.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Sorted, and without the slowest tenth.
fn without_slowest(values: &mut [f64]) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values[..values.len() * 9 / 10].to_vec()
}

fn welch(one: &[f64], other: &[f64]) -> f64 {
    let moments = |values: &[f64]| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((one, a), (other, b)) = (moments(one), moments(other));
    (one - other) / (a + b).sqrt()
}
