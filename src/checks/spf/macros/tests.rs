//! The examples of RFC 7208 §7.4, and what is wrong.

use proptest::prelude::*;

use super::*;

/// The values of RFC 7208 §7.4.
fn value(letter: char) -> Result<Value<'static>, ()> {
    let value = match letter {
        's' => "strong-bad@email.example.com",
        'l' => "strong-bad",
        'o' | 'd' => "email.example.com",
        'i' => "192.0.2.3",
        'v' => "in-addr",
        'h' => "mx[1] \"x\"",
        _ => return Ok(None),
    };
    Ok(Some(value.into()))
}

fn expanded(text: &str) -> Option<String> {
    expand(text, Place::Record, value).unwrap()
}

#[test]
fn examples_of_rfc_7208_7_4() {
    for (text, expected) in [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        (
            "%{ir}.%{v}._spf.%{d2}",
            "3.2.0.192.in-addr._spf.example.com",
        ),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        (
            "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
            "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
        ),
        (
            "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
            "3.2.0.192.in-addr.strong.lp._spf.example.com",
        ),
        (
            "%{d2}.trusted-domains.example.net",
            "example.com.trusted-domains.example.net",
        ),
    ] {
        assert_eq!(expanded(text).as_deref(), Some(expected), "{text}");
        assert!(DomainSpec::read(text).is_some(), "{text}");
    }
}

#[test]
fn letters_in_upper_case_escape_as_in_a_url() {
    assert_eq!(expanded("%{H}").as_deref(), Some("mx%5B1%5D%20%22x%22"));
    assert_eq!(
        expanded("%{S}").as_deref(),
        Some("strong-bad%40email.example.com")
    );
    assert_eq!(expanded("%{DR}").as_deref(), Some("com.example.email"));
    assert_eq!(expanded("%%%_%-").as_deref(), Some("% %20"));
}

#[test]
fn wrong_macros_are_told() {
    for text in [
        "%",
        "a%",
        "%a",
        "%{",
        "%{d",
        "%{}",
        "%{x}",
        "%{d0}",
        "%{d00}",
        "%{dr2}",
        "%{d2 }",
        "%{dd}",
        "%{c}",
        "%{r}",
        "%{t}",
        "a b",
        "a\u{fffd}",
        "%(d)",
    ] {
        assert!(!is_macro_string(text, Place::Record), "{text}");
        assert_eq!(expanded(text), None, "{text}");
    }
    assert!(is_macro_string("", Place::Record));
    assert!(is_macro_string(
        "see %{c} at %{t} on %{R}",
        Place::Explanation
    ));
    assert!(!is_macro_string("see\u{fffd}", Place::Explanation));
}

#[test]
fn digits_of_any_size_are_read() {
    assert_eq!(
        expanded("%{d99999999999999999999999}").as_deref(),
        Some("email.example.com")
    );
    assert_eq!(expanded("%{d01}").as_deref(), Some("com"));
}

#[test]
fn a_macro_without_a_value_leaves_nothing() {
    assert_eq!(expanded("a.%{p}.example"), None);
}

#[test]
fn expansions_are_bounded() {
    assert!(expanded(&"%{s}".repeat(100)).is_some());
    assert_eq!(expanded(&"%{s}".repeat(1000)), None);
}

#[test]
fn domain_specs_end_like_domains() {
    for good in [
        "a.example",
        "a.example.",
        "%{d}",
        "a.%%",
        "foo:bar/baz.example.com",
        "_x.a-b.c-d",
        "a.1x",
        "%{d}.1-1",
        "a...b",
    ] {
        assert!(DomainSpec::read(good).is_some(), "{good}");
    }
    for bad in [
        "",
        ".",
        "museum",
        "museum.",
        "a.-com",
        "a.com-",
        "a.123",
        "1.2.3.4",
        "a.b/24",
        "a.b:80",
        "%{d}com",
        "%{d}.",
        "a.b..",
        "a.ex_ample",
        "a b.example",
        "a.example\u{fffd}",
    ] {
        assert!(DomainSpec::read(bad).is_none(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_spec_that_expands_or_is_none(text in "(%|[{}]|[a-z]|[0-9]|[.:/_=+,-]|[A-Z]|%[{][slodiphvr][0-9r.-]{0,3}[}]|\\PC){0,20}") {
        let right = is_macro_string(&text, Place::Record);
        prop_assert_eq!(DomainSpec::read(&text).is_some() && !right, false);
        let all = expand(&text, Place::Record, |_| Ok::<_, ()>(Some("a.b".into())));
        prop_assert_eq!(all.unwrap().is_some(), right);
    }
}
