//! Sessions in a Redis that is reached over TLS, with an authority of one's own.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use actix_web::http::{Method, StatusCode};
use shared_lib::testing::eventually;

use crate::harness::{PATIENCE, World, authority::Authority};

/// How often another port is tried when somebody else was faster.
const PORTS: usize = 10;

/// A real `redis-server` that speaks TLS and nothing else. It ends when this is dropped.
struct TlsRedis {
    process: Child,
    port: u16,
    authority: Authority,
}

impl TlsRedis {
    /// With a certificate for this name.
    async fn start(name: &str) -> Self {
        let authority = Authority::for_server(name);
        for _ in 0..PORTS {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            let port = listener.local_addr().expect("it is bound").port();
            drop(listener);
            let mut command = Command::new("redis-server");
            command.args(["--port", "0", "--tls-port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--tls-auth-clients", "no", "--appendonly", "no"]);
            command.arg("--tls-cert-file").arg(authority.cert_file());
            command.arg("--tls-key-file").arg(authority.key_file());
            command.arg("--tls-ca-cert-file").arg(authority.ca_file());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut process = command.spawn().expect("redis-server is installed by deploy/dev/install-test-tools");
            let listens = eventually(PATIENCE, || {
                let has_ended = process.try_wait().expect("it is ours").is_some();
                async move { has_ended || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() }
            });
            if listens.await && process.try_wait().expect("it is ours").is_none() {
                return Self { process, port, authority };
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("redis-server did not start on any of {PORTS} ports");
    }

    fn url(&self, host: &str) -> String {
        format!("rediss://{host}:{}/0", self.port)
    }

    fn ca_file(&self) -> PathBuf {
        self.authority.ca_file()
    }
}

impl Drop for TlsRedis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn world(url: &str, ca_file: Option<&str>) -> World {
    let mut variables = vec![("BFF_WEB__SESSION__STORE", "redis"), ("BFF_WEB__REDIS__URL", url)];
    variables.extend(ca_file.map(|path| ("BFF_WEB__REDIS__CA_FILE", path)));
    World::start_with(&variables).await
}

/// Shows: W5, S11
#[actix_web::test]
async fn sessions_live_and_end_in_a_redis_over_tls() {
    let redis = TlsRedis::start("localhost").await;
    let ca_file = redis.ca_file();
    let world = world(&redis.url("localhost"), ca_file.to_str()).await;
    let mut alice = world.signed_in("alice").await;
    assert_eq!(alice.get("/api/v2/dashboard").await.status, StatusCode::OK);
    let before = alice.clone();
    assert_eq!(alice.fetch(Method::POST, "/api/auth/logout").await.status, StatusCode::OK);
    assert_eq!(before.clone().get("/api/auth/session").await.status, StatusCode::UNAUTHORIZED);
}

/// Shows: W5
#[actix_web::test]
async fn a_redis_that_cannot_show_who_it_is_gets_no_session() {
    let redis = TlsRedis::start("localhost").await;
    let other = TlsRedis::start("localhost").await;
    let own = redis.ca_file();
    for (what, url, ca_file) in [
        ("the public authorities do not know it", redis.url("localhost"), None),
        ("another authority does not know it", other.url("localhost"), own.to_str()),
        ("its certificate is for another name", redis.url("127.0.0.1"), own.to_str()),
    ] {
        let world = world(&url, ca_file).await;
        let mut browser = world.browser();
        let page = browser.sign_in("alice", "/").await;
        assert_eq!(page.answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}");
        assert!(page.answer.text().contains("sessions-unavailable"), "{what}");
    }
}
