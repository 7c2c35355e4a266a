//! The provider's ES256 keys: the current one signs, the one before it stays published.
//!
//! After one rotation, tokens of the old key still verify; after the second, they do not.

use std::path::Path;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    JwkSet, KeyAlgorithm, PublicKeyUse, ThumbprintHash,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ProviderError;

/// One ES256 key pair with its public half as JWK.
pub(crate) struct SigningKey {
    jwk: Jwk,
    kid: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl SigningKey {
    /// Makes a new key.
    pub(crate) fn generate() -> Result<Self, ProviderError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| ProviderError::SigningKey("key generation failed"))?;
        Self::from_pair(&pair)
    }

    /// Reads a key from a PKCS#8 file in PEM.
    pub(crate) fn read(path: &Path) -> Result<Self, ProviderError> {
        let pem =
            std::fs::read(path).map_err(|source| ProviderError::SigningKeyFile { path: path.to_owned(), source })?;
        let key = EncodingKey::from_ec_pem(&pem)
            .map_err(|_| ProviderError::SigningKey("the file holds no EC private key as PKCS#8 in PEM"))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_bytes())
            .map_err(|_| ProviderError::SigningKey("the key in the file is not for P-256"))?;
        Self::from_pair(&pair)
    }

    fn from_pair(pair: &EcdsaKeyPair) -> Result<Self, ProviderError> {
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| ProviderError::SigningKey("the private key cannot be exported"))?;
        // An uncompressed point (SEC 1, 2.3.3): 0x04, then x and y of 32 bytes each.
        let (x, y) = match pair.public_key().as_ref() {
            [0x04, point @ ..] if point.len() == 64 => point.split_at(32),
            _ => return Err(ProviderError::SigningKey("the public key is not an uncompressed P-256 point")),
        };
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let decoding = DecodingKey::from_ec_components(&x, &y).map_err(ProviderError::Sign)?;
        let mut jwk = Jwk {
            common: CommonParameters {
                public_key_use: Some(PublicKeyUse::Signature),
                key_algorithm: Some(KeyAlgorithm::ES256),
                ..CommonParameters::default()
            },
            algorithm: AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters {
                key_type: EllipticCurveKeyType::EC,
                curve: EllipticCurve::P256,
                x,
                y,
            }),
        };
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(ProviderError::Sign)?;
        jwk.common.key_id = Some(kid.clone());
        Ok(Self { jwk, kid, encoding: EncodingKey::from_ec_der(pkcs8.as_ref()), decoding })
    }

    /// The key id: the JWK thumbprint (RFC 7638).
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs `claims` as a JWT of type `typ`.
    pub(crate) fn sign<C: Serialize>(&self, typ: &str, claims: &C) -> Result<String, ProviderError> {
        let header = Header { typ: Some(typ.to_owned()), kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        self.sign_with_header(&header, claims)
    }

    /// Signs `claims` under a header of the caller's making.
    pub(crate) fn sign_with_header<C: Serialize>(&self, header: &Header, claims: &C) -> Result<String, ProviderError> {
        jsonwebtoken::encode(header, claims, &self.encoding).map_err(ProviderError::Sign)
    }
}

/// The current key and the one before.
pub(crate) struct KeyRing {
    current: SigningKey,
    previous: Option<SigningKey>,
}

impl KeyRing {
    /// A ring whose only key is `current`.
    pub(crate) fn new(current: SigningKey) -> Self {
        Self { current, previous: None }
    }

    /// The key that signs.
    pub(crate) fn current(&self) -> &SigningKey {
        &self.current
    }

    /// Makes `next` the signing key; the key before the current one is forgotten.
    pub(crate) fn rotate(&mut self, next: SigningKey) {
        self.previous = Some(std::mem::replace(&mut self.current, next));
    }

    /// The published public keys, the signing one first.
    pub(crate) fn published(&self) -> JwkSet {
        JwkSet { keys: self.keys().map(|key| key.jwk.clone()).collect() }
    }

    /// Verifies the signature of a JWT that this provider made and returns header and claims.
    /// Nothing else is checked: times and audiences are the caller's matter.
    pub(crate) fn verify<C: DeserializeOwned>(&self, jwt: &str) -> Option<TokenData<C>> {
        let header = jsonwebtoken::decode_header(jwt).ok()?;
        if header.crit.is_some() {
            return None;
        }
        let kid = header.kid?;
        let key = self.keys().find(|key| key.kid == kid)?;
        jsonwebtoken::decode(jwt, &key.decoding, &signature_only(Algorithm::ES256)).ok()
    }

    fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

/// A validation of the signature and of nothing else: times are compared with the injected clock, and
/// audiences where the rules about them are.
pub(crate) fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
