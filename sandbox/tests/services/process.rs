//! The sandbox as a process of its own, and its start and end inside this one.

use std::{net::TcpListener, process::Stdio, time::Duration};

use actix_web::http::StatusCode;
use sandbox::{Listener, Ports, Sandbox, StartError};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::harness::{Harness, LONG};

fn sandbox() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command.kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts it and reads what it announces.
async fn serve(args: &[&str]) -> (Child, Vec<String>) {
    let mut child = sandbox().arg("serve").args(args).spawn().expect("a process");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut announced = Vec::new();
    loop {
        let line = tokio::time::timeout(LONG, lines.next_line()).await.expect("a line in time");
        let line = line.expect("text").expect("a line for chaos");
        let last = line.starts_with("chaos ");
        announced.push(line);
        if last {
            return (child, announced);
        }
    }
}

async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("a running process").to_string();
    let status = Command::new("kill").args([name, &id]).status().await.expect("kill");
    assert!(status.success());
}

#[actix_web::test]
async fn a_process_announces_one_line_a_part_and_ends_with_0_within_a_second_of_a_signal() {
    for name in ["-TERM", "-INT"] {
        let args = ["--provider-port", "0", "--services-port", "0", "--grpc-port", "0"];
        let (mut child, announced) = serve(&args).await;
        let names: Vec<_> = announced.iter().map(|line| line.split(' ').next().expect("a name")).collect();
        let parts = sandbox::part::Part::ALL.map(sandbox::part::Part::name);
        assert_eq!(names[..parts.len()], parts);
        assert!(announced.iter().all(|line| line.contains(" http://127.0.0.1:")), "{announced:?}");
        signal(&child, name).await;
        let ended = tokio::time::timeout(Duration::from_secs(1), child.wait()).await.expect("an end in time");
        assert_eq!(ended.expect("a status").code(), Some(0));
    }
}

#[actix_web::test]
async fn a_port_in_use_ends_the_process_with_1_and_names_port_part_flag_and_variable() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    for (part, listener) in [("provider", "provider"), ("users", "services"), ("notifications", "grpc")] {
        let mut command = sandbox();
        command.args(["serve", "--only", part]);
        for flag in ["provider", "services", "grpc"] {
            let port = if flag == listener { port.as_str() } else { "0" };
            command.args([&format!("--{flag}-port"), port]);
        }
        let output = tokio::time::timeout(LONG, command.output()).await.expect("an end in time").expect("output");
        assert_eq!(output.status.code(), Some(1));
        let message = String::from_utf8(output.stderr).expect("text");
        let variable = format!("SANDBOX_{}_PORT", listener.to_uppercase());
        for expected in [&port, &format!("--{listener}-port"), &variable] {
            assert!(message.contains(expected.as_str()), "{expected} in {message}");
        }
    }
}

#[actix_web::test]
async fn a_service_that_was_killed_comes_back_on_its_port() {
    let provider = Harness::of(Sandbox::builder().only(["provider"]).start().await.expect("a sandbox"));
    let serve_on = async |port: &str| {
        let args = ["--only", "accounts", "--issuer", provider.sandbox.issuer(), "--services-port", port];
        serve(&args).await
    };
    let balance = async |url: &str| {
        let request = provider.client.get(format!("{url}/balance")).bearer_auth(provider.alice());
        request.send().await.map(|response| response.status())
    };
    let (mut child, announced) = serve_on("0").await;
    let url = announced[0].split_whitespace().nth(1).expect("an address").to_owned();
    assert_eq!(balance(&url).await.expect("an answer"), StatusCode::OK);
    child.kill().await.expect("a killed process");
    balance(&url).await.expect_err("nobody there");
    let port = url.trim_end_matches("/accounts").rsplit(':').next().expect("a port");
    let (_child, _) = serve_on(port).await;
    assert_eq!(balance(&url).await.expect("an answer"), StatusCode::OK);
}

#[actix_web::test]
async fn the_health_check_asks_what_serve_serves_with_the_same_arguments() {
    let harness = Harness::with(&["catalog", "notifications"]).await;
    let port = |url: String| url.rsplit(':').next().and_then(|rest| rest.split('/').next()).expect("a port").to_owned();
    let services = port(harness.sandbox.url("catalog"));
    let grpc = port(harness.sandbox.grpc_url());
    let check = async |parts: &[&str], services: &str| {
        let mut command = sandbox();
        command.args(["healthcheck", "--services-port", services, "--grpc-port", &grpc, "--only"]).args(parts);
        let output = tokio::time::timeout(LONG, command.output()).await.expect("an end in time").expect("output");
        output.status.code()
    };
    assert_eq!(check(&["catalog", "notifications"], &services).await, Some(0));
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port().to_string();
    assert_eq!(check(&["catalog"], &free).await, Some(1));
    drop(harness);
    assert_eq!(check(&["notifications"], &services).await, Some(1));
}

#[actix_web::test]
async fn the_token_command_prints_a_token_that_the_services_accept() {
    let harness = Harness::with(&["accounts"]).await;
    let token = async |user: &str| {
        let mut command = sandbox();
        command.args(["token", "--user", user, "--client", "bff-web", "--audience", "trifront-services"]);
        command.args(["--issuer", harness.sandbox.issuer()]);
        tokio::time::timeout(LONG, command.output()).await.expect("an end in time").expect("output")
    };
    let output = token("alice").await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let token_text = String::from_utf8(output.stdout).expect("text");
    let answer = harness.get("accounts", "/balance", Some(token_text.trim())).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(token("mallory").await.status.code(), Some(1));
}

#[actix_web::test]
async fn a_dropped_sandbox_gives_its_ports_back_even_while_calls_hang() {
    let harness = Harness::with(&["catalog", "notifications"]).await;
    let hang = sandbox::chaos::Rule::fault(sandbox::chaos::Fault::Hang);
    harness.sandbox.chaos().set("catalog", vec![hang]).expect("a valid rule");
    let url = harness.sandbox.url("catalog") + "/products";
    let port =
        |url: &str| url.rsplit(':').next().and_then(|rest| rest.split('/').next()?.parse().ok()).expect("a port");
    let ports = Ports {
        provider: port(harness.sandbox.issuer()),
        services: port(&url),
        grpc: port(&harness.sandbox.grpc_url()),
    };
    let Harness { sandbox, client } = harness;
    let call = actix_web::rt::spawn(client.get(url).send());
    while sandbox.chaos().calls("catalog").is_empty() {
        tokio::task::yield_now().await;
    }
    drop(sandbox);
    call.await.expect("a finished call").expect_err("a closed connection");
    Sandbox::builder().ports(ports).start().await.expect("the same ports again");
}

#[actix_web::test]
async fn what_cannot_be_started_is_said() {
    let error = Sandbox::builder().only(["user"]).start().await.expect_err("an unknown part");
    assert!(error.to_string().contains("provider, users, catalog"), "{error}");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let ports = Ports { services: port, ..Ports::default() };
    let error = Sandbox::builder().only(["users"]).ports(ports).start().await.expect_err("a port in use");
    assert!(
        matches!(error, StartError::PortInUse { port: named, listener: Listener::Services } if named == port),
        "{error}"
    );
}

#[test]
fn a_sandbox_starts_on_a_thread_without_a_runtime() {
    let sandbox = block_on(Sandbox::builder().only(["users"]).start()).expect("a sandbox");
    let url = sandbox.url("users");
    let address = url.trim_start_matches("http://").trim_end_matches("/users");
    std::net::TcpStream::connect(address).expect("somebody who listens");
}

/// Wakes a thread that is parked.
struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread with nothing around it.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}
