//! Where the access token stands in a request: in the `Authorization` header, and nowhere else.
//!
//! RFC 6750 knows two further places. A token in the query ends up in logs and histories, and a form body is nothing
//! that this API reads, so both are refused rather than overlooked: an app that sends its token there has a fault that
//! should show at once.

use actix_web::{
    HttpMessage,
    dev::ServiceRequest,
    http::header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use shared_lib::settings::Secret;
use url::form_urlencoded;

/// What a request shows.
#[derive(Debug)]
pub enum Credentials {
    /// Nothing, or a scheme that is not known here.
    None,
    /// A bearer token.
    Bearer(Secret),
    /// A token that is bound to a key (RFC 9449 section 7.1); its proof is in the header `DPoP`.
    Dpop(Secret),
}

/// Why a request's credentials are not even looked at. The text is an `error_description`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// More than one way to authenticate (RFC 6750 section 3.1).
    #[error("the request authenticates in more than one way")]
    SeveralMethods,
    /// The token stands in the query.
    #[error("the access token belongs into the Authorization header")]
    InQuery,
    /// A scheme without a token, or with one that the syntax does not allow.
    #[error("the Authorization header is malformed")]
    Malformed,
}

/// Reads the credentials of a request.
///
/// # Errors
/// [`CredentialsError`].
pub fn read(request: &ServiceRequest) -> Result<Credentials, CredentialsError> {
    // No route takes a form, so one that comes with a token can only be a second way to authenticate.
    let has_form = request.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    read_parts(request.headers(), request.query_string(), has_form)
}

fn read_parts(headers: &HeaderMap, query: &str, has_form: bool) -> Result<Credentials, CredentialsError> {
    let in_query = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token");
    let mut values = headers.get_all(AUTHORIZATION);
    match (values.next(), values.next()) {
        (None, _) if in_query => Err(CredentialsError::InQuery),
        (None, _) => Ok(Credentials::None),
        (Some(_), Some(_)) => Err(CredentialsError::SeveralMethods),
        (Some(_), None) if in_query || has_form => Err(CredentialsError::SeveralMethods),
        (Some(value), None) => read_header(value),
    }
}

fn read_header(value: &HeaderValue) -> Result<Credentials, CredentialsError> {
    let text = value.to_str().map_err(|_| CredentialsError::Malformed)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let credentials = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Credentials::Bearer,
        _ if scheme.eq_ignore_ascii_case("dpop") => Credentials::Dpop,
        _ => return Ok(Credentials::None),
    };
    let token = token.trim_matches(' ');
    if is_b64token(token) { Ok(credentials(Secret::from(token.to_owned()))) } else { Err(CredentialsError::Malformed) }
}

/// The syntax of RFC 6750 section 2.1.
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str], query: &str, has_form: bool) -> Result<Option<String>, CredentialsError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).expect("a header value"));
        }
        read_parts(&headers, query, has_form).map(|credentials| match credentials {
            Credentials::None => None,
            Credentials::Bearer(token) | Credentials::Dpop(token) => Some(token.expose().to_owned()),
        })
    }

    #[test]
    fn the_scheme_is_compared_without_regard_to_case() {
        for value in ["Bearer abc.d-e_f~g+/h==", "bearer abc.d-e_f~g+/h==", "BEARER  abc.d-e_f~g+/h=="] {
            assert_eq!(read(&[value], "", false), Ok(Some("abc.d-e_f~g+/h==".to_owned())), "{value}");
        }
    }

    #[test]
    fn no_credentials_and_unknown_schemes_are_the_same() {
        assert_eq!(read(&[], "page=1", false), Ok(None));
        assert_eq!(read(&["Basic YTpi"], "", false), Ok(None));
        assert_eq!(read(&["Bearerabc"], "", false), Ok(None));
    }

    /// Shows: M3
    #[test]
    fn two_ways_to_authenticate_at_once_are_refused() {
        let refused = Err(CredentialsError::SeveralMethods);
        assert_eq!(read(&["Bearer a", "Bearer a"], "", false), refused);
        assert_eq!(read(&["Bearer a"], "page=1&access_token=a", false), refused);
        assert_eq!(read(&["Bearer a"], "access%5Ftoken=a", false), refused, "an encoded name is the same name");
        assert_eq!(read(&["Bearer a"], "", true), refused);
    }

    #[test]
    fn a_token_in_the_query_is_refused() {
        assert_eq!(read(&[], "access_token=a", false), Err(CredentialsError::InQuery));
    }

    #[test]
    fn a_header_that_breaks_the_syntax_is_refused() {
        for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer \"a\"", "Bearer ==", "Bearer a=b", "Bearer a,b"] {
            assert_eq!(read(&[value], "", false), Err(CredentialsError::Malformed), "{value}");
        }
    }
}
