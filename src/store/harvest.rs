//! Counts of recipients, which fade: who has tried many addresses that are not there does not suffer for it for ever.

use serde::Serialize;

use crate::store::engine::Table;
use crate::store::value::{Kept, Reader};

/// In this time a count of recipients halves, in seconds.
const HALF_LIFE: u64 = 86400;
/// Counts are kept in this fraction, so that they decay smoothly.
const FINE: u64 = 1000;
/// After this many half-lives nothing is left of a count.
const HALVES: u64 = 12;

/// Recipients that the backend has refused and accepted, of a client; older ones count for less (half after a day).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Harvest {
    /// Refused.
    pub refused: u32,
    /// Accepted.
    pub accepted: u32,
}

/// [`Harvest`] as it is kept: in thousandths, as of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Counts {
    at: u64,
    refused: u64,
    accepted: u64,
}

impl Counts {
    /// Nothing counted yet.
    pub(in crate::store) const fn none(now: u64) -> Self {
        Self {
            at: now,
            refused: 0,
            accepted: 0,
        }
    }

    /// What is left of them now. A clock that went back makes them no larger.
    pub(in crate::store) fn decayed(self, now: u64) -> Self {
        let age = now.saturating_sub(self.at);
        Self {
            at: now.max(self.at),
            refused: decayed(self.refused, age),
            accepted: decayed(self.accepted, age),
        }
    }

    /// With these too.
    pub(in crate::store) fn plus(self, more: Harvest) -> Self {
        let add = |count: u64, more: u32| {
            let sum = count.saturating_add(u64::from(more) * FINE);
            sum.min(u64::from(u32::MAX))
        };
        Self {
            refused: add(self.refused, more.refused),
            accepted: add(self.accepted, more.accepted),
            ..self
        }
    }

    /// Whole recipients.
    pub(in crate::store) fn rounded(self) -> Harvest {
        let whole = |count: u64| u32::try_from((count + FINE / 2) / FINE).unwrap_or(u32::MAX);
        Harvest {
            refused: whole(self.refused),
            accepted: whole(self.accepted),
        }
    }
}

/// Half of it after each half-life, in a straight line between.
fn decayed(count: u64, age: u64) -> u64 {
    let halves = age / HALF_LIFE;
    let Some(left) = u32::try_from(halves)
        .ok()
        .and_then(|by| count.checked_shr(by))
    else {
        return 0;
    };
    left - left * (age % HALF_LIFE) / (2 * HALF_LIFE)
}

impl Kept for Counts {
    const TABLE: Table = Table::Harvest;

    fn expires(&self) -> u64 {
        self.at.saturating_add(HALVES * HALF_LIFE)
    }

    fn write(&self, octets: &mut Vec<u8>) {
        for count in [self.refused, self.accepted] {
            octets.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
        }
    }

    fn read(expires: u64, octets: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            at: expires.checked_sub(HALVES * HALF_LIFE)?,
            refused: octets.u32()?.into(),
            accepted: octets.u32()?.into(),
        })
    }
}
