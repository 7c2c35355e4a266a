//! Public keys from JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037), each with the algorithms it is good for.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Algorithm;

/// Why a JSON Web Key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// It is not a JSON Web Key, or lacks members of its type.
    #[error("it is not a well-formed JSON Web Key")]
    Malformed,
    /// Its type or curve has no signatures that could be allowed. A symmetric key (`oct`) never verifies a token.
    #[error("its type or curve is not supported")]
    Unsupported,
    /// It is for something else than verifying (`use`, `key_ops`, an `alg` of another kind).
    #[error("it is not for verifying signatures")]
    Purpose,
    /// It is an RSA key of less than 2048 or more than 8192 bits.
    #[error("its size is out of bounds")]
    Size,
    /// It carries its private part, so it is nobody's secret any more.
    #[error("it carries a private key")]
    Private,
}

/// The members of a JSON Web Key that are read.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    key_use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<Value>,
}

/// A public key that verifies signatures of one family.
#[derive(Debug, Clone)]
pub struct PublicKey {
    key_id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
    thumbprint: String,
}

impl PublicKey {
    /// Reads a JSON Web Key. Without `alg` it is good for the algorithms of its type and curve; with one, for that
    /// one alone.
    ///
    /// # Errors
    /// [`JwkError`], which names the fault and not the key.
    pub fn from_jwk(jwk: &Value) -> Result<Self, JwkError> {
        let jwk = Jwk::deserialize(jwk).map_err(|_| JwkError::Malformed)?;
        if jwk.d.is_some() {
            return Err(JwkError::Private);
        }
        let for_signatures = jwk.key_use.as_deref().is_none_or(|name| name == "sig")
            && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        if !for_signatures {
            return Err(JwkError::Purpose);
        }
        let (key, by_type, canonical) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => jwk.rsa()?,
            ("EC", Some("P-256")) => jwk.ec("P-256", 32, Algorithm::Es256)?,
            ("EC", Some("P-384")) => jwk.ec("P-384", 48, Algorithm::Es384)?,
            ("OKP", Some("Ed25519")) => jwk.ed25519()?,
            _ => return Err(JwkError::Unsupported),
        };
        let algorithms = match &jwk.alg {
            None => by_type.to_vec(),
            Some(name) => {
                let named = Algorithm::from_name(name).filter(|named| by_type.contains(named));
                vec![named.ok_or(JwkError::Purpose)?]
            }
        };
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
        Ok(Self { key_id: jwk.kid, algorithms, key, thumbprint })
    }

    /// Its name in the set (`kid`).
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether it verifies this algorithm.
    #[must_use]
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Its SHA-256 thumbprint (RFC 7638), as `cnf.jkt` carries it.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether `signature` (base64url without padding) is this key's for `message`. `false` as well for an algorithm
    /// that the key is not for.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &str) -> bool {
        self.allows(algorithm)
            && jsonwebtoken::crypto::verify(signature, message, &self.key, algorithm.for_library()).unwrap_or(false)
    }
}

/// The key, the algorithms of its type, and the input of its thumbprint (RFC 7638 section 3).
type KeyParts = (DecodingKey, &'static [Algorithm], String);

const RSA_ALGORITHMS: [Algorithm; 6] =
    [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512];

impl Jwk {
    fn rsa(&self) -> Result<KeyParts, JwkError> {
        let (n, e) = (bytes(self.n.as_deref())?, bytes(self.e.as_deref())?);
        let significant = n.iter().skip_while(|byte| **byte == 0).count();
        // RFC 7518 section 3.3 asks for 2048 bits or more; more than 8192 would cost too much time a token.
        if !(256..=1024).contains(&significant) || !(1..=8).contains(&e.len()) {
            return Err(JwkError::Size);
        }
        let canonical = format!(
            r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
            self.e.as_deref().unwrap_or_default(),
            self.n.as_deref().unwrap_or_default()
        );
        Ok((DecodingKey::from_rsa_raw_components(&n, &e), &RSA_ALGORITHMS, canonical))
    }

    fn ec(&self, curve: &str, coordinate: usize, algorithm: Algorithm) -> Result<KeyParts, JwkError> {
        let (x, y) = (bytes(self.x.as_deref())?, bytes(self.y.as_deref())?);
        if x.len() != coordinate || y.len() != coordinate {
            return Err(JwkError::Malformed);
        }
        let (x, y) = (self.x.as_deref().unwrap_or_default(), self.y.as_deref().unwrap_or_default());
        let key = DecodingKey::from_ec_components(x, y).map_err(|_| JwkError::Malformed)?;
        let algorithms: &'static [Algorithm] = match algorithm {
            Algorithm::Es384 => &[Algorithm::Es384],
            _ => &[Algorithm::Es256],
        };
        Ok((key, algorithms, format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)))
    }

    fn ed25519(&self) -> Result<KeyParts, JwkError> {
        let x = bytes(self.x.as_deref())?;
        if x.len() != 32 {
            return Err(JwkError::Malformed);
        }
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, self.x.as_deref().unwrap_or_default());
        Ok((DecodingKey::from_ed_der(&x), &[Algorithm::EdDsa], canonical))
    }
}

fn bytes(text: Option<&str>) -> Result<Vec<u8>, JwkError> {
    URL_SAFE_NO_PAD.decode(text.ok_or(JwkError::Malformed)?).map_err(|_| JwkError::Malformed)
}
