//! When unwanted connections were turned away: the earlier, the cheaper. Seen from the client, so that it can be compared
//! between servers.

use serde::Serialize;

use super::outcome::{Outcome, is_positive};
use crate::measure::trace::{Sent, Tried};

/// Connections of spam and hostile clients by how far they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// Closed, refused or given up on before the greeting was complete.
    pub greeting: u64,
    /// Turned away between the greeting and MAIL.
    pub helo: u64,
    /// Refused at MAIL.
    pub mail: u64,
    /// Refused at every RCPT.
    pub rcpt: u64,
    /// Refused at DATA or the final dot.
    pub data: u64,
    /// At least one message was taken.
    pub taken: u64,
    /// Went by themselves: they only looked, asked, or tried passwords.
    pub left: u64,
}

impl Cut {
    pub(super) fn of(drawn: &[&Outcome<'_>]) -> Self {
        let mut cut = Self::default();
        let unwanted = drawn.iter().filter(|one| one.is_unwanted());
        for tried in unwanted
            .flat_map(|one| one.tries())
            .filter(|tried| tried.trouble.is_none())
        {
            *cut.place(tried) += 1;
        }
        cut
    }

    fn place(&mut self, tried: &Tried) -> &mut u64 {
        if tried.greeted.is_none() {
            return &mut self.greeting;
        }
        // How far the transaction that came farthest did.
        let Some(farthest) = tried.envelopes.iter().map(stage).max() else {
            let refused = tried.cut || tried.last >= 400;
            return if refused {
                &mut self.helo
            } else {
                &mut self.left
            };
        };
        match farthest {
            Stage::Mail => &mut self.mail,
            Stage::Rcpt => &mut self.rcpt,
            Stage::Data => &mut self.data,
            Stage::Taken => &mut self.taken,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Mail,
    Rcpt,
    Data,
    Taken,
}

fn stage(sent: &Sent) -> Stage {
    match () {
        () if is_positive(sent.data) => Stage::Taken,
        () if sent.rcpt.iter().any(|code| is_positive(*code)) => Stage::Data,
        () if is_positive(sent.mail) => Stage::Rcpt,
        () => Stage::Mail,
    }
}
