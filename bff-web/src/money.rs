//! Amounts of money as they go to the browser: a decimal text and a currency, never a binary fraction.

use serde::Serialize;
use utoipa::ToSchema;

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Money {
    /// A decimal number with as many places as the currency has.
    #[schema(example = "1234.56")]
    pub amount: String,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
}

impl Money {
    /// From minor units, such as cents.
    #[must_use]
    pub fn from_minor(minor: i64, currency: String) -> Self {
        Self { amount: decimal(minor, minor_places(&currency)), currency }
    }

    /// The nearest binary fraction, for contracts that were published with a number. The amount is a decimal, whoever made
    /// it: [`from_minor`](Self::from_minor), or a service whose texts are checked when they are read.
    #[must_use]
    pub fn to_number(&self) -> f64 {
        debug_assert!(self.amount.parse::<f64>().is_ok(), "an amount is a decimal");
        self.amount.parse().unwrap_or(f64::NAN)
    }
}

/// How many decimal places a currency has (ISO 4217, column "minor unit"; those that have not two).
fn minor_places(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

fn decimal(minor: i64, places: u32) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let (units, factor) = (minor.unsigned_abs(), 10_u64.pow(places));
    match places {
        0 => format!("{sign}{units}"),
        _ => format!("{sign}{}.{:0width$}", units / factor, units % factor, width = places as usize),
    }
}

/// The most digits of a price before its point.
const MAX_WHOLE_DIGITS: usize = 12;

/// Reads a price that someone typed: at most twelve digits, and at most two more behind a point. In minor units.
#[must_use]
pub fn parse_minor(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = (1..=MAX_WHOLE_DIGITS).contains(&whole.len()) && fraction.len() <= 2;
    if !fits || text.ends_with('.') || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let cents = format!("{fraction:0<2}").parse::<u64>().ok()?;
    Some(whole.parse::<u64>().ok()? * 100 + cents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_become_a_decimal_with_the_places_of_the_currency() {
        for (minor, currency, expected) in [
            (123_456, "EUR", "1234.56"),
            (5, "EUR", "0.05"),
            (-5, "EUR", "-0.05"),
            (0, "EUR", "0.00"),
            (1_299, "JPY", "1299"),
            (1_299, "KWD", "1.299"),
            (i64::MIN, "EUR", "-92233720368547758.08"),
        ] {
            assert_eq!(Money::from_minor(minor, currency.to_owned()).amount, expected, "{minor} {currency}");
        }
    }

    #[test]
    fn a_typed_price_is_digits_with_at_most_two_places() {
        for (text, expected) in [("12", 1_200), ("12.5", 1_250), ("12.05", 1_205), ("0", 0), ("0.01", 1)] {
            assert_eq!(parse_minor(text), Some(expected), "{text}");
        }
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1.234", "1,5", "1e3", " 1", "99999999999999999999", "184467440737095517"]
        {
            assert_eq!(parse_minor(text), None, "{text}");
        }
    }
}
