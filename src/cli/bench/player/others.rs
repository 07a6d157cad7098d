//! Sessions that are about no mail: scanners, password guessers, callouts.

use std::time::Duration;

use data_encoding::BASE64;

use super::dialogue::Dialogue;
use crate::cli::bench::speech;
use crate::cli::bench::wire::Lost;

/// How long a scanner reads.
const GLANCE: Duration = Duration::from_millis(300);

impl Dialogue<'_> {
    /// Octets that are no SMTP, and a look at what comes.
    pub(super) async fn scan(&mut self, octets: &[u8]) -> Result<(), Lost> {
        if let Some(early) = self.errand.speech.early {
            tokio::time::sleep(self.stage.clock.wait(early)).await;
        }
        self.wire.send(octets).await?;
        self.wire.glance(GLANCE).await;
        self.said_goodbye = true;
        Ok(())
    }

    /// AUTH LOGIN with one password after the other, as long as the server lets it.
    pub(super) async fn guess(&mut self, times: u8) -> Result<(), Lost> {
        for number in 0..times {
            if self.say("AUTH LOGIN\r\n").await?.code != 334 {
                return Err(Lost::Leaves);
            }
            let user = BASE64.encode(b"info");
            if self.say(&format!("{user}\r\n")).await?.code != 334 {
                return Err(Lost::Leaves);
            }
            let password = BASE64.encode(format!("password{number}").as_bytes());
            if self.say(&format!("{password}\r\n")).await?.code == 235 {
                return Err(Lost::Leaves);
            }
        }
        Ok(())
    }

    /// Asks whether a recipient exists.
    pub(super) async fn callout(&mut self, to: &str) -> Result<(), Lost> {
        let dialect = self.errand.speech.dialect;
        let place = self.begin(0, &[0]);
        let mail = self.say(&speech::mail(dialect, "")).await?.code;
        self.sent(place, |sent| sent.mail = mail);
        let mut last = mail;
        if mail < 300 {
            last = self.say(&speech::rcpt(dialect, to)).await?.code;
            self.sent(place, |sent| sent.rcpt = vec![last]);
        }
        if !(400..500).contains(&last) {
            self.left.done(0, 0);
        }
        Ok(())
    }
}
