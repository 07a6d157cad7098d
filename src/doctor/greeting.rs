//! Probe `greeting`: does every address of every exchanger take a connection, greet in time and answer EHLO?

use std::time::Duration;

use futures_util::FutureExt;

use crate::doctor::call::{ABOUT_US, Call};
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::subject::Host;
use crate::doctor::talk::Trouble;
use crate::doctor::{Kind, Of, Subject, text};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "greeting",
    summary: "each MX address takes connections on port 25, greets in time and accepts EHLO",
    standard: "RFC 5321 §3.1, §4.1.1.1 and §4.5.3.2.1",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

/// A greeting that takes longer loses senders who wait less than the five minutes of RFC 5321 §4.5.3.2.1; many wait 30 s.
const SOON: Duration = Duration::from_secs(20);

const REACH: &str = "RFC 5321 §5.1: senders that try this address first wait, and some give up";
const GREET: &str = "RFC 5321 §3.1: a session begins with 220; whoever is not greeted tries again later or gives up";
const HELLO: &str = "RFC 5321 §4.1.1.1: every server takes EHLO; without it there are no extensions, TLS among them";
const LATE: &str = "RFC 5321 §4.5.3.2.1 has senders wait five minutes; many wait half a minute";

const OUR_NETWORK: &str =
    "see whether this network lets out connections to port 25; if it does, let them in there";

async fn look(subject: &Subject) -> Vec<Finding> {
    let calls = subject.calls().await;
    let nobody = nobody_connects(calls.iter().map(|(_, call)| *call));
    let one = |(host, call): &(&Host, &Call)| {
        let about = call.place(&host.name);
        match &call.trouble {
            Some(trouble @ Trouble::NoConnection(_)) if nobody => {
                let seen = format!("{trouble}, and there is none to any other address either");
                Finding::could_not_tell(about, seen, OUR_NETWORK)
            }
            _ => judge(&about, call),
        }
    };
    calls.iter().map(one).collect()
}

/// Whether all attempts to connect have ended in silence or had no way, as where a network lets no mail out.
fn nobody_connects<'c>(mut calls: impl Iterator<Item = &'c Call>) -> bool {
    calls.all(|call| {
        matches!(
            call.trouble,
            Some(Trouble::NoConnection(_) | Trouble::NoWay(_))
        )
    })
}

fn judge(about: &str, call: &Call) -> Finding {
    let finding = |outcome, seen: String, why, advice: &'static str| {
        Finding::new(outcome, about, seen, why, advice)
    };
    let Some((greeting, after)) = &call.greeting else {
        return no_greeting(about, call);
    };
    if !greeting.is_positive() {
        let seen = format!("it greets with {}", text::shown(&greeting.to_string()));
        return match greeting.code {
            // It takes no mail (RFC 7504 §3).
            521 => finding(
                Outcome::Fault,
                seen,
                GREET,
                "take the MX record out, or let it serve mail",
            ),
            500.. => Finding::could_not_tell(about, seen, ABOUT_US),
            _ => finding(
                Outcome::Warning,
                seen,
                GREET,
                "see whether it is overloaded; ask again later",
            ),
        };
    }
    match &call.hello {
        Some(reply) if reply.is_positive() => {}
        Some(reply) => {
            let seen = format!("it answers EHLO with {}", text::shown(&reply.to_string()));
            return match reply.code {
                // It does not know the command.
                500 | 502 => finding(Outcome::Fault, seen, HELLO, "have it take EHLO"),
                _ => Finding::could_not_tell(about, seen, ABOUT_US),
            };
        }
        None => {
            let advice = "see its log";
            return finding(Outcome::Fault, call.why_not(), HELLO, advice);
        }
    }
    let after_seconds = after.as_secs_f64();
    if *after > SOON {
        let seen = format!("it greets after {after_seconds:.0} s");
        return finding(
            Outcome::Warning,
            seen,
            LATE,
            "see what it waits for: DNS, ident, load",
        );
    }
    if let Some(trouble) = &call.trouble {
        let seen = format!("it greets and answers EHLO; then {trouble}");
        let advice = "see its log; it may have had enough of our questions";
        return Finding::could_not_tell(about, seen, advice);
    }
    Finding::good(
        about,
        format!("220 after {after_seconds:.1} s, and EHLO accepted"),
    )
}

fn no_greeting(about: &str, call: &Call) -> Finding {
    let is_v6 = call.address.is_some_and(|address| address.is_ipv6());
    match &call.trouble {
        Some(trouble @ Trouble::NoWay(_)) => {
            let advice = match is_v6 {
                true => "ask from a network with IPv6",
                false => "see whether this machine has a way to it",
            };
            Finding::could_not_tell(about, trouble.to_string(), advice)
        }
        Some(trouble @ Trouble::NotPublic) => {
            let advice = "see probe addresses; from inside, say where it is reached (reach)";
            Finding::could_not_tell(about, trouble.to_string(), advice)
        }
        Some(trouble @ Trouble::NoConnection(_)) => {
            let advice = "let port 25 through to it";
            Finding::new(Outcome::Fault, about, trouble.to_string(), REACH, advice)
        }
        Some(trouble @ (Trouble::Refused | Trouble::Other(_))) => {
            let advice = "start the mail server there, or take the MX record out";
            Finding::new(Outcome::Fault, about, trouble.to_string(), REACH, advice)
        }
        _ => {
            let advice = "see whether an SMTP server listens there, and its log";
            Finding::new(Outcome::Fault, about, call.why_not(), GREET, advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::reply;

    fn greeted(code: u16, after: u64, hello: u16) -> Call {
        Call {
            greeting: Some((reply(code, "mx.d.example"), Duration::from_secs(after))),
            hello: Some(reply(hello, "mx.d.example")),
            ..Call::default()
        }
    }

    fn trouble(trouble: Trouble, address: &str) -> Call {
        Call {
            address: address.parse().ok(),
            trouble: Some(trouble),
            ..Call::default()
        }
    }

    #[test]
    fn where_nobody_connects_it_may_be_our_network() {
        let silent = || trouble(Trouble::NoConnection(Duration::from_secs(1)), "192.0.2.1");
        let no_way = || trouble(Trouble::NoWay("no".to_owned()), "2001:db8::1");
        assert!(nobody_connects([silent(), no_way()].iter()));
        assert!(!nobody_connects([silent(), greeted(220, 0, 250)].iter()));
        let refused = trouble(Trouble::Refused, "192.0.2.1");
        assert!(!nobody_connects([silent(), refused].iter()));
    }

    #[test]
    fn each_way_to_begin_badly() {
        let second = Duration::from_secs(1);
        let silent = Trouble::Silent {
            what: "greeting",
            within: second,
        };
        for (call, outcome) in [
            (greeted(220, 6, 250), Outcome::Good),
            (greeted(220, 21, 250), Outcome::Warning),
            (greeted(521, 0, 250), Outcome::Fault),
            (greeted(554, 0, 250), Outcome::CouldNotTell),
            (greeted(421, 0, 250), Outcome::Warning),
            (greeted(220, 0, 502), Outcome::Fault),
            (greeted(220, 0, 504), Outcome::CouldNotTell),
            (trouble(Trouble::Refused, "192.0.2.1"), Outcome::Fault),
            (
                trouble(Trouble::NoConnection(second), "192.0.2.1"),
                Outcome::Fault,
            ),
            (trouble(silent, "192.0.2.1"), Outcome::Fault),
            (
                trouble(Trouble::NotPublic, "10.0.0.1"),
                Outcome::CouldNotTell,
            ),
            (
                trouble(Trouble::NoWay("no".to_owned()), "2001:db8::1"),
                Outcome::CouldNotTell,
            ),
        ] {
            assert_eq!(judge("mx", &call).outcome, outcome, "{call:?}");
        }
        let cut = Call {
            trouble: Some(Trouble::Lost("reply to RCPT")),
            ..greeted(220, 0, 250)
        };
        assert_eq!(judge("mx", &cut).outcome, Outcome::CouldNotTell);
    }
}
