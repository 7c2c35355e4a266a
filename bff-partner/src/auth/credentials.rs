//! Where the key stands in a request: `Authorization: Bearer <key>` or `X-API-Key: <key>`, one of them, once.

use actix_web::{
    dev::ServiceRequest,
    http::header::{AUTHORIZATION, HeaderMap, HeaderName},
};
use shared_lib::settings::Secret;

/// The field for clients that cannot set `Authorization`.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request authenticates with.
pub enum Credentials {
    /// Nothing that is ours: no field, or `Authorization` of another scheme.
    None,
    /// A key, whatever it is worth.
    Key(Secret),
}

/// Credentials that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Both fields, or one of them more than once.
    #[error("the request authenticates in more than one way")]
    Several,
    /// A value that is not text.
    #[error("the credentials are malformed")]
    Malformed,
}

/// Finds the key of a request.
///
/// # Errors
/// [`CredentialsError`]. Which of two keys would count is nothing to guess about.
pub fn read(request: &ServiceRequest) -> Result<Credentials, CredentialsError> {
    let (authorization, api_key) = (single(request.headers(), AUTHORIZATION)?, single(request.headers(), API_KEY)?);
    match (authorization, api_key) {
        (Some(_), Some(_)) => Err(CredentialsError::Several),
        (None, Some(key)) => Ok(Credentials::Key(Secret::from(key.trim()))),
        (Some(value), None) => Ok(bearer(value).map_or(Credentials::None, |key| Credentials::Key(Secret::from(key)))),
        (None, None) => Ok(Credentials::None),
    }
}

/// The scheme's name is compared without regard to case (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
}

fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, CredentialsError> {
    let mut values = headers.get_all(name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(CredentialsError::Several);
    }
    value.to_str().map(Some).map_err(|_| CredentialsError::Malformed)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(headers: &[(&str, &str)]) -> Result<Option<String>, CredentialsError> {
        let request = headers.iter().fold(TestRequest::default(), |request, header| request.append_header(*header));
        read(&request.to_srv_request()).map(|credentials| match credentials {
            Credentials::None => None,
            Credentials::Key(key) => Some(key.expose().to_owned()),
        })
    }

    /// Shows: P1
    #[test]
    fn a_key_stands_in_one_of_two_fields() {
        for (name, value) in [("authorization", "Bearer k"), ("authorization", "bearer  k "), ("x-api-key", " k ")] {
            assert_eq!(of(&[(name, value)]), Ok(Some("k".to_owned())), "{name}: {value:?}");
        }
        for nothing in [&[][..], &[("authorization", "Basic abc")], &[("authorization", "Bearer")]] {
            assert_eq!(of(nothing), Ok(None), "{nothing:?}");
        }
    }

    #[test]
    fn two_ways_at_once_are_refused() {
        let several = Err(CredentialsError::Several);
        assert_eq!(of(&[("authorization", "Bearer k"), ("x-api-key", "k")]), several);
        assert_eq!(of(&[("authorization", "Basic abc"), ("x-api-key", "k")]), several);
        assert_eq!(of(&[("x-api-key", "k"), ("x-api-key", "k")]), several);
        assert_eq!(of(&[("authorization", "Bearer k"), ("authorization", "Bearer k")]), several);
    }
}
