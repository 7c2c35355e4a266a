//! The page that answers every address outside `/api`: sign in, see the dashboard, sign out.

use actix_session::Session;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header::ALLOW, header::HeaderValue},
    web,
};
use shared_lib::problem::{Problem, kinds};

use crate::{auth::WorkerAuth, html};

const BODY: &str = include_str!("start_page/body.html");

/// Answers the page; below `/api` there is nothing but the API.
///
/// # Errors
/// `not-found` below `/api`; `method-not-allowed` for anything but reading.
pub(crate) async fn get_page(
    request: HttpRequest,
    auth: web::Data<WorkerAuth>,
    session: Session,
) -> Result<HttpResponse, Problem> {
    if is_api(request.path()) {
        return Err(Problem::new(&kinds::NOT_FOUND));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let problem = Problem::new(&kinds::METHOD_NOT_ALLOWED);
        return Err(problem.header(ALLOW, HeaderValue::from_static("GET, HEAD")));
    }
    let (mut response, html) = html::page(StatusCode::OK, "Trifront", "", BODY);
    // While sessions cannot be looked up, the token that the browser has may be the right one.
    if let Ok(current) = auth.sessions().current(&session) {
        response.cookie(auth.csrf_cookie(current.as_ref().map(|current| &current.identity)));
    }
    Ok(response.body(html))
}

fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}
