//! Early talk: does the client wait for the greeting, as RFC 5321 §3.1 and §4.3.1 want it?
//!
//! The session watches the socket, here is only what the watch is worth. It is worth something
//! under another policy too: whoever spoke after 5 s would have been greeted by one that waits
//! 3 s, and of a client that was watched for 3 s nobody knows what it would have done in 6.
//! Whoever has a pass is not watched: it has shown before that it can wait.

use serde::Deserialize;

use crate::checks::examination::Examination;
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, settings};
use crate::facts::{Millis, Silence};

pub(in crate::checks) const KIND: Kind = Kind {
    name: "pregreet",
    summary: "does the client speak before the greeting?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# How the client is tempted while it waits for `greet_wait`: "teaser" sends the first line of a
# greeting of two lines ("220-") and waits before the second; "silent" sends nothing.
mode = "teaser"
# Points for speaking before the greeting is complete.
points = 5
"#;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Pregreet {
    mode: Mode,
    points: Points,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Teaser,
    Silent,
}

impl Default for Pregreet {
    fn default() -> Self {
        Self {
            mode: Mode::Teaser,
            points: Points::new(5),
        }
    }
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Pregreet = settings(table)?;
    Ok(Some(Box::new(check)))
}

impl Check for Pregreet {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let wait = Millis::from(examination.greet_wait());
        if wait == Millis(0) {
            return;
        }
        match examination.has_pass() {
            None => return examination.hold(),
            Some(true) => {
                let evidence = "is remembered, and was not made to wait";
                return examination.found(Outcome::Pass, Points::ZERO, "remembered", evidence);
            }
            Some(false) => {}
        }
        let teaser = self.mode == Mode::Teaser;
        let Some(silence) = examination.silence(wait, teaser, self.points.span()) else {
            return;
        };
        match silence {
            Silence::Spoke { after, .. } if *after < wait => {
                let evidence = format!("spoke before the greeting (after {after})");
                examination.found(Outcome::Fail, self.points, "spoke", evidence);
            }
            Silence::Left { after } if *after < wait => {
                let evidence = format!("left before the greeting (after {after})");
                examination.found(Outcome::Unknown, Points::ZERO, "left", evidence);
            }
            Silence::Silent { watched } if *watched < wait => {
                let evidence = format!("was watched for {watched} only");
                examination.found(
                    Outcome::Unknown,
                    Points::ZERO,
                    "watched_too_briefly",
                    evidence,
                );
            }
            _ => examination.found(Outcome::Pass, Points::ZERO, "silent", ""),
        }
    }
}
