//! One exchange of a call on the wire, and the reading of what comes back.

use std::{borrow::Cow, sync::Arc};

use actix_web::http::{
    Method, StatusCode,
    header::{
        CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER,
    },
};
use awc::error::{ConnectError, PayloadError, SendRequestError};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    budget,
    call::{Answer, Call},
    client::Transport,
    error::Failure,
    layers::{Attempt, Described, Layers},
    step_up::StepUp,
};
use crate::telemetry::{propagation, request_id};

impl Call {
    /// Sends the call through the layers. Reading counts as part of an attempt, because a service that answers nonsense is not well, and its breaker has
    /// to know.
    pub(super) async fn exchange<T>(
        &self,
        etag: Option<&str>,
        read: impl Fn(Answer) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let layers = Layers {
            shared: &self.downstream.shared,
            context: &self.context,
            operation: self.method.as_str(),
            idempotent: self.idempotent,
        };
        let read = &read;
        layers
            .run(|attempt| async move {
                let answer = self.wire(&attempt, etag).await?;
                let status = answer.status.as_u16();
                read(answer).map(|value| (value, status))
            })
            .await
    }

    /// One exchange on the wire: the head, then the bounded body.
    async fn wire(&self, attempt: &Attempt, etag: Option<&str>) -> Result<Answer, Failure> {
        let shared = &self.downstream.shared;
        let mut request = self.wire_request(attempt)?;
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request.headers_mut().insert(IF_NONE_MATCH, etag);
        }
        let mut response = request.send_body(self.body.clone()).await.map_err(|error| from_send_error(&error))?;

        let status = response.status();
        let body = read_body(&mut response, shared.settings.max_body_bytes).await?;
        let headers = response.headers().clone();
        if self.method != Method::HEAD && is_cut_short(status, &headers, &body) {
            return Err(Failure::Broken(Described::new(&"the connection ended before the body did")));
        }
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(Answer { status, headers, body });
        }
        Err(self.refusal(status, &headers, body))
    }

    /// The request of one attempt, without its body.
    pub(super) fn wire_request(&self, attempt: &Attempt) -> Result<awc::ClientRequest, Failure> {
        let mut headers = self.headers.clone();
        propagation::inject(&attempt.trace, &mut headers);
        request_id::inject(self.context.request_id(), &mut headers);
        // The name that was configured, whatever the address of the instance.
        if let Some(host) = self.host() {
            headers.insert(HOST, host);
        }
        headers.insert(budget::TIMEOUT_HEADER, budget::timeout_header_value(attempt.timeout));
        let mut request = self.downstream.client.request(self.method.clone(), self.wire_url(&attempt.instance)?);
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// What an answer with an error status means.
    pub(super) fn refusal(&self, status: StatusCode, headers: &HeaderMap, body: Bytes) -> Failure {
        if status == StatusCode::UNAUTHORIZED
            && let Some(step_up) = StepUp::from_headers(headers)
        {
            return Failure::StepUp(step_up);
        }
        let now = self.downstream.shared.clock.wall();
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| super::retry::parse_retry_after(value, now));
        let failure = Failure::Status { status, retry_after, body };
        self.note_refusal(&failure);
        failure
    }

    pub(super) fn host(&self) -> Option<HeaderValue> {
        let host = self.url.host_str()?;
        let text = self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        HeaderValue::try_from(text).ok()
    }

    /// The address as the connector takes it: at the attempt's instance, and with `https` where cleartext HTTP/2 is
    /// wanted, which is how a connector without TLS is asked for it.
    fn wire_url(&self, instance: &str) -> Result<String, Failure> {
        let mut url = Cow::Borrowed(&self.url);
        if self.balanced && instance != self.downstream.shared.instances.canonical().as_str() {
            let instance = Url::parse(instance).map_err(|error| Failure::Request(Arc::new(error)))?;
            let moved = url.to_mut();
            moved.set_host(instance.host_str()).map_err(|error| Failure::Request(Arc::new(error)))?;
            // Only addresses without a host take no port.
            let _ = moved.set_port(instance.port());
        }
        if self.downstream.shared.transport != Transport::H2c {
            return Ok(url.as_str().to_owned());
        }
        let mut text = url.as_str().replacen("http://", "https://", 1);
        if let (None, Some(host)) = (url.port(), url.host_str()) {
            // A port that was left out was 80 and must not become 443.
            text.insert_str("https://".len() + host.len(), ":80");
        }
        Ok(text)
    }
}

async fn read_body<S>(response: &mut awc::ClientResponse<S>, limit: usize) -> Result<Bytes, Failure>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let mut body = BytesMut::new();
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(|error| Failure::Broken(Described::new(&error)))?;
        if body.len() + chunk.len() > limit {
            return Err(Failure::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Whether fewer bytes came than `Content-Length` says (RFC 9110 section 8.6). The client takes the end of the connection
/// for the end of any body, so nobody else notices. A coded body is checked by its decoder, and its length is not that
/// of what comes out.
fn is_cut_short(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> bool {
    if status == StatusCode::NOT_MODIFIED || headers.contains_key(CONTENT_ENCODING) {
        return false;
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| body.len() < length)
}

/// Reads a JSON body.
pub(super) fn parse<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = content_type.and_then(|text| text.parse::<mime::Mime>().ok()).is_some_and(|mime| {
        mime.type_() == mime::APPLICATION && (mime.subtype() == mime::JSON || mime.suffix() == Some(mime::JSON))
    });
    if !is_json {
        return Err(Failure::ContentType);
    }
    serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::Malformed { line: error.line(), column: error.column() })
}

pub(super) fn from_send_error(error: &SendRequestError) -> Failure {
    let described = Described::new(error);
    match error {
        // So awc calls a connection that ends before an answer; the request may have been sent.
        SendRequestError::Connect(ConnectError::Disconnected) => Failure::Broken(described),
        SendRequestError::Connect(_) => Failure::Connect(described),
        SendRequestError::Url(_) | SendRequestError::Http(_) | SendRequestError::TunnelNotSupported => {
            Failure::Request(described)
        }
        _ => Failure::Broken(described),
    }
}
