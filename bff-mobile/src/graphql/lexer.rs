//! The first look at a document, before anything is built from it: how many tokens, how deep its brackets nest, how many
//! directives it applies (GraphQL specification, section 2.1).
//!
//! A parser allocates a node for each token and calls itself for each bracket, so a document that is a bomb must not
//! reach it. This look allocates nothing, runs once over the bytes, and stops at the first limit that is passed.

/// What may not be passed.
#[derive(Debug, Clone, Copy)]
pub struct LexicalLimits {
    /// Tokens in all.
    pub tokens: usize,
    /// Open brackets of any kind.
    pub nesting: usize,
    /// Directives that are applied.
    pub directives: usize,
}

/// Why a document is not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LexicalFault {
    /// A limit was passed.
    Limit {
        /// Which.
        name: &'static str,
        /// How much there may be.
        maximum: usize,
    },
    /// It is no text of the language.
    Malformed,
}

/// Looks over a document.
///
/// # Errors
/// [`LexicalFault`], at the first place where there is one.
pub fn look_over(document: &str, limits: &LexicalLimits) -> Result<(), LexicalFault> {
    let bytes = document.as_bytes();
    let (mut at, mut tokens, mut open, mut directives) = (0, 0, 0_usize, 0);
    let limit = |name, maximum| Err(LexicalFault::Limit { name, maximum });
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at = line_end(bytes, at);
                continue;
            }
            // The byte order mark is ignored, as white space is.
            0xEF if bytes[at..].starts_with(&[0xEF, 0xBB, 0xBF]) => {
                at += 3;
                continue;
            }
            b'"' => string_end(bytes, at).ok_or(LexicalFault::Malformed)?,
            b'.' if bytes[at..].starts_with(b"...") => at + 3,
            b'{' | b'[' | b'(' => {
                open += 1;
                if open > limits.nesting {
                    return limit("nesting", limits.nesting);
                }
                at + 1
            }
            b'}' | b']' | b')' => {
                open = open.checked_sub(1).ok_or(LexicalFault::Malformed)?;
                at + 1
            }
            b'@' => {
                directives += 1;
                if directives > limits.directives {
                    return limit("directives", limits.directives);
                }
                at + 1
            }
            b'!' | b'$' | b'&' | b':' | b'=' | b'|' => at + 1,
            b'_' | b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => word_end(bytes, at),
            _ => return Err(LexicalFault::Malformed),
        };
        tokens += 1;
        if tokens > limits.tokens {
            return limit("tokens", limits.tokens);
        }
    }
    if open == 0 { Ok(()) } else { Err(LexicalFault::Malformed) }
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    let end = bytes[from..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    end.map_or(bytes.len(), |length| from + length)
}

/// The end of a name or a number. Whether it is a right one is the parser's business.
fn word_end(bytes: &[u8], from: usize) -> usize {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'.');
    let end = bytes[from + 1..].iter().position(|byte| !part(byte));
    end.map_or(bytes.len(), |length| from + 1 + length)
}

/// The end of a string or a block string; nothing when it has none.
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    if bytes[from..].starts_with(b"\"\"\"") {
        let mut at = from + 3;
        while at < bytes.len() {
            if bytes[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if bytes[at..].starts_with(b"\"\"\"") {
                return Some(at + 3);
            } else {
                at += 1;
            }
        }
        return None;
    }
    let mut at = from + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            b'\n' | b'\r' => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: LexicalLimits = LexicalLimits { tokens: 14, nesting: 3, directives: 2 };

    fn over(name: &'static str, maximum: usize) -> Result<(), LexicalFault> {
        Err(LexicalFault::Limit { name, maximum })
    }

    /// Shows: M9
    #[test]
    fn tokens_are_counted_and_what_is_no_token_is_not() {
        for document in [
            "",
            "{a}",
            "\u{feff}{ a, , ,b\n\r\n\tc }",
            "{ a(b: \"@ { [ ( ... \\\" \\\\\") }",
            "{ a(b: \"\"\"@@@ {{{ \\\"\"\" \" \"\" \"\"\") }",
            "{ a # @ @ @ { { { {\n}",
            "query Q($a: [Int!]) {a}",
            "{ a b c d e f g h i j k l }",
        ] {
            assert_eq!(look_over(document, &LIMITS), Ok(()), "{document}");
        }
        assert_eq!(look_over("{ a b c d e f g h i j k l m }", &LIMITS), over("tokens", 14));
        assert_eq!(look_over("{a{b{c{d}}}}", &LIMITS), over("nesting", 3));
        assert_eq!(look_over("{a(b:[[1]])}", &LIMITS), over("nesting", 3));
        assert_eq!(look_over("{a @b @b @b}", &LIMITS), over("directives", 2));
    }

    /// Shows: M9
    #[test]
    fn a_text_that_is_none_of_the_language_is_not_parsed() {
        for document in [
            "{",
            "}",
            "{ a } }",
            "{ \"",
            "{ \"\"\" \"\" }",
            "{ \"a\n\" }",
            "{ a? }",
            "{ ä }",
            "{ .. }",
            "\u{0}",
            "\"\\",
        ] {
            assert_eq!(look_over(document, &LIMITS), Err(LexicalFault::Malformed), "{document:?}");
        }
    }

    proptest! {
        /// Shows: M9
        #[test]
        fn no_text_makes_it_panic(document in "\\PC{0,40}|[{}()\\[\\]\"\\\\@.#a \n]{0,40}") {
            let _ = look_over(&document, &LIMITS);
        }
    }
}
