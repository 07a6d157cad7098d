//! A policy: the thresholds, the wait, the exempt recipients and the checks that are switched on, ready to judge.
//!
//! It is built by `config` from the tables `[policy.NAME]`; here is only what judging needs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checks::Check;
use crate::checks::points::Points;
use crate::facts::Rcpt;
use crate::smtp::path::ForwardPath;

/// Whether verdicts are enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Verdicts are enforced.
    #[default]
    Enforce,
    /// Verdicts are recorded only: every recipient is cleared.
    Observe,
}

impl Mode {
    /// The mode as one word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

/// What a secondary MX does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShieldMode {
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
    pub mode: ShieldMode,
    /// Where the primary is, as written; only [`ShieldMode::WhenPrimaryDown`] asks.
    pub primary: Box<str>,
}

impl Shield {
    /// From which total on a recipient is in doubt.
    #[must_use]
    pub fn doubt_from(&self, greylist_points: Points) -> Points {
        match self.mode {
            ShieldMode::Strict => Points::LEAST,
            _ => greylist_points,
        }
    }
}

/// A header field that is put before a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// The findings.
    XGatepost,
    /// What was authenticated (RFC 8601).
    AuthenticationResults,
    /// Where the message came from (RFC 5321 §4.4).
    Received,
}

impl Field {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XGatepost => "X-Gatepost",
            Self::AuthenticationResults => "Authentication-Results",
            Self::Received => "Received",
        }
    }
}

/// Everything [`judge`](crate::checks::judge()) needs besides the facts.
#[derive(Debug)]
pub struct Policy {
    /// Its name in the configuration.
    pub name: Box<str>,
    /// Whether verdicts are enforced.
    pub mode: Mode,
    /// How long an unknown client waits for the greeting; zero to at most 10 s.
    pub greet_wait: Duration,
    /// Totals from here on are greylisted.
    pub greylist_points: Points,
    /// Totals from here on are denied at RCPT.
    pub deny_points: Points,
    /// Totals from here on end the session at once.
    pub drop_points: Points,
    /// Local-parts, lower case, whose recipients are answered by the backend whatever the total.
    pub exempt_recipients: Vec<Box<str>>,
    /// Whether this is the policy of a secondary MX.
    pub shield: Shield,
    /// How long each reply to a client takes once one of its recipients has been denied; zero: no longer than others.
    pub tarpit: Duration,
    /// Whether that time is spent octet by octet instead of before the reply.
    pub tarpit_drip: bool,
    /// The fields that are put before each message, in this order.
    pub add_header: Vec<Field>,
    /// The checks that are switched on, in the order of [`crate::checks::ALL`].
    pub checks: Vec<Box<dyn Check>>,
}

impl Default for Policy {
    /// The thresholds as they are without a configuration; no check, no wait.
    fn default() -> Self {
        Self {
            name: "default".into(),
            mode: Mode::Enforce,
            greet_wait: Duration::ZERO,
            greylist_points: Points::new(3),
            deny_points: Points::new(5),
            drop_points: Points::new(50),
            exempt_recipients: vec!["postmaster".into(), "abuse".into()],
            shield: Shield::default(),
            tarpit: Duration::ZERO,
            tarpit_drip: false,
            add_header: Vec::new(),
            checks: Vec::new(),
        }
    }
}

impl Policy {
    /// From which total on a recipient is in doubt.
    #[must_use]
    pub fn doubt_from(&self) -> Points {
        self.shield.doubt_from(self.greylist_points)
    }

    /// Whether filtering does not apply to this recipient: bare `<postmaster>` (RFC 5321 §4.5.1), or a local-part of
    /// the list, in any case, quoted or not. Nothing that merely looks like it.
    #[must_use]
    pub fn is_exempt(&self, rcpt: &Rcpt) -> bool {
        match &rcpt.path {
            ForwardPath::Postmaster(_) => true,
            ForwardPath::Mailbox(mailbox) => {
                let local_part = mailbox.local_part.unquoted();
                self.exempt_recipients
                    .iter()
                    .any(|exempt| exempt.eq_ignore_ascii_case(&local_part))
            }
        }
    }
}
