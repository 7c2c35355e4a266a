//! A whole answer, read to its end, for assertions.

use actix_web::http::{StatusCode, header::HeaderMap};
use awc::SendClientRequest;
use bytes::Bytes;
use serde_json::Value;

/// The largest body that a test reads, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded from its content coding.
    pub body: Bytes,
}

/// Sends a request (`client.get(url).send()`, `.send_json(…)`) and reads the whole answer.
///
/// # Panics
/// When there is no answer, or its body breaks off.
pub async fn receive(request: SendClientRequest) -> Received {
    let mut response = request.await.expect("the service answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.body().limit(MAX_BODY_BYTES).await.expect("the answer's body comes to its end");
    Received { status, headers, body }
}

impl Received {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON; the message shows the status and the body.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: not JSON ({error}): {}", self.status, self.text()))
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first value of a header, where it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Every value of a header that is text, such as all cookies that are set.
    #[must_use]
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).filter_map(|value| value.to_str().ok()).collect()
    }
}
