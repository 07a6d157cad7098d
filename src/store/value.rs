//! Values: what is remembered, and its octets.
//!
//! Every value begins with a version octet and the time it expires, so that it can be swept without being understood.
//! Times have five octets, which last for 34,000 years; numbers are big-endian. Octets that are not a whole value of a known version are as good as none.

use std::time::Duration;

use serde::Serialize;

use crate::store::engine::{Octets, Table};

/// The version of all values; another one is not read.
const VERSION: u8 = 1;
/// Octets of version and expiry.
const HEADER: usize = 6;
/// No time is behind this one.
pub(in crate::store) const LAST: u64 = (1 << 40) - 1;
/// The most octets kept for a zone.
pub(in crate::store) const ZONE_OCTETS: usize = 256;

/// Something that is kept in a table.
pub(in crate::store) trait Kept: Sized {
    /// Where.
    const TABLE: Table;
    /// When it expires.
    fn expires(&self) -> u64;
    /// Writes what follows the version and the expiry.
    fn write(&self, octets: &mut Vec<u8>);
    /// Reads it back, to the last octet.
    fn read(expires: u64, octets: &mut Reader<'_>) -> Option<Self>;

    /// All octets.
    fn octets(&self) -> Octets {
        let mut octets = Vec::with_capacity(48);
        octets.push(VERSION);
        write_time(&mut octets, self.expires());
        self.write(&mut octets);
        octets.into_boxed_slice()
    }

    /// From all octets, unless it has expired.
    fn from_octets(octets: &[u8], now: u64) -> Option<Self> {
        let expires = expires(octets).filter(|expires| *expires > now)?;
        let mut reader = Reader(octets);
        let _header = reader.take(HEADER)?;
        let value = Self::read(expires, &mut reader)?;
        reader.is_empty().then_some(value)
    }
}

/// When octets expire; `None` if that can not be told.
pub(in crate::store) fn expires(octets: &[u8]) -> Option<u64> {
    let mut reader = Reader(octets);
    (reader.u8()? == VERSION).then(|| reader.time())?
}

/// A time so long after `now`.
pub(in crate::store) const fn after(now: u64, lifetime: Duration) -> u64 {
    let time = now.saturating_add(lifetime.as_secs());
    if time < LAST { time } else { LAST }
}

/// Takes octets from the front.
pub(in crate::store) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*chunk)
    }

    pub(in crate::store) fn u8(&mut self) -> Option<u8> {
        self.chunk().map(|[octet]| octet)
    }

    fn u16(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    pub(in crate::store) fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    pub(in crate::store) fn time(&mut self) -> Option<u64> {
        let octets = self.take(5)?;
        Some(
            octets
                .iter()
                .fold(0, |time, octet| time << 8 | u64::from(*octet)),
        )
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Whether nothing is left.
    pub(in crate::store) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is left.
    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Text behind its length.
    pub(in crate::store) fn text(&mut self) -> Option<Box<str>> {
        let length = self.u16()?;
        let octets = self.take(length.into())?;
        std::str::from_utf8(octets).ok().map(Into::into)
    }
}

/// Writes a time; the last there is for later ones.
pub(in crate::store) fn write_time(octets: &mut Vec<u8>, time: u64) {
    let [_, _, _, kept @ ..] = time.min(LAST).to_be_bytes();
    octets.extend(kept);
}

/// Writes text behind its length. Longer text than that can tell is cut by whoever keeps it.
pub(in crate::store) fn write_text(octets: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    octets.extend(length.to_be_bytes());
    octets.extend(text.bytes().take(length.into()));
}

/// A good result that is remembered: a client that has ended clean need not wait again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pass {
    /// When it was first earned, seconds since 1970 UTC, like all times here.
    pub first_seen: u64,
    /// When it was last earned.
    pub last_seen: u64,
    /// When it ends.
    pub expires: u64,
    /// How often it was earned.
    pub count: u32,
}

impl Kept for Pass {
    const TABLE: Table = Table::Passes;

    fn expires(&self) -> u64 {
        self.expires
    }

    fn write(&self, octets: &mut Vec<u8>) {
        write_time(octets, self.first_seen);
        write_time(octets, self.last_seen);
        octets.extend(self.count.to_be_bytes());
    }

    fn read(expires: u64, octets: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            first_seen: octets.time()?,
            last_seen: octets.time()?,
            expires,
            count: octets.u32()?,
        })
    }
}

/// What is known of a greylist triplet (RFC 6647 §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Triplet {
    /// When it was first seen.
    pub first_seen: u64,
    /// When it was last seen.
    pub last_seen: u64,
    /// When it is forgotten.
    pub expires: u64,
    /// Whether it has waited long enough once.
    pub passed: bool,
}

impl Kept for Triplet {
    const TABLE: Table = Table::Triplets;

    fn expires(&self) -> u64 {
        self.expires
    }

    fn write(&self, octets: &mut Vec<u8>) {
        write_time(octets, self.first_seen);
        write_time(octets, self.last_seen);
        octets.push(self.passed.into());
    }

    fn read(expires: u64, octets: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            first_seen: octets.time()?,
            last_seen: octets.time()?,
            expires,
            passed: octets.u8()? != 0,
        })
    }
}

/// What is kept for a zone: octets that mean something only to whoever watches zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Zone {
    pub(in crate::store) expires: u64,
    pub(in crate::store) state: Octets,
}

impl Kept for Zone {
    const TABLE: Table = Table::Zones;

    fn expires(&self) -> u64 {
        self.expires
    }

    fn write(&self, octets: &mut Vec<u8>) {
        octets.extend(&self.state);
    }

    fn read(expires: u64, octets: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            expires,
            state: octets.rest().into(),
        })
    }
}
