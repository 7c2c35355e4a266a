//! The issuer's public keys: fetched over HTTP when a key is asked for that is not known, else from memory.
//!
//! The HTTP client lives on one thread, so one thread of its own fetches for the HTTP services and the gRPC service alike.

use std::{
    collections::HashMap,
    io,
    sync::{PoisonError, RwLock},
    thread,
    time::Duration,
};

use actix_web::rt::System;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm},
};
use serde::Deserialize;
use tokio::sync::{Mutex, mpsc, oneshot};

/// The header field by which the provider in the same process tells these fetches from those of its clients.
pub(crate) const OWN_FETCH: &str = "x-sandbox-own-fetch";

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 256 * 1024;

/// Where the keys are.
#[derive(Debug, Clone)]
pub(crate) enum KeyLocation {
    /// At this address: the provider runs in this process, and its issuer may be an address that only others can reach.
    Jwks(String),
    /// Where the issuer's metadata says (OpenID Connect Discovery 1.0, section 4).
    Discovery(String),
}

/// Why the keys cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum KeysError {
    #[error("{url} cannot be reached: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("{url} answered something else than expected: {reason}")]
    Answer { url: String, reason: String },
    #[error("the thread that fetches keys has ended")]
    Ended,
}

/// A public key and the algorithm that it is used with.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
}

type Answer = oneshot::Sender<Result<JwkSet, KeysError>>;

/// The keys of one issuer.
pub(crate) struct Keys {
    known: RwLock<HashMap<String, Key>>,
    /// Held while fetching, so that many callers with a new key make one fetch.
    fetching: Mutex<()>,
    fetcher: mpsc::UnboundedSender<Answer>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Keys that are fetched from there when they are first needed.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn new(location: KeyLocation) -> io::Result<Self> {
        let (fetcher, mut wanted) = mpsc::unbounded_channel::<Answer>();
        thread::Builder::new().name("sandbox-keys".to_owned()).spawn(move || {
            System::new().block_on(async move {
                let client = awc::Client::builder().timeout(TIMEOUT).finish();
                while let Some(answer) = wanted.recv().await {
                    // Nobody is left to tell when the caller has gone.
                    let _ = answer.send(fetch(&client, &location).await);
                }
            });
        })?;
        Ok(Self { known: RwLock::default(), fetching: Mutex::default(), fetcher })
    }

    /// The key with this id; none when the issuer does not publish it.
    pub(crate) async fn find(&self, kid: &str) -> Result<Option<Key>, KeysError> {
        if let Some(key) = self.known(kid) {
            return Ok(Some(key));
        }
        let _alone = self.fetching.lock().await;
        if let Some(key) = self.known(kid) {
            return Ok(Some(key));
        }
        let (sender, answer) = oneshot::channel();
        self.fetcher.send(sender).map_err(|_| KeysError::Ended)?;
        let published = answer.await.map_err(|_| KeysError::Ended)??;
        let fresh: HashMap<_, _> = published.keys.iter().filter_map(usable).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(self.known(kid))
    }

    fn known(&self, kid: &str) -> Option<Key> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }
}

/// The key under its id, if it is one that signs with an asymmetric algorithm.
fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    let algorithm = match (&jwk.algorithm, jwk.common.key_algorithm) {
        (AlgorithmParameters::EllipticCurve(ec), _) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
        (AlgorithmParameters::EllipticCurve(ec), _) if ec.curve == EllipticCurve::P384 => Algorithm::ES384,
        (AlgorithmParameters::OctetKeyPair(_), _) => Algorithm::EdDSA,
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Algorithm::PS256,
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS256) | None) => Algorithm::RS256,
        _ => return None,
    };
    let kid = jwk.common.key_id.clone()?;
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    Some((kid, Key { algorithm, decoding }))
}

#[derive(Deserialize)]
struct Metadata {
    jwks_uri: String,
}

async fn fetch(client: &awc::Client, location: &KeyLocation) -> Result<JwkSet, KeysError> {
    let url = match location {
        KeyLocation::Jwks(url) => url.clone(),
        KeyLocation::Discovery(issuer) => {
            let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
            get::<Metadata>(client, &url).await?.jwks_uri
        }
    };
    get(client, &url).await
}

async fn get<T: serde::de::DeserializeOwned>(client: &awc::Client, url: &str) -> Result<T, KeysError> {
    let unreachable = |reason: String| KeysError::Unreachable { url: url.to_owned(), reason };
    // Keys are asked for rarely; a connection that was kept would be a dead one by then.
    let request = client.get(url).insert_header((OWN_FETCH, "keys")).force_close();
    let mut response = request.send().await.map_err(|error| unreachable(error.to_string()))?;
    if !response.status().is_success() {
        return Err(KeysError::Status { url: url.to_owned(), status: response.status().as_u16() });
    }
    let body = response.body().limit(MAX_BYTES).await.map_err(|error| unreachable(error.to_string()))?;
    serde_json::from_slice(&body).map_err(|error| KeysError::Answer { url: url.to_owned(), reason: error.to_string() })
}
