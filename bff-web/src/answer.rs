//! How a screen's content becomes an answer: who may keep it and for how long, the tag that it is asked for by again, and
//! whether it may be compressed.
//!
//! | content | `Cache-Control` | `Vary` |
//! |---|---|---|
//! | the same for everyone, whole | `public, max-age=…, stale-while-revalidate=…` | `Accept-Language` |
//! | the same for everyone, with a part missing or old | `no-store` | `Accept-Language` |
//! | one user's | `private, no-cache` | `Cookie, Accept-Language` |
//! | everything else, errors and the answers to unsafe methods above all | `no-store`, by the server's default | |
//!
//! The tag leaves the receipt out, because that says when and not what; so it is weak (RFC 9110 section 8.8.1).
//! [`Representation`](crate::representation::Representation) adds the coding, compares tags, and answers 304.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, VARY},
};
use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    aggregate::Receipt,
    clock::Clock,
    conditional::EntityTag,
    downstream::Freshness,
    problem::{Problem, kinds},
};
use utoipa::ToSchema;

use crate::{representation::Negotiable, settings::HttpCacheSettings};

/// A page, and how it was put together.
#[derive(Debug, Serialize, ToSchema)]
pub struct Composed<T> {
    /// The page.
    #[serde(flatten)]
    pub page: T,
    /// How the page was put together.
    pub receipt: Receipt,
}

impl<T> Composed<T> {
    /// Another form of the same page.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Composed<U> {
        Composed { page: make(self.page), receipt: self.receipt }
    }
}

/// Makes answers. One for all workers.
pub struct Answers {
    public: HeaderValue,
    clock: Clock,
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BY_LANGUAGE: HeaderValue = HeaderValue::from_static("Accept-Language");
const BY_USER: HeaderValue = HeaderValue::from_static("Cookie, Accept-Language");

impl Answers {
    /// With these times.
    #[must_use]
    pub fn new(settings: &HttpCacheSettings, clock: Clock) -> Self {
        let (fresh, stale) = (settings.public_max_age_seconds, settings.public_stale_while_revalidate_seconds);
        let public = HeaderValue::try_from(format!("public, max-age={fresh}, stale-while-revalidate={stale}"));
        Self { public: public.unwrap_or(NO_STORE), clock }
    }

    /// A page that is the same for everyone.
    ///
    /// # Errors
    /// `internal-error` for a page that is not JSON.
    pub fn public_page<T: Serialize>(&self, composed: &Composed<T>) -> Result<HttpResponse, Problem> {
        let (body, tag, is_whole) = write(composed)?;
        let control = if is_whole { self.public.clone() } else { NO_STORE };
        Ok(negotiable(answer(control, BY_LANGUAGE, &tag).body(body)))
    }

    /// A list that is the same for everyone, as the service gave it at `as_of`.
    ///
    /// # Errors
    /// `internal-error` for a list that is not JSON.
    pub fn public_list(
        &self,
        list: &impl Serialize,
        link: HeaderValue,
        freshness: Freshness,
        as_of: Timestamp,
    ) -> Result<HttpResponse, Problem> {
        let body = to_bytes(list)?;
        let control = if matches!(freshness, Freshness::Stale(_)) { NO_STORE } else { self.public.clone() };
        let mut response = answer(control, BY_LANGUAGE, &EntityTag::weak_of(&body));
        response.insert_header((actix_web::http::header::LINK, link));
        if freshness != Freshness::Live {
            // Whoever keeps the list counts the time that we have kept it (RFC 9111 section 5.1).
            let age = self.clock.wall().as_second().saturating_sub(as_of.as_second()).max(0);
            response.insert_header((AGE, age));
        }
        Ok(negotiable(response.body(body)))
    }

    /// A page of the signed-in user.
    ///
    /// # Errors
    /// `internal-error` for a page that is not JSON.
    pub fn private_page<T: Serialize>(&self, composed: &Composed<T>) -> Result<HttpResponse, Problem> {
        let (body, tag, _) = write(composed)?;
        Ok(negotiable(answer(PRIVATE, BY_USER, &tag).body(body)))
    }

    /// A list of the signed-in user.
    ///
    /// # Errors
    /// `internal-error` for a list that is not JSON.
    pub fn private_list(&self, list: &impl Serialize, link: HeaderValue) -> Result<HttpResponse, Problem> {
        let body = to_bytes(list)?;
        let mut response = answer(PRIVATE, BY_USER, &EntityTag::weak_of(&body));
        response.insert_header((actix_web::http::header::LINK, link));
        Ok(negotiable(response.body(body)))
    }

    /// A resource of the signed-in user that has versions, for reading and for `If-Match`.
    ///
    /// # Errors
    /// `internal-error` for a resource that is not JSON.
    pub fn private_version(&self, resource: &impl Serialize, version: &EntityTag) -> Result<HttpResponse, Problem> {
        Ok(negotiable(answer(PRIVATE, BY_USER, version).body(to_bytes(resource)?)))
    }
}

fn answer(control: HeaderValue, vary: HeaderValue, tag: &EntityTag) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, JSON)).insert_header((CACHE_CONTROL, control)).insert_header((VARY, vary));
    if let Ok(tag) = tag.header_value() {
        response.insert_header((ETAG, tag));
    }
    response
}

fn negotiable(mut response: HttpResponse) -> HttpResponse {
    response.extensions_mut().insert(Negotiable);
    response
}

fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| Problem::new(&kinds::INTERNAL_ERROR).caused_by(error))
}

/// Body, tag, and whether every part is what the service says now or said a moment ago. The page is written once: its
/// bytes make the tag, and the receipt is put behind its last member.
fn write<T: Serialize>(composed: &Composed<T>) -> Result<(Vec<u8>, EntityTag, bool), Problem> {
    let mut body = to_bytes(&composed.page)?;
    let receipt = to_bytes(&composed.receipt)?;
    let tag = EntityTag::weak_of(&body);
    if body.pop() != Some(b'}') {
        return Err(Problem::new(&kinds::INTERNAL_ERROR).caused_by("a page is not a JSON object"));
    }
    if body.len() > 1 {
        body.push(b',');
    }
    body.extend_from_slice(b"\"receipt\":");
    body.extend_from_slice(&receipt);
    body.push(b'}');
    // The receipt's texts are our own words, so they can be looked for in its bytes.
    let receipt = String::from_utf8_lossy(&receipt);
    let is_whole = ["missing", "stale", "fallback"].iter().all(|state| !receipt.contains(&format!("\"{state}\"")));
    Ok((body, tag, is_whole))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared_lib::{
        aggregate::Composite,
        downstream::{DownstreamError, Failure, Fetched},
    };

    use super::*;

    async fn composed<T>(page: T, freshness: Result<Freshness, ()>, as_of: &str) -> Composed<T> {
        let parts = Composite::new();
        let as_of = as_of.parse().expect("a time");
        let part = match freshness {
            Ok(freshness) => Ok(Fetched { value: (), freshness, as_of }),
            Err(()) => Err(DownstreamError::new(&"x".into(), Failure::BulkheadFull)),
        };
        parts.optional("part", async { part }).await.expect("optional parts do not fail");
        Composed { page, receipt: parts.into_receipt() }
    }

    #[actix_web::test]
    async fn what_is_written_is_the_page_with_its_receipt() {
        for page in [json!({ "a": [1, { "b": "}" }] }), json!({})] {
            let composed = composed(page, Ok(Freshness::Live), "2026-01-01T00:00:00Z").await;
            let (body, _, is_whole) = write(&composed).expect("JSON");
            let written: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(written, serde_json::to_value(&composed).expect("JSON"));
            assert!(is_whole);
        }
        assert!(write(&composed(json!([]), Ok(Freshness::Live), "2026-01-01T00:00:00Z").await).is_err());
    }

    #[actix_web::test]
    async fn the_tag_says_what_and_not_when() {
        let page = json!({ "a": 1 });
        let tag = async |freshness, as_of| write(&composed(page.clone(), freshness, as_of).await).expect("JSON").1;
        let live = tag(Ok(Freshness::Live), "2026-01-01T00:00:00Z").await;
        assert_eq!(live, tag(Ok(Freshness::Stale("timeout")), "2026-01-02T00:00:00Z").await);
        let other = composed(json!({ "a": 2 }), Ok(Freshness::Live), "2026-01-01T00:00:00Z").await;
        assert_ne!(live, write(&other).expect("JSON").1);
    }

    #[actix_web::test]
    async fn a_page_with_an_old_or_missing_part_is_not_whole() {
        for (freshness, expected) in
            [(Ok(Freshness::Cached), true), (Ok(Freshness::Stale("timeout")), false), (Err(()), false)]
        {
            let (_, _, is_whole) = write(&composed(json!({}), freshness, "2026-01-01T00:00:00Z").await).expect("JSON");
            assert_eq!(is_whole, expected, "{freshness:?}");
        }
    }
}
