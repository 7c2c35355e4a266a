//! What a fake downstream answers.

use std::io;

use actix_web::{
    HttpResponse,
    body::SizedStream,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName, HeaderValue},
    },
    web::Bytes,
};
use futures_util::{StreamExt, stream};
use serde::Serialize;

/// One scripted answer.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    breaks_off: bool,
}

impl Answer {
    /// A status without a body.
    ///
    /// # Panics
    /// When it is no HTTP status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("an HTTP status");
        Self { status, headers: Vec::new(), body: Bytes::new(), breaks_off: false }
    }

    /// 200 with a JSON body.
    ///
    /// # Panics
    /// When the value cannot be written as JSON.
    #[must_use]
    pub fn json(value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("the value is JSON");
        Self::status(200).body("application/json", body)
    }

    /// The same with another status.
    ///
    /// # Panics
    /// When it is no HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).expect("an HTTP status");
        self
    }

    /// The same with a body of this media type, valid or not.
    ///
    /// # Panics
    /// When the media type is no header value.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.headers.retain(|(name, _)| name != CONTENT_TYPE);
        self.header(CONTENT_TYPE.as_str(), content_type)
    }

    /// The same with one more header.
    ///
    /// # Panics
    /// When it is no header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a header name");
        self.headers.push((name, HeaderValue::from_str(value).expect("a header value")));
        self
    }

    /// The same, but the connection breaks after half of the body.
    #[must_use]
    pub fn breaking_off(mut self) -> Self {
        self.breaks_off = true;
        self
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for header in self.headers {
            response.append_header(header);
        }
        if !self.breaks_off {
            return response.body(self.body);
        }
        let whole = self.body.len() as u64;
        let half = self.body.slice(..self.body.len() / 2);
        let broken = async {
            // What came before is only sent once the stream has nothing more to give for a moment.
            tokio::task::yield_now().await;
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        };
        response.body(SizedStream::new(whole, stream::iter([Ok(half)]).chain(stream::once(Box::pin(broken)))))
    }
}
