//! Pages that a server renders, such as an Angular application with server-side rendering, as a downstream of this service.
//!
//! It renders for people whom nobody knows: no cookie goes to it, so a page is the same for everyone who speaks the same
//! languages, and is kept for a moment. Whenever there is no page in time, the browser renders the plain one.
//!
//! The renderer is told a nonce in `X-CSP-Nonce` and puts it on what may run. That one is a secret of this process: in each
//! answer a fresh one takes its place. So what a stranger got into a page has no nonce, and none that anybody has seen is
//! good for another page.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpMessage, HttpRequest,
    http::{
        StatusCode,
        header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderName},
    },
};
use moka::future::Cache;
use percent_encoding::percent_decode_str;
use shared_lib::{
    context::RequestContext,
    downstream::{Downstream, DownstreamError, budget::RequestBudget},
    telemetry::request_id::RequestId,
};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use url::form_urlencoded;

use crate::{auth::random, settings::SpaSettings};

const X_CSP_NONCE: HeaderName = HeaderName::from_static("x-csp-nonce");

/// Longer addresses are nobody's links; they get the plain page.
const MAX_ADDRESS_BYTES: usize = 2_048;
const MAX_LOCALE_BYTES: usize = 128;
/// Time and memory that an entry costs beside its text.
const ENTRY_BYTES: usize = 256;

/// What a renderer said.
#[derive(Debug)]
enum Said {
    /// This page.
    Html(String),
    /// There is no such page.
    NotFound,
    /// Something that cannot be shown.
    Nothing,
}

/// What all workers share.
#[derive(Clone)]
pub(crate) struct RenderedPages {
    paths: Arc<[String]>,
    /// Stands in the pages where a nonce goes.
    placeholder: Arc<str>,
    deadline: Duration,
    kept: Cache<(String, Option<String>), Arc<Said>>,
}

impl RenderedPages {
    /// None yet. `deadline` is the time that one page may take in all.
    pub(crate) fn new(settings: &SpaSettings, deadline: Duration) -> Self {
        let weigh = |(address, locale): &(String, Option<String>), said: &Arc<Said>| {
            let text = if let Said::Html(html) = &**said { html.len() } else { 0 };
            let bytes = ENTRY_BYTES + address.len() + locale.as_ref().map_or(0, String::len) + text;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder()
            .max_capacity(settings.render_cache_bytes)
            .weigher(weigh)
            .time_to_live(settings.render_fresh())
            .build();
        Self { paths: settings.render_paths.to_vec().into(), placeholder: random::token().into(), deadline, kept }
    }
}

/// The renderer as one worker calls it.
pub(crate) struct Renderer {
    downstream: Downstream,
    pages: RenderedPages,
}

/// A page that can be answered with.
pub(crate) struct Rendered {
    said: Arc<Said>,
    placeholder: Arc<str>,
}

impl Rendered {
    pub(super) fn status(&self) -> StatusCode {
        match &*self.said {
            Said::NotFound => StatusCode::NOT_FOUND,
            Said::Html(_) | Said::Nothing => StatusCode::OK,
        }
    }

    /// The page; none where the plain one is to be sent.
    pub(super) fn with_nonce(&self, nonce: &str) -> Option<String> {
        match &*self.said {
            Said::Html(html) => Some(html.replace(&*self.placeholder, nonce)),
            Said::NotFound | Said::Nothing => None,
        }
    }
}

impl Renderer {
    pub(crate) fn new(downstream: Downstream, pages: RenderedPages) -> Self {
        Self { downstream, pages }
    }

    /// What the renderer makes of this address, or made of it a moment ago. None where it is not asked, or has failed.
    pub(super) async fn page(&self, request: &HttpRequest) -> Option<Rendered> {
        let address = request.uri().path_and_query()?.as_str();
        let is_rendered = self.pages.paths.iter().any(|path| address.starts_with(path.as_str()));
        if !is_rendered || address.len() > MAX_ADDRESS_BYTES {
            return None;
        }
        let locale = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let locale = locale.filter(|text| text.len() <= MAX_LOCALE_BYTES).map(ToOwned::to_owned);
        let key = (address.to_owned(), locale.clone());
        // Whoever asks for the same page in the meantime waits for this answer.
        match self.pages.kept.try_get_with(key, self.ask(request, locale)).await {
            Ok(said) => Some(Rendered { said, placeholder: Arc::clone(&self.pages.placeholder) }),
            Err(error) => {
                tracing::warn!(%error, "no page was rendered, so the plain one is sent");
                None
            }
        }
    }

    async fn ask(&self, request: &HttpRequest, locale: Option<String>) -> Result<Arc<Said>, DownstreamError> {
        let request_id = request.extensions().get::<RequestId>().cloned().unwrap_or_else(RequestId::fresh);
        let budget = RequestBudget::starting_now(self.pages.deadline);
        let context = RequestContext::new(budget, request_id, None, locale, tracing::Span::current().context());
        let segments: Vec<_> =
            request.path().split('/').skip(1).map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let query: Vec<_> = form_urlencoded::parse(request.query_string().as_bytes()).collect();
        let call = self
            .downstream
            .get(&context, &segments)
            .query(&query)
            .header(ACCEPT, "text/html")
            .header(X_CSP_NONCE, &self.pages.placeholder);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => return Ok(Arc::new(Said::NotFound)),
            // A redirect or a refusal is for the application in the browser to find out again.
            Err(error) if error.status().is_some_and(|status| !status.is_server_error()) => {
                return Ok(Arc::new(Said::Nothing));
            }
            Err(error) => return Err(error),
        };
        let kind = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_html = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"));
        let html = String::from_utf8(answer.body.to_vec()).ok().filter(|_| is_html && answer.status == StatusCode::OK);
        Ok(Arc::new(html.map_or(Said::Nothing, Said::Html)))
    }
}
