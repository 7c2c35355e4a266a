//! Reads a JSON body against what is allowed and collects everything that is wrong with it, each by its JSON Pointer (RFC
//! 6901). Deserializing into a struct would stop at the first fault.

use serde_json::{Map, Value};
use shared_lib::problem::{FieldError, Problem};

/// The longest name of a member that is shown again, in characters.
const MAX_SHOWN_CHARS: usize = 40;

/// The faults of a body that is being read.
#[derive(Debug, Default)]
pub struct BodyReader {
    errors: Vec<FieldError>,
}

impl BodyReader {
    /// Notes that something is wrong.
    pub fn reject(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    /// The object at `pointer`, which may have these members and no other.
    pub fn object<'a>(&mut self, value: &'a Value, pointer: &str, members: &[&str]) -> Option<&'a Map<String, Value>> {
        let Some(object) = value.as_object() else {
            self.reject(FieldError::body(pointer, "must be an object"));
            return None;
        };
        for name in object.keys().filter(|name| !members.contains(&name.as_str())) {
            let shown: String =
                name.chars().filter(|character| !character.is_control()).take(MAX_SHOWN_CHARS).collect();
            let shown = shown.replace('~', "~0").replace('/', "~1");
            self.reject(FieldError::body(format!("{pointer}/{shown}"), "is not a member here"));
        }
        Some(object)
    }

    /// The array that is the member `name` of the object at `pointer`.
    pub fn array<'a>(
        &mut self,
        object: &'a Map<String, Value>,
        pointer: &str,
        name: &str,
        entries: std::ops::RangeInclusive<usize>,
    ) -> &'a [Value] {
        match object.get(name).and_then(Value::as_array) {
            Some(array) if entries.contains(&array.len()) => array,
            _ => {
                let (min, max) = (entries.start(), entries.end());
                let detail = format!("must be an array of {min} to {max} entries");
                self.reject(FieldError::body(format!("{pointer}/{name}"), detail));
                &[]
            }
        }
    }

    /// The text that is the member `name` of the object at `pointer`, if `is_allowed` lets it pass.
    pub fn text(
        &mut self,
        object: &Map<String, Value>,
        pointer: &str,
        name: &str,
        expected: &str,
        is_allowed: impl Fn(&str) -> bool,
    ) -> String {
        match object.get(name).and_then(Value::as_str).filter(|text| is_allowed(text)) {
            Some(text) => text.to_owned(),
            None => {
                self.reject(FieldError::body(format!("{pointer}/{name}"), format!("must be {expected}")));
                String::new()
            }
        }
    }

    /// The whole number that is the member `name` of the object at `pointer`. To JSON, `2.0` is one as well.
    pub fn number(
        &mut self,
        object: &Map<String, Value>,
        pointer: &str,
        name: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and within the range")]
        let number = object
            .get(name)
            .and_then(Value::as_f64)
            .filter(|number| number.fract() == 0.0)
            .filter(|number| (f64::from(*range.start())..=f64::from(*range.end())).contains(number))
            .map(|number| number as u32);
        match number {
            Some(number) => number,
            None => {
                let detail = format!("must be a whole number from {} to {}", range.start(), range.end());
                self.reject(FieldError::body(format!("{pointer}/{name}"), detail));
                *range.start()
            }
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A `validation-failed` problem with every fault.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::validation(&self.errors)) }
    }
}

/// The id of a product as clients may write it.
#[must_use]
pub fn is_product_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
