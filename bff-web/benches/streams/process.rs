//! The service as a process: started, looked at through `/proc`, and killed when it is dropped.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;
use shared_lib::testing::resident_bytes;

/// A running service.
pub struct Process {
    child: Child,
    /// Where clients reach it.
    pub public: SocketAddr,
    /// Where its metrics are.
    pub management: SocketAddr,
}

/// What a process has taken so far.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub resident: u64,
    /// Time on a CPU, in seconds.
    pub cpu: f64,
}

/// Clock ticks a second, as the kernel counts for `/proc` (`USER_HZ`, 100 on every Linux that we know of).
const TICKS: f64 = 100.0;

impl Process {
    /// Starts `bff-web` with these variables, and waits until it is ready.
    pub fn start(variables: &[(String, String)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bff-web"))
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let ready = loop {
            let line = lines.next().expect("it goes on until it is ready").expect("its output can be read");
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["public"].is_string() {
                break line;
            }
        };
        // A pipe that nobody reads would stop it.
        thread::spawn(move || lines.for_each(drop));
        let address = |name: &str| ready[name].as_str().and_then(|text| text.parse().ok()).expect("an address");
        Self { child, public: address("public"), management: address("management") }
    }

    /// What it has taken so far.
    pub fn usage(&self) -> Usage {
        let process = self.child.id();
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux");
        // Behind the name in brackets, which may hold anything: the fields from the third on.
        let fields: Vec<&str> = stat.rsplit(')').next().expect("a line").split_whitespace().collect();
        let ticks = |place: usize| fields[place - 3].parse::<f64>().expect("a number");
        Usage { resident: resident_bytes(process), cpu: (ticks(14) + ticks(15)) / TICKS }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
