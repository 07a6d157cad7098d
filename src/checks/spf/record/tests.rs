//! Records as they should be, and each way to spoil one.

use proptest::prelude::*;

use super::*;

fn directive(term: &str) -> Option<(SpfResult, Mechanism<'_>)> {
    let directive = Directive::read(term)?;
    assert_eq!(directive.written, term);
    Some((directive.result, directive.mechanism))
}

fn domain(text: &str) -> DomainSpec<'_> {
    DomainSpec::read(text).unwrap()
}

#[test]
fn records_are_told_from_other_texts() {
    for record in ["v=spf1", "V=sPf1 -all", "v=spf1  a "] {
        assert!(is_record(record), "{record}");
    }
    for other in [
        "",
        "v=spf10",
        "v=spf1mx",
        " v=spf1",
        "v=spf2.0/pra",
        "v=spf1\u{fffd}-all",
    ] {
        assert!(!is_record(other), "{other}");
    }
}

#[test]
fn a_record_has_directives_and_modifiers() {
    let text = "v=spf1 exp=e.example  MX -ALL redirect=%{d2} moo.cow=man:dog/cat ";
    let record = Record::read(text).unwrap();
    let written: Vec<_> = record
        .directives
        .iter()
        .map(|directive| directive.written)
        .collect();
    assert_eq!(written, ["MX", "-ALL"]);
    assert_eq!(record.explanation, Some(domain("e.example")));
    assert_eq!(record.redirect, Some(domain("%{d2}")));
}

#[test]
fn qualifiers_say_what_a_match_means() {
    for (term, result) in [
        ("all", SpfResult::Pass),
        ("+all", SpfResult::Pass),
        ("-all", SpfResult::Fail),
        ("~all", SpfResult::Softfail),
        ("?all", SpfResult::Neutral),
    ] {
        assert_eq!(directive(term), Some((result, Mechanism::All)));
    }
}

#[test]
fn mechanisms_are_read_with_their_arguments() {
    let lengths = |v4, v6| Lengths { v4, v6 };
    for (term, mechanism) in [
        ("include:a.example", Mechanism::Include(domain("a.example"))),
        (
            "exists:%{i}.a.example",
            Mechanism::Exists(domain("%{i}.a.example")),
        ),
        ("a", Mechanism::A(None, Lengths::WHOLE)),
        ("a/0", Mechanism::A(None, lengths(0, 128))),
        ("a//64", Mechanism::A(None, lengths(32, 64))),
        (
            "A:a.example/24//48",
            Mechanism::A(Some(domain("a.example")), lengths(24, 48)),
        ),
        (
            "a:b/c.example",
            Mechanism::A(Some(domain("b/c.example")), Lengths::WHOLE),
        ),
        (
            "mx:a.example",
            Mechanism::Mx(Some(domain("a.example")), Lengths::WHOLE),
        ),
        (
            "mx:%{d2/}",
            Mechanism::Mx(Some(domain("%{d2/}")), Lengths::WHOLE),
        ),
        ("ptr", Mechanism::Ptr(None)),
        ("ptr:a.example.", Mechanism::Ptr(Some(domain("a.example.")))),
        (
            "ip4:192.0.2.0/24",
            Mechanism::Ip4("192.0.2.0/24".parse().unwrap()),
        ),
        (
            "ip4:192.0.2.1",
            Mechanism::Ip4("192.0.2.1/32".parse().unwrap()),
        ),
        (
            "ip6:2001:DB8::/32",
            Mechanism::Ip6("2001:db8::/32".parse().unwrap()),
        ),
        (
            "ip6:::1.1.1.1/0",
            Mechanism::Ip6("::1.1.1.1/0".parse().unwrap()),
        ),
    ] {
        assert_eq!(
            directive(term),
            Some((SpfResult::Pass, mechanism)),
            "{term}"
        );
    }
}

#[test]
fn one_wrong_term_spoils_the_record() {
    for term in [
        "moo",
        "+",
        "--all",
        "all:x",
        "all/8",
        "all.",
        "include",
        "include:",
        "include:museum",
        "include:a.example/24",
        "exists",
        "a:",
        "a/",
        "a/33",
        "a//129",
        "a/24/64",
        "a/032",
        "a/00",
        "a:1.2.3.4",
        "a:a.example/33",
        "mx:",
        "mx/",
        "ptr:",
        "ptr/0",
        "ip4",
        "ip4:",
        "ip4:1.2.3",
        "ip4:1.2.3.4/",
        "ip4:1.2.3.4/33",
        "ip4:1.2.3.4/032",
        "ip4:1.2.3.4//32",
        "ip4:1.2.3.4:80",
        "ip4:01.2.3.4",
        "ip4:999.1.1.1",
        "ip6",
        "ip6:1.2.3.4",
        "ip6::CAFE::BABE",
        "ip6:::1/129",
        "ip6:fe80::1%eth0",
        "redirect:a.example",
        "redirect=",
        "redirect=museum",
        "exp=",
        "exp=-all",
        "1up=foo",
        "=all",
        "foo=%abc",
        "a.b/c=d",
        "ip4:192.0.2.5\u{fffd}",
        "\u{fffd}all",
        "a\tptr",
        "exp=%{r}.example",
    ] {
        let text = format!("v=spf1 ip4:192.0.2.1 {term} -all");
        assert_eq!(Record::read(&text).unwrap_err(), term, "{term}");
    }
}

#[test]
fn modifiers_that_are_known_stand_once() {
    for twice in ["redirect=a.example", "exp=a.example"] {
        let text = format!("v=spf1 {twice} {}", twice.to_uppercase());
        assert!(Record::read(&text).is_err(), "{text}");
    }
    assert!(Record::read("v=spf1 foo=a foo=a").is_ok());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "v=spf1( |[-~?+]|all|a|mx|ptr|ip4:|ip6:|include:|exists:|redirect=|exp=|x=|::|/|//|[0-9]{1,3}|[.]|%[{]d2r[}]|\\PC){0,20}") {
        match Record::read(&text) {
            Ok(record) => for directive in &record.directives {
                let again = Directive::read(directive.written);
                prop_assert_eq!(again.as_ref(), Some(directive));
            },
            Err(term) => prop_assert!(text.split(' ').any(|part| part == term)),
        }
    }
}
