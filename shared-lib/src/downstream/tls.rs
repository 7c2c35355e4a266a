//! TLS to one downstream: whom we believe, and how we show who we are.
//!
//! Without settings a downstream's certificate must come from a public authority (Mozilla's list). With `ca_file` it must
//! come from that private one and from no other: who runs an authority of their own does not want any public one to
//! vouch for their services. `cert_file` and `key_file` are what we show to a downstream that asks (mutual TLS).
//!
//! The files are read once, at the start. A renewed certificate needs a restart, as rolling deployments do anyway.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::Deserialize;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::settings::Findings;

/// The settings of `[downstreams.<name>.tls]`. All files are PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// The certificates of the authorities that are believed instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, followed by those between it and its authority. Needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// The private key of `cert_file`, without a passphrase (PKCS #8, PKCS #1 or SEC 1).
    pub key_file: Option<PathBuf>,
}

/// Why TLS to a downstream cannot be set up. Names files, never what is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is away or unreadable.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The setting that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not what the setting asks for.
    #[error("{} holds no {wanted} in PEM", path.display())]
    Content {
        /// The setting that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// A certificate without its key, or the other way round.
    #[error("must be given together with {0}")]
    Half(&'static str),
    /// The certificate and the key do not belong together, or are of a kind that is not supported.
    #[error("cert_file and key_file cannot be used together")]
    Identity(#[source] rustls::Error),
    /// The cryptography provider does not support the protocol versions.
    #[error("TLS cannot be configured")]
    Provider(#[source] rustls::Error),
}

impl TlsError {
    /// The key below `[downstreams.<name>.tls]` that is at fault.
    fn key(&self) -> &'static str {
        match self {
            Self::Unreadable { key, .. } | Self::Content { key, .. } => key,
            Self::Half("cert_file") => "key_file",
            Self::Half(_) | Self::Identity(_) => "cert_file",
            Self::Provider(_) => "ca_file",
        }
    }
}

impl TlsSettings {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the files and notes what is wrong with them.
    pub fn audit(&self, path: &str, findings: &mut Findings) {
        if let Err(error) = Tls::load(self) {
            let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            findings.error(format!("{path}.{}", error.key()), format!("{error}{cause}"));
        }
    }
}

/// TLS to one downstream, ready for both kinds of client. Its `Debug` shows nothing: it holds a private key.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) http: Arc<ClientConfig>,
    pub(super) grpc: ClientTlsConfig,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], the first that is found.
    pub(super) fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        let mut grpc = ClientTlsConfig::new();
        let mut roots = RootCertStore::empty();
        if let Some(path) = &settings.ca_file {
            let pem = read("ca_file", path)?;
            let wrong = || content("ca_file", path, "certificate");
            for certificate in certificates(&pem).ok_or_else(wrong)? {
                roots.add(certificate).map_err(|_| wrong())?;
            }
            grpc = grpc.ca_certificate(Certificate::from_pem(pem));
        } else {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            grpc = grpc.trust_anchors(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Provider)?
            .with_root_certificates(roots);
        let mut http = match (&settings.cert_file, &settings.key_file) {
            (None, None) => config.with_no_client_auth(),
            (Some(_), None) => return Err(TlsError::Half("key_file")),
            (None, Some(_)) => return Err(TlsError::Half("cert_file")),
            (Some(cert_file), Some(key_file)) => {
                let (cert, key) = (read("cert_file", cert_file)?, read("key_file", key_file)?);
                let chain = certificates(&cert).ok_or_else(|| content("cert_file", cert_file, "certificate"))?;
                let private = PrivateKeyDer::from_pem_slice(&key)
                    .map_err(|_| content("key_file", key_file, "private key without a passphrase"))?;
                grpc = grpc.identity(Identity::from_pem(cert, key));
                config.with_client_auth_cert(chain, private).map_err(TlsError::Identity)?
            }
        };
        http.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { http: Arc::new(http), grpc })
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { key, path: path.to_owned(), source })
}

fn content(key: &'static str, path: &Path, wanted: &'static str) -> TlsError {
    TlsError::Content { key, path: path.to_owned(), wanted }
}

/// The certificates of a PEM file; nothing when it holds none, or something that is broken.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!certificates.is_empty()).then_some(certificates)
}
