//! The provider's HTML: the login form, the question before a logout, and plain notices.
//!
//! No script, no external resource. Every value from outside is escaped. Each page has a policy of its own with a
//! nonce for its one style sheet.

use std::fmt::Write as _;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError as _};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ProviderError;
use super::random::token;
use super::redirects::csp_source;
use super::refusal::Refusal;
use super::state::Acr;
use super::users::MFA_CODE;

/// Seals forms: a form is only taken from the browser that it was shown in.
pub(crate) struct FormKey(hmac::Key);

impl FormKey {
    /// With a key of its own.
    pub(crate) fn new() -> Result<Self, ProviderError> {
        let mut key = [0_u8; 32];
        rand::fill(&mut key).map_err(|_| ProviderError::Random)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The seal of the form `subject` in the browser with that cookie.
    pub(crate) fn seal(&self, browser: &str, subject: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, message(browser, subject).as_bytes()))
    }

    /// Whether a seal is the one of that form in that browser; in constant time.
    pub(crate) fn opens(&self, seal: &str, browser: &str, subject: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(seal)
            .is_ok_and(|seal| hmac::verify(&self.0, message(browser, subject).as_bytes(), &seal).is_ok())
    }
}

fn message(browser: &str, subject: &str) -> String {
    format!("{}:{browser}{subject}", browser.len())
}

/// What the login page shows.
pub(crate) struct LoginPage<'a> {
    pub(crate) interaction: &'a str,
    pub(crate) csrf: &'a str,
    pub(crate) client_name: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) username: &'a str,
    /// What has to be proved: a second factor shows one more field.
    pub(crate) acr: Acr,
    /// Whether the form comes again because something in it was wrong.
    pub(crate) failed: bool,
}

/// The login form.
pub(crate) fn login_page(page: &LoginPage<'_>) -> Result<HttpResponse, Refusal> {
    let (alert, described) = if page.failed {
        (
            "<p id=\"problem\" class=\"problem\" role=\"alert\">The username, the password or the code is wrong. \
             Please try again.</p>",
            " aria-invalid=\"true\" aria-describedby=\"problem\"",
        )
    } else {
        ("", "")
    };
    let code_field = match page.acr {
        Acr::Password => String::new(),
        Acr::Mfa => format!(
            "<label for=\"code\">One-time code</label>\
             <input id=\"code\" name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\" required{described}>\
             <p class=\"hint\">In this sandbox the code is always {MFA_CODE}.</p>"
        ),
    };
    let (focus_name, focus_password) = if page.username.is_empty() { (" autofocus", "") } else { ("", " autofocus") };
    let body = format!(
        "<h1>Sign in</h1><p>to go on to <strong>{client}</strong></p>{alert}\
         <form method=\"post\" action=\"login\">\
         <input type=\"hidden\" name=\"interaction\" value=\"{interaction}\">\
         <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">\
         <label for=\"username\">Username</label>\
         <input id=\"username\" name=\"username\" value=\"{username}\" autocomplete=\"username\" autocapitalize=\"none\" \
         spellcheck=\"false\" required{described}{focus_name}>\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" \
         required{described}{focus_password}>{code_field}\
         <div class=\"actions\">\
         <button type=\"submit\" name=\"action\" value=\"login\">Sign in</button>\
         <button type=\"submit\" name=\"action\" value=\"cancel\" class=\"quiet\" formnovalidate>Cancel</button>\
         </div></form>\
         <p class=\"hint\">Sandbox accounts: alice, bob, carol and user1 to user9999. The password is the username.</p>",
        client = escape(page.client_name),
        interaction = escape(page.interaction),
        csrf = escape(page.csrf),
        username = escape(page.username),
    );
    // The browser applies form-action to the redirect that answers the form, too.
    let targets = csp_source(page.redirect_uri).unwrap_or_default();
    let status = if page.failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(document(status, "Sign in", &body, &targets)?)
}

/// The question before a logout that nobody has vouched for.
pub(crate) fn logout_page(fields: &[(&str, &str)], redirect_uri: Option<&str>) -> Result<HttpResponse, Refusal> {
    let mut hidden = String::new();
    for (name, value) in fields {
        let _ = write!(hidden, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value));
    }
    let body = format!(
        "<h1>Sign out?</h1><p>An application asks to sign you out here and everywhere you went from here.</p>\
         <form method=\"post\" action=\"logout/confirm\">{hidden}<div class=\"actions\">\
         <button type=\"submit\" name=\"action\" value=\"logout\">Sign out</button>\
         <button type=\"submit\" name=\"action\" value=\"stay\" class=\"quiet\">Stay signed in</button>\
         </div></form>"
    );
    let targets = redirect_uri.and_then(csp_source).unwrap_or_default();
    Ok(document(StatusCode::OK, "Sign out", &body, &targets)?)
}

/// A page that only says something.
pub(crate) fn notice_page(title: &str, text: &str) -> Result<HttpResponse, Refusal> {
    let body = format!("<h1>{}</h1><p>{}</p>", escape(title), escape(text));
    Ok(document(StatusCode::OK, title, &body, "")?)
}

/// An error that cannot be sent to a client, for the user to read.
pub(crate) fn error_page(refusal: &Refusal) -> HttpResponse {
    let body = format!(
        "<h1>This did not work</h1><p role=\"alert\">{}</p><p class=\"hint\">Error code: <code>{}</code></p>",
        escape(refusal.description()),
        escape(refusal.code()),
    );
    document(refusal.status_code(), "Error", &body, "").unwrap_or_else(|_| refusal.error_response())
}

fn document(status: StatusCode, title: &str, body: &str, form_targets: &str) -> Result<HttpResponse, ProviderError> {
    let nonce = token::<16>()?;
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self' {form_targets}; frame-ancestors 'none'; \
         base-uri 'none'"
    );
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} – Sandbox</title><style nonce=\"{nonce}\">{STYLE}</style></head>\
         <body><main>{body}</main></body></html>",
        title = escape(title),
    );
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .body(html))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Colours with a contrast of at least 4.5 to 1 in both schemes, targets of 44 pixels, a visible focus.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2330;--paper:#fff;--line:#6b7486;--accent:#1d4ed8;--on-accent:#fff;--bad:#b42318}\
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf2;--paper:#171b24;--line:#8f99ad;--accent:#93b4ff;\
--on-accent:#10182b;--bad:#ff9d92}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--paper);color:var(--ink);\
font:1rem/1.5 system-ui,sans-serif}\
main{width:100%;max-width:24rem}h1{margin:0 0 .25rem;font-size:1.75rem}\
label{display:block;margin-top:1rem;font-weight:600}\
input{width:100%;min-height:2.75rem;padding:.5rem .75rem;border:1px solid var(--line);border-radius:.375rem;\
font:inherit;color:inherit;background:transparent}\
.actions{display:flex;gap:.75rem;margin:1.5rem 0}\
button{flex:1;min-height:2.75rem;border:1px solid var(--accent);border-radius:.375rem;background:var(--accent);\
color:var(--on-accent);font:inherit;font-weight:600;cursor:pointer}\
button.quiet{background:transparent;color:var(--accent)}\
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
.problem{padding:.5rem .75rem;border-left:4px solid var(--bad);color:var(--bad)}\
.hint{font-size:.875rem}";
