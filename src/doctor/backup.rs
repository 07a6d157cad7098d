//! Probe `backup_mx`: would the backup exchangers take the domain's mail on the day the primary is down, and hand it on?
//!
//! Most backups fail in silence: nobody needs them for years, and then every message bounces. Asked is by RCPT. Only a message
//! that arrives shows that what was taken is handed on: that is sent where it was asked for ([`Parcel`](super::Parcel)).

use std::net::SocketAddr;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::doctor::arrival::{self, Taken};
use crate::doctor::call::{ABOUT_US, Call};
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::send::{Letter, Parcel};
use crate::doctor::subject::Host;
use crate::doctor::world::NOT_PUBLIC;
use crate::doctor::{Kind, Of, Subject, text};
use crate::smtp::reply::ReplyClass;

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "backup_mx",
    summary: "each MX of lower preference accepts mail for the domain; with --send a message through it arrives",
    standard: "RFC 5321 §5.1 and §3.6.2",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const REFUSES: &str = "RFC 5321 §5.1: the first day the primary is down, all mail that comes here is given back to its senders";
async fn look(subject: &Subject) -> Vec<Finding> {
    if subject.backups().next().is_none() {
        let seen = "no MX of lower preference";
        return match subject.hosts.is_empty() {
            true => Vec::new(),
            false => vec![Finding::good(&subject.domain, seen)],
        };
    }
    let calls = subject.calls_to(subject.backups()).await;
    let accepted = calls.iter().map(|(host, call)| {
        let about = call.place(&host.name);
        (*host, *call, judge(&about, &subject.domain, call))
    });
    match &subject.world.settings.parcel {
        Some(parcel) => send_through(subject, parcel, accepted.collect()).await,
        None => accepted.map(|(_, _, finding)| finding).collect(),
    }
}

fn judge(about: &str, domain: &str, call: &Call) -> Finding {
    let Some(reply) = &call.postmaster else {
        let advice = "see probe greeting: a backup that is down is none";
        return Finding::could_not_tell(about, call.why_not(), advice);
    };
    let said = text::shown(&reply.to_string());
    match reply.class() {
        ReplyClass::Positive => Finding::good(about, format!("postmaster@{domain} is accepted")),
        ReplyClass::Permanent if call.may_be_about_us(reply) => {
            let seen = format!("it refuses us: {said}");
            Finding::could_not_tell(about, seen, ABOUT_US)
        }
        ReplyClass::Permanent => {
            let seen = format!("it refuses mail for postmaster@{domain}: {said}");
            let advice =
                "let it relay for the domain (Exim: relay_to_domains), or take its MX record out";
            Finding::new(Outcome::Fault, about, seen, REFUSES, advice)
        }
        _ => {
            let seen = format!("it puts mail for postmaster@{domain} off: {said}");
            let advice = "that is as it should be where it only serves while the primary is down (shield), or greylists";
            Finding::could_not_tell(about, seen, advice)
        }
    }
}

/// A message through each backup that takes mail, all side by side; then all of them are waited for together.
async fn send_through(
    subject: &Subject,
    parcel: &Parcel,
    accepted: Vec<(&Host, &Call, Finding)>,
) -> Vec<Finding> {
    let accepted = accepted.into_iter().enumerate();
    let handed = accepted.map(|(index, (host, call, finding))| async move {
        match finding.outcome {
            Outcome::Good => hand_over(subject, host, call, parcel, parcel.token(index)).await,
            _ => Err(finding),
        }
    });
    let (mut findings, mut taken) = (Vec::new(), Vec::new());
    for handed in join_all(handed).await {
        match handed {
            Ok(letter) => taken.push(letter),
            Err(finding) => findings.push(finding),
        }
    }
    let hands = &*subject.world.hands;
    findings.extend(arrival::wait_for(hands, taken, parcel.wait).await);
    findings
}

/// The message, if it was taken; else what is to be said about that.
async fn hand_over(
    subject: &Subject,
    host: &Host,
    call: &Call,
    parcel: &Parcel,
    token: String,
) -> Result<Taken, Finding> {
    let about = call.place(&host.name);
    let world = &*subject.world;
    let Some(address) = call.address else {
        return Err(Finding::could_not_tell(about, "it has no address", ""));
    };
    let Some(way) = world.way_to(SocketAddr::new(address, 25)) else {
        return Err(Finding::could_not_tell(about, NOT_PUBLIC, ""));
    };
    let to = parcel.recipient(&subject.domain);
    let from = format!("gatepost-doctor-{token}@{}", subject.domain);
    let letter = Letter {
        from: &from,
        to: &to,
        token: &token,
        now: world.settings.now,
    };
    let begun = Instant::now();
    let reply = match letter.hand_over(world, &host.name, way).await {
        Ok(reply) => reply,
        Err(why) => {
            let advice = "ask again; see its log";
            return Err(Finding::could_not_tell(about, why, advice));
        }
    };
    let said = text::shown(&reply.to_string());
    match reply.class() {
        ReplyClass::Positive => Ok(Taken {
            about,
            to,
            token,
            reply,
            begun,
        }),
        ReplyClass::Permanent => {
            let seen = format!("it refuses a message for {to}: {said}");
            let advice = "see its log";
            Err(Finding::new(Outcome::Fault, about, seen, REFUSES, advice))
        }
        _ => {
            let seen = format!("it puts a message for {to} off: {said}");
            let advice = "ask again in some minutes";
            Err(Finding::could_not_tell(about, seen, advice))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::reply;
    use crate::smtp::reply::Reply;

    #[test]
    fn a_backup_is_good_when_it_takes_the_mail() {
        for (code, outcome) in [
            (250, Outcome::Good),
            (550, Outcome::Fault),
            (450, Outcome::CouldNotTell),
        ] {
            let call = Call {
                postmaster: Some(reply(code, "said")),
                ..Call::default()
            };
            assert_eq!(judge("mx2", "d.example", &call).outcome, outcome, "{code}");
        }
        let list = Some((5, 7, 1));
        let refusal = |code, enhanced, text: &'static str| Reply::new(code, enhanced, text);
        for (said, stranger, outcome) in [
            // What is said to us only.
            (
                refusal(550, list, "Blocked using a list"),
                None,
                Outcome::CouldNotTell,
            ),
            (
                refusal(504, None, "<probe>: need full name"),
                None,
                Outcome::CouldNotTell,
            ),
            (
                refusal(550, None, "Go away"),
                Some("Go away"),
                Outcome::CouldNotTell,
            ),
            // What is said to everybody.
            (
                refusal(554, list, "Relay access denied"),
                None,
                Outcome::Fault,
            ),
            (
                refusal(550, None, "No"),
                Some("We do not relay"),
                Outcome::Fault,
            ),
        ] {
            let stranger = stranger.map(|text| (String::new(), refusal(550, None, text)));
            let call = Call {
                postmaster: Some(said),
                stranger: stranger.into_iter().collect(),
                ..Call::default()
            };
            assert_eq!(
                judge("mx2", "d.example", &call).outcome,
                outcome,
                "{call:?}"
            );
        }
        assert_eq!(
            judge("mx2", "d.example", &Call::default()).outcome,
            Outcome::CouldNotTell
        );
    }
}
