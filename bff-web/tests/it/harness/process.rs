//! A replica that is a process of its own, so that it can be killed as machines kill: at any moment, without a word.

use std::{
    cell::RefCell,
    fs,
    net::{IpAddr, SocketAddr},
    process::Stdio,
    rc::Rc,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader, Lines},
    process::{Child, Command},
};

use sandbox::Sandbox;

use super::{Browser, HTTP_SERVICES, ORIGIN, Variable, urls_of};

/// A running `bff-web`, which is killed when this is dropped.
pub struct Process {
    child: Child,
    url: String,
    management: String,
    log: Rc<RefCell<Vec<String>>>,
}

impl Process {
    /// Starts it in front of this sandbox, with these settings on top.
    pub async fn in_front_of(sandbox: &Sandbox, variables: &[Variable<'_>]) -> Self {
        let mut env: Vec<(String, String)> =
            HTTP_SERVICES.iter().map(|name| (urls_of(name), sandbox.url(name))).collect();
        env.push((urls_of("notifications"), sandbox.grpc_url()));
        env.push(("BFF_WEB__OIDC__ISSUER".to_owned(), sandbox.issuer().to_owned()));
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::start(&env).await
    }

    /// Starts the built binary with these variables, on free ports, and waits until it is ready.
    async fn start(variables: &[(String, String)]) -> Self {
        let fixed = [
            ("BFF_WEB__SERVER__HOST", "127.0.0.1"),
            ("BFF_WEB__SERVER__PORT", "0"),
            ("BFF_WEB__SERVER__WORKERS", "2"),
            ("BFF_WEB__MANAGEMENT__HOST", "127.0.0.1"),
            ("BFF_WEB__MANAGEMENT__PORT", "0"),
            ("BFF_WEB__TELEMETRY__LOG_FORMAT", "json"),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_bff-web"));
        command.arg("serve").envs(fixed).envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the built binary");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let log = Rc::new(RefCell::new(Vec::new()));
        // Where a panic would be told.
        let errors = BufReader::new(child.stderr.take().expect("its other output")).lines();
        actix_web::rt::spawn(keep(errors, Rc::clone(&log)));
        let ready = loop {
            let line = lines.next_line().await.expect("its output is text").expect("it becomes ready before it ends");
            log.borrow_mut().push(line.clone());
            let fields: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if fields["public"].is_string() {
                break fields;
            }
        };
        actix_web::rt::spawn(keep(lines, Rc::clone(&log)));
        let address = |name: &str| format!("http://{}", ready[name].as_str().expect("an address"));
        Self { child, url: address("public"), management: address("management"), log }
    }

    /// Where its public listener is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of its public listener.
    pub fn address(&self) -> SocketAddr {
        self.url.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The socket of its connection to this client, as the kernel's table of connections has it (`proc_net_tcp(5)`) and as
    /// the links of open files name it.
    pub fn socket_to(&self, client: SocketAddr) -> Option<String> {
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.id())).expect("Linux");
        let (own, client) = (as_in_table(self.address()), as_in_table(client));
        let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = rows.find(|row| row.get(1) == Some(&own.as_str()) && row.get(2) == Some(&client.as_str()))?;
        Some(format!("socket:[{}]", row.get(9)?))
    }

    /// Whether this is one of its open files.
    pub fn has_open(&self, socket: &str) -> bool {
        let files = fs::read_dir(format!("/proc/{}/fd", self.id())).expect("Linux");
        files.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).any(|target| target.as_os_str() == socket)
    }

    /// Where its management listener is.
    pub fn management(&self) -> &str {
        &self.management
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.start_kill().expect("the process is ours");
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.borrow().join("\n")
    }

    /// A browser that comes to it and knows nothing yet.
    pub fn browser(&self) -> Browser {
        Browser::new(ORIGIN, &self.url)
    }

    /// A browser in which this user has signed in.
    pub async fn signed_in(&self, user: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(user, "/").await;
        browser
    }
}

/// An address of IPv4 as `/proc/net/tcp` writes it: its bytes as a number of this machine, and the port.
fn as_in_table(address: SocketAddr) -> String {
    let IpAddr::V4(ip) = address.ip() else { panic!("{address} is not of IPv4") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port())
}

/// Reads on, because a full pipe would stop the process.
async fn keep(mut lines: Lines<BufReader<impl AsyncRead + Unpin>>, log: Rc<RefCell<Vec<String>>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        log.borrow_mut().push(line);
    }
}
