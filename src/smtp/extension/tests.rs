//! Tests of the extensions offered and learnt.

use super::*;

fn all() -> Extensions {
    Extensions {
        size: Some(1000),
        eight_bit_mime: true,
        smtputf8: true,
        dsn: true,
        enhanced_status_codes: true,
        pipelining: true,
        chunking: true,
        starttls: true,
        auth: Some("PLAIN LOGIN".into()),
    }
}

fn learnt(lines: &[&'static str]) -> Extensions {
    let mut reply = Reply::new(250, None, "PIPELINING DSN is no keyword here");
    reply
        .lines
        .extend(lines.iter().map(|line| Cow::Borrowed(*line)));
    Extensions::from_ehlo_reply(&reply)
}

#[test]
fn what_is_offered_is_learnt() {
    for offer in [
        all(),
        Extensions::default(),
        Extensions {
            size: Some(0),
            ..all()
        },
    ] {
        let reply = offer.ehlo_reply("mx.example", "client.example");
        assert_eq!(reply.lines[0], "mx.example Hello client.example");
        assert_eq!(Extensions::from_ehlo_reply(&reply), offer);
    }
}

#[test]
fn exim_reply_is_reduced_to_the_list() {
    let exim = learnt(&[
        "SIZE 52428800",
        "8BITMIME",
        "PIPELINING",
        "PIPECONNECT",
        "CHUNKING",
        "STARTTLS",
        "PRDR",
        "HELP",
    ]);
    let expected = Extensions {
        size: Some(52_428_800),
        eight_bit_mime: true,
        pipelining: true,
        chunking: true,
        starttls: true,
        ..Extensions::default()
    };
    assert_eq!(exim, expected);
    let ours = all().intersect(&exim).ehlo_reply("mx", "c").lines;
    let expected = [
        "mx Hello c",
        "SIZE 1000",
        "PIPELINING",
        "8BITMIME",
        "CHUNKING",
        "ENHANCEDSTATUSCODES",
        "STARTTLS",
    ];
    assert_eq!(ours, expected);
}

#[test]
fn private_keywords_do_not_exist() {
    let lines = [
        "PIPECONNECT",
        "XCLIENT NAME ADDR",
        "XFORWARD",
        "ETRN",
        "VRFY",
        "EXPN",
        "BINARYMIME",
        "REQUIRETLS",
        "BURL",
        "ATRN",
        "VERB",
        "ONEX",
        "LIMITS RCPTMAX=1",
        "MT-PRIORITY",
        "DELIVERBY",
        "AUTH=LOGIN",
        "",
        " ",
    ];
    assert_eq!(learnt(&lines), Extensions::default());
}

#[test]
fn keywords_in_any_case_with_odd_spaces_and_bad_parameters() {
    assert_eq!(
        learnt(&["size  77 ", "dsn"]),
        Extensions {
            size: Some(77),
            dsn: true,
            ..Extensions::default()
        }
    );
    for bad in [
        "SIZE x",
        "SIZE -1",
        "SIZE +1",
        "SIZE 99999999999999999999",
        "DSN now",
        "AUTH",
        "AUTH !",
    ] {
        assert_eq!(learnt(&[bad]), Extensions::default(), "{bad}");
    }
    assert_eq!(
        learnt(&["auth plain x! cram-md5"]).auth.as_deref(),
        Some("PLAIN CRAM-MD5")
    );
}

#[test]
fn intersection() {
    assert_eq!(all().intersect(&all()), all());
    let none = all().intersect(&Extensions::default());
    let ours = Extensions {
        pipelining: true,
        starttls: true,
        enhanced_status_codes: true,
        ..Extensions::default()
    };
    assert_eq!(none, ours);
    assert_eq!(
        Extensions::default().intersect(&all()),
        Extensions::default()
    );
    let with = |size, auth: &str| Extensions {
        size,
        auth: Some(auth.into()),
        ..all()
    };
    for (ours, theirs, both) in [(0, 0, 0), (0, 5, 5), (5, 0, 5), (5, 6, 5), (6, 5, 5)] {
        assert_eq!(
            with(Some(ours), "PLAIN")
                .intersect(&with(Some(theirs), "PLAIN"))
                .size,
            Some(both)
        );
    }
    assert_eq!(
        with(None, "PLAIN LOGIN")
            .intersect(&with(None, "LOGIN XOAUTH2"))
            .auth
            .as_deref(),
        Some("LOGIN")
    );
    assert_eq!(
        with(None, "PLAIN").intersect(&with(None, "LOGIN")).auth,
        None
    );
}

#[test]
fn too_big() {
    let limit = |size| Extensions {
        size,
        ..Extensions::default()
    };
    assert!(limit(Some(5)).is_too_big(6));
    assert!(
        !limit(Some(5)).is_too_big(5)
            && !limit(Some(0)).is_too_big(6)
            && !limit(None).is_too_big(6)
    );
}
