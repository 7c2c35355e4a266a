//! `[redis]`: where sessions are when more than one replica keeps them.

use std::{path::PathBuf, time::Duration};

use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisError, TlsCertificates};
use serde::Deserialize;
use shared_lib::settings::{Findings, Secret, key};

/// Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// Its address, with the password.
    pub url: Secret,
    /// The certificates (PEM) of the authorities that are believed over TLS instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Whether production may reach it without TLS over a network.
    pub allow_plaintext: bool,
    /// What the name of every key begins with.
    pub key_prefix: String,
    /// The longest that opening a connection may take.
    pub connect_timeout_ms: u64,
    /// The longest that an answer may take.
    pub response_timeout_ms: u64,
}

impl RedisSettings {
    /// See [`RedisSettings::connect_timeout_ms`].
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// See [`RedisSettings::response_timeout_ms`].
    #[must_use]
    pub fn response_timeout(&self) -> Duration {
        Duration::from_millis(self.response_timeout_ms)
    }

    /// What makes connections to it.
    ///
    /// # Errors
    /// [`RedisClientError`]. Nothing is connected yet.
    pub fn client(&self) -> Result<Client, RedisClientError> {
        let address = self.url.expose().into_connection_info().map_err(RedisClientError::Address)?;
        match (address.addr(), &self.ca_file) {
            (ConnectionAddr::TcpTls { insecure: true, .. }, _) => Err(RedisClientError::Insecure),
            (ConnectionAddr::TcpTls { .. }, Some(path)) => {
                let root_cert = std::fs::read(path).map_err(RedisClientError::Unreadable)?;
                // An empty list of authorities would be one that believes nobody, found out at the first connection.
                if !root_cert.windows(PEM_MARK.len()).any(|window| window == PEM_MARK) {
                    return Err(RedisClientError::NoCertificate);
                }
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
                Client::build_with_tls(address, certificates).map_err(RedisClientError::Certificates)
            }
            (_, Some(_)) => Err(RedisClientError::NoTls),
            (_, None) => Client::open(address).map_err(RedisClientError::Address),
        }
    }

    /// Checks what types cannot. `prefix` is the section's path.
    pub fn audit(&self, prefix: &str, findings: &mut Findings) {
        if let Err(error) = self.client() {
            findings.error(key(prefix, error.key()), error.to_string());
        }
        let is_plain = !self.key_prefix.is_empty()
            && self.key_prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        findings.require(is_plain, key(prefix, "key_prefix"), "must be of A-Z a-z 0-9 - _ . : and not empty");
        for (name, value) in
            [("connect_timeout_ms", self.connect_timeout_ms), ("response_timeout_ms", self.response_timeout_ms)]
        {
            findings.require((10..=10_000).contains(&value), key(prefix, name), "must be from 10 to 10000");
        }
    }

    /// Checks what production needs beyond that, where sessions are there.
    pub fn audit_production(&self, prefix: &str, findings: &mut Findings) {
        let Ok(address) = self.url.expose().into_connection_info() else { return };
        let leaves_this_machine = match address.addr() {
            ConnectionAddr::Tcp(host, _) => !is_this_machine(host),
            _ => false,
        };
        let message = "is not protected on its way: the password, who is signed in and the names of users can be read. Use \
                       rediss://, or set allow_plaintext where the network itself encrypts";
        findings.require(!leaves_this_machine || self.allow_plaintext, key(prefix, "url"), message);
    }
}

/// What every certificate in a PEM file begins with.
const PEM_MARK: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Settings by which Redis cannot be reached. Says nothing of the address, which holds the password.
#[derive(Debug, thiserror::Error)]
pub enum RedisClientError {
    /// No address of a Redis server.
    #[error("must be redis://[[user]:password@]host[:port][/database], rediss://… for TLS, or unix:///path")]
    Address(#[source] RedisError),
    /// An address that asks for TLS without looking at certificates.
    #[error("must not end with #insecure: TLS without a look at the certificate protects from nobody")]
    Insecure,
    /// An authority for a connection without TLS.
    #[error("is for rediss:// addresses")]
    NoTls,
    /// A file that is away.
    #[error("cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// A file of something else.
    #[error("holds no certificate (PEM)")]
    NoCertificate,
    /// A file with something broken in it.
    #[error("holds a certificate that cannot be used")]
    Certificates(#[source] RedisError),
}

impl RedisClientError {
    /// The key that is at fault.
    fn key(&self) -> &'static str {
        match self {
            Self::Address(_) | Self::Insecure => "url",
            Self::NoTls | Self::Unreadable(_) | Self::NoCertificate | Self::Certificates(_) => "ca_file",
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
