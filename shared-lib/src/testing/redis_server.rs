//! A Redis of the test's own: the real `redis-server` on a free port, with its data in a folder that goes with it.

use std::{
    io::ErrorKind,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::eventually;
use redis::Client;

/// How often another port is tried when somebody else was faster.
const PORTS: usize = 10;

/// The longest that a start may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where Redis keeps its append-only files.
const DATA: &str = "appendonlydir";

/// The data of a Redis at some moment.
#[derive(Debug)]
pub struct KeptData(Vec<(PathBuf, Vec<u8>)>);

/// A running Redis, which ends when this is dropped.
pub struct RedisServer {
    process: Option<Child>,
    folder: PathBuf,
    port: u16,
}

impl RedisServer {
    /// Starts one that has nothing yet.
    ///
    /// # Panics
    /// When there is no `redis-server`, or none of the ports is free.
    pub async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("trifront-redis-{:032x}", rand::random::<u128>()));
        std::fs::create_dir_all(&folder).expect("a folder for the data");
        let mut server = Self { process: None, folder, port: 0 };
        for _ in 0..PORTS {
            server.port = free_port();
            if server.launch().await {
                return server;
            }
        }
        panic!("redis-server did not start on any of {PORTS} ports");
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// A client of its own.
    ///
    /// # Panics
    /// Never: the address is one.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::open(self.url()).expect("an address")
    }

    /// Sends a command and gives what is answered.
    ///
    /// # Panics
    /// When Redis does not answer, or not so.
    pub async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.client().get_multiplexed_async_connection().await.expect("Redis is there");
        let mut command = redis::cmd(words.first().expect("a command"));
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.expect("Redis answers")
    }

    /// Everything that it holds, keys and values, as text.
    pub async fn dump(&self) -> String {
        let keys: Vec<String> = self.ask(&["KEYS", "*"]).await;
        let mut dump = String::new();
        for key in keys {
            let kind: String = self.ask(&["TYPE", &key]).await;
            let values: Vec<String> = match kind.as_str() {
                "hash" => self.ask(&["HGETALL", &key]).await,
                "zset" => self.ask(&["ZRANGE", &key, "0", "-1"]).await,
                _ => vec![self.ask(&["GET", &key]).await],
            };
            dump.push_str(&format!("{key}\n{}\n", values.join("\n")));
        }
        dump
    }

    /// A copy of its data as the disk has it now, for [`put_back`](Self::put_back).
    ///
    /// # Panics
    /// When the files cannot be read.
    #[must_use]
    pub fn keep_copy(&self) -> KeptData {
        let files = std::fs::read_dir(self.folder.join(DATA)).expect("the append-only files");
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let path = file.expect("an entry").path();
            let content = std::fs::read(&path).expect("a file");
            (path, content)
        };
        KeptData(files.map(read).collect())
    }

    /// Makes its data what it was when the copy was made, as after a crash that lost what came later. It has been stopped.
    ///
    /// # Panics
    /// When it runs, or the files cannot be written.
    pub fn put_back(&self, kept: &KeptData) {
        assert!(self.process.is_none(), "stop it first");
        std::fs::remove_dir_all(self.folder.join(DATA)).expect("the folder is ours");
        std::fs::create_dir_all(self.folder.join(DATA)).expect("the folder is ours");
        for (path, content) in &kept.0 {
            std::fs::write(path, content).expect("a file");
        }
    }

    /// Kills it. Its data is on the disk.
    ///
    /// # Panics
    /// When the process cannot be ended.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("redis-server is ours");
            process.wait().expect("redis-server ends");
        }
    }

    /// Starts it again where it was, with its data.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        assert!(self.launch().await, "redis-server starts again on port {}", self.port);
    }

    /// Whether it could have the port.
    async fn launch(&mut self) -> bool {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
        command.args(["--appendfsync", "always", "--maxmemory-policy", "noeviction"]);
        command.arg("--dir").arg(&self.folder).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("redis-server is not installed; deploy/dev/install-test-tools installs it")
            }
            Err(error) => panic!("redis-server cannot be started: {error}"),
        };
        let client = self.client();
        let answers = eventually(PATIENCE, || {
            let client = client.clone();
            let has_ended = process.try_wait().expect("redis-server is ours").is_some();
            async move { has_ended || client.get_multiplexed_async_connection().await.is_ok() }
        })
        .await;
        if answers && process.try_wait().expect("redis-server is ours").is_none() {
            self.process = Some(process);
            return true;
        }
        let _ = process.kill();
        let _ = process.wait();
        false
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Free at this moment; whoever is faster gets it.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
