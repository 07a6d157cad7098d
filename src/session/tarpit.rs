//! The tarpit: a client that was denied a recipient has its further replies late, so that a bot spends its time here.
//!
//! It is bounded: at most `limits.tarpit` clients are held up at one time, all others are answered at once, and so is
//! everybody when the process drains. Nobody's verdict changes by it.

use std::time::Duration;

use crate::facts::Ended;
use crate::session::Session;

impl Session {
    /// From here on this client is held up, if its policy says so and there is a place.
    pub(in crate::session) fn hold_up(&mut self) {
        let already = self.tarpit.is_some();
        if already || self.door.policy.tarpit.is_zero() {
            return;
        }
        self.tarpit = self.shared.tarpit.clone().try_acquire_owned().ok();
    }

    /// The time before a reply. Before it, for what the client says meanwhile came before the reply.
    pub(in crate::session) async fn linger(&mut self) {
        if self.tarpit.is_some() && !self.door.policy.tarpit_drip {
            self.rest(self.door.policy.tarpit).await;
        }
    }

    /// Writes a reply, octet by octet where that is asked for.
    pub(in crate::session) async fn drip(&mut self, octets: &[u8]) -> Result<(), Ended> {
        if self.tarpit.is_none() || !self.door.policy.tarpit_drip {
            return self.send(octets).await;
        }
        let count = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let pause = self.door.policy.tarpit / count.max(1);
        for octet in octets {
            self.rest(pause).await;
            self.send([*octet]).await?;
        }
        Ok(())
    }

    async fn rest(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.shared.draining.cancelled() => {}
        }
    }
}
