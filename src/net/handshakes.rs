//! How many TLS handshakes are computed at one time. One costs as much processor time as a whole session in plain text, or
//! several, and any stranger can ask for it.
//!
//! A place is for computing the answer to a ClientHello (key exchange and signature), not for the time the client takes
//! before and after: else a few clients that begin and then say nothing could hold all places. Who finds none waits in
//! turn; too many that wait, and the next is told so at once. Deadlines are the caller's.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Clients that wait for a place at most. At a tenth of a millisecond to one for each, the last waits a second.
pub const WAITING: usize = 1000;

/// The places; a cheap clone has the same.
#[derive(Clone, Debug)]
pub struct Handshakes {
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Turn(OwnedSemaphorePermit);

/// Too many wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many TLS handshakes wait for their turn")]
pub struct Full;

impl Handshakes {
    /// With so many places, at least one.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS))),
            waiting: Arc::default(),
        }
    }

    /// Waits for a place; who came first has it first.
    ///
    /// # Errors
    ///
    /// [`Full`], at once.
    pub async fn enter(&self) -> Result<Turn, Full> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Turn(place));
        }
        let _waits = Waits::new(&self.waiting)?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.map(Turn).map_err(|_| Full)
    }
}

impl Turn {
    /// Drives what computes only while it is polled: each poll has a place, and the waits between have none. Who has had
    /// a place is not told that too many wait: there are no more of these than sessions.
    pub async fn at_each_poll<F: Future>(self, future: F) -> F::Output {
        let places = Arc::clone(self.0.semaphore());
        let mut future = pin!(future);
        let mut place = Some(self.0);
        loop {
            let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
            drop(place.take());
            if let Poll::Ready(output) = polled {
                return output;
            }
            woken().await;
            // The semaphore is never closed.
            place = Arc::clone(&places).acquire_owned().await.ok();
        }
    }
}

/// Waits until the task is woken, by whatever was polled last.
async fn woken() {
    let mut waited = false;
    poll_fn(|_| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// One of those that wait.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Result<Self, Full> {
        let waits = Self(waiting);
        match waiting.fetch_add(1, Ordering::Relaxed) {
            ..WAITING => Ok(waits),
            _ => Err(Full),
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn who_came_first_has_the_next_place() {
        let handshakes = Handshakes::new(1);
        let held = handshakes.enter().await.unwrap();
        let (mut first, mut second) = (pin!(handshakes.enter()), pin!(handshakes.enter()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        drop(held);
        assert!(poll(second.as_mut()).is_pending(), "not its turn");
        // Nor may one that has just come go past those that wait.
        assert!(poll(pin!(handshakes.enter()).as_mut()).is_pending());
        let first = first.await.unwrap();
        assert!(poll(second.as_mut()).is_pending());
        drop(first);
        second.await.unwrap();
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let handshakes = Handshakes::new(0);
        let held = handshakes.enter().await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(handshakes.enter())).collect();
        for waits in &mut waiting {
            assert!(poll(waits.as_mut()).is_pending());
        }
        assert_eq!(handshakes.enter().await.unwrap_err(), Full);
        // Who gives up leaves room for another.
        waiting.pop();
        let mut last = Box::pin(handshakes.enter());
        assert!(poll(last.as_mut()).is_pending());
        drop((waiting, held));
        last.await.unwrap();
        assert_eq!(handshakes.waiting.load(Ordering::Relaxed), 0);
    }
}
