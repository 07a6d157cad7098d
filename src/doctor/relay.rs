//! Probe `relay`: does an exchanger refuse to carry a stranger's mail to a domain that is not its own?

use futures_util::FutureExt;

use crate::doctor::call::{Call, STRANGER};
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};
use crate::smtp::reply::{Reply, ReplyClass};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "relay",
    summary: "a recipient in a foreign domain is refused, whoever the sender claims to be (nothing is sent)",
    standard: "RFC 5321 §3.6.2, RFC 2505 §2.1",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const WHY: &str = "RFC 5321 §3.6.2, RFC 2505 §2.1: spammers find a server that carries mail for anybody within hours, and lists soon after";

async fn look(subject: &Subject) -> Vec<Finding> {
    subject.of_each_heard(judge).await
}

fn judge(about: &str, call: &Call) -> Finding {
    let with = |class: ReplyClass| {
        call.stranger
            .iter()
            .find(|(_, reply)| reply.class() == class)
    };
    let told = |(sender, reply): &(String, Reply)| {
        let said = text::shown(&reply.to_string());
        format!("<{sender}> to <{STRANGER}>: {said}")
    };
    if let Some(taken) = with(ReplyClass::Positive) {
        let seen = format!("it would relay: {}", told(taken));
        // To itself a host is no stranger.
        if call.local.is_some() && call.local == call.address {
            let advice = "ask from another machine: this one may be allowed to relay";
            return Finding::could_not_tell(about, seen, advice);
        }
        let advice = "let it take foreign domains from your own networks and from users who have logged in only; if this \
                      machine is one of those, ask from another";
        return Finding::new(Outcome::Fault, about, seen, WHY, advice);
    }
    if let Some(put_off) = with(ReplyClass::Transient) {
        let advice = "greylisting looks like this as well: ask again in some minutes";
        return Finding::could_not_tell(about, told(put_off), advice);
    }
    match call.stranger.last() {
        Some(refused) => Finding::good(about, told(refused)),
        None => Finding::could_not_tell(about, call.why_not(), "see probe greeting"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::reply;

    fn call(codes: &[u16]) -> Call {
        let tried = codes
            .iter()
            .map(|code| (String::new(), reply(*code, "said")));
        Call {
            address: "192.0.2.1".parse().ok(),
            local: "192.0.2.9".parse().ok(),
            stranger: tried.collect(),
            ..Call::default()
        }
    }

    #[test]
    fn one_yes_is_an_open_relay() {
        for (codes, outcome) in [
            (&[550, 550][..], Outcome::Good),
            (&[550, 250], Outcome::Fault),
            (&[550, 451], Outcome::CouldNotTell),
            (&[], Outcome::CouldNotTell),
        ] {
            assert_eq!(judge("mx", &call(codes)).outcome, outcome, "{codes:?}");
        }
    }

    #[test]
    fn a_host_is_no_stranger_to_itself() {
        let own = Call {
            local: "192.0.2.1".parse().ok(),
            ..call(&[250])
        };
        assert_eq!(judge("mx", &own).outcome, Outcome::CouldNotTell);
    }
}
