//! The page for partners' developers: how to get in, what the plans allow, and what every error code means.
//!
//! It is made once a process from the code's own tables, from the settings and from samples that a test runs, so it cannot
//! fall behind them. It has no script, and loads nothing.

mod samples;

use std::fmt::Write;

use actix_web::{
    HttpResponse, get,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    web,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use shared_lib::{
    idempotency, pagination,
    problem::{ProblemKind, kinds},
};

use super::orders::bulk;
use crate::{auth::refusal, limits, openapi::Refusals, services::orders, settings::PlansSettings};

const STYLE: &str = include_str!("../../assets/docs.css");
const INTRODUCTION: &str = include_str!("../../assets/docs.html");

/// The page as text.
pub struct Docs {
    page: String,
    policy: String,
}

/// Every problem that this BFF answers with, in the order of the page.
#[must_use]
pub fn problem_kinds() -> Vec<&'static ProblemKind> {
    [refusal::KINDS, limits::KINDS, idempotency::KINDS, pagination::KINDS, orders::KINDS, bulk::KINDS, kinds::ALL]
        .concat()
}

impl Docs {
    /// The page for these plans, of the service that partners reach at this address.
    #[must_use]
    pub fn new(plans: &PlansSettings, origin: &str) -> Self {
        let (mut plan_rows, mut code_rows) = (String::new(), String::new());
        for (name, plan) in plans {
            let rate = |rate: &crate::settings::RateSettings| {
                format!("{} in {} s, {} at once", rate.quota, rate.window_s, rate.at_once)
            };
            let quota = |quota: Option<crate::settings::QuotaSettings>| {
                // One in shadow binds nobody yet.
                let units = quota.filter(|quota| !quota.shadow).map(|quota| quota.units.to_string());
                units.unwrap_or_else(|| "any number".to_owned())
            };
            let cells = [
                escape(name),
                rate(&plan.burst),
                rate(&plan.sustained),
                plan.concurrency.to_string(),
                quota(plan.day),
                quota(plan.month),
                bulk::most_orders(plan.max_at_once()).to_string(),
            ];
            row(&mut plan_rows, &cells);
        }
        for kind in problem_kinds() {
            let code = format!("<code id=\"{0}\">{0}</code>", escape(kind.code));
            row(&mut code_rows, &[code, kind.status.as_u16().to_string(), prose(kind.title), prose(kind.remedy)]);
        }
        let page = INTRODUCTION
            .replace("{style}", STYLE)
            .replace("{plans}", &plan_rows)
            .replace("{codes}", &code_rows)
            .replace("{origin}", &escape(origin))
            .replace("{samples}", &samples::write(origin));
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!("default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'");
        Self { page, policy }
    }
}

fn row(rows: &mut String, cells: &[String]) {
    // Writing to a string does not fail.
    let _ = writeln!(rows, "<tr><td>{}</td></tr>", cells.join("</td><td>"));
}

/// Text of ours, in which what stands between backticks is code.
fn prose(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    pieces
        .map(|(at, piece)| if at % 2 == 1 { format!("<code>{}</code>", escape(piece)) } else { escape(piece) })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// This documentation.
#[utoipa::path(
    tag = "contract",
    responses((status = 200, description = "A page for people", content_type = "text/html"), Refusals)
)]
#[get("/docs")]
pub async fn get_docs(docs: web::Data<Docs>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .insert_header((CONTENT_SECURITY_POLICY, docs.policy.as_str()))
        .body(docs.page.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_backticks_are_code() {
        assert_eq!(prose("a `<b>` & c"), "a <code>&lt;b&gt;</code> &amp; c");
    }
}
