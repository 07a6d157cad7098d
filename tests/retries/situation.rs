//! What stands before the senders: a primary alone or with a secondary, and for how long the primary is gone.

use crate::sender::Mx;

/// The outage, in seconds.
const OUTAGE: i64 = 3 * 3600;
/// The pause between two looks of the secondary at the primary, and before the second at one that has not greeted.
pub(crate) const PAUSE: i64 = 10;
pub(crate) const SECOND_LOOK: i64 = 2;

/// How the primary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primary {
    Up,
    /// It can not be reached.
    Gone,
    /// Its gate can be, but nothing behind it: 451.
    Busy,
}

/// One situation. Times are seconds since the beginning of the outage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Situation {
    pub(crate) name: &'static str,
    /// What the policy of the secondary says of its shield; none: there is no secondary.
    pub(crate) shield: Option<&'static str>,
    /// Whether the secondary asks who has tried the primary: both are then doors of one gate.
    pub(crate) asks_who_tried: bool,
    /// How the primary is during the outage, and when that ends.
    outage: (Primary, i64),
    /// How long a look at it takes then; 20 where it does not even refuse connections.
    pub(crate) look_takes: i64,
    /// When the message is written.
    pub(crate) starts: &'static [i64],
}

pub(crate) const GREYLIST: Situation = Situation {
    name: "greylist",
    shield: None,
    asks_who_tried: false,
    outage: (Primary::Up, 0),
    look_takes: 0,
    starts: &[0],
};

/// The first try does not reach the primary; each later one does.
const TEMPFAIL: Situation = Situation {
    name: "tempfail",
    shield: Some("tempfail"),
    asks_who_tried: false,
    outage: (Primary::Gone, 1),
    look_takes: 0,
    starts: &[0],
};

/// The same where the secondary asks who has tried the primary: nobody has.
const TEMPFAIL_ASKS: Situation = Situation {
    asks_who_tried: true,
    ..TEMPFAIL
};

const TEMPFAIL_LONG: Situation = Situation {
    name: "tempfail, primary down",
    outage: (Primary::Gone, OUTAGE),
    starts: &[0, 60],
    ..TEMPFAIL
};

const PRIMARY_UP: Situation = Situation {
    name: "primary up",
    shield: Some("when-primary-down"),
    asks_who_tried: false,
    outage: (Primary::Gone, OUTAGE),
    look_takes: 0,
    starts: &[-86_400, -6 * 3600 - 1],
};

const PRIMARY_DOWN: Situation = Situation {
    name: "primary down",
    starts: &[60, OUTAGE / 2, OUTAGE - 1],
    ..PRIMARY_UP
};

/// The secondary has not seen it yet.
const PRIMARY_JUST_DOWN: Situation = Situation {
    name: "primary just down",
    starts: &[0, 1],
    ..PRIMARY_UP
};

/// The same, and it takes longer.
const PRIMARY_JUST_SILENT: Situation = Situation {
    look_takes: 20,
    starts: &[0, 50],
    ..PRIMARY_JUST_DOWN
};

pub(crate) const STRICT: Situation = Situation {
    name: "strict",
    shield: Some("strict"),
    starts: &[60],
    ..TEMPFAIL_LONG
};

/// The same with that question.
const STRICT_ASKS: Situation = Situation {
    asks_who_tried: true,
    ..STRICT
};

/// The usual ones, each with a name of its own.
pub(crate) const SITUATIONS: &[Situation] = &[
    GREYLIST,
    TEMPFAIL,
    TEMPFAIL_LONG,
    PRIMARY_UP,
    PRIMARY_DOWN,
    PRIMARY_JUST_DOWN,
    STRICT,
];

/// Those that are worth a column in the documentation: in the others it is 0, or the first.
pub(crate) const TOLD: &[Situation] = &[GREYLIST, TEMPFAIL, TEMPFAIL_LONG];

/// What comes out as in the usual one of that name.
pub(crate) const VARIANTS: &[Situation] = &[TEMPFAIL_ASKS, PRIMARY_JUST_SILENT, STRICT_ASKS];

/// As [`TEMPFAIL_ASKS`], but the first try reaches the primary's gate.
pub(crate) fn tempfail_while_busy() -> Situation {
    Situation {
        outage: (Primary::Busy, 1),
        ..TEMPFAIL_ASKS
    }
}

impl Situation {
    /// Whether senders are played clean, in doubt, or both; the usual one first.
    pub(crate) fn doubts(&self) -> &'static [bool] {
        match self.shield {
            None => &[true, false],
            // In doubt already, 3 points more would refuse them.
            Some(_) if self.asks_who_tried => &[false],
            Some(_) => &[false, true],
        }
    }

    pub(crate) fn primary(&self, now: i64) -> Primary {
        let (how, until) = self.outage;
        if (0..until).contains(&now) {
            how
        } else {
            Primary::Up
        }
    }

    /// When the secondary knows of the outage, which begins a second after a look: two looks have failed.
    fn seen_at(&self) -> i64 {
        PAUSE - 1 + self.look_takes + SECOND_LOOK + self.look_takes
    }

    /// Whether one of the hosts that `mx` tries can be reached at `now`.
    pub(crate) fn sees(&self, mx: Mx, now: i64) -> bool {
        let up = self.primary(now) == Primary::Up;
        match mx {
            Mx::Primary => up,
            _ => up || self.shield.is_some(),
        }
    }

    /// Whether one of the hosts that `mx` tries takes mail at `now`, from somebody who has waited or not.
    pub(crate) fn takes(&self, mx: Mx, now: i64, has_waited: bool, doubt: bool) -> bool {
        let up = self.primary(now) == Primary::Up;
        let primary = up && (has_waited || !doubt);
        let secondary = match self.shield {
            Some("when-primary-down") => !up && now >= self.seen_at() && (has_waited || !doubt),
            Some("strict") => has_waited,
            _ => false,
        };
        match mx {
            Mx::InOrder => primary || secondary,
            Mx::Primary => primary,
            // Who reaches no other host takes the only one there is.
            Mx::Secondary if self.shield.is_none() => primary,
            Mx::Secondary => secondary,
        }
    }
}
