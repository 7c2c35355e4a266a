//! How a request is refused: as a problem with a stable code, and with the challenge of RFC 6750 section 3.
//!
//! Apps and their libraries read `WWW-Authenticate`; people and our own app read the problem. Both say the same.

use actix_web::http::{
    StatusCode,
    header::{HeaderName, HeaderValue, WWW_AUTHENTICATE},
};
use shared_lib::{
    jwt::{
        Algorithm, TokenError,
        dpop::{DpopError, DpopVerifier},
    },
    problem::{Problem, ProblemKind, kinds},
};

use super::credentials::CredentialsError;

/// The protection space that every challenge names.
const REALM: &str = "bff-mobile";

/// Bad request: the credentials cannot be read.
pub static INVALID_CREDENTIALS: ProblemKind = ProblemKind {
    code: "invalid-credentials",
    status: StatusCode::BAD_REQUEST,
    title: "The credentials cannot be read",
    remedy: "Send the access token once, as `Authorization: Bearer`.",
};

/// Unauthorized: the access token is not valid.
pub static INVALID_TOKEN: ProblemKind = ProblemKind {
    code: "invalid-token",
    status: StatusCode::UNAUTHORIZED,
    title: "The access token is not valid",
    remedy: "Get a new access token with the refresh token; when that fails, sign in again.",
};

/// Forbidden: the access token lacks a scope.
pub static INSUFFICIENT_SCOPE: ProblemKind = ProblemKind {
    code: "insufficient-scope",
    status: StatusCode::FORBIDDEN,
    title: "The access token lacks a scope",
    remedy: "Sign in again and ask for the scopes that `scopes` lists.",
};

/// Unauthorized: the proof of possession is not valid.
pub static INVALID_DPOP_PROOF: ProblemKind = ProblemKind {
    code: "invalid-dpop-proof",
    status: StatusCode::UNAUTHORIZED,
    title: "The proof of possession is not valid",
    remedy: "Make a new proof for this request with the key that the access token is bound to.",
};

/// Unauthorized: the proof of possession needs a nonce.
pub static DPOP_NONCE_REQUIRED: ProblemKind = ProblemKind {
    code: "dpop-nonce-required",
    status: StatusCode::UNAUTHORIZED,
    title: "The proof of possession needs a fresh nonce",
    remedy: "Make a new proof with the nonce of the header `DPoP-Nonce`.",
};

/// Service unavailable: access tokens cannot be checked.
pub static TOKEN_CHECK_UNAVAILABLE: ProblemKind = ProblemKind {
    code: "token-check-unavailable",
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "Access tokens cannot be checked at the moment",
    remedy: "Keep the access token and wait for the time in `Retry-After`.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[
    &INVALID_CREDENTIALS,
    &INVALID_TOKEN,
    &INSUFFICIENT_SCOPE,
    &INVALID_DPOP_PROOF,
    &DPOP_NONCE_REQUIRED,
    &TOKEN_CHECK_UNAVAILABLE,
];

/// There are no credentials. The challenge names no error, because none was made (RFC 6750 section 3.1).
#[must_use]
pub fn missing() -> Problem {
    Problem::new(&kinds::UNAUTHENTICATED)
        .detail("Send an access token as `Authorization: Bearer`.")
        .header(WWW_AUTHENTICATE, challenge(&[]))
        .header(WWW_AUTHENTICATE, dpop_challenge(&[]))
}

/// The credentials cannot be read.
#[must_use]
pub fn unreadable(error: CredentialsError) -> Problem {
    let description = error.to_string();
    let challenge = challenge(&[("error", "invalid_request"), ("error_description", &description)]);
    Problem::new(&INVALID_CREDENTIALS).detail(sentence(&description)).header(WWW_AUTHENTICATE, challenge)
}

/// The token was checked and refused, or could not be checked.
#[must_use]
pub fn refused(error: TokenError) -> Problem {
    if error.is_token_fault() {
        return invalid_token(&error.to_string());
    }
    Problem::new(&TOKEN_CHECK_UNAVAILABLE).retry_after(std::time::Duration::from_secs(1)).caused_by(error)
}

/// The token is not valid, for this reason.
#[must_use]
pub fn invalid_token(description: &str) -> Problem {
    let challenge = challenge(&[("error", "invalid_token"), ("error_description", description)]);
    Problem::new(&INVALID_TOKEN).detail(sentence(description)).header(WWW_AUTHENTICATE, challenge)
}

/// A token that is bound to a key came as a plain bearer token, or with an unbound one came a proof. The challenge is
/// that of DPoP, as RFC 9449 section 7.1 asks for.
#[must_use]
pub fn wrong_scheme(description: &str) -> Problem {
    let challenge = dpop_challenge(&[("error", "invalid_token"), ("error_description", description)]);
    Problem::new(&INVALID_TOKEN).detail(sentence(description)).header(WWW_AUTHENTICATE, challenge)
}

/// The proof was checked and refused, or could not be remembered.
#[must_use]
pub fn unproven(error: DpopError, verifier: &DpopVerifier) -> Problem {
    if error == DpopError::Full {
        let wait = std::time::Duration::from_secs(1);
        return Problem::new(&TOKEN_CHECK_UNAVAILABLE).retry_after(wait).caused_by(error);
    }
    let (kind, code) = match error {
        DpopError::Nonce => (&DPOP_NONCE_REQUIRED, "use_dpop_nonce"),
        _ => (&INVALID_DPOP_PROOF, "invalid_dpop_proof"),
    };
    let description = error.to_string();
    let challenge = dpop_challenge(&[("error", code), ("error_description", &description)]);
    let problem = Problem::new(kind).detail(sentence(&description)).header(WWW_AUTHENTICATE, challenge);
    match nonce_value(&verifier.nonce()) {
        Some(nonce) if error == DpopError::Nonce => problem.header(DPOP_NONCE, nonce),
        _ => problem,
    }
}

/// The request carries no proof, or more than one.
#[must_use]
pub fn not_one_proof() -> Problem {
    let description = "exactly one DPoP header is needed";
    let challenge = dpop_challenge(&[("error", "invalid_dpop_proof"), ("error_description", description)]);
    Problem::new(&INVALID_DPOP_PROOF).detail(sentence(description)).header(WWW_AUTHENTICATE, challenge)
}

/// A nonce as a header.
#[must_use]
pub fn nonce_value(nonce: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(nonce).ok()
}

/// The token is valid and lacks one of these scopes.
#[must_use]
pub fn insufficient_scope(needed: &[&str]) -> Problem {
    let challenge = challenge(&[
        ("error", "insufficient_scope"),
        ("error_description", "the token lacks a scope"),
        ("scope", &needed.join(" ")),
    ]);
    Problem::new(&INSUFFICIENT_SCOPE)
        .detail("The token lacks a scope.")
        .extension("scopes", needed)
        .header(WWW_AUTHENTICATE, challenge)
}

/// The header that gives an app its next nonce (RFC 9449 section 8.1).
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

fn dpop_challenge(parameters: &[(&str, &str)]) -> HeaderValue {
    let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    let algorithms = names.join(" ");
    let parameters: Vec<_> = [("algs", algorithms.as_str())].into_iter().chain(parameters.iter().copied()).collect();
    challenge_of("DPoP", &parameters)
}

fn challenge(parameters: &[(&str, &str)]) -> HeaderValue {
    challenge_of("Bearer", parameters)
}

/// The values are our own texts, without quotes and backslashes.
fn challenge_of(scheme: &'static str, parameters: &[(&str, &str)]) -> HeaderValue {
    let mut text = format!("{scheme} realm=\"{REALM}\"");
    for (name, value) in parameters {
        text.push_str(&format!(", {name}=\"{value}\""));
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(scheme))
}

fn sentence(description: &str) -> String {
    let mut characters = description.chars();
    let first = characters.next().map(|character| character.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(problem: &Problem) -> &str {
        let value = problem.headers().iter().find(|(name, _)| *name == WWW_AUTHENTICATE).map(|(_, value)| value);
        value.and_then(|value| value.to_str().ok()).expect("a challenge")
    }

    /// Shows: M3
    #[test]
    fn without_credentials_the_challenge_names_no_error() {
        assert_eq!(header(&missing()), "Bearer realm=\"bff-mobile\"");
    }

    /// Shows: M3
    #[test]
    fn a_refusal_names_the_error_and_describes_it() {
        assert_eq!(
            header(&refused(TokenError::Expired)),
            "Bearer realm=\"bff-mobile\", error=\"invalid_token\", error_description=\"the token has expired\""
        );
        assert_eq!(
            header(&insufficient_scope(&["orders:read", "accounts:read"])),
            "Bearer realm=\"bff-mobile\", error=\"insufficient_scope\", \
             error_description=\"the token lacks a scope\", scope=\"orders:read accounts:read\""
        );
    }

    #[test]
    fn keys_that_are_away_are_not_the_tokens_fault() {
        let problem = refused(TokenError::KeysUnavailable);
        assert_eq!(problem.kind().status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(problem.headers().iter().all(|(name, _)| *name != WWW_AUTHENTICATE), "the app must not sign out");
    }

    #[test]
    fn every_token_error_fits_a_challenge() {
        let errors = [
            TokenError::Malformed,
            TokenError::Missing("client_id"),
            TokenError::Claim("aud"),
            TokenError::Algorithm,
            TokenError::NotAnAccessToken,
        ];
        for error in errors {
            assert!(header(&refused(error)).contains(&error.to_string()), "{error}");
        }
    }
}
