//! What the name of a file says of it.

/// What kind of content a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MediaType {
    pub(super) name: &'static str,
    pub(super) is_compressible: bool,
    pub(super) is_script: bool,
}

const fn text(name: &'static str) -> MediaType {
    MediaType { name, is_compressible: true, is_script: false }
}

const fn binary(name: &'static str) -> MediaType {
    MediaType { name, is_compressible: false, is_script: false }
}

const SCRIPT: MediaType = MediaType { name: "text/javascript; charset=utf-8", is_compressible: true, is_script: true };
const UNKNOWN: MediaType = binary("application/octet-stream");

const KNOWN: [(&str, MediaType); 33] = [
    ("js", SCRIPT),
    ("mjs", SCRIPT),
    ("css", text("text/css; charset=utf-8")),
    ("html", text("text/html; charset=utf-8")),
    ("json", text("application/json")),
    ("map", text("application/json")),
    ("webmanifest", text("application/manifest+json")),
    ("txt", text("text/plain; charset=utf-8")),
    ("xml", text("application/xml")),
    ("svg", text("image/svg+xml")),
    ("ico", text("image/x-icon")),
    ("wasm", text("application/wasm")),
    ("ttf", text("font/ttf")),
    ("otf", text("font/otf")),
    ("woff", binary("font/woff")),
    ("woff2", binary("font/woff2")),
    ("png", binary("image/png")),
    ("jpg", binary("image/jpeg")),
    ("jpeg", binary("image/jpeg")),
    ("gif", binary("image/gif")),
    ("webp", binary("image/webp")),
    ("avif", binary("image/avif")),
    ("mp3", binary("audio/mpeg")),
    ("ogg", binary("audio/ogg")),
    ("wav", binary("audio/wav")),
    ("mp4", binary("video/mp4")),
    ("webm", binary("video/webm")),
    ("vtt", text("text/vtt; charset=utf-8")),
    ("csv", text("text/csv; charset=utf-8")),
    ("pdf", binary("application/pdf")),
    ("zip", binary("application/zip")),
    ("gz", binary("application/gzip")),
    ("md", text("text/markdown; charset=utf-8")),
];

/// Bytes of the hash that Angular's builder puts into names: `main-5HXNRHVT.js`.
const HASH_LENGTH: usize = 8;

/// The kind of a file.
pub(super) fn of(name: &str) -> MediaType {
    known(name).unwrap_or(UNKNOWN)
}

/// Whether a path is that of a file and not of a page. A screen's address may have a dot in it, such as a user's name.
pub(super) fn is_file(path: &str) -> bool {
    known(path).is_some_and(|kind| !kind.name.starts_with("text/html"))
}

fn known(name: &str) -> Option<MediaType> {
    let (_, ending) = name.rsplit('/').next()?.rsplit_once('.')?;
    KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)).map(|(_, kind)| *kind)
}

/// Whether the name has a hash of the content in it: eight capitals and digits after a hyphen, as Angular's builder writes
/// them, or sixteen and more hexadecimal digits, as others do. Whoever is wrongly taken for one is never asked for again,
/// so nothing else counts.
pub(super) fn has_hash(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let mut pieces = file.split('.').rev().skip(1);
    pieces.any(|piece| {
        let last = piece.rsplit('-').next().unwrap_or(piece);
        let is_of_builder = piece.contains('-')
            && last.len() == HASH_LENGTH
            && last.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let is_hexadecimal = last.len() >= 2 * HASH_LENGTH && last.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_of_builder || is_hexadecimal
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_in_a_name_is_told_from_a_word() {
        for name in ["main-5HXNRHVT.js", "chunk-ABCDEFGH.js.map", "media/a-b-F3QZ7A2K.woff2", "x.0123456789abcdef.css"]
        {
            assert!(has_hash(name), "{name}");
        }
        for name in
            ["main.js", "apple-touch-icon.png", "my-document.pdf", "favicon.ico", "ABCDEFGH.js", "logo-20260101.x/a.js"]
        {
            assert!(!has_hash(name), "{name}");
        }
    }

    #[test]
    fn an_address_with_a_dot_is_only_a_file_where_its_ending_says_so() {
        for path in ["/a.js", "/x/b.WOFF2", "/main.js.map"] {
            assert!(is_file(path), "{path}");
        }
        for path in ["/users/j.doe", "/a.js/edit", "/v1.2", "/about.html", "/"] {
            assert!(!is_file(path), "{path}");
        }
    }
}
