//! Amounts of money as every screen shows them: whole minor units and a currency, so that no app computes with
//! floating point.

use serde::Serialize;
use utoipa::ToSchema;

/// Currencies of ISO 4217 whose minor unit is not a hundredth, with the number of its decimal places.
const UNUSUAL_EXPONENTS: [(&str, usize); 12] = [
    ("CLP", 0),
    ("ISK", 0),
    ("JPY", 0),
    ("KRW", 0),
    ("PYG", 0),
    ("UGX", 0),
    ("VND", 0),
    ("BHD", 3),
    ("JOD", 3),
    ("KWD", 3),
    ("OMR", 3),
    ("TND", 3),
];

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Money {
    /// The amount in minor units: 1299 EUR are 12.99 euros.
    #[schema(example = 1299)]
    pub minor: i64,
    /// The currency by its ISO 4217 code.
    #[schema(example = "EUR")]
    pub currency: String,
}

/// A text that is no amount of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal amount of its currency")]
pub struct NotAnAmount;

impl Money {
    /// Reads a plain decimal, such as `129.90`, with at most the currency's decimal places.
    ///
    /// # Errors
    /// [`NotAnAmount`] for anything else, amounts beyond 64 bits included.
    pub fn from_decimal(text: &str, currency: &str) -> Result<Self, NotAnAmount> {
        let exponent = UNUSUAL_EXPONENTS.iter().find(|(code, _)| *code == currency).map_or(2, |(_, places)| *places);
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let dangling = digits.ends_with('.');
        if whole.is_empty() || dangling || !plain(whole) || !plain(fraction) || fraction.len() > exponent {
            return Err(NotAnAmount);
        }
        let minor = format!("{sign}{whole}{fraction:0<exponent$}").parse().map_err(|_| NotAnAmount)?;
        Ok(Self { minor, currency: currency.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(text: &str, currency: &str) -> Option<i64> {
        Money::from_decimal(text, currency).ok().map(|money| money.minor)
    }

    #[test]
    fn decimals_become_minor_units_of_their_currency() {
        assert_eq!(minor("129.90", "EUR"), Some(12_990));
        assert_eq!(minor("129.9", "EUR"), Some(12_990));
        assert_eq!(minor("-0.05", "EUR"), Some(-5));
        assert_eq!(minor("1300", "JPY"), Some(1_300));
        assert_eq!(minor("1.234", "KWD"), Some(1_234));
    }

    #[test]
    fn what_is_not_exactly_an_amount_is_refused() {
        for text in ["", "-", ".", "1.", ".5", "1,5", "1e3", "+1", "1.234", "0x1", "NaN", "92233720368547758.08"] {
            assert_eq!(minor(text, "EUR"), None, "{text:?}");
        }
        assert_eq!(minor("1.5", "JPY"), None, "a yen has no smaller unit");
    }
}
