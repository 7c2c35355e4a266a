//! A file of the application that is no page: scripts, styles, pictures. It is the same for everyone.

use actix_http::{ResponseHead, encoding::Encoder};
use actix_web::{
    HttpResponse, HttpResponseBuilder,
    body::{self, BoxBody},
    http::{
        Method, StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
            HeaderMap, HeaderValue, RANGE, VARY,
        },
    },
    web::Bytes,
};
use shared_lib::{
    conditional::{Coding, Condition, EntityTag},
    problem::Problem,
};
use tokio::sync::OnceCell;

use super::{
    media_type::{self, MediaType},
    policy,
    range::{self, Range},
};

/// Files below this many bytes fit into one packet with their headers, and are sent as they are.
const MIN_COMPRESSED_BYTES: usize = 1_024;

/// A name with a hash of the content in it means this content for ever.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Any other is asked for anew each time, and mostly not sent again.
const ASK_FIRST: HeaderValue = HeaderValue::from_static("public, no-cache");

#[derive(Debug)]
pub(super) struct Asset {
    media_type: MediaType,
    control: HeaderValue,
    tag: EntityTag,
    plain: Bytes,
    codings: Vec<Coding>,
    coded: [OnceCell<Bytes>; Coding::ALL.len()],
}

impl Asset {
    /// `coded` is what the build has compressed itself. What it has not is compressed when it is first asked for.
    pub(super) fn new(name: &str, plain: Bytes, coded: &[(Coding, Bytes)]) -> Self {
        let media_type = media_type::of(name);
        let is_compressed_here = media_type.is_compressible && plain.len() >= MIN_COMPRESSED_BYTES;
        let is_there = |coding: &Coding| is_compressed_here || coded.iter().any(|(known, _)| known == coding);
        let codings = Coding::ALL.into_iter().filter(is_there).collect();
        let control = if media_type::has_hash(name) { FOR_EVER } else { ASK_FIRST };
        let tag = EntityTag::strong_of(&plain);
        let cells = Coding::ALL.map(|coding| {
            let known = coded.iter().find(|(known, _)| *known == coding);
            OnceCell::new_with(known.map(|(_, content)| content.clone()))
        });
        Self { media_type, control, tag, plain, codings, coded: cells }
    }

    /// # Errors
    /// `range-not-satisfiable` for a part that there is not.
    pub(super) async fn answer(&self, method: &Method, headers: &HeaderMap) -> Result<HttpResponse, Problem> {
        // A part is a part of the plain content, so that who has the beginning plain can get the rest.
        let asked = headers.get(RANGE).filter(|_| *method == Method::GET);
        let wanted = Coding::negotiate_among(headers, &self.codings).filter(|_| asked.is_none());
        let (content, coding) = match wanted {
            Some(coding) => self.coded(coding).await.map_or((self.plain.clone(), None), |content| (content, wanted)),
            None => (self.plain.clone(), None),
        };
        let tag = self.tag.clone().for_coding(coding);
        if Condition::if_none_match(headers).is_some_and(|known| known.is_known(&tag)) {
            return Ok(self.head(StatusCode::NOT_MODIFIED, &tag).finish());
        }
        match asked.and_then(|asked| range::of(asked, headers, &tag, content.len())) {
            Some(Range::Part(part)) => {
                let said = format!("bytes {}-{}/{}", part.start, part.end - 1, content.len());
                let mut response = self.head(StatusCode::PARTIAL_CONTENT, &tag);
                Ok(self.describe(&mut response).insert_header((CONTENT_RANGE, said)).body(content.slice(part)))
            }
            Some(Range::Nothing) => Err(range::not_satisfiable(content.len())),
            None => {
                let mut response = self.head(StatusCode::OK, &tag);
                if let Some(coding) = coding {
                    response.insert_header((CONTENT_ENCODING, coding.as_str()));
                }
                Ok(self.describe(&mut response).body(content))
            }
        }
    }

    fn head(&self, status: StatusCode, tag: &EntityTag) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        response.insert_header((CACHE_CONTROL, self.control.clone()));
        if let Ok(tag) = tag.header_value() {
            response.insert_header((ETAG, tag));
        }
        if !self.codings.is_empty() {
            response.insert_header((VARY, "Accept-Encoding"));
        }
        response
    }

    fn describe<'a>(&self, response: &'a mut HttpResponseBuilder) -> &'a mut HttpResponseBuilder {
        if self.media_type.is_script {
            response.insert_header((CONTENT_SECURITY_POLICY, policy::OF_SCRIPTS));
        }
        response.insert_header((CONTENT_TYPE, self.media_type.name)).insert_header((ACCEPT_RANGES, "bytes"))
    }

    /// The content in this coding, made once.
    async fn coded(&self, coding: Coding) -> Option<Bytes> {
        let at = Coding::ALL.iter().position(|known| *known == coding)?;
        let made = self.coded[at].get_or_try_init(|| async {
            let mut head = ResponseHead::new(StatusCode::OK);
            body::to_bytes(Encoder::response(coding.into(), &mut head, BoxBody::new(self.plain.clone()))).await
        });
        match made.await {
            Ok(content) => Some(content.clone()),
            Err(error) => {
                tracing::error!(%error, coding = coding.as_str(), "a file could not be compressed");
                None
            }
        }
    }
}
