//! What is a path and what is not.

use super::*;

fn mailbox(text: &str) -> String {
    Mailbox::parse(text).map_or_else(
        || format!("refused {text:?}"),
        |mailbox| mailbox.to_string(),
    )
}

#[test]
fn mailboxes_are_kept_as_written() {
    let good = [
        "a@b",
        "A.b+c@Example.COM",
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "a@[x:y>z]",
        r#""a b"@c"#,
        r#""a\"b\\"@c"#,
        r#""a>b"@c"#,
        r#"""@c"#,
        r#""a@b"@c"#,
        "!#$%&'*+-/=?^_`{|}~@c",
        "a@under_score.example",
        "ü@ä.example",
    ];
    for good in good {
        assert_eq!(mailbox(good), good);
    }
}

#[test]
fn what_is_no_mailbox() {
    let bad = [
        "",
        "@",
        "abc@",
        "@b",
        "abc",
        "a@b.",
        "a@-b",
        "a@b-",
        "a@b/c",
        "a@b!c",
        "a..b@c",
        ".a@c",
        "a.@c",
        "a b@c",
        "a@b c",
        "a@b@c",
        "a\x7f@c",
        "a\x01@c",
        "\"a@c",
        "\"a\"b@c",
        "\"a\x01\"@c",
        "\"a\\",
        "\"a\"",
        "a\"b@c",
        "a@[192.0.2.1",
        "a@[999.0.2.1]",
        "a@[192.0.2.1]x",
        "(a)@c",
        "a,b@c",
        "a:b@c",
        "a;b@c",
        "<a@b>",
        "a\\b@c",
        "a\u{85}@c",
        "a\u{2028}@c",
    ];
    for bad in bad {
        assert!(Mailbox::parse(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn limits_of_rfc_5321() {
    let local = "a".repeat(64);
    assert!(Mailbox::parse(&format!("{local}@b")).is_some());
    let label = "b".repeat(63);
    let domain = format!("{label}.{label}.{}", "b".repeat(61));
    let path = format!("<{local}@{domain}>");
    assert_eq!(path.len(), limits::PATH);
    assert!(ReversePath::parse(&path).is_some());
    assert!(ReversePath::parse(&path.replace('>', "b>")).is_none());
    let route = format!("<@{domain},@{domain}:{}", &path[1..]);
    assert_eq!(ReversePath::parse(&route), ReversePath::parse(&path));
}

#[test]
fn local_parts_of_real_senders_are_longer_than_64() {
    let srs = "<SRS0+aBcD=7F=example.org=list-bounces+user.with.a.long.name=example.com@forwarder.example.net>";
    assert_eq!(ReversePath::parse(srs).unwrap().to_string(), srs);
    let longest = "a".repeat(limits::LOCAL_PART);
    assert!(Mailbox::parse(&format!("{longest}@b")).is_some());
    assert!(Mailbox::parse(&format!("{longest}a@b")).is_none());
}

#[test]
fn reverse_paths() {
    assert_eq!(ReversePath::parse("<>"), Some(ReversePath::Null));
    assert_eq!(
        ReversePath::parse("<@a,@b:user@c>").unwrap().to_string(),
        "<user@c>"
    );
    for bad in [
        "",
        "<",
        ">",
        "< >",
        "a@b",
        "<a@b",
        "<a@b>x",
        "<<a@b>>",
        "<@a:>",
        "<@a,b:c@d>",
    ] {
        assert!(ReversePath::parse(bad).is_none(), "{bad:?}");
    }
    for bad in [
        "<postmaster>",
        "<@:a@b>",
        "<@a;a@b>",
        "<a@b> ",
        " <a@b>",
        "<@a..b:c@d>",
    ] {
        assert!(ReversePath::parse(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn forward_paths() {
    let bare = ForwardPath::parse("<PostMaster>").unwrap();
    assert!(matches!(&bare, ForwardPath::Postmaster(name) if name.as_str() == "PostMaster"));
    assert_eq!(bare.to_string(), "<PostMaster>");
    let full = ForwardPath::parse("<@relay:postmaster@b>").unwrap();
    assert_eq!(full.to_string(), "<postmaster@b>");
    for bad in [
        "<>",
        "<abuse>",
        "<\"postmaster\">",
        "<postmaster@>",
        "<@a:postmaster>",
    ] {
        assert!(ForwardPath::parse(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn the_path_ends_at_the_right_bracket() {
    let (path, rest) = ReversePath::take(r#"<"a>b\">"@c> SIZE=1"#).unwrap();
    assert_eq!(
        (path.to_string().as_str(), rest),
        (r#"<"a>b\">"@c>"#, " SIZE=1")
    );
    let (path, rest) = ReversePath::take("<a@[x:y>z]>>").unwrap();
    assert_eq!((path.to_string().as_str(), rest), ("<a@[x:y>z]>", ">"));
}

#[test]
fn unquoting() {
    let unquoted = |text| LocalPart::parse(text).unwrap().unquoted().into_owned();
    assert_eq!(unquoted("abuse"), "abuse");
    assert_eq!(unquoted(r#""abuse""#), "abuse");
    assert_eq!(unquoted(r#""ab\use""#), "abuse");
    assert_eq!(unquoted(r#""a\\\"b""#), r#"a\"b"#);
    assert_eq!(unquoted(r#""""#), "");
}

#[test]
fn utf8_is_noticed() {
    assert!(Mailbox::parse("ü@b").unwrap().needs_smtputf8());
    assert!(Mailbox::parse("a@ü").unwrap().needs_smtputf8());
    assert!(!Mailbox::parse("a@b").unwrap().needs_smtputf8());
    assert!(!ReversePath::Null.needs_smtputf8());
    assert!(!ForwardPath::parse("<postmaster>").unwrap().needs_smtputf8());
}

#[test]
fn serde_goes_through_the_parser() {
    let path: ForwardPath = serde_json::from_str(r#""<\"a b\"@c>""#).unwrap();
    assert_eq!(serde_json::to_string(&path).unwrap(), r#""<\"a b\"@c>""#);
    assert!(serde_json::from_str::<ForwardPath>(r#""<a@b>\r\nDATA""#).is_err());
    assert!(serde_json::from_str::<ReversePath>(r#""a@b""#).is_err());
}
