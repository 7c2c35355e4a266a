//! The single-page application and the API from one origin: everything outside `/api` is the application.
//!
//! | asked for | answer |
//! |---|---|
//! | a file of the application | the file, for ever where its name has a hash in it ([`asset`]) |
//! | a page that somebody navigates to | `index.html` with a nonce of its own, or what a renderer made of it ([`render`]) |
//! | anything else, such as a file that is not there any more | 404, so that no script is ever a page |
//! | anything below `/api` that is no route | 404 as a problem |
//!
//! Without an application there is a small start page.

mod asset;
mod built_in;
mod cors;
mod files;
mod markup;
mod media_type;
mod page;
pub(crate) mod policy;
mod range;
mod render;

use std::path::Path;

use actix_session::Session;
use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue},
    },
    middleware::Next,
    web,
};
use anyhow::Context;
use shared_lib::problem::{Problem, kinds};

use self::files::Files;
pub(crate) use self::{
    cors::cors,
    render::{RenderedPages, Renderer},
};
use crate::{
    auth::{WorkerAuth, guard::is_navigation, random},
    representation::Negotiable,
    settings::SpaSettings,
    start_page,
};

/// The application as all workers share it.
pub(crate) struct Spa {
    files: Option<Files>,
    policy: String,
}

impl Spa {
    /// Reads the application.
    ///
    /// # Errors
    /// A folder that cannot be served.
    pub(crate) fn start(settings: &SpaSettings) -> anyhow::Result<Self> {
        let files = match &settings.folder {
            Some(folder) => Some(Files::read(folder, settings.max_bytes)?),
            None => built_in::files()?,
        };
        anyhow::ensure!(
            files.is_some() || settings.render.is_none(),
            "[spa] render needs [spa] folder, because its pages stand in while the renderer is away"
        );
        Ok(Self { files, policy: settings.content_security_policy.clone() })
    }
}

/// The policy by hashes for the page of this folder, for a CDN that serves it.
///
/// # Errors
/// A folder without an `index.html` that can be read.
pub(crate) fn policy_by_hashes(settings: &SpaSettings, folder: &Path) -> anyhow::Result<String> {
    let index = folder.join("index.html");
    let html = std::fs::read_to_string(&index).with_context(|| format!("{} cannot be read", index.display()))?;
    Ok(policy::by_hashes(&settings.content_security_policy, &html))
}

/// Middleware that answers with files. It stands outside of everything that is about a user, the session above all, because
/// they are the same for everyone.
pub(crate) async fn serve_files<B: MessageBody>(
    spa: web::Data<Spa>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match spa.files.as_ref().and_then(|files| files.asset(request.path())).filter(|_| reads) {
        Some(asset) => {
            let answer = asset.answer(request.method(), request.headers()).await;
            let answer = answer.unwrap_or_else(HttpResponse::from_error);
            Ok(request.into_response(answer).map_into_right_body())
        }
        None => next.call(request).await.map(ServiceResponse::map_into_left_body),
    }
}

/// The pages.
///
/// # Errors
/// `not-found` below `/api` and for what is no page; `method-not-allowed` for anything but reading.
pub(crate) async fn get_page(
    request: HttpRequest,
    auth: web::Data<WorkerAuth>,
    session: Session,
    spa: web::Data<Spa>,
    renderer: web::Data<Option<Renderer>>,
) -> Result<HttpResponse, Problem> {
    let path = request.path();
    if is_api(path) {
        return Err(Problem::new(&kinds::NOT_FOUND));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let problem = Problem::new(&kinds::METHOD_NOT_ALLOWED);
        return Err(problem.header(ALLOW, HeaderValue::from_static("GET, HEAD")));
    }
    let built = match &spa.files {
        Some(files) => files.page(path),
        None => None,
    };
    let is_first = path == "/" || built.is_some();
    if !is_first && (media_type::is_file(path) || !is_navigation(&Method::GET, request.headers())) {
        return Err(Problem::new(&kinds::NOT_FOUND));
    }
    // While sessions cannot be looked up, the CSRF token that the browser has may be the right one.
    let current = auth.sessions().current(&session);
    let csrf = current.as_ref().ok().map(|current| auth.csrf_cookie(current.as_ref().map(|current| &current.identity)));
    let Some(files) = &spa.files else { return Ok(start_page::answer(csrf)) };

    let nonce = random::token();
    let rendered = match renderer.as_ref() {
        // What is rendered is for people whom nobody knows.
        Some(renderer) if matches!(current, Ok(None)) => renderer.page(&request).await,
        _ => None,
    };
    let plain = || built.unwrap_or_else(|| files.index()).with_nonce(&nonce);
    let (status, html) = match rendered {
        Some(rendered) => (rendered.status(), rendered.with_nonce(&nonce).unwrap_or_else(plain)),
        None => (StatusCode::OK, plain()),
    };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, policy::with_nonce(&spa.policy, &nonce)))
        .insert_header((CACHE_CONTROL, "no-store"));
    if let Some(cookie) = csrf {
        response.cookie(cookie);
    }
    let mut response = response.body(html);
    response.extensions_mut().insert(Negotiable);
    Ok(response)
}

fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}
