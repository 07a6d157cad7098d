//! Who is here now: for each session under way what an operator wants to see of it, as it stands.
//!
//! Not what the session knows: a copy of a few words of it, in slots that are used again. A slot is 64 octets, because a
//! connection that is held must stay cheap, and locks are taken for a moment only, by one session in sixteen.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::time::Instant;

use crate::checks::points::Points;
use crate::facts::Stage;
use crate::session::context::Door;
use crate::smtp::domain::HeloName;

/// Slots are in so many parts, each under a lock of its own.
const PARTS: u32 = 16;
/// Octets of an id that are kept; ours have eleven.
const ID: usize = 15;

/// All sessions under way.
#[derive(Debug)]
pub struct Live {
    begun: Instant,
    turn: AtomicU32,
    parts: [Mutex<Part>; PARTS as usize],
}

#[derive(Debug, Default)]
struct Part {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
}

struct Slot {
    door: Arc<Door>,
    helo: Option<Box<HeloName>>,
    id: Id,
    client: IpAddr,
    stage: Stage,
    points: Points,
    /// Seconds after [`Live::begun`].
    started: u32,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id.as_str())
    }
}

/// The beginning of an id, in place.
struct Id {
    length: u8,
    octets: [u8; ID],
}

impl Id {
    fn new(id: &str) -> Self {
        let mut octets = [0; ID];
        let end = (0..=id.len().min(ID))
            .rev()
            .find(|end| id.is_char_boundary(*end));
        let kept = id.as_bytes().get(..end.unwrap_or(0)).unwrap_or_default();
        for (place, octet) in octets.iter_mut().zip(kept) {
            *place = *octet;
        }
        Self {
            length: u8::try_from(kept.len()).unwrap_or(0),
            octets,
        }
    }

    fn as_str(&self) -> &str {
        let kept = self.octets.get(..usize::from(self.length));
        std::str::from_utf8(kept.unwrap_or_default()).unwrap_or_default()
    }
}

/// A place among the sessions under way.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Seat(u32);

/// A session as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sight {
    /// Its id.
    pub id: String,
    /// The client's address.
    pub client: IpAddr,
    /// The listener's name.
    pub listener: String,
    /// How far it has come.
    pub stage: Stage,
    /// Seconds since it began.
    pub age: u32,
    /// The name the client has given itself; it may say what it likes.
    pub helo: Option<String>,
    /// The points so far.
    pub points: Points,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            turn: AtomicU32::new(0),
            parts: Default::default(),
        }
    }
}

impl Live {
    /// A session has begun.
    pub(in crate::session) fn enter(&self, id: &str, client: IpAddr, door: &Arc<Door>) -> Seat {
        let slot = Slot {
            door: Arc::clone(door),
            helo: None,
            id: Id::new(id),
            client,
            stage: Stage::Connect,
            points: Points::ZERO,
            started: self.now(),
        };
        let number = self.turn.fetch_add(1, Ordering::Relaxed) % PARTS;
        let mut part = self.part(number);
        if let Some(free) = part.free.pop()
            && let Some(place) = part.slots.get_mut(index(free))
        {
            *place = Some(slot);
            return Seat(free * PARTS + number);
        }
        let new = u32::try_from(part.slots.len()).unwrap_or(0);
        part.slots.push(Some(slot));
        Seat(new * PARTS + number)
    }

    /// It has ended.
    pub(in crate::session) fn leave(&self, seat: Seat) {
        let mut part = self.part(seat.0 % PARTS);
        let left = part.slots.get_mut(index(seat.0 / PARTS));
        if left.and_then(Option::take).is_some() {
            part.free.push(seat.0 / PARTS);
        }
        if part.free.len() == part.slots.len() {
            *part = Part::default();
        }
    }

    /// It has come so far, with so many points.
    pub(in crate::session) fn see(&self, seat: Seat, stage: Stage, points: Option<Points>) {
        self.change(seat, |slot| {
            slot.stage = stage;
            slot.points = points.unwrap_or(slot.points);
        });
    }

    /// Its client is another than the one who connected.
    pub(in crate::session) fn name_client(&self, seat: Seat, client: IpAddr) {
        self.change(seat, |slot| slot.client = client);
    }

    /// The client has named itself.
    pub(in crate::session) fn name_helo(&self, seat: Seat, helo: HeloName) {
        let helo = Box::new(helo);
        self.change(seat, |slot| slot.helo = Some(helo));
    }

    /// The sessions under way, the oldest first, at most so many.
    #[must_use]
    pub fn sights(&self, most: usize) -> Vec<Sight> {
        let now = self.now();
        let mut sights: Vec<Sight> = Vec::new();
        for number in 0..PARTS {
            let part = self.part(number);
            let slots = part.slots.iter().flatten();
            sights.extend(slots.map(|slot| slot.sight(now)));
        }
        sights.sort_by(|one, other| other.age.cmp(&one.age).then(one.id.cmp(&other.id)));
        sights.truncate(most);
        sights
    }

    fn change(&self, seat: Seat, change: impl FnOnce(&mut Slot)) {
        let mut part = self.part(seat.0 % PARTS);
        if let Some(Some(slot)) = part.slots.get_mut(index(seat.0 / PARTS)) {
            change(slot);
        }
    }

    fn part(&self, number: u32) -> MutexGuard<'_, Part> {
        let [first, ..] = &self.parts;
        let part = self.parts.get(index(number)).unwrap_or(first);
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u32 {
        u32::try_from(self.begun.elapsed().as_secs()).unwrap_or(u32::MAX)
    }
}

impl Slot {
    fn sight(&self, now: u32) -> Sight {
        Sight {
            id: self.id.as_str().to_owned(),
            client: self.client,
            listener: self.door.name.to_string(),
            stage: self.stage,
            age: now.saturating_sub(self.started),
            helo: self.helo.as_ref().map(|helo| helo.as_str().to_owned()),
            points: self.points,
        }
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{self, Layers};
    use crate::session::upstream::Upstream;

    fn door() -> Arc<Door> {
        let text = "hostname = \"mx.example.com\"\n[listen.mx]\naddress = \"127.0.0.1:25\"\nbackend = \"b\"\n\
                    [backend.b]\naddress = \"127.0.0.1:26\"\n";
        let layers = Layers {
            file: Some((Path::new("g.toml"), text)),
            system_name: "mx.example.com",
            ..Layers::default()
        };
        let snapshot = config::from_layers(&layers).unwrap();
        Arc::new(Door {
            name: "mx".into(),
            listen: snapshot.config.listen["mx"].clone(),
            policy: Arc::clone(&snapshot.policies["default"]),
            is_primary: false,
            upstream: Arc::new(Upstream::new("b", snapshot.config.backend["b"].clone())),
            acceptor: None,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_here_is_seen_as_it_stands_and_slots_are_used_again() {
        let (live, door) = (Live::default(), door());
        let client = |number: u8| IpAddr::from([192, 0, 2, number]);
        let enter = |number: u8| live.enter(&format!("s{number}"), client(number), &door);
        let seats: Vec<Seat> = (0..100).map(enter).collect();
        tokio::time::advance(std::time::Duration::from_secs(90)).await;
        let late = enter(100);
        live.see(late, Stage::Rcpt, Some(Points::new(3)));
        live.see(late, Stage::Data, None);
        live.name_client(late, client(200));
        live.name_helo(late, HeloName::parse("a<b>").unwrap());
        let sights = live.sights(1000);
        assert_eq!(sights.len(), 101);
        assert_eq!((&*sights[0].id, sights[0].age), ("s0", 90));
        let last = &sights[100];
        assert_eq!(
            (last.age, last.stage, last.points),
            (0, Stage::Data, Points::new(3))
        );
        assert_eq!(
            (last.client, last.helo.as_deref()),
            (client(200), Some("a<b>"))
        );
        assert_eq!(live.sights(7).len(), 7);
        let slots = || -> usize { (0..PARTS).map(|number| live.part(number).slots.len()).sum() };
        seats[..50].iter().for_each(|seat| live.leave(*seat));
        live.leave(seats[0]);
        let before = slots();
        let again: Vec<Seat> = (0..48).map(enter).collect();
        assert_eq!(slots(), before);
        assert_eq!(live.sights(1000).len(), 99);
        seats[50..]
            .iter()
            .chain(&again)
            .for_each(|seat| live.leave(*seat));
        live.leave(late);
        assert_eq!((live.sights(1000), slots()), (Vec::new(), 0));
    }

    #[test]
    fn a_slot_is_small() {
        assert!(
            size_of::<Option<Slot>>() <= 64,
            "{}",
            size_of::<Option<Slot>>()
        );
    }

    #[test]
    fn an_id_is_kept_as_far_as_it_fits() {
        for (id, kept) in [
            ("1hx3v7k2m9q", "1hx3v7k2m9q"),
            ("", ""),
            ("abcdefghijklmnopq", "abcdefghijklmno"),
            ("abcdefghijklmnä", "abcdefghijklmn"),
        ] {
            assert_eq!(Id::new(id).as_str(), kept);
        }
    }
}
