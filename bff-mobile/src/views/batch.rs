//! Several requests in one, for networks on which a round trip costs more than anything else.
//!
//! Parts are answered at the same time and each for itself; what one does, another need not see. They share the
//! caller, the deadline and the attempts on the wire.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest,
    http::{
        Method, Uri,
        header::{ACCEPT_LANGUAGE, HeaderName, HeaderValue},
    },
    post, web,
};
use bytes::Bytes;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_lib::{
    context::RequestContext,
    problem::{FieldError, Problem},
};
use utoipa::ToSchema;

use crate::{
    auth::PartIdentity,
    batch::{Part, PartAnswer, Parts, PartsContext},
    openapi::Refusals,
};

/// The most parts of one batch.
const MAX_PARTS: usize = 10;
/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 64;
/// The headers that a part may have of its own.
const PART_HEADERS: [&str; 2] = ["idempotency-key", "if-none-match"];
/// The headers of an answer that mean something to the app.
const ANSWER_HEADERS: [&str; 4] = ["etag", "location", "retry-after", "www-authenticate"];
/// What a part cannot be, because it is many requests itself.
const NOT_A_PART: [&str; 2] = ["/v1/batch", "/graphql"];

/// Requests that are made together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchParams {
    #[schema(min_items = 1, max_items = 10)]
    requests: Vec<PartParams>,
}

/// One of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartParams {
    /// A name by which the app finds the answer.
    #[schema(max_length = 64, example = "orders")]
    id: String,
    /// `GET`, `POST`, `PUT` or `DELETE`.
    #[serde(default = "get")]
    #[schema(example = "GET", default = "GET")]
    method: String,
    /// Path and query, from `/v1/` on; not a batch.
    #[schema(example = "/v1/orders?size=3")]
    path: String,
    /// `Idempotency-Key` and `If-None-Match`.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    body: Option<Value>,
}

fn get() -> String {
    "GET".to_owned()
}

/// The answers, in the order of the requests.
#[derive(Serialize, ToSchema)]
pub struct BatchView {
    responses: Vec<PartView>,
}

/// The answer to one of them.
#[derive(Serialize, ToSchema)]
pub struct PartView {
    id: String,
    #[schema(example = 200)]
    status: u16,
    /// `ETag`, `Location`, `Retry-After` and `WWW-Authenticate`, where there are any; in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, String>,
    /// What the route answers on its own, a problem too; absent when there is no body.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl PartView {
    fn new(id: String, answer: &PartAnswer) -> Self {
        let value = |name| answer.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let header = |name: &'static str| value(name).map(|value| (name, value.to_owned()));
        Self {
            id,
            status: answer.status.as_u16(),
            headers: ANSWER_HEADERS.into_iter().filter_map(header).collect(),
            body: serde_json::from_slice(&answer.body).ok(),
        }
    }
}

/// Makes several requests in one.
///
/// Each part is answered as if it had been made alone, by the same caller and under the same policies; all of them
/// together have the time of one request.
#[utoipa::path(
    tag = "batch",
    request_body = BatchParams,
    responses((status = 200, description = "The answers, each with its own status", body = BatchView), Refusals)
)]
#[post("/batch")]
pub async fn post_batch(
    request: HttpRequest,
    context: RequestContext,
    parts: web::Data<Parts>,
    batch: web::Json<BatchParams>,
) -> Result<web::Json<BatchView>, Problem> {
    let wanted = checked(batch.into_inner())?;
    let parts_context = PartsContext {
        identity: PartIdentity::of(&request, &context)?,
        budget: context.budget().clone(),
        request_id: context.request_id().clone(),
        locale: request.headers().get(ACCEPT_LANGUAGE).cloned(),
    };
    let (parts, parts_context) = (&parts, &parts_context);
    let answers = wanted.into_iter().map(|(id, part)| async move {
        let answer = parts.answer(parts_context, part).await?;
        Ok::<_, Problem>(PartView::new(id, &answer))
    });
    Ok(web::Json(BatchView { responses: try_join_all(answers).await? }))
}

fn checked(batch: BatchParams) -> Result<Vec<(String, Part)>, Problem> {
    let mut errors = Vec::new();
    if !(1..=MAX_PARTS).contains(&batch.requests.len()) {
        return Err(Problem::validation(&[FieldError::body("/requests", "must have 1 to 10 entries")]));
    }
    let mut parts = Vec::new();
    for (number, part) in batch.requests.into_iter().enumerate() {
        let mut wrong =
            |member: &str, detail: &str| errors.push(FieldError::body(format!("/requests/{number}/{member}"), detail));
        if part.id.is_empty() || part.id.len() > MAX_ID_BYTES {
            wrong("id", "must have 1 to 64 bytes");
        }
        let method = match part.method.as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "DELETE" => Method::DELETE,
            _ => {
                wrong("method", "must be GET, POST, PUT or DELETE");
                continue;
            }
        };
        let uri = part.path.parse::<Uri>().ok().filter(|uri| uri.authority().is_none() && uri.scheme().is_none());
        let Some(uri) = uri.filter(|uri| uri.path().starts_with("/v1/")) else {
            wrong("path", "must be a path of this API");
            continue;
        };
        if NOT_A_PART.contains(&uri.path()) {
            wrong("path", "must not be a batch itself");
        }
        let mut headers = Vec::new();
        for (name, value) in part.headers {
            let known = PART_HEADERS.iter().find(|known| name.eq_ignore_ascii_case(known));
            match (known, HeaderValue::from_str(&value)) {
                (Some(known), Ok(value)) => headers.push((HeaderName::from_static(known), value)),
                _ => wrong("headers", "must be Idempotency-Key or If-None-Match, with visible characters"),
            }
        }
        let body = part.body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        parts.push((part.id, Part { method, uri, headers, body }));
    }
    if errors.is_empty() { Ok(parts) } else { Err(Problem::validation(&errors)) }
}
