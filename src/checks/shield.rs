//! The shield of a secondary MX: who comes there is sent to the primary as long as that is up.
//!
//! Spammers like to try the highest preference value first, hoping for a weaker filter; mail servers go there only when the
//! primary does not answer, and come back to it by their retries (RFC 5321 §5.1), so putting them off loses nothing. Not a
//! check with points: it is a policy's word about all its recipients but the exempt ones.

use serde::{Deserialize, Serialize};

use crate::checks::examination::{Examination, PutOff};
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::facts::Primary;

/// Its name among findings.
pub const NAME: &str = "shield";

/// What a secondary MX does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is no secondary.
    #[default]
    Off,
    /// Every recipient is put off.
    Tempfail,
    /// Every recipient is put off while the primary is up; when it is down, the policy judges as any other.
    WhenPrimaryDown,
    /// Every recipient is in doubt, and has to wait as one that is greylisted.
    Strict,
}

/// The shield of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shield {
    /// What it does.
    pub mode: Mode,
    /// Where the primary is, as written; only [`Mode::WhenPrimaryDown`] asks.
    pub primary: Box<str>,
}

impl Shield {
    /// From which total on a recipient is in doubt.
    #[must_use]
    pub fn doubt_from(&self, greylist_points: Points) -> Points {
        match self.mode {
            Mode::Strict => Points::LEAST,
            _ => greylist_points,
        }
    }

    /// Puts the recipient off, or not.
    pub fn examine(&self, examination: &mut Examination<'_>) {
        let (reason, evidence) = match self.mode {
            Mode::Off | Mode::Strict => return,
            Mode::Tempfail => (
                "always",
                "this is a secondary mail server, please use the primary",
            ),
            Mode::WhenPrimaryDown => match examination.primary(&self.primary) {
                None => return examination.put_off(PutOff::Asked),
                Some(Primary::Down) => {
                    let evidence = "the primary is down";
                    return examination.found(
                        Outcome::Pass,
                        Points::ZERO,
                        "primary_down",
                        evidence,
                    );
                }
                Some(Primary::Up) => ("primary_up", "the primary mail server is up, please use it"),
                Some(Primary::Unknown) => (
                    "primary_unknown",
                    "please use the primary mail server or try again in a moment",
                ),
            },
        };
        examination.found(Outcome::PutOff, Points::ZERO, reason, evidence);
        examination.put_off(PutOff::All);
    }
}
