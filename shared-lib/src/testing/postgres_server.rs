//! A PostgreSQL of the test's own: the real server on a free port, with its data in a folder that goes with it.
//!
//! PostgreSQL refuses to run as root, so as root it is started as the user that its package brings.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use tokio::sync::OnceCell;

use super::eventually;

/// How often another port is tried when somebody else was faster.
const PORTS: usize = 10;

/// The longest that a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's user inside, and their password.
const USER: &str = "trifront";
const PASSWORD: &str = "test-password";

/// A running PostgreSQL, which ends when this is dropped.
pub struct PostgresServer {
    process: Option<Child>,
    /// Ends the server and removes the folder when this process is no more, however it ends.
    keeper: Child,
    folder: PathBuf,
    port: u16,
    options: Vec<String>,
}

/// Waits until nobody holds the other end of its input.
const KEEPER: &str = r#"trap '' INT TERM HUP
read -r _
if pid=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null); then
    kill -QUIT "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
rm -rf "$0""#;

/// The one that tests share who do nothing to the server itself.
static SHARED: OnceCell<PostgresServer> = OnceCell::const_new();

impl PostgresServer {
    /// The one of this process. Each test has a [`database`](Self::database) of its own there. It ends with the process.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn shared() -> &'static Self {
        SHARED.get_or_init(Self::start).await
    }

    /// Starts one that has nothing yet.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or none of the ports is free.
    pub async fn start() -> Self {
        Self::start_with(&[], |_| {}).await
    }

    /// Starts one with further options, such as `ssl=on`. `prepare` is given the folder of its data, where the files go
    /// that the options name.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_with(options: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let folder = std::env::temp_dir().join(format!("trifront-postgres-{:032x}", rand::random::<u128>()));
        fs::create_dir_all(&folder).expect("a folder for the data");
        give_away(&folder);
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER]).arg(&folder).stdin(Stdio::piped()).stderr(Stdio::null());
        let keeper = keeper.spawn().expect("sh can be started");
        let mut server = Self { process: None, keeper, folder, port: 0, options };
        server.make_cluster();
        prepare(&server.data());
        give_away(&server.data());
        for _ in 0..PORTS {
            server.port = free_port();
            if server.launch().await {
                return server;
            }
        }
        panic!("PostgreSQL did not start on any of {PORTS} ports: {}", server.log());
    }

    /// The address of a new database, which is empty.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("test_{:016x}", rand::random::<u64>());
        let made = self.client("createdb").arg(&name).output().expect("createdb can be started");
        assert!(made.status.success(), "createdb: {}", text(&made));
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{name}", self.port)
    }

    /// What a statement prints, as the server's own client has it.
    ///
    /// # Panics
    /// When it fails.
    pub fn query(&self, database_url: &str, statement: &str) -> String {
        printed(psql(database_url, statement).output())
    }

    /// The same without holding up what else the thread does, for who asks again and again.
    ///
    /// # Panics
    /// When it fails.
    pub async fn ask(&self, database_url: &str, statement: &str) -> String {
        printed(tokio::process::Command::from(psql(database_url, statement)).output().await)
    }

    /// Ends it at once, connections and all. Its data is on the disk.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Told so, it ends all its processes; killed, it would leave them behind.
            signal(&process, "QUIT");
            process.wait().expect("PostgreSQL ends");
        }
    }

    /// Stops the process without ending it: connections stay open and nothing answers.
    ///
    /// # Panics
    /// When it is not running.
    pub fn freeze(&self) {
        self.signal_all("STOP");
    }

    /// Goes on after [`freeze`](Self::freeze).
    ///
    /// # Panics
    /// When it is not running.
    pub fn thaw(&self) {
        self.signal_all("CONT");
    }

    /// Starts it again where it was, with its data.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        assert!(self.launch().await, "PostgreSQL starts again on port {}: {}", self.port, self.log());
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn make_cluster(&self) {
        let password = self.folder.join("password");
        fs::write(&password, PASSWORD).expect("a file for the password");
        give_away(&password);
        // With the password as it is: to prove it by SCRAM takes a debug build a third of a second a connection.
        let made = unprivileged("initdb")
            .args(["--no-sync", "--no-locale", "--encoding=UTF8", "--auth=password", "--username", USER])
            .arg("--pwfile")
            .arg(&password)
            .arg(self.data())
            .output()
            .expect("initdb can be started; deploy/dev/install-test-tools installs PostgreSQL");
        assert!(made.status.success(), "initdb: {}", text(&made));
    }

    /// Whether it could have the port.
    async fn launch(&mut self) -> bool {
        let log = fs::File::create(self.folder.join("log")).expect("a file for the log");
        let mut command = unprivileged("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-h", "127.0.0.1"]);
        command.arg("-k").arg(&self.folder);
        // What is written must survive the server's end, not the machine's.
        for option in ["fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=16MB"] {
            command.args(["-c", option]);
        }
        for option in &self.options {
            command.args(["-c", option]);
        }
        let mut process =
            command.stdout(Stdio::null()).stderr(Stdio::from(log)).spawn().expect("PostgreSQL can be started");
        let answers = eventually(PATIENCE, || {
            let ended = process.try_wait().expect("PostgreSQL is ours").is_some();
            let asked = self.client("pg_isready").stdout(Stdio::null()).status().expect("pg_isready can be started");
            std::future::ready(ended || asked.success())
        })
        .await;
        if answers && process.try_wait().expect("PostgreSQL is ours").is_none() {
            self.process = Some(process);
            return true;
        }
        let _ = process.kill();
        let _ = process.wait();
        false
    }

    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(program(name));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER]).env("PGPASSWORD", PASSWORD);
        command
    }

    /// Tells the server and the processes that it has for its connections.
    fn signal_all(&self, name: &str) {
        let process = self.process.as_ref().expect("PostgreSQL runs");
        signal(process, name);
        let id = process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("Linux tells of children");
        for child in children.split_whitespace() {
            // One may have ended meanwhile.
            let _ = Command::new("kill").args([format!("-{name}").as_str(), child]).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.thaw();
        }
        self.stop();
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn psql(database_url: &str, statement: &str) -> Command {
    let mut command = Command::new(program("psql"));
    command.args(["-X", "-A", "-t", "-c", statement, database_url]);
    command
}

fn printed(asked: std::io::Result<Output>) -> String {
    let asked = asked.expect("psql can be started");
    assert!(asked.status.success(), "psql: {}", text(&asked));
    String::from_utf8_lossy(&asked.stdout).trim().to_owned()
}

fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), process.id().to_string()]).status();
    assert!(sent.expect("kill can be started").success(), "PostgreSQL is ours");
}

/// A program of PostgreSQL as somebody who is not root.
fn unprivileged(name: &str) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program(name));
        command
    } else {
        Command::new(program(name))
    };
    command.env("LC_ALL", "C").current_dir(std::env::temp_dir());
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id can be started");
    String::from_utf8_lossy(&id.stdout).trim() == "0"
}

/// Lets the server's user have a file or a folder with what is in it.
fn give_away(path: &Path) {
    if is_root() {
        let given = Command::new("chown").args(["-R", "postgres:postgres"]).arg(path).status();
        assert!(given.expect("chown can be started").success(), "{} is given away", path.display());
    }
}

/// Where the package puts its programs: in a folder of the version's, of which the newest is taken; or on the path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut programs: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(name)).collect();
    programs.retain(|program| program.is_file());
    programs.sort();
    programs.pop().unwrap_or_else(|| PathBuf::from(name))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Free at this moment; whoever is faster gets it.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
