//! Probe `postmaster`: does the domain take mail for postmaster@ and abuse@ from anybody? The preferred exchangers are asked;
//! backups are the affair of `backup_mx`.

use futures_util::FutureExt;

use crate::doctor::call::{ABOUT_US, Call};
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};
use crate::smtp::reply::{Reply, ReplyClass};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "postmaster",
    summary: "postmaster@ and abuse@ the domain are accepted, from the null sender (nothing is sent)",
    standard: "RFC 5321 §4.5.1, RFC 2142 §4 and §5",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const POSTMASTER: &str = "RFC 5321 §4.5.1: every domain with mail takes mail for postmaster; whoever is refused by mistake has no other way to say so";
const ABUSE: &str =
    "RFC 2142 §4: complaints go to abuse@; where they come back, the domain ends in lists instead";

async fn look(subject: &Subject) -> Vec<Finding> {
    let calls = subject.calls_to(subject.primaries()).await;
    let judged = calls.iter().flat_map(|(host, call)| {
        let about = call.place(&host.name);
        judge(&about, &subject.domain, call)
    });
    judged.collect()
}

fn judge(about: &str, domain: &str, call: &Call) -> Vec<Finding> {
    let asked = [
        ("postmaster", &call.postmaster, Outcome::Fault, POSTMASTER),
        ("abuse", &call.abuse, Outcome::Warning, ABUSE),
    ];
    let one = |(name, reply, outcome, why): (&str, &Option<Reply>, Outcome, &'static str)| {
        let mailbox = format!("{name}@{domain}");
        let Some(reply) = reply else {
            return Finding::could_not_tell(about, call.why_not(), "see probe greeting");
        };
        let said = text::shown(&reply.to_string());
        match reply.class() {
            ReplyClass::Positive => Finding::good(about, format!("{mailbox} is accepted")),
            ReplyClass::Permanent if call.may_be_about_us(reply) => {
                Finding::could_not_tell(about, format!("{mailbox}: {said}"), ABOUT_US)
            }
            ReplyClass::Permanent => {
                let advice = "add the mailbox or an alias, and let no filter stand before it";
                Finding::new(outcome, about, format!("{mailbox}: {said}"), why, advice)
            }
            _ => {
                let advice = "greylisting looks like this as well: ask again in some minutes";
                Finding::could_not_tell(about, format!("{mailbox}: {said}"), advice)
            }
        }
    };
    let mut findings: Vec<Finding> = asked.map(one).into();
    // A call that has failed says so once.
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{outcomes, reply};

    #[test]
    fn each_mailbox_is_judged_by_its_reply() {
        use Outcome::{CouldNotTell, Fault, Good, Warning};
        for (postmaster, abuse, outcome) in [
            (250, 251, [Good, Good]),
            (550, 250, [Fault, Good]),
            (250, 550, [Good, Warning]),
            (450, 250, [CouldNotTell, Good]),
        ] {
            let call = Call {
                postmaster: Some(reply(postmaster, "")),
                abuse: Some(reply(abuse, "")),
                ..Call::default()
            };
            assert_eq!(outcomes(&judge("mx", "d.example", &call)), outcome);
        }
        let silent = judge("mx", "d.example", &Call::default());
        assert_eq!(outcomes(&silent), [CouldNotTell]);
    }
}
