//! Probe `backend`: do the mail servers behind gatepost know its clients by their addresses, and refuse to relay for strangers?
//!
//! The self-test is the one of the start and of every hour; it is handed in, for backends belong to sessions.

use futures_util::FutureExt;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::world::Tested;
use crate::doctor::{Kind, Of, Subject, text};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "backend",
    summary: "each server behind gatepost sees the client's address and refuses to relay for strangers (nothing is sent)",
    standard: "RFC 2505 §2.1, PROXY protocol §2",
    of: Of::Machine,
    look: |subject| look(subject).boxed(),
};

const OPEN: &str =
    "RFC 2505 §2.1: whoever gets past gatepost could send mail to anybody through it";
const MISTAKES: &str =
    "PROXY protocol §2: its own checks, logs and relay rights then hold for a wrong address";

async fn look(subject: &Subject) -> Vec<Finding> {
    let tests = subject.world.hands.backends().await;
    tests.iter().map(judge).collect()
}

fn judge(tested: &Tested) -> Finding {
    let about = format!("{} [{}]", tested.backend, tested.server);
    let shown = match &tested.outcome {
        Ok(shown) => shown,
        Err(why) => {
            let advice = "gatepost check-config --connect says more";
            let why = format!("it {}", text::shown(why));
            return Finding::new(
                Outcome::Fault,
                about,
                why,
                "no mail gets through to it",
                advice,
            );
        }
    };
    if shown.relays == Some(true) {
        let said = "it would relay for strangers";
        let advice = "let it refuse foreign domains to clients that it does not know (config/exim4/README.md)";
        return Finding::new(Outcome::Fault, about, said, OPEN, advice);
    }
    if let Some(address) = shown.mistakes {
        let said = format!("it takes every client for {address}");
        let advice =
            "let it believe what client_address says, from source_address (Exim: hosts_proxy)";
        return Finding::new(Outcome::Fault, about, said, MISTAKES, advice);
    }
    match shown.relays {
        Some(_) => Finding::good(
            about,
            "it knows clients by their addresses and refuses to relay for strangers",
        ),
        None => {
            let said = "it refused the test's client before it heard of the recipient";
            Finding::could_not_tell(about, said, "see its log")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::world::Shown;

    #[test]
    fn what_the_self_test_shows() {
        let tested = |outcome| Tested {
            backend: "exim".to_owned(),
            server: "127.0.0.1:10025".parse().unwrap(),
            outcome,
        };
        let seen = |relays, mistakes: Option<&str>| {
            let mistakes = mistakes.map(|address| address.parse().unwrap());
            tested(Ok(Shown { relays, mistakes }))
        };
        for (tested, outcome) in [
            (seen(Some(false), None), Outcome::Good),
            (seen(Some(true), None), Outcome::Fault),
            (seen(Some(false), Some("127.0.0.1")), Outcome::Fault),
            (seen(None, None), Outcome::CouldNotTell),
            (tested(Err("does not greet".to_owned())), Outcome::Fault),
        ] {
            assert_eq!(judge(&tested).outcome, outcome, "{tested:?}");
        }
    }
}
