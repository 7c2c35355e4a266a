//! Tokens that others signed: the keys of their issuers, and the rules by which a token is believed.
//!
//! - [`KeySet`] holds the public keys of one issuer for the whole process; [`Keys`] is how a worker uses it, with a
//!   [`JwksSource`] that knows where to fetch them.
//! - [`AccessTokenVerifier`] believes access tokens (RFC 9068), [`IdTokenVerifier`] believes ID tokens (OpenID Connect
//!   Core 3.1.3.7). Both follow RFC 8725.
//! - [`Compact`] and [`PublicKey`] are the parts of which further verifiers can be built (DPoP proofs, logout tokens).
//!
//! A token is refused with a [`TokenError`], which has one stable reason and says nothing of the token's content.
//! Everything is refused that is not known to be good: the algorithm must be on an allowlist on which only asymmetric
//! ones can stand, the key must be for that algorithm, every claim must have its type, and no name may stand twice.
//!
//! The library that checks signatures is told to check nothing else, because with its defaults a missing `aud`, a
//! future `nbf` or an unknown `crit` passes. Time comes from the injected [`Clock`](crate::clock::Clock).
//!
//! # Cost
//! The signature is most of it. Measured on one core: 16 us for RS256, 27 us for EdDSA, 38 us for ES256. Keys are decoded
//! once, when they are fetched. `cargo bench -p shared-lib --bench jwt` measures the whole way from text to claims; even
//! in an unoptimized build it took 75 us (RS256), 66 us (EdDSA) and 94 us (ES256), medians of 4,000.
//! [`BelievedTokens`] saves it for tokens that were believed a moment ago.

mod access_token;
mod algorithm;
mod believed;
mod claims;
mod compact;
pub mod dpop;
mod error;
mod id_token;
mod jwk;
mod key_set;
mod keys;
mod strict_json;

pub use access_token::{AccessTokenClaims, AccessTokenSettings, AccessTokenVerifier, Profile};
pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use believed::BelievedTokens;
pub use claims::MAX_CLOCK_SKEW;
pub use compact::{Compact, Header, MAX_TOKEN_BYTES};
pub use error::TokenError;
pub use id_token::{ExpectedNonce, IdTokenClaims, IdTokenExpectations, IdTokenSettings, IdTokenVerifier};
pub use jwk::{JwkError, PublicKey};
pub use key_set::{KeySet, KeySetSettings, KeySetStatus};
pub(crate) use keys::fetch_jwks;
pub use keys::{Jwks, JwksError, JwksSource, JwksUrl, Keys, VerifiedToken};
