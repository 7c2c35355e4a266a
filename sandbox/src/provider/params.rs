//! Request parameters as OAuth reads them: none twice, and one without a value is one that was not sent
//! (RFC 6749, 3.1 and 3.2).

use std::collections::HashMap;

use actix_web::HttpRequest;
use actix_web::http::header;

use super::refusal::Refusal;

/// The longest value that is accepted, in bytes.
const LONGEST_VALUE: usize = 8 * 1024;

/// The parameters of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(HashMap<String, String>);

impl Params {
    /// Reads a query string or a form body.
    ///
    /// # Errors
    /// `invalid_request` when the text is no such encoding, or a parameter comes twice or is too long.
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, Refusal> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(encoded)
            .map_err(|_| Refusal::invalid_request("the parameters are not form-encoded"))?;
        let mut params = HashMap::with_capacity(pairs.len());
        for (name, value) in pairs {
            if value.len() > LONGEST_VALUE {
                return Err(Refusal::invalid_request("a parameter is too long"));
            }
            if params.insert(name, value).is_some() {
                return Err(Refusal::invalid_request("a parameter comes more than once"));
            }
        }
        params.retain(|_, value| !value.is_empty());
        Ok(Self(params))
    }

    /// Reads the body of a form POST.
    ///
    /// # Errors
    /// `invalid_request` when the content type is another one, or as [`parse`](Self::parse).
    pub(crate) fn from_form(request: &HttpRequest, body: &[u8]) -> Result<Self, Refusal> {
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        if !is_form {
            return Err(Refusal::invalid_request("the content type must be application/x-www-form-urlencoded"));
        }
        Self::parse(body)
    }

    /// The value of a parameter that was sent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a parameter, as an owned text.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// The value of a parameter that has to be there.
    ///
    /// # Errors
    /// `invalid_request` naming the parameter.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::invalid_request(&format!("the parameter {name} is missing")))
    }
}
