//! Conduct: what the client did against the rules of the protocol, as points.
//!
//! The protocol machine notes faults and answers them; here they are only weighed. RFC 2920 §3.1
//! (command groups), RFC 5321 §2.3.8 (line ends), §4.1.4 (order), RFC 3207 §4.2 (STARTTLS). Faults
//! of syntax and faults in mail data are refused where they occur and bring no points; what is
//! legal though unusual (QUIT behind the final dot, lower case verbs, no QUIT at all) never becomes
//! a fault.

use serde::Deserialize;

use crate::checks::examination::Examination;
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, settings};
use crate::smtp::fault::{Fault, Protocol};

pub(in crate::checks) const KIND: Kind = Kind {
    name: "conduct",
    summary: "does the client keep to the order and the form of SMTP?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# Points for what a client does against the protocol; each counts once a session, however often it
# is done, but for `out_of_order`.
# Commands sent without waiting for replies, though PIPELINING was not offered.
pipelining = 5
# PIPELINING was offered, but something came behind a command that must end its group.
group_break = 5
# MAIL sent before the reply to EHLO or HELO.
mail_before_ehlo_reply = 5
# Mail data sent before the 354: nothing behind it can be trusted to be a command.
data_before_354 = 50
# A command that is not legal in its place; for each of them.
out_of_order = 1
# Not SMTP at all: HTTP, TLS, RDP, SOCKS, SSH, a header line.
foreign = 50
# A command that ends with LF alone.
bare_lf = 2
# Something sent in plain text behind STARTTLS.
bytes_after_starttls = 50
# More errors than `limits.errors`.
too_many_errors = 50
"#;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Conduct {
    pipelining: Points,
    group_break: Points,
    mail_before_ehlo_reply: Points,
    data_before_354: Points,
    out_of_order: Points,
    foreign: Points,
    bare_lf: Points,
    bytes_after_starttls: Points,
    too_many_errors: Points,
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            pipelining: Points::new(5),
            group_break: Points::new(5),
            mail_before_ehlo_reply: Points::new(5),
            data_before_354: Points::new(50),
            out_of_order: Points::new(1),
            foreign: Points::new(50),
            bare_lf: Points::new(2),
            bytes_after_starttls: Points::new(50),
            too_many_errors: Points::new(50),
        }
    }
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Conduct = settings(table)?;
    Ok(Some(Box::new(check)))
}

/// One kind of misconduct in this session.
struct Tally {
    reason: &'static str,
    words: &'static str,
    points: Points,
    each: bool,
    count: usize,
}

impl Check for Conduct {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn judges_users(&self) -> bool {
        true
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let mut tallies: Vec<Tally> = Vec::new();
        for tally in examination
            .facts()
            .faults()
            .filter_map(|fault| self.weigh(fault))
        {
            match tallies
                .iter_mut()
                .find(|known| known.reason == tally.reason)
            {
                Some(known) => known.count += 1,
                None => tallies.push(tally),
            }
        }
        for Tally {
            reason,
            words,
            points,
            each,
            count,
        } in tallies
        {
            let points = if each { points.times(count) } else { points };
            let evidence = match count {
                1 => words.to_owned(),
                _ => format!("{words} ({count} times)"),
            };
            examination.found(Outcome::Fail, points, reason, evidence);
        }
    }
}

impl Conduct {
    /// What a fault is worth; `None` for one that is not weighed.
    fn weigh(&self, fault: Fault) -> Option<Tally> {
        let (reason, words, points) = match fault {
            Fault::Pipelining => (
                "pipelining",
                "sent commands without waiting for replies",
                self.pipelining,
            ),
            Fault::GroupBreak => (
                "group_break",
                "sent more behind a command that ends its group",
                self.group_break,
            ),
            Fault::MailBeforeEhloReply => (
                "mail_before_ehlo_reply",
                "sent MAIL before the reply to EHLO",
                self.mail_before_ehlo_reply,
            ),
            Fault::DataBefore354 => (
                "data_before_354",
                "sent mail data before the reply to DATA",
                self.data_before_354,
            ),
            Fault::OutOfOrder(_) => (
                "out_of_order",
                "sent commands out of order",
                self.out_of_order,
            ),
            Fault::Foreign(protocol) => ("foreign", spoke(protocol), self.foreign),
            Fault::BareLf => ("bare_lf", "ended commands with LF alone", self.bare_lf),
            Fault::BytesAfterStartTls => (
                "bytes_after_starttls",
                "sent plain text behind STARTTLS",
                self.bytes_after_starttls,
            ),
            Fault::TooManyErrors => (
                "too_many_errors",
                "made too many errors",
                self.too_many_errors,
            ),
            // Others are no one's fault, or told from a bad hand only when they come too often.
            _ => return None,
        };
        let each = reason == "out_of_order";
        Some(Tally {
            reason,
            words,
            points,
            each,
            count: 1,
        })
    }
}

const fn spoke(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "spoke HTTP",
        Protocol::Tls => "spoke TLS where plain text was expected",
        Protocol::Rdp => "spoke RDP",
        Protocol::Socks => "spoke SOCKS",
        Protocol::Ssh => "spoke SSH",
        Protocol::HeaderLine => "sent header lines for commands",
    }
}
