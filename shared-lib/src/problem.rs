//! The one error at the edge: problem details with a stable code.
//!
//! Whatever fails below a handler ends as a [`Problem`]: `application/problem+json` as RFC 9457 describes it, with a
//! `code` that clients may branch on and that never changes its meaning. The codes are declared once, as
//! [`ProblemKind`]s: those every BFF shares in [`kinds`], those of one BFF in that BFF.
//!
//! A problem has a public side (kind, detail, extensions) and a private one ([`Problem::caused_by`]), which goes to
//! the log and nowhere else. No stack, token, upstream address or upstream body may enter the public side.

pub mod kinds;
mod render;

use std::{error::Error, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER},
    },
};
use serde::Serialize;
use serde_json::{Map, Value};

pub use render::{RenderProblems, problem_from_error, report};

/// The media type of a problem (RFC 9457 section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One line of the table of stable codes.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemKind {
    /// What clients branch on, in kebab case. Part of the contract: it is never reused for another meaning.
    pub code: &'static str,
    /// The HTTP status that goes with it.
    pub status: StatusCode,
    /// A short summary that is the same for every occurrence (RFC 9457 section 3.1.3).
    pub title: &'static str,
    /// What a client should do about it; for the documentation, not sent.
    pub remedy: &'static str,
}

impl ProblemKind {
    /// The problem's `type`: a URN, because it identifies and is not meant to be fetched.
    #[must_use]
    pub fn type_uri(&self) -> String {
        format!("urn:trifront:problem:{}", self.code)
    }
}

/// One wrong field of a request, listed in a problem's `errors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    /// Where the field stands: `query`, `path`, `header` or `body`.
    #[schema(value_type = String)]
    pub location: FieldLocation,
    /// The parameter's name, or a JSON Pointer (RFC 6901) into the body.
    pub field: String,
    /// What is wrong, in words for a developer.
    pub detail: String,
    /// The values that would be right, where they can be listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
}

/// The part of a request that a [`FieldError`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldLocation {
    /// The query string.
    Query,
    /// A path parameter.
    Path,
    /// A header.
    Header,
    /// The request body.
    Body,
}

impl FieldError {
    /// A wrong query parameter.
    pub fn query(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { location: FieldLocation::Query, field: field.into(), detail: detail.into(), allowed: Vec::new() }
    }

    /// A wrong member of the body, named by its JSON Pointer.
    pub fn body(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { location: FieldLocation::Body, field: pointer.into(), detail: detail.into(), allowed: Vec::new() }
    }

    /// A wrong or missing header.
    pub fn header(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { location: FieldLocation::Header, field: name.into(), detail: detail.into(), allowed: Vec::new() }
    }

    /// Adds the values that would have been accepted.
    #[must_use]
    pub fn allowing<I>(mut self, allowed: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }
}

/// An error on its way to the client. Cheap to move: one pointer.
pub struct Problem(Box<Parts>);

struct Parts {
    kind: &'static ProblemKind,
    detail: Option<String>,
    extensions: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem of this kind, with nothing more to say than its title.
    #[must_use]
    pub fn new(kind: &'static ProblemKind) -> Self {
        Self(Box::new(Parts { kind, detail: None, extensions: Map::new(), headers: Vec::new(), cause: None }))
    }

    /// A `validation-failed` problem that lists every wrong field.
    #[must_use]
    pub fn validation(errors: &[FieldError]) -> Self {
        Self::new(&kinds::VALIDATION_FAILED).extension("errors", errors)
    }

    /// What happened this time, in words for the client's developer. It is public.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds an extension member (RFC 9457 section 3.2). It is public.
    ///
    /// # Panics
    /// In debug builds, when the value cannot be written as JSON (a map with keys that are not text).
    #[must_use]
    pub fn extension(mut self, name: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => {
                self.0.extensions.insert(name.to_owned(), value);
            }
            Err(error) => debug_assert!(false, "problem extension {name} is not JSON: {error}"),
        }
        self
    }

    /// Adds a response header, such as `WWW-Authenticate`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Says when a repetition makes sense, in whole seconds rounded up, at least 1 (RFC 9110 section 10.2.3).
    #[must_use]
    pub fn retry_after(self, delay: std::time::Duration) -> Self {
        let seconds = (delay.as_secs() + u64::from(delay.subsec_nanos() > 0)).max(1);
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Keeps the cause for the log. It is never sent.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The kind, and with it the stable code.
    #[must_use]
    pub fn kind(&self) -> &'static ProblemKind {
        self.0.kind
    }

    /// The headers that go with it.
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The extension members.
    #[must_use]
    pub fn extensions(&self) -> &Map<String, Value> {
        &self.0.extensions
    }

    /// The body as sent, with the request's id when it is known.
    #[must_use]
    pub fn to_json(&self, request_id: Option<&str>) -> Value {
        let kind = self.0.kind;
        let mut body = Map::new();
        body.insert("type".into(), kind.type_uri().into());
        body.insert("title".into(), kind.title.into());
        body.insert("status".into(), kind.status.as_u16().into());
        body.insert("code".into(), kind.code.into());
        if let Some(detail) = &self.0.detail {
            body.insert("detail".into(), detail.clone().into());
        }
        if let Some(id) = request_id {
            body.insert("requestId".into(), id.into());
        }
        // The members above are the contract: an extension cannot take their place.
        for (name, value) in &self.0.extensions {
            body.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Value::Object(body)
    }
}

/// The shape of a problem, for the OpenAPI documents.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemView {
    /// Identifies the kind of problem.
    #[schema(example = "urn:trifront:problem:validation-failed")]
    pub r#type: String,
    /// A summary of the kind.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// The stable code to branch on.
    #[schema(example = "validation-failed")]
    pub code: String,
    /// What happened this time.
    pub detail: Option<String>,
    /// The id under which support finds the request.
    pub request_id: String,
    /// Every wrong field, for `validation-failed`.
    pub errors: Option<Vec<FieldError>>,
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("code", &self.0.kind.code)
            .field("detail", &self.0.detail)
            .field("cause", &self.0.cause)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.code)?;
        match &self.0.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.kind.status
    }

    /// The answer without a request id; [`RenderProblems`] writes it again with one.
    fn error_response(&self) -> HttpResponse {
        render::response(self, None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn the_body_has_the_members_of_rfc_9457_and_the_stable_code() {
        let problem = Problem::validation(&[FieldError::query("sort", "unknown field").allowing(["name,asc"])])
            .detail("One parameter is wrong.");
        assert_eq!(
            problem.to_json(Some("r-1")),
            json!({
                "type": "urn:trifront:problem:validation-failed",
                "title": "The request is not valid",
                "status": 400,
                "code": "validation-failed",
                "detail": "One parameter is wrong.",
                "requestId": "r-1",
                "errors": [{"location": "query", "field": "sort", "detail": "unknown field", "allowed": ["name,asc"]}],
            })
        );
    }

    #[test]
    fn an_extension_cannot_take_the_place_of_a_standard_member() {
        let problem = Problem::new(&kinds::NOT_FOUND).extension("status", 200).extension("code", "fine");
        assert_eq!(problem.to_json(None)["status"], 404);
        assert_eq!(problem.to_json(None)["code"], "not-found");
    }

    #[test]
    fn the_cause_is_kept_for_the_log_and_never_sent() {
        let problem = Problem::new(&kinds::INTERNAL_ERROR).caused_by("connection to 10.0.0.7 refused");
        assert!(problem.source().is_some());
        assert!(!problem.to_json(None).to_string().contains("10.0.0.7"));
    }

    #[test]
    fn retry_after_is_rounded_up_and_at_least_one_second() {
        for (delay, expected) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60")] {
            let problem = Problem::new(&kinds::OVERLOADED).retry_after(Duration::from_millis(delay));
            assert_eq!(problem.headers()[0].1, expected, "{delay} ms");
        }
    }
}
