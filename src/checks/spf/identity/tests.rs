//! Who is judged, and what is said about him.

use super::*;
use crate::facts::{Client, Fact, Helo, Mail, Millis, Stage};

fn facts(helo: Option<&str>, path: Option<&str>) -> Facts {
    let (client, local) = ("192.0.2.1:2525".parse(), "198.51.100.1:25".parse());
    let mut facts = Facts::new(Client::new(client.unwrap(), local.unwrap(), "mx"));
    if let Some(name) = helo {
        let helo = Helo {
            extended: true,
            name: name.parse().unwrap(),
        };
        facts.push(Stage::Helo, Millis(1), Fact::Helo(Box::new(helo)));
    }
    if let Some(path) = path {
        let path = path.parse().unwrap();
        let mail = Mail { path, size: None };
        facts.push(Stage::Mail, Millis(2), Fact::Mail(Box::new(mail)));
    }
    facts
}

fn evaluation(result: SpfResult, domain: &str, because: &'static str) -> Evaluation<'static> {
    Evaluation {
        result,
        domain: domain.to_owned(),
        because: because.into(),
        explanation: None,
    }
}

#[test]
fn the_sender_is_judged_and_helo_for_the_null_sender() {
    for (path, local_part, domain) in [
        ("<a@Example.org>", "a", "Example.org"),
        ("<\"a \\b\"@example.org>", "a b", "example.org"),
        ("<a@bücher.example>", "a", "xn--bcher-kva.example"),
        ("<ä@example.org>", "ä", "example.org"),
        ("<a@[192.0.2.1]>", "a", ""),
        ("<>", "", "mx.example.net"),
    ] {
        let facts = facts(Some("mx.example.net"), Some(path));
        let identity = Identity::of(&facts).unwrap();
        let found = (identity.local_part.as_ref(), identity.domain.as_ref());
        assert_eq!(found, (local_part, domain), "{path}");
    }
}

#[test]
fn a_helo_name_that_is_no_domain_has_no_record() {
    for name in ["[192.0.2.1]", "a..b", "-a.example", "[x"] {
        let facts = facts(Some(name), Some("<>"));
        let identity = Identity::of(&facts).unwrap();
        assert_eq!(identity.domain, "", "{name}");
        let evidence = identity.evidence(&evaluation(SpfResult::None, "", ""), None);
        assert_eq!(
            evidence,
            format!("sends for HELO {name}, which has no SPF record")
        );
    }
}

#[test]
fn there_is_nobody_to_judge_before_mail() {
    assert_eq!(Identity::of(&facts(Some("mx.example.net"), None)), None);
    assert_eq!(Identity::of(&facts(None, Some("<>"))), None);
    let mut over = facts(Some("mx.example.net"), Some("<a@example.org>"));
    over.push(Stage::Mail, Millis(3), Fact::Reset);
    assert_eq!(Identity::of(&over), None);
}

#[test]
fn what_strangers_wrote_is_cut_and_cleaned() {
    let facts = facts(None, Some("<a@example.org>"));
    let identity = Identity::of(&facts).unwrap();
    let long = "x".repeat(300);
    let mut fail = evaluation(SpfResult::Fail, "example.org", "-all");
    let evidence = identity.evidence(&fail, Some("go\u{fffd} away\r\n250 ok"));
    assert_eq!(
        evidence,
        "may not send for example.org (-all): example.org explains: go? away??250 ok"
    );
    fail.because = long.clone().into();
    let evidence = identity.evidence(&fail, Some(&long));
    assert_eq!(
        evidence.matches('x').count(),
        BECAUSE_MAX + WORDS_MAX + "example explains".matches('x').count() + 1
    );
    assert!(evidence.ends_with("x..."), "{evidence}");
}

#[test]
fn a_record_of_another_domain_is_named() {
    let facts = facts(None, Some("<a@example.org>"));
    let identity = Identity::of(&facts).unwrap();
    let evidence =
        |result, domain, because| identity.evidence(&evaluation(result, domain, because), None);
    assert_eq!(
        evidence(SpfResult::Softfail, "_spf.example.net", "~all"),
        "should not send for example.org (~all of _spf.example.net)"
    );
    assert_eq!(
        evidence(SpfResult::Pass, "EXAMPLE.ORG", "mx"),
        "may send for example.org (mx)"
    );
}
