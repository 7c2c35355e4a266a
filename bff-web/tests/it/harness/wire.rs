//! A wire between a replica and Redis or the provider. It passes everything on until the test has it hold one message, or
//! the answer to one; then it says so. So a process can be killed at an exact point without knowing that it is watched.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};

use redis::Script;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use super::PATIENCE;

/// What is to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The message itself: the other end never sees it.
    Message,
    /// What the other end answers: it has done what it was asked.
    Answer,
}

/// What passes over a wire, as far as it has to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Commands of Redis. A script is recognised by a piece of its text.
    Redis,
    /// Requests, each told by how its head begins.
    Http,
}

/// A wire to one server, for one replica.
pub struct Wire {
    /// Where the replica finds it.
    pub address: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    protocol: Protocol,
    wanted: Mutex<Option<(String, Held)>>,
    held: watch::Sender<bool>,
    /// Scripts by their hash, as they were loaded.
    scripts: Mutex<HashMap<String, String>>,
    heard: Mutex<Vec<u8>>,
}

impl Wire {
    /// A wire to the server at `target` (`host:port`).
    pub async fn to(target: &str, protocol: Protocol) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let shared = Shared {
            protocol,
            wanted: Mutex::default(),
            held: watch::Sender::new(false),
            scripts: Mutex::default(),
            heard: Mutex::default(),
        };
        let (shared, target) = (Arc::new(shared), target.to_owned());
        let accepting = actix_web::rt::spawn(accept(listener, target, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    /// Holds the next message that has this in it, or the answer to it.
    pub fn hold(&self, text: &str, held: Held) {
        *self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some((text.to_owned(), held));
    }

    /// All that the server has answered.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until it is held.
    pub async fn is_held(&self) {
        let mut held = self.shared.held.subscribe();
        timeout(PATIENCE, held.wait_for(|held| *held))
            .await
            .expect("it comes to that point")
            .expect("the wire is there");
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// Whether this message is the one, which there is only once.
    fn take(&self, message: &str) -> Option<Held> {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, held) = wanted.take_if(|(text, _)| message.contains(text.as_str()))?;
        Some(held)
    }

    /// The text of a command: of a script that is called by its hash, the script's own.
    fn text_of(&self, command: &[String]) -> String {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        match command {
            [first, second, text] if first == "SCRIPT" && second == "LOAD" => {
                scripts.insert(Script::new(text).get_hash().to_owned(), text.clone());
                String::new()
            }
            [first, hash, ..] if first == "EVALSHA" => scripts.get(hash).cloned().unwrap_or_default(),
            _ => command.join(" "),
        }
    }
}

async fn accept(listener: TcpListener, target: String, shared: Arc<Shared>) {
    while let Ok((replica, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(&target).await else { continue };
        let _ = (replica.set_nodelay(true), server.set_nodelay(true));
        let (from_replica, to_replica) = replica.into_split();
        let (from_server, to_server) = server.into_split();
        let answers = watch::Sender::new(false);
        let hold_answers = answers.subscribe();
        let (up, down) = (Arc::clone(&shared), Arc::clone(&shared));
        actix_web::rt::spawn(async move {
            // Whichever end closes, the other one learns of it.
            tokio::select! {
                _ = ask(from_replica, to_server, &up, &answers) => {}
                _ = answer(from_server, to_replica, &down, &hold_answers) => {}
            }
        });
    }
}

async fn ask(
    mut replica: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    shared: &Shared,
    answers: &watch::Sender<bool>,
) -> std::io::Result<()> {
    let mut read = Vec::new();
    while replica.read_buf(&mut read).await? > 0 {
        while let Some(length) = first_message(shared.protocol, &read) {
            let message: Vec<u8> = read.drain(..length).collect();
            let text = match shared.protocol {
                Protocol::Http => String::from_utf8_lossy(&message).into_owned(),
                Protocol::Redis => shared.text_of(&command(&message).unwrap_or_default()),
            };
            match shared.take(&text) {
                Some(Held::Message) => {
                    shared.held.send_replace(true);
                    // The replica is dead when its end is closed, and what was held is gone with it.
                    return until_closed(replica).await;
                }
                Some(Held::Answer) => drop(answers.send_replace(true)),
                None => {}
            }
            server.write_all(&message).await?;
        }
    }
    Ok(())
}

async fn answer(
    mut server: impl AsyncRead + Unpin,
    mut replica: impl AsyncWrite + Unpin,
    shared: &Shared,
    hold: &watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut read = Vec::new();
    while server.read_buf(&mut read).await? > 0 {
        if *hold.borrow() {
            shared.held.send_replace(true);
            return pending().await;
        }
        replica.write_all(&read).await?;
        shared.heard.lock().unwrap_or_else(PoisonError::into_inner).append(&mut read);
    }
    Ok(())
}

async fn until_closed(mut replica: OwnedReadHalf) -> std::io::Result<()> {
    let mut rest = [0; 4096];
    while replica.read(&mut rest).await? > 0 {}
    Ok(())
}

/// How long the first whole message is. HTTP is passed on as it comes; a request begins with a read of its own, for no
/// client of ours sends one before the last one is answered.
fn first_message(protocol: Protocol, read: &[u8]) -> Option<usize> {
    match protocol {
        Protocol::Http => (!read.is_empty()).then_some(read.len()),
        Protocol::Redis => command_length(read),
    }
}

/// The words of a command (an array of bulk strings).
fn command(message: &[u8]) -> Option<Vec<String>> {
    let (mut rest, count) = number(message, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (after, length) = number(rest, b'$')?;
        words.push(String::from_utf8_lossy(after.get(..length)?).into_owned());
        rest = after.get(length + 2..)?;
    }
    Some(words)
}

fn command_length(read: &[u8]) -> Option<usize> {
    let (mut rest, count) = number(read, b'*')?;
    for _ in 0..count {
        let (after, length) = number(rest, b'$')?;
        rest = after.get(length + 2..)?;
    }
    Some(read.len() - rest.len())
}

/// A line with a number, and what comes after it.
fn number(text: &[u8], mark: u8) -> Option<(&[u8], usize)> {
    let end = text.windows(2).position(|pair| pair == b"\r\n")?;
    let digits = text.get(..end)?.strip_prefix(&[mark])?;
    Some((text.get(end + 2..)?, std::str::from_utf8(digits).ok()?.parse().ok()?))
}
