//! Probe `listed`: do the lists that our own policies ask list the addresses that mail leaves from?
//!
//! The check `dnsbl` itself judges, as it would a client at that address: its zones, filters and points.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::checks::address::is_public;
use crate::checks::finding::{Finding as Judged, Outcome as Verdict};
use crate::checks::policy::Policy;
use crate::checks::{Judgement, judge as judge_client};
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::subject::Sends;
use crate::doctor::world::World;
use crate::doctor::{Kind, Of, Subject, text};
use crate::facts::{
    Answer, Answered, Client, Fact, Facts, Millis, Primary, Question, Recalled, Room, Silence,
    Source, Stage,
};
use crate::gather::Answerer;

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "listed",
    summary: "MX and outgoing addresses stand in none of the block lists that the policies ask",
    standard: "RFC 5782 §2.1",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const WHY: &str = "RFC 5782 §2.1: servers that ask this list refuse or doubt mail from the address";
/// The check that asks lists of addresses.
const CHECK: &str = "dnsbl";
/// Most times that a policy asks on, what it was answered leading to more.
const ROUNDS: usize = 20;

async fn look(subject: &Subject) -> Vec<Finding> {
    let world = &*subject.world;
    let asks = |policy: &&Arc<Policy>| policy.checks.iter().any(|check| check.name() == CHECK);
    let policies: Vec<&Arc<Policy>> = world.policies.iter().filter(asks).collect();
    if policies.is_empty() {
        return Vec::new();
    }
    let addresses = subject.own_addresses().into_iter();
    let each = addresses
        .filter(|address| is_public(*address))
        .map(|address| {
            let policies = &policies;
            async move {
                let mut all = Vec::new();
                for policy in policies {
                    all.extend(ask(world, policy, address).await);
                }
                judge(address, subject.sends(address), &all)
            }
        });
    join_all(each).await
}

/// What the check finds about a client at `address`.
async fn ask(world: &World, policy: &Policy, address: IpAddr) -> Vec<Judged> {
    let client = Client::new(
        SocketAddr::new(address, 25),
        SocketAddr::new(address, 25),
        "",
    );
    let mut facts = Facts::new(client);
    for _ in 0..ROUNDS {
        let judgement = judge_client(policy, &facts);
        let questions = judgement.questions().to_vec();
        if questions.is_empty() {
            let (Judgement::Decide { verdict, .. }
            | Judgement::Ask {
                so_far: verdict, ..
            }) = judgement;
            let findings = verdict.findings.into_iter();
            return findings.filter(|finding| finding.check == CHECK).collect();
        }
        let answers = questions.iter().map(|question| answer(world, question));
        for answered in join_all(answers).await {
            facts.push(
                Stage::Connect,
                Millis(0),
                Fact::Answered(Box::new(answered)),
            );
        }
    }
    Vec::new()
}

/// The DNS is asked; to everything else nothing is known, and nothing is to be remembered of it.
async fn answer(world: &World, question: &Question) -> Answered {
    let (answer, source) = match question {
        Question::Dns { .. } => world.gather.ask(question).await,
        Question::Silence { .. } => {
            let silent = Silence::Silent { watched: Millis(0) };
            (Answer::Silence(silent), Source::Session)
        }
        Question::Memory(_) => (Answer::Memory(Recalled::Unavailable), Source::Memory),
        Question::Primary(_) => (Answer::Primary(Primary::Unknown), Source::Memory),
        Question::Count(_) => (Answer::Count(Room::Unknown), Source::Memory),
    };
    Answered {
        question: question.clone(),
        answer,
        took: Millis(0),
        source,
    }
}

fn judge(address: IpAddr, sends: Sends, findings: &[Judged]) -> Finding {
    let with = |outcome: Verdict| findings.iter().filter(move |one| one.outcome == outcome);
    let mut listed: Vec<&str> = with(Verdict::Fail)
        .map(|one| one.evidence.as_str())
        .collect();
    listed.dedup();
    if !listed.is_empty() {
        let seen = text::shown(&listed.join("; "));
        let advice = "find out why on the list's own page, mend it, then ask to be taken off";
        // Nobody asks the lists about who only receives mail.
        return Finding::new(sends.weigh(Outcome::Fault), address, seen, WHY, advice);
    }
    let mut unknown: Vec<&str> = with(Verdict::Unknown)
        .map(|one| one.evidence.as_str())
        .collect();
    unknown.dedup();
    if !unknown.is_empty() {
        let seen = text::shown(&unknown.join("; "));
        let advice = "see whether this machine's resolver gets answers from the list";
        return Finding::could_not_tell(address, seen, advice);
    }
    let asked = findings
        .iter()
        .filter(|one| one.outcome != Verdict::Unknown)
        .count();
    Finding::good(address, format!("in none of the {asked} lists"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::points::Points;

    fn judged(outcome: Verdict, evidence: &str) -> Judged {
        Judged {
            check: CHECK.into(),
            outcome,
            points: Points::ZERO,
            reason: "".into(),
            evidence: evidence.to_owned(),
        }
    }

    #[test]
    fn one_list_is_enough_and_one_that_is_silent_leaves_it_open() {
        let address = "203.0.113.5".parse().unwrap();
        let (pass, fail) = (
            judged(Verdict::Pass, "not listed by a.test"),
            judged(Verdict::Fail, "listed by b.test (127.0.0.2)"),
        );
        let unknown = judged(Verdict::Unknown, "no answer from c.test: timeout");
        for (findings, outcome, seen) in [
            (vec![pass.clone()], Outcome::Good, "in none of the 1 lists"),
            (
                vec![pass.clone(), fail.clone(), unknown.clone()],
                Outcome::Fault,
                "b.test",
            ),
            (vec![pass, unknown], Outcome::CouldNotTell, "c.test"),
        ] {
            let finding = judge(address, Sends::Yes, &findings);
            assert_eq!(finding.outcome, outcome, "{finding:?}");
            assert!(finding.seen.contains(seen), "{finding:?}");
        }
        let fail = [fail];
        for (sends, outcome) in [
            (Sends::Perhaps, Outcome::Warning),
            (Sends::No, Outcome::Notice),
        ] {
            assert_eq!(judge(address, sends, &fail).outcome, outcome);
        }
    }
}
