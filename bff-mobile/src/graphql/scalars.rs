//! The two values for which the language has no type of its own. `Int` has 32 bits there, which an amount can pass.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use jiff::Timestamp;

/// A whole number of up to 64 bits, as a JSON number.
#[derive(Clone, Copy)]
pub struct Long(pub i64);

/// A whole number of up to 64 bits, as a JSON number.
#[Scalar]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => {
                number.as_i64().map(Self).ok_or_else(|| InputValueError::custom("must be a whole number"))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

/// A moment as RFC 3339 writes it, in UTC.
#[derive(Clone, Copy)]
pub struct DateTime(pub Timestamp);

/// A moment as RFC 3339 writes it, in UTC.
#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse::<Timestamp>()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}
