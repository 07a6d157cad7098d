//! Tests of XCLIENT as it is written.

use super::*;
use crate::smtp::limits;

const ALL: Attributes = Attributes {
    name: true,
    address: true,
    port: true,
    protocol: true,
    helo: true,
};

fn written(takes: Attributes, name: &HostName, address: &str, helo: &str) -> String {
    let helo = HeloName::parse(helo).unwrap();
    let xclient = Xclient {
        name,
        address: address.parse().unwrap(),
        extended: true,
        helo: &helo,
    };
    let mut out = Vec::new();
    xclient.write(takes, &mut out);
    String::from_utf8(out).unwrap()
}

fn offered(lines: &[&'static str]) -> Option<Attributes> {
    let mut reply = Reply::new(250, None, "mail.example.com");
    reply.lines.extend(lines.iter().map(|line| (*line).into()));
    Attributes::from_ehlo_reply(&reply)
}

#[test]
fn what_a_server_takes() {
    assert_eq!(offered(&["SIZE 1", "PIPELINING"]), None);
    assert_eq!(offered(&["XFORWARD NAME ADDR"]), None);
    assert_eq!(offered(&["XCLIENT"]), Some(Attributes::default()));
    let postfix = "XCLIENT NAME ADDR PROTO HELO LOGIN REVERSE_NAME PORT DESTADDR DESTPORT";
    assert_eq!(offered(&["PIPELINING", postfix]), Some(ALL));
    let old = Attributes { port: false, ..ALL };
    assert_eq!(offered(&["xclient name addr proto helo"]), Some(old));
}

#[test]
fn to_the_letter() {
    let known = HostName::Known("mx.example.net".into());
    assert_eq!(
        written(ALL, &known, "192.0.2.7:40001", "client.example.net"),
        "XCLIENT ADDR=192.0.2.7 PORT=40001 PROTO=ESMTP NAME=mx.example.net HELO=client.example.net\r\n"
    );
    let unknown = HostName::Unavailable;
    assert_eq!(
        written(ALL, &unknown, "[2001:db8::7]:25", "[IPv6:2001:db8::7]"),
        "XCLIENT ADDR=IPV6:2001:db8::7 PORT=25 PROTO=ESMTP NAME=[UNAVAILABLE] HELO=[IPv6:2001:db8::7]\r\n"
    );
    let later = HostName::TemporarilyUnavailable;
    assert_eq!(
        written(ALL, &later, "[::ffff:192.0.2.7]:25", "a=b+c"),
        "XCLIENT ADDR=192.0.2.7 PORT=25 PROTO=ESMTP NAME=[TEMPUNAVAIL] HELO=a+3Db+2Bc\r\n"
    );
}

#[test]
fn nothing_that_is_not_offered() {
    let only = Attributes {
        address: true,
        ..Attributes::default()
    };
    let written = written(only, &HostName::Unavailable, "192.0.2.7:1", "c.example");
    assert_eq!(written, "XCLIENT ADDR=192.0.2.7\r\n");
}

#[test]
fn no_longer_than_a_command() {
    let long = "=".repeat(limits::HELO_NAME);
    let known = HostName::Known("n".repeat(255).into());
    let written = written(ALL, &known, "192.0.2.7:40001", &long);
    assert!(written.len() <= 512, "{}", written.len());
    assert!(written.starts_with("XCLIENT ADDR=192.0.2.7 PORT=40001 PROTO=ESMTP NAME=nnn"));
    assert!(!written.contains("HELO"), "{written}");
}
