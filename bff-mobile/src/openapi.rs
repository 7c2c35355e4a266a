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
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::views;

/// What any operation can refuse or fail with.
pub struct Refusals;

/// Status and meaning; each comes as a problem with a stable code.
const REFUSALS: [(&str, &str); 8] = [
    ("400", "The request is not valid, or authenticates in two ways at once"),
    ("401", "No access token, or one that is not valid or not proven; `WWW-Authenticate` says why"),
    (
        "403",
        "The access token lacks a scope, which `WWW-Authenticate` names; or the app is too old, and `storeUrl` has a newer one",
    ),
    ("408", "The request took too long to arrive"),
    ("500", "Something went wrong on our side"),
    ("502", "A needed service failed or answered nonsense; `part` names it"),
    ("503", "A needed service is not available; `Retry-After` says when to try again"),
    ("504", "A needed service took too long; `part` names it"),
];

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let schema = Ref::from_schema_name(ProblemView::name());
        let refusal = |(status, description): (&str, &str)| {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            let response = ResponseBuilder::new().description(description).content(PROBLEM_JSON, content).build();
            (status.to_owned(), RefOr::T(response))
        };
        REFUSALS.into_iter().map(refusal).collect()
    }
}

/// The document of this BFF.
#[must_use]
pub fn document(version: &str) -> OpenApi {
    let info = InfoBuilder::new()
        .title("Trifront mobile API")
        .version(version)
        .description(Some(
            "One call a screen for the mobile apps. Every error is a problem (RFC 9457) with a stable code.",
        ))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token for the audience of this API (RFC 6750, RFC 9068)."))
        .build();
    let mut document = describe(info, views::routes(), vec![("bearer", SecurityScheme::Http(bearer))]);
    if let Some(components) = &mut document.components {
        let mut schemas = vec![(ProblemView::name().into_owned(), ProblemView::schema())];
        ProblemView::schemas(&mut schemas);
        components.schemas.extend(schemas);
    }
    document
}
