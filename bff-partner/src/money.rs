//! Amounts of money as every answer shows them: decimal text and a currency. Partners book amounts in systems of all
//! kinds, and text is what none of them rounds.

use serde::{Deserialize, Serialize};
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// The amount, with as many decimal places as the currency has.
    #[schema(example = "129.90")]
    pub amount: String,
    /// The currency by its ISO 4217 code.
    #[schema(example = "EUR")]
    pub currency: String,
}

/// A text that is no amount of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal amount of its currency")]
pub struct NotAnAmount;

impl Money {
    /// From minor units: 1299 EUR are 12.99.
    #[must_use]
    pub fn from_minor(minor: i64, currency: &str) -> Self {
        let places = places(currency);
        let sign = if minor < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", minor.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let point = if places == 0 { "" } else { "." };
        Self { amount: format!("{sign}{whole}{point}{fraction}"), currency: currency.to_owned() }
    }

    /// From a plain decimal with at most the currency's places, such as `129.9`.
    ///
    /// # Errors
    /// [`NotAnAmount`] for anything else.
    pub fn from_decimal(text: &str, currency: &str) -> Result<Self, NotAnAmount> {
        let places = places(currency);
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let dangling = digits.ends_with('.');
        if whole.is_empty() || dangling || !plain(whole) || !plain(fraction) || fraction.len() > places {
            return Err(NotAnAmount);
        }
        let point = if places == 0 { "" } else { "." };
        Ok(Self { amount: format!("{sign}{whole}{point}{fraction:0<places$}"), currency: currency.to_owned() })
    }
}

fn places(currency: &str) -> usize {
    UNUSUAL_EXPONENTS.iter().find(|(code, _)| *code == currency).map_or(2, |(_, places)| *places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_become_decimals_of_their_currency() {
        for (minor, currency, expected) in [
            (1_299, "EUR", "12.99"),
            (5, "EUR", "0.05"),
            (-5, "EUR", "-0.05"),
            (0, "EUR", "0.00"),
            (1_300, "JPY", "1300"),
            (1_234, "KWD", "1.234"),
            (i64::MIN, "EUR", "-92233720368547758.08"),
        ] {
            assert_eq!(Money::from_minor(minor, currency).amount, expected);
        }
    }

    #[test]
    fn decimals_get_the_places_of_their_currency_and_nonsense_is_refused() {
        let amount = |text, currency| Money::from_decimal(text, currency).ok().map(|money| money.amount);
        assert_eq!(amount("129.9", "EUR").as_deref(), Some("129.90"));
        assert_eq!(amount("-1", "EUR").as_deref(), Some("-1.00"));
        assert_eq!(amount("7", "JPY").as_deref(), Some("7"));
        for text in ["", "-", ".", "1.", ".5", "1,5", "1e3", "+1", "1.234", "0x1", "NaN"] {
            assert_eq!(amount(text, "EUR"), None, "{text:?}");
        }
        assert_eq!(amount("1.5", "JPY"), None, "a yen has no smaller unit");
    }
}
