//! One HTTP call, as a service module puts it together.

use std::sync::Arc;

use actix_web::http::{
    Method, StatusCode,
    header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use super::{
    error::{DownstreamError, Failure},
    fetched::Fetched,
    layers::Described,
    registry::Downstream,
};
use crate::{context::RequestContext, settings::Secret};

/// A call that is being put together. Nothing is sent before one of the methods that end in an answer is awaited.
#[derive(Clone)]
#[must_use = "a call is sent by awaiting `send` or `json`"]
pub struct Call {
    pub(super) downstream: Downstream,
    pub(super) context: RequestContext,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) idempotent: bool,
    /// Whether any instance will do; not for an address that a document named.
    pub(super) balanced: bool,
    pub(super) cached: bool,
    pub(super) in_callers_name: bool,
    pub(super) broken: Option<Failure>,
}

/// What a JSON answer can be read into. Answers are shared between callers and workers, hence the bounds.
pub trait Readable: DeserializeOwned + Clone + Send + Sync + 'static {}

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> Readable for T {}

/// A whole answer with a success status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status: 2xx, or 304.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most as large as the downstream's limit.
    pub body: Bytes,
}

impl Call {
    pub(super) fn new(downstream: Downstream, context: RequestContext, method: Method, path: &[&str]) -> Self {
        let mut url = downstream.shared.instances.canonical().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        Self { balanced: true, ..Self::to_url(downstream, context, method, url) }
    }

    pub(super) fn to_url(downstream: Downstream, context: RequestContext, method: Method, url: Url) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(locale) = context.locale().and_then(|locale| HeaderValue::from_str(locale).ok()) {
            headers.insert(ACCEPT_LANGUAGE, locale);
        }
        let idempotent = method.is_idempotent();
        // A connector without TLS takes an https address as cleartext HTTP/2, which must never happen to one that was
        // meant to be secret.
        let unprotected = url.scheme() == "https" && downstream.shared.tls.is_none();
        let broken =
            unprotected.then(|| Failure::Request(Described::new(&"an https address at a downstream without TLS")));
        Self {
            downstream,
            context,
            method,
            url,
            headers,
            body: Bytes::new(),
            idempotent,
            balanced: false,
            cached: false,
            in_callers_name: false,
            broken,
        }
    }

    /// Sets the query string from anything that serializes to pairs. `None` fields are left out.
    pub fn query(mut self, query: &impl Serialize) -> Self {
        match serde_urlencoded::to_string(query) {
            Ok(text) => self.url.set_query((!text.is_empty()).then_some(&text)),
            Err(error) => self.broken = Some(Failure::Request(Arc::new(error))),
        }
        self
    }

    /// Sends this access token (RFC 6750 section 2.1).
    pub fn bearer(mut self, token: &Secret) -> Self {
        match HeaderValue::try_from(format!("Bearer {}", token.expose())) {
            Ok(value) => self.headers.insert(AUTHORIZATION, value),
            Err(error) => {
                self.broken = Some(Failure::Request(Arc::new(error)));
                return self;
            }
        };
        self
    }

    /// Makes the call in the caller's name: with the caller's own access token where there is one, or by the BFF's
    /// [rule](super::Tokens).
    pub fn as_caller(mut self) -> Self {
        self.in_callers_name = true;
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => {
                self.headers.insert(name, value);
            }
            Err(error) => self.broken = Some(Failure::Request(Arc::new(error))),
        }
        self
    }

    /// Sends a JSON body.
    pub fn body_json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body = Bytes::from(bytes),
            Err(error) => self.broken = Some(Failure::Request(Arc::new(error))),
        }
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// Sends a form body (`application/x-www-form-urlencoded`).
    pub fn body_form(mut self, body: &impl Serialize) -> Self {
        match serde_urlencoded::to_string(body) {
            Ok(text) => self.body = Bytes::from(text),
            Err(error) => self.broken = Some(Failure::Request(Arc::new(error))),
        }
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self
    }

    /// Says that repeating this call has the effect of making it once, although its method does not promise it: it
    /// carries an idempotency key, or the service says so.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Lets the answer be kept in the downstream's cache, and come from it.
    pub fn cached(mut self) -> Self {
        self.cached = true;
        self
    }

    /// Sends the call and reads a JSON answer. Equal `GET`s at the same time share one call.
    ///
    /// # Errors
    /// As [`send`](Self::send); also a wrong content type, or a body that is not a `T`.
    pub async fn json<T: Readable>(self) -> Result<Fetched<T>, DownstreamError> {
        Ok(self.json_shared().await?.map(Arc::unwrap_or_clone))
    }

    /// As [`json`](Self::json), without a copy of a value that others hold too.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub async fn json_shared<T: Readable>(mut self) -> Result<Fetched<Arc<T>>, DownstreamError> {
        let service = Arc::clone(&self.downstream.shared.name);
        let answer = match self.ready().await {
            Err(failure) => Err(failure),
            Ok(()) if self.method.is_safe() => self.shared_answer().await,
            Ok(()) => self.fetch(None).await,
        };
        answer.map_err(|failure| DownstreamError::new(&service, failure))
    }

    /// Sends the call and reads the whole answer.
    ///
    /// # Errors
    /// Everything of [`Failure`] but the faults of JSON; an answer with an error status is a [`Failure::Status`].
    pub async fn send(mut self) -> Result<Answer, DownstreamError> {
        let answer = match self.ready().await {
            Err(failure) => Err(failure),
            Ok(()) => self.exchange(None, Ok).await,
        };
        answer.map_err(|failure| DownstreamError::new(&self.downstream.shared.name, failure))
    }

    /// Whether it can be sent; with its token from here on.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        match self.broken.take() {
            Some(failure) => Err(failure),
            None => self.authorize().await,
        }
    }
}
