//! Content codings, and which of them a client gets.

use actix_web::http::header::{ACCEPT_ENCODING, ContentEncoding, HeaderMap};

/// A content coding that answers can be sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
    /// `gzip` (RFC 1952).
    Gzip,
}

impl Coding {
    /// Every coding; the first that a client accepts as much as any other is taken.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What the client likes best of [`ALL`](Self::ALL), and none where it likes the plain content better, did not say,
    /// or said nothing that can be read. Nobody is refused for excluding `identity`: RFC 9110 section 12.5.3 leaves
    /// that open, and a body is of more use than a 406.
    #[must_use]
    pub fn negotiate(headers: &HeaderMap) -> Option<Self> {
        Self::negotiate_among(headers, &Self::ALL)
    }

    /// As [`negotiate`](Self::negotiate), for content that is only there in these codings.
    #[must_use]
    pub fn negotiate_among(headers: &HeaderMap, available: &[Self]) -> Option<Self> {
        let fields = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
        let offers: Vec<(&str, u16)> = fields.flat_map(|field| field.split(',')).filter_map(offer).collect();
        let weight = |name: &str| {
            let named = offers.iter().find(|(offered, _)| offered.eq_ignore_ascii_case(name));
            named.map(|(_, weight)| *weight)
        };
        let others = weight("*").unwrap_or(0);
        let identity = weight("identity").unwrap_or(0);
        let mut best = None;
        for &coding in available {
            let weight = weight(coding.as_str()).unwrap_or(others);
            if weight > 0 && weight >= identity && best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, coding));
            }
        }
        best.map(|(_, coding)| coding)
    }
}

impl From<Coding> for ContentEncoding {
    fn from(coding: Coding) -> Self {
        match coding {
            Coding::Brotli => Self::Brotli,
            Coding::Zstd => Self::Zstd,
            Coding::Gzip => Self::Gzip,
        }
    }
}

/// A coding and its weight in thousandths (RFC 9110 section 12.4.2).
fn offer(element: &str) -> Option<(&str, u16)> {
    let (name, parameter) = element.split_once(';').unwrap_or((element, ""));
    let name = name.trim();
    let weight = match parameter.trim() {
        "" => 1_000,
        parameter => {
            let (_, value) = parameter.split_once('=').filter(|(key, _)| key.trim().eq_ignore_ascii_case("q"))?;
            let value: f32 = value.trim().parse().ok()?;
            (0.0..=1.0).contains(&value).then_some((value * 1_000.0) as u16)?
        }
    };
    (!name.is_empty()).then_some((name, weight))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    /// Shows: M5
    #[test]
    fn the_client_gets_what_it_likes_best() {
        let negotiated = |field: &'static str| {
            let headers: HeaderMap = [(ACCEPT_ENCODING, HeaderValue::from_static(field))].into_iter().collect();
            Coding::negotiate(&headers).map(Coding::as_str)
        };
        for (field, expected) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip, deflate", Some("gzip")),
            ("zstd, gzip", Some("zstd")),
            ("br;q=0.5, gzip;q=0.8", Some("gzip")),
            ("BR ; Q=1.0", Some("br")),
            ("br;q=0, *;q=0.1", Some("zstd")),
            ("*", Some("br")),
            ("identity", None),
            ("identity, br;q=0.5", None),
            ("identity;q=0.1, gzip;q=0.5", Some("gzip")),
            ("br;q=0", None),
            ("br;q=2", None),
            ("br;q=NaN", None),
            ("deflate", None),
            ("", None),
        ] {
            assert_eq!(negotiated(field), expected, "{field}");
        }
        assert_eq!(Coding::negotiate(&HeaderMap::new()), None);
    }

    /// Shows: M5
    #[test]
    fn of_what_there_is_the_client_gets_what_it_likes_best() {
        let headers: HeaderMap = [(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"))].into_iter().collect();
        assert_eq!(Coding::negotiate_among(&headers, &[Coding::Zstd, Coding::Gzip]), Some(Coding::Gzip));
        assert_eq!(Coding::negotiate_among(&headers, &[Coding::Zstd]), None);
    }
}
