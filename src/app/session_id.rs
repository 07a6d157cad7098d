//! Session ids: short, unique on this host, in the order of arrival.
//!
//! Microseconds since 1970 shifted by a counter, in base 32 without the letters that are misread over a telephone
//! (Crockford's alphabet). Eleven characters; no two sessions of a process share one, for the value only grows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

static LAST: AtomicU64 = AtomicU64::new(0);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new id for a session accepted at `now`.
pub(in crate::app) fn next(now: SystemTime) -> Box<str> {
    let micros = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_micros());
    let wanted = u64::try_from(micros).unwrap_or(u64::MAX >> 1);
    let previous = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
        Some(wanted.max(last + 1))
    });
    let (Ok(last) | Err(last)) = previous;
    encode(wanted.max(last + 1))
}

fn encode(mut value: u64) -> Box<str> {
    let mut text = [b'0'; 11];
    for place in text.iter_mut().rev() {
        let digit = usize::try_from(value & 31).unwrap_or(0);
        *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
        value >>= 5;
    }
    String::from_utf8_lossy(&text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_in_order() {
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
        let ids: Vec<_> = (0..1000).map(|_| next(now)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.len() == 11));
    }
}
