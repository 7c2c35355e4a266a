//! A service's demand that the user prove more, or more lately, who they are (RFC 9470 section 3).
//!
//! The challenge comes from another machine and goes on to a client, so it is read by the grammar (RFC 9110 section 11.6.1)
//! and written anew; nothing of it is passed on as it came.

use actix_web::http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::problem::{Problem, kinds};

/// Longer challenges are not looked at, in bytes.
const MAX_BYTES: usize = 4096;

/// What a demand may name: so many values of so many characters, each of which goes into an address and a cookie.
const MAX_ACR_VALUES: usize = 10;
const MAX_ACR_CHARS: usize = 128;

/// What the service asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUp {
    /// Any of these authentication context class references, the preferred one first; empty: whichever.
    pub acr_values: Vec<String>,
    /// How long ago the user may have signed in, in seconds.
    pub max_age: Option<u32>,
}

impl StepUp {
    /// The demand in the headers of a 401, where there is one. A demand that names nothing is one for a sign-in right now.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        headers.get_all(WWW_AUTHENTICATE).filter_map(|value| value.to_str().ok()).find_map(Self::parse)
    }

    /// The demand in one value of `WWW-Authenticate`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let challenges = Scanner::new(text)?.challenges()?;
        let demand = challenges.iter().find(|challenge| {
            // DPoP-bound tokens are challenged by their own scheme (RFC 9449 section 7.1).
            let is_of_tokens = ["bearer", "dpop"].iter().any(|scheme| challenge.scheme.eq_ignore_ascii_case(scheme));
            is_of_tokens && challenge.parameter("error") == Some("insufficient_user_authentication")
        })?;
        let acr_values = Self::acr_values_from(demand.parameter("acr_values").unwrap_or_default())?;
        let max_age = match demand.parameter("max_age") {
            Some(text) => Some(Self::max_age_from(text)?),
            None => acr_values.is_empty().then_some(0),
        };
        Some(Self { acr_values, max_age })
    }

    /// Reads a list of class references, separated by spaces. `None` when it cannot be meant.
    #[must_use]
    pub fn acr_values_from(text: &str) -> Option<Vec<String>> {
        let values: Vec<String> = text.split(' ').filter(|value| !value.is_empty()).map(str::to_owned).collect();
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let are_plain = values.iter().all(|value| value.len() <= MAX_ACR_CHARS && value.bytes().all(is_plain));
        (values.len() <= MAX_ACR_VALUES && are_plain).then_some(values)
    }

    /// Reads a number of seconds, of nine digits at most.
    #[must_use]
    pub fn max_age_from(text: &str) -> Option<u32> {
        let are_digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        are_digits.then(|| text.parse().ok()).flatten()
    }

    /// What the client is told: the code, what is asked for, and the challenge for those that read it.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(&kinds::INSUFFICIENT_USER_AUTHENTICATION)
            .extension("acrValues", &self.acr_values)
            .extension("maxAge", self.max_age);
        match HeaderValue::try_from(self.to_string()) {
            Ok(challenge) => problem.header(WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }
}

/// As a challenge.
impl std::fmt::Display for StepUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer error=\"insufficient_user_authentication\"")?;
        if !self.acr_values.is_empty() {
            write!(f, ", acr_values=\"{}\"", self.acr_values.join(" "))?;
        }
        match self.max_age {
            Some(seconds) => write!(f, ", max_age=\"{seconds}\""),
            None => Ok(()),
        }
    }
}

/// A scheme with its parameters.
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a list of challenges. Whatever does not follow the grammar makes all of it unreadable.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let is_text = text.len() <= MAX_BYTES && text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
        is_text.then_some(Self { rest: text })
    }

    fn challenges(mut self) -> Option<Vec<Challenge>> {
        let mut challenges: Vec<Challenge> = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
            if self.rest.is_empty() {
                return Some(challenges);
            }
            let name = self.token()?;
            let after = self.rest.trim_start_matches([' ', '\t']);
            match after.strip_prefix('=') {
                // A parameter, and not a scheme: only one of them is followed by an equals sign.
                Some(value) => {
                    self.rest = value.trim_start_matches([' ', '\t']);
                    let value = if self.rest.starts_with('"') { self.quoted()? } else { self.token()?.to_owned() };
                    let parameters = &mut challenges.last_mut()?.parameters;
                    let name = name.to_ascii_lowercase();
                    if parameters.iter().any(|(known, _)| *known == name) {
                        return None;
                    }
                    parameters.push((name, value));
                    self.at_end_of_element()?;
                }
                None => challenges.push(Challenge { scheme: name.to_owned(), parameters: Vec::new() }),
            }
        }
    }

    fn at_end_of_element(&mut self) -> Option<()> {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        (self.rest.is_empty() || self.rest.starts_with(',')).then_some(())
    }

    /// RFC 9110 section 5.6.2.
    fn token(&mut self) -> Option<&'a str> {
        let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let end = self.rest.bytes().position(|byte| !is_of_token(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// RFC 9110 section 5.6.4. The quote has been seen and not taken.
    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                other => value.push(other),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
