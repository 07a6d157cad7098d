//! Probe `extensions`: does an exchanger offer what today's mail wants, and nothing that hurts?

use futures_util::FutureExt;

use crate::doctor::call::Call;
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "extensions",
    summary: "EHLO offers 8BITMIME and SIZE, and no PIPECONNECT",
    standard: "RFC 6152, RFC 1870 §3",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

/// What mail of today needs, octets: a file of 7 MB in base64 (RFC 5321 §4.5.3.1.7 asks for 64 KiB).
const ROOM: u64 = 10_000_000;

const EIGHT: &str = "RFC 6152: without it every message with other letters than ASCII is encoded anew, which breaks DKIM signatures";
const SIZE: &str =
    "RFC 1870 §3: without it a message that is too large is sent to its end before it is refused";
const SMALL: &str = "RFC 1870 §4: messages with attachments are refused";
const PIPECONNECT: &str = "senders that remember it speak before the greeting; then early talkers, most of them bots, cannot be told from them";

async fn look(subject: &Subject) -> Vec<Finding> {
    let calls = subject.heard().await;
    calls
        .iter()
        .flat_map(|(host, call)| judge(&call.place(&host.name), call))
        .collect()
}

fn judge(about: &str, call: &Call) -> Vec<Finding> {
    let (Some(offered), Some(hello)) = (call.extensions(), &call.hello) else {
        return vec![Finding::could_not_tell(
            about,
            call.why_not(),
            "see probe greeting",
        )];
    };
    let notice = |seen: &str, why, advice: &'static str| {
        Finding::new(Outcome::Notice, about, seen, why, advice)
    };
    let mut findings = Vec::new();
    if !offered.eight_bit_mime {
        let advice = "switch it on (gatepost offers it when Exim does: accept_8bitmime)";
        findings.push(notice("no 8BITMIME", EIGHT, advice));
    }
    match offered.size {
        None => findings.push(notice(
            "no SIZE",
            SIZE,
            "set a limit (Exim: message_size_limit)",
        )),
        Some(octets @ 1..ROOM) => {
            let seen = format!("SIZE {octets}");
            findings.push(notice(
                &seen,
                SMALL,
                "raise the limit (Exim: message_size_limit)",
            ));
        }
        Some(_) => {}
    }
    // Its names of old and of today.
    let early = |line: &&str| {
        let keyword = line.split(' ').next().unwrap_or_default();
        keyword.to_ascii_uppercase().ends_with("PIPECONNECT")
            || keyword.to_ascii_uppercase().ends_with("PIPE_CONNECT")
    };
    let keywords = hello.lines.iter().skip(1).map(AsRef::as_ref);
    if let Some(keyword) = { keywords }.find(early) {
        let seen = format!("it offers {}", text::shown(keyword));
        let advice = "switch it off (Exim: pipelining_connect_advertise_hosts =)";
        findings.push(Finding::new(
            Outcome::Warning,
            about,
            seen,
            PIPECONNECT,
            advice,
        ));
    }
    if findings.is_empty() {
        let size = match offered.size {
            Some(0) | None => "SIZE".to_owned(),
            Some(octets) => format!("SIZE {octets}"),
        };
        findings.push(Finding::good(
            about,
            format!("8BITMIME, {size}, no PIPECONNECT"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{outcomes, reply, seen};

    fn call(keywords: &[&'static str]) -> Call {
        let hello = keywords
            .iter()
            .fold(reply(250, "mx"), |reply, keyword| reply.with_line(*keyword));
        Call {
            hello: Some(hello),
            ..Call::default()
        }
    }

    #[test]
    fn what_is_offered_and_what_is_not() {
        let good = judge("mx", &call(&["8BITMIME", "SIZE 52428800"]));
        assert_eq!(outcomes(&good), [Outcome::Good]);
        let bare = judge("mx", &call(&[]));
        assert_eq!(outcomes(&bare), [Outcome::Notice, Outcome::Notice]);
        let small = judge("mx", &call(&["8BITMIME", "SIZE 65536"]));
        assert_eq!(seen(&small), "SIZE 65536");
        for keyword in ["PIPECONNECT", "X_PIPE_CONNECT"] {
            let early = judge("mx", &call(&["8BITMIME", "SIZE", keyword]));
            assert_eq!(outcomes(&early), [Outcome::Warning], "{keyword}");
        }
        assert_eq!(
            outcomes(&judge("mx", &Call::default())),
            [Outcome::CouldNotTell]
        );
    }
}
