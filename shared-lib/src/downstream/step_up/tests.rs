//! Challenges as services write them, and as nobody should.

use proptest::prelude::*;

use super::*;

fn demand(acr_values: &[&str], max_age: Option<u32>) -> StepUp {
    StepUp { acr_values: acr_values.iter().map(|value| (*value).to_owned()).collect(), max_age }
}

/// Shows: W19
#[test]
fn a_demand_is_found_wherever_it_stands_in_the_challenges() {
    let cases = [
        // RFC 9470 section 3, figures 3 and 4.
        (
            r#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR""#,
            demand(&["myACR"], None),
        ),
        (
            r#"Bearer error="insufficient_user_authentication", error_description="More recent authentication is required", max_age="5""#,
            demand(&[], Some(5)),
        ),
        (
            r#"Basic realm="a, Bearer error=\"x\"", bearer Error=insufficient_user_authentication , ACR_VALUES = "a b" ,max_age=60"#,
            demand(&["a", "b"], Some(60)),
        ),
        (r#"DPoP error="insufficient_user_authentication", max_age=1, Negotiate"#, demand(&[], Some(1))),
        (r#"Bearer error="insufficient_user_authentication""#, demand(&[], Some(0))),
    ];
    for (text, expected) in cases {
        assert_eq!(StepUp::parse(text), Some(expected), "{text}");
    }
}

/// Shows: W19
#[test]
fn whatever_else_is_no_demand() {
    for text in [
        "",
        "Bearer",
        r#"Bearer error="invalid_token""#,
        r#"Basic error="insufficient_user_authentication", max_age=1"#,
        r#"error="insufficient_user_authentication""#,
        r#"Bearer error="insufficient_user_authentication", max_age="-1""#,
        r#"Bearer error="insufficient_user_authentication", max_age="1e3""#,
        r#"Bearer error="insufficient_user_authentication", max_age="99999999999""#,
        r#"Bearer error="insufficient_user_authentication", max_age=1, max_age=2"#,
        r#"Bearer error="insufficient_user_authentication", acr_values="a\"b""#,
        r#"Bearer error="insufficient_user_authentication" max_age=1"#,
        r#"Bearer error="insufficient_user_authentication"#,
        "Bearer error=\"insufficient_user_authentication\", acr_values=\"caf\u{e9}\"",
    ] {
        assert_eq!(StepUp::parse(text), None, "{text}");
    }
    let many = ["x"; MAX_ACR_VALUES + 1].join(" ");
    assert_eq!(StepUp::parse(&format!("Bearer error=insufficient_user_authentication, acr_values=\"{many}\"")), None);
}

proptest! {
    /// Shows: W19
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}|[ ,=\"\\\\A-Za-z_0-9]{0,200}") {
        let _ = StepUp::parse(&text);
    }

    /// Shows: W19
    #[test]
    fn a_demand_is_read_as_it_was_written(
        acr_values in prop::collection::vec("[!#-\\[\\]-~]{1,40}", 0..6),
        max_age in prop::option::of(0_u32..999_999_999),
    ) {
        let written = StepUp { acr_values, max_age: max_age.or(Some(0)) };
        prop_assert_eq!(StepUp::parse(&written.to_string()), Some(written.clone()));
        // In a longer list as well, and whatever stands in the other challenges.
        let among = format!("Basic realm=\"x\", {written}, Other a=b");
        prop_assert_eq!(StepUp::parse(&among), Some(written));
    }
}
