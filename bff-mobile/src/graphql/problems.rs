//! How a document is refused, and how an error looks from outside: always with one of our codes, never with the words of
//! a library, a service or the document itself.

use actix_web::http::StatusCode;
use async_graphql::ServerError;
use serde_json::{Map, Value, json};
use shared_lib::{
    problem::{Problem, ProblemKind, report},
    telemetry::request_id::RequestId,
};

/// Bad request: the document costs too much.
pub static LIMIT_EXCEEDED: ProblemKind = ProblemKind {
    code: "graphql-limit-exceeded",
    status: StatusCode::BAD_REQUEST,
    title: "The document is over a limit",
    remedy: "Ask for less: `limit` names what there is too much of, and `maximum` is how much there may be.",
};

/// Bad request: the document cannot be read.
pub static SYNTAX: ProblemKind = ProblemKind {
    code: "graphql-syntax-error",
    status: StatusCode::BAD_REQUEST,
    title: "The document cannot be read",
    remedy: "Send one executable document of the GraphQL language.",
};

/// Bad request: a fragment holds itself.
pub static FRAGMENT_CYCLE: ProblemKind = ProblemKind {
    code: "graphql-fragment-cycle",
    status: StatusCode::BAD_REQUEST,
    title: "A fragment of the document holds itself",
    remedy: "Take the cycle out of the document's fragments.",
};

/// Bad request: the schema is not told.
pub static INTROSPECTION_OFF: ProblemKind = ProblemKind {
    code: "graphql-introspection-off",
    status: StatusCode::BAD_REQUEST,
    title: "The schema is not told here",
    remedy: "Read the schema from `schema.graphql`; introspection is for development.",
};

/// Bad request: the document does not fit the schema.
pub static INVALID_DOCUMENT: ProblemKind = ProblemKind {
    code: "graphql-invalid-document",
    status: StatusCode::BAD_REQUEST,
    title: "The document, its operation or its variables do not fit the schema",
    remedy: "Check the document against `schema.graphql`.",
};

/// Bad request: several documents in one.
pub static BATCH_REFUSED: ProblemKind = ProblemKind {
    code: "graphql-batch-refused",
    status: StatusCode::BAD_REQUEST,
    title: "Several documents in one request are not taken",
    remedy: "Send one document, or put several operations' fields into one.",
};

/// Bad request: no document is known by this name.
pub static DOCUMENT_UNKNOWN: ProblemKind = ProblemKind {
    code: "graphql-document-unknown",
    status: StatusCode::BAD_REQUEST,
    title: "No document is known by this hash",
    remedy: "Publish the app's documents to the service before the app.",
};

/// Forbidden: only known documents are taken.
pub static DOCUMENT_NOT_TRUSTED: ProblemKind = ProblemKind {
    code: "graphql-document-not-trusted",
    status: StatusCode::FORBIDDEN,
    title: "Only documents that were published to the service are taken",
    remedy: "Send `documentId` with the hash of a published document in the place of `query`.",
};

/// Every kind of this module, for documentation and tests.
pub static KINDS: &[&ProblemKind] = &[
    &LIMIT_EXCEEDED,
    &SYNTAX,
    &FRAGMENT_CYCLE,
    &INTROSPECTION_OFF,
    &INVALID_DOCUMENT,
    &BATCH_REFUSED,
    &DOCUMENT_UNKNOWN,
    &DOCUMENT_NOT_TRUSTED,
];

/// The refusal of a document that has too much of something.
#[must_use]
pub fn limit(name: &'static str, maximum: usize) -> Problem {
    Problem::new(&LIMIT_EXCEEDED).extension("limit", name).extension("maximum", maximum)
}

/// A failure of a field, or of the whole, as resolvers give it.
pub(super) fn field_error(problem: impl Into<Problem>) -> async_graphql::Error {
    let problem: Problem = problem.into();
    async_graphql::Error { message: String::new(), source: Some(std::sync::Arc::new(problem)), extensions: None }
}

/// An error of the engine. Those that are not ours say what does not fit the schema, in words that quote the document:
/// they are for development only.
pub(super) fn seen(error: &ServerError, request_id: &RequestId, in_words: bool) -> Value {
    let mut view = match error.source::<Problem>() {
        Some(problem) => {
            report(problem);
            of_problem(problem, request_id)
        }
        None => {
            let problem = Problem::new(&INVALID_DOCUMENT);
            let problem = if in_words { problem.detail(error.message.as_str()) } else { problem };
            of_problem(&problem, request_id)
        }
    };
    if !error.path.is_empty() {
        view.insert("path".to_owned(), serde_json::to_value(&error.path).unwrap_or_default());
    }
    if !error.locations.is_empty() {
        view.insert("locations".to_owned(), serde_json::to_value(&error.locations).unwrap_or_default());
    }
    Value::Object(view)
}

/// A problem as an entry of `errors`: its words as the message, its code and all that belongs to it as extensions.
pub(super) fn of_problem(problem: &Problem, request_id: &RequestId) -> Map<String, Value> {
    let Value::Object(mut extensions) = problem.to_json(Some(request_id.as_str())) else { return Map::new() };
    let title = extensions.remove("title").unwrap_or_default();
    let message = extensions.remove("detail").unwrap_or(title);
    extensions.remove("type");
    let wait = problem.headers().iter().find(|(name, _)| *name == actix_web::http::header::RETRY_AFTER);
    if let Some(seconds) = wait.and_then(|(_, value)| value.to_str().ok()?.parse::<u64>().ok()) {
        extensions.insert("retryAfter".to_owned(), json!(seconds));
    }
    Map::from_iter([("message".to_owned(), message), ("extensions".to_owned(), Value::Object(extensions))])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: M9
    #[test]
    fn the_words_of_the_engine_are_for_development() {
        let error = ServerError::new("Unknown field \"secret\" on type \"Query\". Did you mean \"me\"?", None);
        let id = RequestId::fresh();
        let masked = seen(&error, &id, false);
        assert_eq!(masked["message"], INVALID_DOCUMENT.title);
        assert!(!masked.to_string().contains("secret"));
        assert!(seen(&error, &id, true)["message"].as_str().is_some_and(|message| message.contains("secret")));
        for error in [masked, seen(&error, &id, true)] {
            assert_eq!(error["extensions"]["code"], "graphql-invalid-document");
            assert_eq!(error["extensions"]["requestId"], id.as_str());
        }
    }

    /// Shows: M9
    #[test]
    fn the_cause_of_a_field_that_failed_is_not_told() {
        let problem = Problem::new(&shared_lib::problem::kinds::OVERLOADED);
        let problem = problem.caused_by("10.0.0.7 refused").retry_after(std::time::Duration::from_secs(3));
        let error = field_error(problem).into_server_error(Default::default());
        let view = seen(&error, &RequestId::fresh(), true);
        assert!(!view.to_string().contains("10.0.0.7"), "{view}");
        assert_eq!((&view["extensions"]["status"], &view["extensions"]["retryAfter"]), (&json!(503), &json!(3)));
    }
}
