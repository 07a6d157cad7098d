//! The shield of a secondary MX: who comes there is sent to the primary as long as that is up.
//!
//! Spammers like to try the highest preference value first, hoping for a weaker filter; mail servers go there only when the
//! primary does not answer, and come back to it by their retries (RFC 5321 §5.1), so putting them off loses nothing. Not a
//! check with points: it is a policy's word about all its recipients but the exempt ones.

use crate::checks::examination::{Examination, PutOff};
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::facts::Primary;

pub use crate::checks::policy::{Shield, ShieldMode as Mode};

/// Its name among findings.
pub const NAME: &str = "shield";

/// Puts the recipient off, or not.
pub fn examine(shield: &Shield, examination: &mut Examination<'_>) {
    let (reason, evidence) = match shield.mode {
        Mode::Off | Mode::Strict => return,
        Mode::Tempfail => (
            "always",
            "this is a secondary mail server, please use the primary",
        ),
        Mode::WhenPrimaryDown => match examination.primary(&shield.primary) {
            None => return examination.put_off(PutOff::Asked),
            Some(Primary::Down) => {
                let evidence = "the primary is down";
                return examination.found(Outcome::Pass, Points::ZERO, "primary_down", evidence);
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
