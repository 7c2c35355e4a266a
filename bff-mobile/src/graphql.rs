//! One graph over the same services as the screens, for clients that ask for cuts of their own. `docs/GRAPHQL.md` says
//! when it is the better choice.
//!
//! A request passes, in this order, and whatever is refused costs nothing that comes after it:
//! 1. the route's gate: the access token, the budget of time and attempts;
//! 2. its size, and that it is one document ([`Graphql::admit`]);
//! 3. the document: a published one, found by its hash ([`trusted`]), or a text within the [`Limits`];
//! 4. the schema's rules, and what the document costs by them;
//! 5. execution. Each field asks for the scopes of its data, and services are asked on the caller's behalf, within the
//!    request's budget, exactly as by the screens.
//!
//! Answers and refusals have the form of GraphQL over HTTP. Every error has a stable code in its `extensions`.

mod answer;
mod asker;
mod complexity;
mod lexer;
mod limits;
mod loader;
pub mod problems;
mod scalars;
mod schema;
pub mod trusted;
mod types;

use std::sync::Arc;

use actix_web::http::StatusCode;
use async_graphql::{Request, Variables, parser::types::ExecutableDocument};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared_lib::{
    problem::{Problem, kinds, report},
    telemetry::request_id::RequestId,
};
use utoipa::ToSchema;

pub use self::{asker::Given, limits::Limits, schema::MobileSchema};
use self::{
    asker::{Asker, Tasks},
    loader::ProductLoader,
    trusted::TrustedDocuments,
};

/// How the graph is served.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// What a document may have.
    pub limits: Limits,
    /// The most complex document that is executed.
    pub max_complexity: usize,
    /// The largest request, in bytes.
    pub max_body_bytes: usize,
    /// Whether only published documents are taken.
    pub only_trusted: bool,
    /// Whether the schema is told, and errors in a document are explained.
    pub development: bool,
}

/// The graph, for all workers.
#[derive(Clone)]
pub struct Graphql(Arc<Shared>);

struct Shared {
    schema: MobileSchema,
    rules: Rules,
    trusted: TrustedDocuments,
}

/// A request as it is sent (GraphQL over HTTP).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GraphqlParams {
    /// The document.
    #[schema(example = "{ me { name } }")]
    query: Option<String>,
    /// The name of a published document, in the place of `query`: `sha256:` and its hash in hexadecimal digits.
    document_id: Option<String>,
    /// Which operation of the document.
    operation_name: Option<String>,
    /// The values of its variables.
    #[schema(value_type = Option<Object>)]
    variables: Option<Value>,
    /// `persistedQuery.sha256Hash` is another way to say `documentId`.
    #[schema(value_type = Option<Object>)]
    extensions: Option<ExtensionsParams>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExtensionsParams {
    persisted_query: Option<PersistedParams>,
}

#[derive(Debug, Deserialize)]
struct PersistedParams {
    #[serde(rename = "sha256Hash")]
    hash: String,
}

/// An answer: what was found, and what failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct GraphqlView {
    /// What was asked for; null when a part that cannot be missing failed, absent when nothing was executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    data: Option<async_graphql::Value>,
    /// What failed: `message`, `path`, and in `extensions` the stable `code`, `status` and `requestId`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    errors: Vec<Value>,
}

/// A document that may be executed as far as can be told without the schema.
pub struct Admitted {
    request: Request,
    /// The names under which the answer has its parts, in their order.
    order: Vec<String>,
}

impl Graphql {
    /// The graph under these rules.
    #[must_use]
    pub fn new(rules: Rules, trusted: TrustedDocuments) -> Self {
        let schema = schema::schema(rules.development, rules.max_complexity);
        Self(Arc::new(Shared { schema, rules, trusted }))
    }

    /// The schema in its language, which is the contract.
    #[must_use]
    pub fn sdl() -> String {
        schema::schema(false, 0).sdl()
    }

    /// Reads a request, and refuses what can be refused before anything is done for it.
    ///
    /// # Errors
    /// A kind of [`problems`], or `malformed-body`.
    pub fn admit(&self, body: &[u8]) -> Result<Admitted, Problem> {
        let rules = &self.0.rules;
        if body.len() > rules.max_body_bytes {
            return Err(problems::limit("body", rules.max_body_bytes));
        }
        if body.trim_ascii_start().starts_with(b"[") {
            return Err(Problem::new(&problems::BATCH_REFUSED));
        }
        let params: GraphqlParams =
            serde_json::from_slice(body).map_err(|error| Problem::new(&kinds::MALFORMED_BODY).caused_by(error))?;
        let document = self.document(&params)?;
        let variables = params.variables.map_or_else(Variables::default, Variables::from_json);
        let mut request = Request::new(String::new()).variables(variables);
        request.operation_name = params.operation_name;
        let order = answer::order(&document, request.operation_name.as_deref());
        request.set_parsed_query(document);
        Ok(Admitted { request, order })
    }

    fn document(&self, params: &GraphqlParams) -> Result<ExecutableDocument, Problem> {
        let rules = &self.0.rules;
        let persisted = params.extensions.as_ref().and_then(|extensions| extensions.persisted_query.as_ref());
        let id = params.document_id.as_deref().or(persisted.map(|persisted| persisted.hash.as_str()));
        if let Some(document) = id.and_then(|id| self.0.trusted.find(id)) {
            return Ok(document.clone());
        }
        match &params.query {
            Some(_) if rules.only_trusted => Err(Problem::new(&problems::DOCUMENT_NOT_TRUSTED)),
            Some(query) => rules.limits.parse(query, rules.development),
            None if id.is_some() => Err(Problem::new(&problems::DOCUMENT_UNKNOWN)),
            None => Err(Problem::new(&kinds::MALFORMED_BODY).detail("`query` or `documentId` is needed.")),
        }
    }

    /// Executes a document for a caller. Its loaders end with it.
    pub async fn execute(&self, admitted: Admitted, given: Given) -> (StatusCode, GraphqlView) {
        let request_id = given.context.request_id().clone();
        let (asker, tasks) = (Asker::new(given), Tasks::default());
        let _ends_tasks = tasks.guard();
        let products = ProductLoader::for_document(asker.clone(), tasks);
        let response = self.0.schema.execute(admitted.request.data(asker).data(products)).await;
        let in_words = self.0.rules.development;
        let errors = response.errors.iter().map(|error| problems::seen(error, &request_id, in_words)).collect();
        let data = answer::data(response, &admitted.order);
        let status = if data.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        (status, GraphqlView { data, errors })
    }

    /// What is answered to a document that is not executed.
    #[must_use]
    pub fn refusal(problem: &Problem, request_id: &RequestId) -> (StatusCode, GraphqlView) {
        report(problem);
        let error = json!(problems::of_problem(problem, request_id));
        (problem.kind().status, GraphqlView { data: None, errors: vec![error] })
    }
}
