//! The page that there is while no application is configured: sign in, see the dashboard, sign out.

use actix_web::{HttpResponse, cookie::Cookie, http::StatusCode};

use crate::html;

const BODY: &str = include_str!("start_page/body.html");

/// The page, with the cookie that its script needs.
pub(crate) fn answer(csrf: Option<Cookie<'static>>) -> HttpResponse {
    let (mut response, html) = html::page(StatusCode::OK, "Trifront", "", BODY);
    if let Some(cookie) = csrf {
        response.cookie(cookie);
    }
    response.body(html)
}
