//! The service as a process, and a connection to it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

pub(crate) struct Service {
    child: Child,
    public: String,
    management: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    pub(crate) fn start(database_url: &str) -> Self {
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
        let (public, management) = loop {
            let line = lines.next().expect("it goes on until it is ready").expect("its output can be read");
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if let (Some(public), Some(management)) = (line["public"].as_str(), line["management"].as_str()) {
                break (public.to_owned(), management.to_owned());
            }
        };
        // Somebody reads what it says until it ends.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, public, management }
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.public).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Connection(BufReader::new(stream))
    }

    /// What all its threads have taken of the processors.
    pub(crate) fn cpu_nanos(&self) -> u64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs").flatten();
        let taken = threads.filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
        taken.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// How many questions it has asked the store of keys.
    pub(crate) fn lookups(&self) -> u64 {
        let mut stream = TcpStream::connect(&self.management).expect("it listens");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let counts: Vec<f64> = (answer.lines())
            .filter(|line| line.starts_with("trifront_partner_key_lookups"))
            .map(|line| line.rsplit(' ').next().and_then(|count| count.parse().ok()).expect("a number"))
            .collect();
        assert!(!counts.is_empty(), "nothing counts the questions to the store");
        counts.iter().sum::<f64>() as u64
    }
}

pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// One request that is refused, and its whole answer.
    pub(crate) fn ask(&mut self, key: Option<&str>) {
        let key = key.map_or(String::new(), |key| format!("x-api-key: {key}\r\n"));
        let request = format!("GET /v1/products HTTP/1.1\r\nhost: localhost\r\n{key}\r\n");
        self.0.get_mut().write_all(request.as_bytes()).expect("it reads");
        let (mut line, mut length, mut first) = (String::new(), 0, true);
        loop {
            line.clear();
            self.0.read_line(&mut line).expect("it answers");
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
        self.0.read_exact(&mut body).expect("a whole body");
    }
}
