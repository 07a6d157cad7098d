//! Strategies for property tests: values that the parsers can give. Test code only.

use proptest::option;
use proptest::prelude::*;

use super::{
    command::{Command, InitialResponse},
    domain::{HeloName, Host},
    params::{BodyKind, MailParams, Notify, Orcpt, RcptParams, Ret, Xtext},
    path::{ForwardPath, Mailbox, ReversePath},
};

/// Labels of ASCII.
const DOMAIN: &str = "[a-zA-Z0-9]([a-zA-Z0-9_-]{0,20}[a-z0-9_])?(\\.[a-z0-9_]{1,12}){0,3}";
/// Dot-strings of ASCII.
const DOT_STRING: &str = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,12}(\\.[a-z0-9+=-]{1,8}){0,3}";
/// Quoted-strings of ASCII.
const QUOTED: &str = "\"([ !#-\\[\\]-~]|\\\\[ -~]){0,20}\"";
/// Dot-strings and domains with UTF-8.
const UTF8: &str = "[a-zäöüßжд語]{1,10}";

/// Any domain or address literal of ASCII.
pub(super) fn host() -> impl Strategy<Value = Host> {
    let literal = prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| format!("[{}]", std::net::Ipv4Addr::from(octets))),
        any::<[u16; 8]>().prop_map(|words| format!("[IPv6:{}]", std::net::Ipv6Addr::from(words))),
        "[a-z]{1,5}[0-9]:[!-Z^-~]{1,20}".prop_map(|text| format!("[{text}]")),
    ];
    prop_oneof![3 => DOMAIN.boxed(), 1 => literal.boxed()]
        .prop_map(|text| Host::parse(&text, false).unwrap())
}

/// Any mailbox of ASCII.
pub(super) fn mailbox() -> impl Strategy<Value = Mailbox> {
    (prop_oneof![3 => DOT_STRING, 1 => QUOTED], host())
        .prop_map(|(local_part, domain)| Mailbox::parse(&format!("{local_part}@{domain}")).unwrap())
}

/// A mailbox that needs SMTPUTF8, or could.
fn utf8_mailbox() -> impl Strategy<Value = Mailbox> {
    (UTF8, UTF8).prop_map(|(local_part, domain)| {
        Mailbox::parse(&format!("{local_part}@{domain}.example")).unwrap()
    })
}

/// Any forward-path, with UTF-8 now and then.
pub(super) fn forward_path() -> impl Strategy<Value = ForwardPath> {
    prop_oneof![
        8 => mailbox().prop_map(ForwardPath::Mailbox),
        1 => utf8_mailbox().prop_map(ForwardPath::Mailbox),
        1 => "<[pP]ost[mM]aster>".prop_map(|text| ForwardPath::parse(&text).unwrap()),
    ]
}

/// Any HELO name.
pub(super) fn helo_name() -> impl Strategy<Value = HeloName> {
    prop_oneof![
        host().prop_map(|host| host.to_string()).boxed(),
        "[!-~]{1,255}".boxed()
    ]
    .prop_map(|text| HeloName::parse(&text).unwrap())
}

fn xtext() -> impl Strategy<Value = Xtext> {
    "([!-*,-<>-~]|\\+[0-9A-F]{2}){1,30}".prop_map(|text| Xtext::parse(&text).unwrap())
}

/// Any parameters of MAIL.
pub(super) fn mail_params() -> impl Strategy<Value = MailParams> {
    let body = prop::sample::select(vec![BodyKind::SevenBit, BodyKind::EightBitMime]);
    let ret = prop::sample::select(vec![Ret::Full, Ret::Headers]);
    let size = option::of(any::<u64>());
    let texts = (option::of(xtext()), option::of(xtext()));
    (
        size,
        option::of(body),
        any::<bool>(),
        option::of(ret),
        texts,
    )
        .prop_map(|(size, body, smtputf8, ret, (envid, auth))| MailParams {
            size,
            body,
            smtputf8,
            ret,
            envid,
            auth,
        })
}

/// Any parameters of RCPT.
pub(super) fn rcpt_params() -> impl Strategy<Value = RcptParams> {
    let notify = any::<[bool; 3]>().prop_map(|[success, failure, delay]| Notify {
        success,
        failure,
        delay,
    });
    let orcpt = ("(rfc822|x-a|UTF-8)", xtext())
        .prop_map(|(kind, text)| Orcpt::parse(&format!("{kind};{text}")).unwrap());
    (option::of(notify), option::of(orcpt)).prop_map(|(notify, orcpt)| RcptParams { notify, orcpt })
}

fn mail() -> impl Strategy<Value = Command> {
    let path = prop_oneof![
        1 => Just(ReversePath::Null),
        4 => mailbox().prop_map(ReversePath::Mailbox),
        1 => utf8_mailbox().prop_map(ReversePath::Mailbox),
    ];
    (path, mail_params()).prop_map(|(path, params)| {
        let smtputf8 = params.smtputf8 || path.needs_smtputf8();
        Command::Mail(path, MailParams { smtputf8, ..params })
    })
}

fn auth() -> impl Strategy<Value = Command> {
    let initial = prop_oneof![
        "=",
        "([A-Za-z0-9+/]{4}){1,9}",
        "([A-Za-z0-9+/]{4}){0,9}[a-z]{2}=="
    ];
    let initial = initial.prop_map(|text| InitialResponse::parse(&text).unwrap());
    ("[A-Z0-9_-]{1,20}", option::of(initial)).prop_map(|(mechanism, initial)| Command::Auth {
        mechanism: mechanism.into(),
        initial,
    })
}

/// Any command.
pub(super) fn command() -> impl Strategy<Value = Command> {
    let bare = vec![
        Command::Data,
        Command::Rset,
        Command::Noop,
        Command::Quit,
        Command::Vrfy,
        Command::Expn,
        Command::Help,
        Command::StartTls,
    ];
    prop_oneof![
        prop::sample::select(bare),
        helo_name().prop_map(Command::Helo),
        helo_name().prop_map(Command::Ehlo),
        mail(),
        (forward_path(), rcpt_params()).prop_map(|(path, params)| Command::Rcpt(path, params)),
        auth(),
        (any::<u64>(), any::<bool>()).prop_map(|(size, last)| Command::Bdat { size, last }),
    ]
}
