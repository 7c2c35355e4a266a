//! The contract: the OpenAPI document, and the refusals that every operation shares.

use std::collections::BTreeMap;

use shared_lib::{
    problem::{PROBLEM_JSON, ProblemView},
    server::describe,
};
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::views;

/// What any operation can refuse or fail with.
pub struct Refusals;

/// Status and meaning; each comes as a problem with a stable code.
const REFUSALS: [(&str, &str); 10] = [
    ("400", "The request is not valid, or authenticates in two ways at once"),
    ("401", "No API key, or one that is not valid"),
    ("403", "The API key lacks a scope, or may not be used from this address"),
    ("408", "The request took too long to arrive"),
    ("410", "This version of the API has come to its end"),
    ("429", "A limit of the plan is used up; `violated-policies` names it, `Retry-After` says when to try again"),
    ("500", "Something went wrong on our side"),
    ("502", "A needed service failed or answered nonsense; `part` names it"),
    ("503", "A needed service is not available; `Retry-After` says when to try again"),
    ("504", "A needed service took too long; `part` names it"),
];

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        REFUSALS.into_iter().map(|(status, meaning)| (status.to_owned(), refusal(meaning))).collect()
    }
}

/// What placing or changing an order can be refused with on top.
pub struct OrderRefusals;

const ORDER_REFUSALS: [(&str, &str); 3] = [
    ("413", "The body is too large"),
    ("415", "The body is not JSON"),
    ("422", "The order cannot be placed, or the `Idempotency-Key` was used with another body"),
];

impl IntoResponses for OrderRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        ORDER_REFUSALS.into_iter().map(|(status, meaning)| (status.to_owned(), refusal(meaning))).collect()
    }
}

/// What asking for one order can be refused with on top.
pub struct OrderIsThere;

impl IntoResponses for OrderIsThere {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([("404".to_owned(), refusal("You have no such order"))])
    }
}

fn refusal(meaning: &str) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemView::name()))).build();
    RefOr::T(ResponseBuilder::new().description(meaning).content(PROBLEM_JSON, content).build())
}

/// The document of this BFF.
#[must_use]
pub fn document(version: &str) -> OpenApi {
    let info = InfoBuilder::new()
        .title("Trifront partner API")
        .version(version)
        .description(Some(
            "Products and orders for partner companies. Every error is a problem (RFC 9457) with a stable code, and \
             every answer to a key says in `RateLimit-Policy` and `RateLimit` what its plan promises and what is left. \
             Once the end of this version is known, every answer says it in `Deprecation` (RFC 9745), `Sunset` (RFC 8594) \
             and `Link`.",
        ))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key (`tfp_live_…` or `tfp_test_…`) as a bearer token."))
        .build();
    let api_key = ApiKey::Header(ApiKeyValue::with_description("X-API-Key", "The same key, in a field of its own."));
    let schemes = vec![("bearer", SecurityScheme::Http(bearer)), ("apiKey", SecurityScheme::ApiKey(api_key))];
    let mut document = describe(info, views::routes(), schemes);
    if let Some(components) = &mut document.components {
        let mut schemas = vec![(ProblemView::name().into_owned(), ProblemView::schema())];
        ProblemView::schemas(&mut schemas);
        components.schemas.extend(schemas);
    }
    document
}
