//! Why a token is refused: one stable word for logs and metrics, one sentence for `error_description`, and nothing of
//! the token itself.

/// The first fault that was found in a token. Its text fits an `error_description` (RFC 6750 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// It is longer than any token that is accepted.
    #[error("the token is too long")]
    TooLong,
    /// It is not a JWS in compact serialization with JSON objects inside (RFC 7515 section 7.1).
    #[error("the token is malformed")]
    Malformed,
    /// A member of the header or the claims is there twice, so two readers could read two tokens.
    #[error("the token has a duplicate member")]
    Duplicate,
    /// The header `typ` is not that of the kind of token that is asked for.
    #[error("the token is of the wrong type")]
    Type,
    /// The algorithm is not on the allowlist.
    #[error("the token is signed with an algorithm that is not allowed")]
    Algorithm,
    /// The header demands an extension (`crit`) and none is understood here.
    #[error("the token demands an unknown extension")]
    Critical,
    /// The issuer has no such key.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    /// The issuer's keys cannot be had at the moment. Not the token's fault.
    #[error("the signing keys are not available")]
    KeysUnavailable,
    /// The signature is wrong.
    #[error("the signature of the token is invalid")]
    Signature,
    /// A required claim is missing.
    #[error("the token lacks the claim {0}")]
    Missing(&'static str),
    /// A claim has the wrong type, or an empty or absurd value.
    #[error("the claim {0} of the token is malformed")]
    Claim(&'static str),
    /// Another issuer.
    #[error("the token is from another issuer")]
    Issuer,
    /// Another audience.
    #[error("the token is for another audience")]
    Audience,
    /// The authorized party is another client, or several audiences name none (OpenID Connect Core 3.1.3.7).
    #[error("the token is for another client")]
    AuthorizedParty,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come (`nbf`).
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It says that it was made in the future.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// Its lifetime is longer than allowed, or negative.
    #[error("the lifetime of the token is out of bounds")]
    Lifetime,
    /// It is an ID token or a logout token where an access token is asked for.
    #[error("the token is not an access token")]
    NotAnAccessToken,
    /// It is bound to its sender in a way that is not supported, so its sender could not be checked (RFC 7800).
    #[error("the token is bound in an unsupported way")]
    Binding,
    /// The nonce is not the one that was sent, or missing.
    #[error("the token does not answer this login")]
    Nonce,
    /// `at_hash` is not that of the access token that came with it.
    #[error("the token does not belong to the access token")]
    AccessTokenHash,
    /// The login was longer ago than was asked for (`max_age`).
    #[error("the login was too long ago")]
    AuthenticationTooOld,
    /// Another subject than before (OpenID Connect Core 12.2).
    #[error("the token is for another subject")]
    Subject,
}

impl TokenError {
    /// One stable word for logs and metrics. It never changes for a fault.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::Malformed => "malformed",
            Self::Duplicate => "duplicate-member",
            Self::Type => "wrong-type",
            Self::Algorithm => "algorithm-not-allowed",
            Self::Critical => "unknown-extension",
            Self::UnknownKey => "unknown-key",
            Self::KeysUnavailable => "keys-unavailable",
            Self::Signature => "invalid-signature",
            Self::Missing(_) => "claim-missing",
            Self::Claim(_) => "claim-malformed",
            Self::Issuer => "wrong-issuer",
            Self::Audience => "wrong-audience",
            Self::AuthorizedParty => "wrong-client",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::IssuedInFuture => "issued-in-future",
            Self::Lifetime => "lifetime-out-of-bounds",
            Self::NotAnAccessToken => "not-an-access-token",
            Self::Binding => "unsupported-binding",
            Self::Nonce => "wrong-nonce",
            Self::AccessTokenHash => "wrong-access-token-hash",
            Self::AuthenticationTooOld => "authentication-too-old",
            Self::Subject => "wrong-subject",
        }
    }

    /// Whether the token is to blame. If not, its bearer should keep it and try again: the answer is a 503, not a 401.
    #[must_use]
    pub fn is_token_fault(self) -> bool {
        self != Self::KeysUnavailable
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::TokenError::{self, *};

    const ALL: [TokenError; 24] = [
        TooLong,
        Malformed,
        Duplicate,
        Type,
        Algorithm,
        Critical,
        UnknownKey,
        KeysUnavailable,
        Signature,
        Missing("iss"),
        Claim("iss"),
        Issuer,
        Audience,
        AuthorizedParty,
        Expired,
        NotYetValid,
        IssuedInFuture,
        Lifetime,
        NotAnAccessToken,
        Binding,
        Nonce,
        AccessTokenHash,
        AuthenticationTooOld,
        Subject,
    ];

    /// Shows: M3
    #[test]
    fn every_reason_is_one_stable_word_and_every_description_fits_the_header() {
        let reasons: HashSet<_> = ALL.iter().map(|error| error.reason()).collect();
        assert_eq!(reasons.len(), ALL.len());
        for error in ALL {
            let description = error.to_string();
            // RFC 6750 section 3: %x20-21 / %x23-5B / %x5D-7E.
            assert!(
                description.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'),
                "{description}"
            );
            assert!(error.reason().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        }
    }
}
