//! The service as a process that can be killed.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use awc::Client;
use sandbox::Sandbox;
use serde_json::Value;
use shared_lib::testing::receive;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::harness::environment;

/// It only ends tests that hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// A replica of its own. It is killed when this is dropped.
pub struct Process {
    child: Child,
    public: String,
    management: String,
    log: Arc<Mutex<Vec<Value>>>,
}

impl Process {
    /// Starts it and waits until it says that it is ready.
    pub async fn start(sandbox: &Sandbox, database_url: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bff-partner"))
            .env_clear()
            .envs(environment(sandbox, database_url, variables))
            .env("BFF_PARTNER__TELEMETRY__LOG_FORMAT", "json")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (public, management) = loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it logs in time");
            let line = line.expect("its output can be read").expect("it goes on until it is ready");
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if let (Some(public), Some(management)) = (line["public"].as_str(), line["management"].as_str()) {
                break (format!("http://{public}"), format!("http://{management}"));
            }
        };
        // Somebody reads what it says until it ends.
        let log: Arc<Mutex<Vec<Value>>> = Arc::default();
        let reader = Arc::clone(&log);
        actix_web::rt::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                reader.lock().expect("nobody panicked").push(line);
            }
        });
        Self { child, public, management, log }
    }

    /// An address of its public listener.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public)
    }

    /// What it has said since it was ready.
    pub fn log(&self) -> Vec<Value> {
        self.log.lock().expect("nobody panicked").clone()
    }

    /// An address of its management listener.
    pub fn management_url(&self, path: &str) -> String {
        format!("{}{path}", self.management)
    }

    /// The value of one of its metrics with this label; none where nothing was counted yet.
    pub async fn metric(&self, client: &Client, name: &str, label: &str) -> Option<u64> {
        let metrics = receive(client.get(self.management_url("/metrics")).send()).await.text();
        let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(label))?;
        Some(line.rsplit(' ').next()?.parse().expect("a number"))
    }

    /// The sum of the values of a counter with this label; 0 where nothing was counted yet.
    pub async fn metric_sum(&self, client: &Client, name: &str, label: &str) -> u64 {
        let metrics = receive(client.get(self.management_url("/metrics")).send()).await.text();
        let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.map(|line| line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0)).sum()
    }

    /// Kills it, so that it does nothing more, and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }
}
