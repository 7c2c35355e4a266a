//! JSON objects in which no name stands twice.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 let a reader refuse duplicate names or take the last. Two readers that
//! choose differently read two different tokens under one signature, so they are refused here, at every depth.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::TokenError;

/// Reads one JSON object.
///
/// # Errors
/// [`TokenError::Malformed`] when it is none, [`TokenError::Duplicate`] when a name stands twice.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, TokenError> {
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(Value::Object(members))) => Ok(members),
        Ok(_) => Err(TokenError::Malformed),
        // Any JSON is of the right shape for a `Strict`, so the one error about data is ours.
        Err(error) if error.is_data() => Err(TokenError::Duplicate),
        Err(_) => Err(TokenError::Malformed),
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate names")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_it_is() {
        let text = br#"{"a":1,"b":[true,null,-2,1.5,"x"],"c":{"a":{}}}"#;
        let expected: Value = serde_json::from_slice(text).expect("valid JSON");
        assert_eq!(object(text).map(Value::Object), Ok(expected));
    }

    /// Shows: M1
    #[test]
    fn a_name_that_stands_twice_is_refused_at_every_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"b":2}]}"#, r#"{"a":1,"\u0061":1}"#]
        {
            assert_eq!(object(text.as_bytes()), Err(TokenError::Duplicate), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        let deep = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
        for text in ["", "1", "[]", "null", "{", r#"{"a":}"#, r#"{"a":1}x"#, r#"{"a":1e999}"#, "\u{feff}{}", &deep] {
            assert_eq!(object(text.as_bytes()), Err(TokenError::Malformed), "{text:.20}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(TokenError::Malformed));
    }
}
