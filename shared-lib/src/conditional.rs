//! Conditional requests: entity tags, `If-None-Match`, `If-Match`, and the content codings that tags depend on.
//!
//! Source: RFC 9110, sections 8.8.3 (entity tags), 13.1 (preconditions), 15.4.5 (304) and 12.5.3 (Accept-Encoding).
//! A tag names one representation, and a content coding makes another one, so each coding has a tag of its own
//! ([`EntityTag::for_coding`]). `If-None-Match` compares weakly, `If-Match` strongly.

mod coding;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH,
    InvalidHeaderValue, VARY,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

pub use coding::Coding;

/// The header fields that a 304 repeats when the 200 would have had them (RFC 9110 section 15.4.5).
pub const NOT_MODIFIED_FIELDS: [HeaderName; 6] = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY];

/// Bytes of the hash that a tag keeps: enough that two contents of one address never share a tag by chance.
const HASH_BYTES: usize = 15;

/// An entity tag (RFC 9110 section 8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    weak: bool,
    opaque: String,
}

impl EntityTag {
    /// A tag for content that means the same whenever these bytes are the same.
    #[must_use]
    pub fn weak_of(content: &[u8]) -> Self {
        Self { weak: true, opaque: hash(content) }
    }

    /// The strong tag of exactly these bytes.
    #[must_use]
    pub fn strong_of(content: &[u8]) -> Self {
        Self { weak: false, opaque: hash(content) }
    }

    /// The strong tag of a version of something that each owner has one of at the same address. The owner is in it, so
    /// that a browser that two people use one after the other is never told that the one's version is the other's.
    #[must_use]
    pub fn of_version(version: u64, owner: &str) -> Self {
        Self { weak: false, opaque: format!("{version}.{}", hash(owner.as_bytes())) }
    }

    /// The version that this owner's strong tag names; none for another's tag.
    #[must_use]
    pub fn version_of(&self, owner: &str) -> Option<u64> {
        let (version, rest) = self.opaque.split_once('.')?;
        (!self.weak && rest == hash(owner.as_bytes())).then(|| version.parse().ok())?
    }

    /// Reads `"…"` or `W/"…"`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (weak, quoted) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
        let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let is_allowed = |byte: u8| byte == 0x21 || (0x23..=0x7e).contains(&byte) || byte >= 0x80;
        opaque.bytes().all(is_allowed).then(|| Self { weak, opaque: opaque.to_owned() })
    }

    /// The tag of the same content in this content coding.
    #[must_use]
    pub fn for_coding(self, coding: Option<Coding>) -> Self {
        match coding {
            Some(coding) => Self { opaque: format!("{}-{}", self.opaque, coding.as_str()), ..self },
            None => self,
        }
    }

    /// Whether both name the same content, whatever their strength.
    #[must_use]
    pub fn matches_weakly(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }

    /// Whether both are strong and the same.
    #[must_use]
    pub fn matches_strongly(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// As it stands in a header.
    ///
    /// # Errors
    /// [`InvalidHeaderValue`], for a tag with bytes that no header may carry.
    pub fn header_value(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        HeaderValue::try_from(self.to_string())
    }
}

impl std::fmt::Display for EntityTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.opaque)
    }
}

fn hash(content: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(content)[..HASH_BYTES])
}

/// The value of an `If-Match` or `If-None-Match` field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `*`: anything that exists.
    Any,
    /// One of these. Empty when nothing of the field could be read, which then matches nothing.
    OneOf(Vec<EntityTag>),
}

impl Condition {
    /// The `If-None-Match` of a request.
    #[must_use]
    pub fn if_none_match(headers: &HeaderMap) -> Option<Self> {
        Self::read(headers, &IF_NONE_MATCH)
    }

    /// The `If-Match` of a request.
    #[must_use]
    pub fn if_match(headers: &HeaderMap) -> Option<Self> {
        Self::read(headers, &IF_MATCH)
    }

    fn read(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        headers.get(name)?;
        let fields = headers.get_all(name).filter_map(|value| value.to_str().ok());
        let mut tags = Vec::new();
        for field in fields {
            if field.trim() == "*" {
                return Some(Self::Any);
            }
            tags.extend(split(field).filter_map(EntityTag::parse));
        }
        Some(Self::OneOf(tags))
    }

    /// Whether the client has this already (`If-None-Match`, weak comparison).
    #[must_use]
    pub fn is_known(&self, tag: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|known| known.matches_weakly(tag)),
        }
    }
}

/// The elements of a list of tags. A comma may stand inside the quotes, so it only separates outside.
fn split(field: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    field
        .split(move |character| {
            quoted ^= character == '"';
            character == ',' && !quoted
        })
        .map(|element| element.trim_matches([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(fields: &[&'static str]) -> Option<Condition> {
        let fields = fields.iter().map(|field| (IF_NONE_MATCH, HeaderValue::from_static(field)));
        let mut headers = HeaderMap::new();
        fields.for_each(|(name, value)| headers.append(name, value));
        Condition::if_none_match(&headers)
    }

    fn tag(text: &str) -> EntityTag {
        EntityTag::parse(text).expect("a tag")
    }

    /// Shows: M5
    #[test]
    fn if_none_match_compares_weakly() {
        let known = |fields: &[&'static str]| condition(fields).is_some_and(|known| known.is_known(&tag("W/\"a\"")));
        for fields in
            [&["\"a\""][..], &["W/\"a\""], &["\"x\", W/\"a\""], &["\"x\"", "\"a\""], &["*"], &["\"x,y\",\"a\""]]
        {
            assert!(known(fields), "{fields:?}");
        }
        for fields in [&[][..], &[""], &["a"], &["\"A\""], &["\"a"], &["w/\"a\""], &["\"b\""], &["\"x,\"a\"\""]] {
            assert!(!known(fields), "{fields:?}");
        }
    }

    #[test]
    fn only_strong_tags_match_strongly() {
        assert!(tag("\"3\"").matches_strongly(&tag("\"3\"")));
        assert!(!tag("W/\"3\"").matches_strongly(&tag("\"3\"")));
        assert!(!tag("\"4\"").matches_strongly(&tag("\"3\"")));
    }

    #[test]
    fn a_version_is_read_from_its_owners_tag_only() {
        let third = EntityTag::of_version(3, "alice");
        assert_eq!((third.version_of("alice"), third.version_of("bob")), (Some(3), None));
        assert!(!third.matches_weakly(&EntityTag::of_version(3, "bob")));
        assert_eq!(tag("\"3\"").version_of("alice"), None);
        assert_eq!(tag(&format!("W/{third}")).version_of("alice"), None);
    }

    /// Shows: M5
    #[test]
    fn each_coding_of_a_content_has_a_tag_of_its_own() {
        let plain = EntityTag::weak_of(b"content");
        let coded = Coding::ALL.map(|coding| plain.clone().for_coding(Some(coding)));
        for (index, one) in coded.iter().enumerate() {
            assert!(!one.matches_weakly(&plain));
            assert!(coded[index + 1..].iter().all(|other| !other.matches_weakly(one)));
            assert_eq!(EntityTag::parse(&one.to_string()).as_ref(), Some(one));
        }
        assert!(!EntityTag::weak_of(b"other").matches_weakly(&plain));
    }
}
