//! Waiting for the messages that `--send` has put through backup exchangers: for all of them together.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::text;
use crate::doctor::world::Hands;
use crate::smtp::reply::Reply;

/// Between two looks for the messages.
const LOOK: Duration = Duration::from_millis(500);

const LOSES: &str = "RFC 5321 §3.6.2: a host that takes mail must deliver it or hand it on; what it has taken may be lost";

/// A message that a backup exchanger has taken.
#[derive(Debug)]
pub(in crate::doctor) struct Taken {
    /// The exchanger, for people.
    pub(in crate::doctor) about: String,
    pub(in crate::doctor) to: String,
    pub(in crate::doctor) token: String,
    /// What the exchanger said to it.
    pub(in crate::doctor) reply: Reply,
    /// When its hand-over began.
    pub(in crate::doctor) begun: Instant,
}

/// A finding about each message: that it has arrived, or that it has not within `wait` from now.
pub(in crate::doctor) async fn wait_for(
    hands: &dyn Hands,
    taken: Vec<Taken>,
    wait: Duration,
) -> Vec<Finding> {
    let deadline = Instant::now() + wait;
    let (mut findings, mut pending) = (Vec::new(), taken);
    loop {
        let mut missing = Vec::new();
        for letter in pending {
            match hands.arrived(&letter.token).await {
                Some(place) => findings.push(arrived(&letter, &place)),
                None => missing.push(letter),
            }
        }
        if missing.is_empty() || Instant::now() >= deadline {
            findings.extend(missing.iter().map(|letter| lost(letter, wait)));
            return findings;
        }
        pending = missing;
        sleep(LOOK).await;
    }
}

fn arrived(letter: &Taken, place: &str) -> Finding {
    let Taken {
        about, to, begun, ..
    } = letter;
    let seconds = begun.elapsed().as_secs_f64();
    let place = text::shown(place);
    let seen = format!("a message for {to} arrived within {seconds:.1} s: {place}");
    Finding::good(about, seen)
}

fn lost(letter: &Taken, wait: Duration) -> Finding {
    let Taken {
        about, to, reply, ..
    } = letter;
    let (said, wait) = (
        text::shown(&reply.to_string()),
        humantime::format_duration(wait),
    );
    let seen = format!("it took a message for {to} ({said}), which has not arrived within {wait}");
    let advice =
        "look for it in its queue (exim -bp) and log; greylisting by the primary delays it too";
    Finding::new(Outcome::Fault, about, seen, LOSES, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use crate::doctor::tests::{outcomes, reply};
    use crate::doctor::world::Tested;

    /// The message `late` arrives after so long, no other ever.
    struct Clerk(Instant, Duration);

    impl Hands for Clerk {
        fn backends(&self) -> BoxFuture<'_, Vec<Tested>> {
            async { Vec::new() }.boxed()
        }

        fn exim<'h>(
            &'h self,
            _: &'h [&'static str],
        ) -> BoxFuture<'h, Option<Result<String, String>>> {
            async { None }.boxed()
        }

        fn arrived<'h>(&'h self, token: &'h str) -> BoxFuture<'h, Option<String>> {
            let is_here = token == "late" && self.0.elapsed() >= self.1;
            async move { is_here.then(|| "the Maildir".to_owned()) }.boxed()
        }
    }

    fn taken(token: &str) -> Taken {
        Taken {
            about: format!("{token}.d.example"),
            to: "postmaster@d.example".to_owned(),
            token: token.to_owned(),
            reply: reply(250, "OK"),
            begun: Instant::now(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_waited_for_in_the_time_of_one() {
        let (begun, wait) = (Instant::now(), Duration::from_secs(120));
        let clerk = Clerk(begun, Duration::from_secs(100));
        let letters = ["lost", "late", "gone"].map(taken).into();
        let findings = wait_for(&clerk, letters, wait).await;
        assert_eq!(
            outcomes(&findings),
            [Outcome::Good, Outcome::Fault, Outcome::Fault]
        );
        assert!(findings[0].seen.contains("100.0 s"), "{findings:?}");
        assert!(findings[1].seen.contains("within 2m"), "{findings:?}");
        assert!(
            begun.elapsed() < wait + LOOK + LOOK,
            "{:?}",
            begun.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_is_here() {
        let begun = Instant::now();
        let clerk = Clerk(begun, Duration::ZERO);
        let findings = wait_for(&clerk, vec![taken("late")], Duration::from_secs(120)).await;
        assert_eq!(outcomes(&findings), [Outcome::Good]);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(
            wait_for(&clerk, Vec::new(), Duration::from_secs(120)).await,
            []
        );
    }
}
