//! Reads a query string against an allowlist and collects everything that is wrong with it.
//!
//! Deserializing into a struct would stop at the first wrong field and would take an unknown one in silence.

use std::{borrow::Cow, collections::BTreeMap, future::Ready, future::ready, str::FromStr};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use url::form_urlencoded;

use crate::problem::{FieldError, Problem};

/// A type that a screen's query string is read into.
pub trait FromQuery: Sized {
    /// Reads the parameters; what is wrong is left with the reader.
    fn from_query(query: &mut QueryReader<'_>) -> Self;
}

/// Extracts a [`FromQuery`] type; answers a `validation-failed` problem that lists every wrong parameter.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: FromQuery> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut reader = QueryReader::new(request.query_string());
        let value = T::from_query(&mut reader);
        ready(reader.finish().map(|()| Self(value)))
    }
}

/// A query string that is being read.
#[derive(Debug)]
pub struct QueryReader<'a> {
    parameters: BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>,
    errors: Vec<FieldError>,
    refusal: Option<Problem>,
}

impl<'a> QueryReader<'a> {
    /// Parses the text after the `?` as `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn new(query: &'a str) -> Self {
        let mut parameters: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parameters.entry(name).or_default().push(value);
        }
        Self { parameters, errors: Vec::new(), refusal: None }
    }

    /// The parameter's text. One that is given more than once is refused, because proxies and servers disagree on
    /// which one counts.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let values = self.parameters.remove(name)?;
        if values.len() > 1 {
            self.reject(FieldError::query(name, "must be given once"));
            return None;
        }
        values.into_iter().next().map(Cow::into_owned)
    }

    /// The parameter as a `T`; `expected` says what would be right ("a whole number from 1").
    pub fn parsed<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.reject(FieldError::query(name, format!("must be {expected}")));
        }
        value
    }

    /// Notes that something is wrong.
    pub fn reject(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    /// Notes that the query is refused for something with a code of its own. What is wrong with single parameters is
    /// said first.
    pub fn refuse(&mut self, problem: Problem) {
        self.refusal.get_or_insert(problem);
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A `validation-failed` problem with every wrong parameter, unknown ones included; then what was refused otherwise.
    pub fn finish(mut self) -> Result<(), Problem> {
        let unknown = self.parameters.keys().map(|name| FieldError::query(shortened(name), "is not a parameter here"));
        self.errors.extend(unknown);
        if self.errors.is_empty() { self.refusal.map_or(Ok(()), Err) } else { Err(Problem::validation(&self.errors)) }
    }
}

/// A name from outside is shown, but not at any length.
fn shortened(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(40).collect()
}
