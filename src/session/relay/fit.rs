//! Commands as one backend takes them: what it does not offer is left out where that harms nobody, and trouble elsewhere.

use crate::session::relay::Trouble;
use crate::smtp::command::Command;
use crate::smtp::domain::{AddressLiteral, HeloName, Host};
use crate::smtp::extension::Extensions;
use crate::smtp::params::{MailParams, RcptParams};
use crate::smtp::path::{ForwardPath, ReversePath};

/// Whether a HELO name is one that every backend takes: letters, digits, hyphens and dots, or a literal.
pub(super) fn is_hostname(name: &HeloName) -> bool {
    match name.host() {
        Some(Host::Literal(AddressLiteral::V4(_) | AddressLiteral::V6(_))) => true,
        Some(Host::Literal(_)) | None => false,
        Some(Host::Domain(domain)) => domain
            .as_str()
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'),
    }
}

/// MAIL as this backend takes it. SIZE is only a hint and may be left out; the other parameters are promises.
pub(super) fn fit_sender(
    path: &ReversePath,
    params: &MailParams,
    offered: &Extensions,
) -> Result<Command, Trouble> {
    let mut params = params.clone();
    if params.body.is_some() && !offered.eight_bit_mime {
        return Err(Trouble::Shrunk("8BITMIME"));
    }
    if params.smtputf8 && !offered.smtputf8 {
        return Err(Trouble::Shrunk("SMTPUTF8"));
    }
    if offered.size.is_none() {
        params.size = None;
    }
    if !offered.covers_mail(&params) {
        return Err(Trouble::Shrunk("DSN"));
    }
    Ok(Command::Mail(path.clone(), params))
}

/// RCPT as this backend takes it (RFC 3461 §4: whoever asked to be notified may not be left without a word).
pub(super) fn fit_recipient(
    path: &ForwardPath,
    params: &RcptParams,
    offered: &Extensions,
) -> Result<Command, Trouble> {
    if !offered.covers_rcpt(params) {
        return Err(Trouble::Shrunk("DSN"));
    }
    Ok(Command::Rcpt(path.clone(), params.clone()))
}
