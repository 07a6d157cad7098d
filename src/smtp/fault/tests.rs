//! Replies to faults: codes that agree with each other, texts that can be sent, stable names.

use super::*;
use crate::smtp::reply::ReplyClass;

/// One of each kind, with each verb and protocol where there is one.
fn all() -> Vec<Fault> {
    let plain = [
        Fault::BareLf,
        Fault::BareCr,
        Fault::Nul,
        Fault::ControlCharacter,
        Fault::LineTooLong,
        Fault::EndlessLine,
        Fault::EightBit,
        Fault::UnknownVerb,
        Fault::UnknownMechanism,
        Fault::Pipelining,
        Fault::GroupBreak,
        Fault::MailBeforeEhloReply,
        Fault::DataBefore354,
        Fault::BytesAfterStartTls,
        Fault::TooManyRecipients,
        Fault::MessageTooBig,
        Fault::TooManyErrors,
        Fault::BodyBareLf,
        Fault::BodyBareCr,
        Fault::BodyNul,
        Fault::BodyLookAlikeEnd,
        Fault::BodyLineTooLong,
    ];
    let protocols = [
        Protocol::Http,
        Protocol::Tls,
        Protocol::Rdp,
        Protocol::Socks,
        Protocol::Ssh,
        Protocol::HeaderLine,
    ];
    let with_verb = [
        Fault::Syntax,
        Fault::UnknownParameter,
        Fault::BadParameter,
        Fault::OutOfOrder,
        Fault::InVain,
        Fault::NotOffered,
    ];
    let verbs = Verb::ALL
        .into_iter()
        .flat_map(|verb| with_verb.map(|fault| fault(verb)));
    plain
        .into_iter()
        .chain(protocols.map(Fault::Foreign))
        .chain(verbs)
        .collect()
}

#[test]
fn code_and_enhanced_code_agree() {
    for fault in all() {
        let reply = fault.reply();
        let enhanced = reply.enhanced.unwrap();
        assert_eq!(u16::from(enhanced.class), reply.code / 100, "{fault:?}");
        assert!(matches!(
            reply.class(),
            ReplyClass::Permanent | ReplyClass::Transient
        ));
        let mut out = Vec::new();
        reply.write(&mut out);
        assert!(out.len() < 120, "room for the session id: {fault:?}");
    }
}

#[test]
fn who_is_cut_is_told() {
    for fault in all().into_iter().filter(Fault::is_fatal) {
        let (code, _, text) = fault.words();
        let told = matches!(code, 421 | 521) || text.ends_with("closing connection");
        // BDAT out of order or not offered keeps the code RFC 5321 gives it.
        let is_bdat = matches!(
            fault,
            Fault::OutOfOrder(Verb::Bdat) | Fault::NotOffered(Verb::Bdat)
        );
        assert!(told || is_bdat, "{fault:?}");
    }
}

#[test]
fn codes_of_the_standards() {
    let code = |fault: Fault| {
        let reply = fault.reply();
        let enhanced = reply.enhanced.unwrap();
        (
            reply.code,
            enhanced.class,
            enhanced.subject,
            enhanced.detail,
        )
    };
    assert_eq!(code(Fault::BareLf), (500, 5, 5, 2));
    assert_eq!(code(Fault::UnknownVerb), (500, 5, 5, 2));
    assert_eq!(code(Fault::LineTooLong), (500, 5, 5, 2));
    assert_eq!(code(Fault::Syntax(Verb::Ehlo)), (501, 5, 5, 4));
    assert_eq!(code(Fault::Syntax(Verb::Mail)), (501, 5, 1, 7));
    assert_eq!(code(Fault::Syntax(Verb::Rcpt)), (501, 5, 1, 3));
    assert_eq!(code(Fault::BadParameter(Verb::Mail)), (501, 5, 5, 4));
    assert_eq!(code(Fault::UnknownParameter(Verb::Mail)), (555, 5, 5, 4));
    assert_eq!(code(Fault::OutOfOrder(Verb::Rcpt)), (503, 5, 5, 1));
    assert_eq!(code(Fault::NotOffered(Verb::Expn)), (502, 5, 5, 1));
    assert_eq!(code(Fault::UnknownMechanism), (504, 5, 5, 4));
    assert_eq!(code(Fault::EightBit), (553, 5, 6, 7));
    assert_eq!(code(Fault::Foreign(Protocol::Http)), (521, 5, 5, 1));
    assert_eq!(code(Fault::TooManyRecipients), (452, 4, 5, 3));
    assert_eq!(code(Fault::MessageTooBig), (552, 5, 3, 4));
    assert_eq!(code(Fault::TooManyErrors), (421, 4, 7, 0));
    assert_eq!(code(Fault::BodyLookAlikeEnd), (550, 5, 6, 11));
}

#[test]
fn a_bare_lf_is_forgiven_and_a_stray_cr_is_not() {
    assert!(!Fault::BareLf.is_fatal());
    assert!(Fault::BareCr.is_fatal());
    assert!(!Fault::Syntax(Verb::Mail).is_fatal());
    assert!(Fault::NotOffered(Verb::Bdat).is_fatal());
    assert!(!Fault::NotOffered(Verb::StartTls).is_fatal());
}

#[test]
fn labels_are_metric_labels() {
    for fault in all() {
        assert!(
            fault
                .label()
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
        );
    }
}

#[test]
fn serde_form() {
    let json = |fault: Fault| serde_json::to_string(&fault).unwrap();
    assert_eq!(json(Fault::BareLf), "\"bare_lf\"");
    assert_eq!(
        json(Fault::Syntax(Verb::StartTls)),
        "{\"syntax\":\"starttls\"}"
    );
    assert_eq!(
        json(Fault::Foreign(Protocol::HeaderLine)),
        "{\"foreign\":\"header_line\"}"
    );
    for fault in all() {
        assert_eq!(serde_json::from_str::<Fault>(&json(fault)).unwrap(), fault);
    }
}
