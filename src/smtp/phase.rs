//! Phases of a session and the one table by which both machines move through them.
//!
//! The phase moves on the reply, never on the command, so that the machine toward the client and the
//! one toward the backend, which see the same replies, stay equal. RFC 5321 §3.3, §4.1.4 (order),
//! §4.3.2 (codes), §4.5.3.2 (timers), RFC 3207 §4.2, RFC 4954 §3, RFC 3030 §2 (chunks).

use serde::{Deserialize, Serialize};

use super::{reply::ReplyClass, verb::Verb};

/// Where a session stands.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the greeting, or after a greeting that refused: only QUIT is legal.
    #[default]
    Connect,
    /// Greeted, but no HELO or EHLO accepted yet; again after STARTTLS.
    Start,
    /// HELO or EHLO accepted, no transaction open.
    Ready,
    /// MAIL accepted, no recipient yet.
    Mail,
    /// At least one recipient accepted.
    Rcpt,
    /// After 354, up to the reply to the final dot.
    Data,
    /// Between two chunks of a message.
    Chunks,
    /// After 221, 421 or 521: nothing more is read.
    Closed,
}

impl Phase {
    /// The phase after a reply to `verb`. `class` must be the class of `code`.
    #[must_use]
    pub const fn after(self, verb: Verb, class: ReplyClass, code: u16) -> Self {
        use ReplyClass::{Intermediate, Positive};
        if matches!(code, 421 | 521) {
            return Self::Closed;
        }
        match (self, verb, class) {
            (Self::Connect, Verb::Connect, Positive) => Self::Start,
            (
                Self::Start | Self::Ready | Self::Mail | Self::Rcpt | Self::Chunks,
                Verb::Helo | Verb::Ehlo,
                Positive,
            ) => Self::Ready,
            (Self::Mail | Self::Rcpt | Self::Chunks, Verb::Rset, Positive) => Self::Ready,
            (Self::Ready, Verb::Mail, Positive) => Self::Mail,
            (Self::Mail | Self::Rcpt, Verb::Rcpt, Positive) => Self::Rcpt,
            (Self::Rcpt, Verb::Data, Intermediate) => Self::Data,
            // A chunk that was refused leaves its message open, until RSET or the last chunk.
            (Self::Rcpt | Self::Chunks, Verb::Bdat, _) => Self::Chunks,
            (Self::Data | Self::Rcpt | Self::Chunks, Verb::EndOfData, _) => Self::Ready,
            (Self::Ready, Verb::StartTls, Positive) if code == 220 => Self::Start,
            (_, Verb::Quit, Positive) => Self::Closed,
            _ => self,
        }
    }

    /// True when `verb` may be sent in this phase. Says nothing about offers (`extension.rs`).
    pub const fn allows(self, verb: Verb) -> bool {
        match verb {
            Verb::Connect => matches!(self, Self::Connect),
            Verb::Quit => !matches!(self, Self::Data | Self::Closed),
            Verb::Helo
            | Verb::Ehlo
            | Verb::Rset
            | Verb::Noop
            | Verb::Vrfy
            | Verb::Expn
            | Verb::Help => {
                matches!(
                    self,
                    Self::Start | Self::Ready | Self::Mail | Self::Rcpt | Self::Chunks
                )
            }
            Verb::Mail | Verb::StartTls | Verb::Auth => matches!(self, Self::Ready),
            Verb::Rcpt => matches!(self, Self::Mail | Self::Rcpt),
            Verb::Data => matches!(self, Self::Rcpt),
            // Its chunk follows in any case, so it is read and then refused where there is nobody to send it to.
            Verb::Bdat => matches!(self, Self::Ready | Self::Mail | Self::Rcpt | Self::Chunks),
            // The dot, or the end of the last chunk.
            Verb::EndOfData => matches!(self, Self::Data | Self::Rcpt | Self::Chunks),
        }
    }

    /// True between an accepted MAIL and the end of its transaction.
    pub const fn in_transaction(self) -> bool {
        matches!(self, Self::Mail | Self::Rcpt | Self::Data | Self::Chunks)
    }

    /// The timer of a server that waits for the client in this phase.
    pub const fn timer(self) -> Timer {
        match self {
            Self::Connect => Timer::Greeting,
            Self::Data | Self::Chunks => Timer::DataBlock,
            _ => Timer::Command,
        }
    }
}

/// The rows of RFC 5321 §4.5.3.2. The durations are configuration; the minimum is the RFC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// §4.5.3.2.1: for the 220, 5 minutes.
    Greeting,
    /// §4.5.3.2.2: for the reply to MAIL, 5 minutes; also for verbs that have no row of their own.
    Mail,
    /// §4.5.3.2.3: for the reply to RCPT, 5 minutes.
    Rcpt,
    /// §4.5.3.2.4: for the 354, 2 minutes.
    DataInitiation,
    /// §4.5.3.2.5: for each piece of mail data, 3 minutes.
    DataBlock,
    /// §4.5.3.2.6: for the reply to the final dot, 10 minutes.
    DataTermination,
    /// §4.5.3.2.7: a server's wait for the next command, 5 minutes.
    Command,
}

impl Timer {
    /// The timer of a client that waits for the reply to `verb`.
    pub const fn for_reply(verb: Verb) -> Self {
        match verb {
            Verb::Connect => Self::Greeting,
            Verb::Rcpt => Self::Rcpt,
            Verb::Data => Self::DataInitiation,
            Verb::EndOfData => Self::DataTermination,
            _ => Self::Mail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 8] = [
        Phase::Connect,
        Phase::Start,
        Phase::Ready,
        Phase::Mail,
        Phase::Rcpt,
        Phase::Data,
        Phase::Chunks,
        Phase::Closed,
    ];

    fn verbs() -> impl Iterator<Item = Verb> {
        Verb::ALL
            .into_iter()
            .chain([Verb::EndOfData, Verb::Connect])
    }

    fn after(phase: Phase, verb: Verb, code: u16) -> Phase {
        phase.after(verb, ReplyClass::of(code), code)
    }

    #[test]
    fn a_session() {
        let steps = [
            (Verb::Connect, 220, Phase::Start),
            (Verb::Mail, 503, Phase::Start),
            (Verb::Rset, 250, Phase::Start),
            (Verb::Ehlo, 550, Phase::Start),
            (Verb::Ehlo, 250, Phase::Ready),
            (Verb::StartTls, 454, Phase::Ready),
            (Verb::StartTls, 250, Phase::Ready),
            (Verb::StartTls, 220, Phase::Start),
            (Verb::Ehlo, 250, Phase::Ready),
            (Verb::Auth, 334, Phase::Ready),
            (Verb::Auth, 235, Phase::Ready),
            (Verb::Mail, 451, Phase::Ready),
            (Verb::Mail, 250, Phase::Mail),
            (Verb::Rcpt, 550, Phase::Mail),
            (Verb::Data, 503, Phase::Mail),
            (Verb::Rcpt, 250, Phase::Rcpt),
            (Verb::Rcpt, 451, Phase::Rcpt),
            (Verb::Rset, 250, Phase::Ready),
            (Verb::Mail, 250, Phase::Mail),
            (Verb::Helo, 250, Phase::Ready),
            (Verb::Mail, 250, Phase::Mail),
            (Verb::Rcpt, 251, Phase::Rcpt),
            (Verb::Data, 451, Phase::Rcpt),
            (Verb::Data, 354, Phase::Data),
            (Verb::EndOfData, 550, Phase::Ready),
            (Verb::Bdat, 503, Phase::Ready),
            (Verb::Mail, 250, Phase::Mail),
            (Verb::Bdat, 503, Phase::Mail),
            (Verb::Rcpt, 250, Phase::Rcpt),
            (Verb::Bdat, 250, Phase::Chunks),
            (Verb::Bdat, 550, Phase::Chunks),
            (Verb::EndOfData, 250, Phase::Ready),
            (Verb::Mail, 250, Phase::Mail),
            (Verb::Rcpt, 250, Phase::Rcpt),
            (Verb::EndOfData, 250, Phase::Ready),
            (Verb::Quit, 221, Phase::Closed),
        ];
        let mut phase = Phase::default();
        for (verb, code, expected) in steps {
            phase = after(phase, verb, code);
            assert_eq!(phase, expected, "after {code} to {verb:?}");
        }
    }

    #[test]
    fn a_closing_reply_closes_everywhere() {
        for (phase, verb) in PHASES
            .into_iter()
            .flat_map(|phase| verbs().map(move |verb| (phase, verb)))
        {
            assert_eq!(after(phase, verb, 421), Phase::Closed);
            assert_eq!(after(phase, verb, 521), Phase::Closed);
        }
    }

    /// A reply to a verb that is not legal moves nothing, so a wrong command can not open a door.
    #[test]
    fn only_legal_verbs_move() {
        for phase in PHASES {
            for verb in verbs().filter(|verb| !phase.allows(*verb)) {
                for code in [220, 250, 354, 451, 550] {
                    let quit = verb == Verb::Quit && code < 300;
                    let expected = if quit { Phase::Closed } else { phase };
                    assert_eq!(
                        after(phase, verb, code),
                        expected,
                        "{phase:?} {verb:?} {code}"
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_but_the_dot_in_data_and_nothing_when_closed() {
        assert_eq!(
            verbs()
                .filter(|verb| Phase::Data.allows(*verb))
                .collect::<Vec<_>>(),
            [Verb::EndOfData]
        );
        assert_eq!(
            verbs().filter(|verb| Phase::Closed.allows(*verb)).count(),
            0
        );
    }

    #[test]
    fn timers() {
        assert_eq!(Phase::Data.timer(), Timer::DataBlock);
        assert_eq!(Phase::Mail.timer(), Timer::Command);
        assert_eq!(Timer::for_reply(Verb::EndOfData), Timer::DataTermination);
        assert_eq!(Timer::for_reply(Verb::Ehlo), Timer::Mail);
    }
}
