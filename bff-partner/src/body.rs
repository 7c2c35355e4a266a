//! Request bodies: JSON of a known shape.

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::CONTENT_TYPE, web::Bytes};
use futures_util::future::LocalBoxFuture;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use shared_lib::problem::{Problem, kinds, problem_from_error};

/// What a JSON body says.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move {
            if !is_json {
                return Err(Problem::new(&kinds::UNSUPPORTED_MEDIA_TYPE));
            }
            let bytes = bytes.await.map_err(|error| problem_from_error(&error))?;
            serde_json::from_slice(&bytes).map(Self).map_err(|error| malformed("body", &error))
        })
    }
}

/// JSON that is not of the shape that is asked for. Its own text is not passed on.
#[must_use]
pub fn malformed(what: &str, error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    Problem::new(&kinds::MALFORMED_BODY).detail(format!("The {what} does not fit at line {line}, column {column}."))
}

/// `application/json`, with whatever parameters.
fn is_json(request: &HttpRequest) -> bool {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// Reads a whole number, for `deserialize_with`. To JSON, `2.0` is one as well.
///
/// # Errors
/// The deserializer's, for anything else.
pub fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = number.as_u64().and_then(|number| u32::try_from(number).ok());
    let written_as_fraction = || number.as_f64().filter(|number| number.fract() == 0.0).and_then(from_f64);
    whole.or_else(written_as_fraction).ok_or_else(|| D::Error::custom("not a whole number from 0 on"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and within the range")]
fn from_f64(number: f64) -> Option<u32> {
    (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        let read = |text: &str| {
            let number: serde_json::Value = serde_json::from_str(text).expect("JSON");
            whole_number(number).ok()
        };
        for (text, expected) in [("2", 2), ("2.0", 2), ("0.0", 0), ("1e2", 100), ("4294967295", u32::MAX)] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in ["2.5", "-1", "-1.0", "4294967296", "4294967296.0", "1e300", "\"2\"", "null", "true"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
