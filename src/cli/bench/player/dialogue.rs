//! What is said in one session, by the errand's speech: greeting, hello, TLS, login, then the act, then the parting.

use std::time::Duration;

use data_encoding::BASE64;
use tokio::time::Instant;

use super::transaction::Transaction;
use super::{Left, Stage};
use crate::cli::bench::speech;
use crate::cli::bench::wire::{Lost, Wire};
use crate::measure::trace::{Act, Envelope, Errand, Grouping, Parting, Sent, Starttls, Tried};
use crate::smtp::extension::Extensions;
use crate::smtp::reply::Reply;

/// The longest wait for a greeting, where a client has no other patience.
const GREETING: Duration = Duration::from_secs(60);
/// The longest wait for a reply.
pub(super) const REPLY: Duration = Duration::from_secs(60);

/// How far a client is when it says hello.
pub(super) enum Begun {
    /// It has been greeted.
    Greeted,
    /// It has said hello early, then the greeting came to its end.
    Spoken,
    /// It has said hello early, and that was answered in the place of the rest of the greeting (as postscreen does).
    Answered(Reply),
}

/// A session.
pub(super) struct Dialogue<'a> {
    pub(super) stage: &'a Stage,
    pub(super) errand: &'a Errand,
    pub(super) attempt: u32,
    pub(super) wire: Wire,
    pub(super) begun: Instant,
    pub(super) offered: Extensions,
    /// QUIT is sent already.
    pub(super) said_goodbye: bool,
    pub(super) left: &'a mut Left,
    pub(super) tried: &'a mut Tried,
}

impl Dialogue<'_> {
    /// All but the parting.
    pub(super) async fn hold(&mut self, implicit_tls: bool) -> Result<(), Lost> {
        if implicit_tls {
            self.wire.secure(&self.stage.tls).await?;
        }
        let errand = self.errand;
        if let Act::Scan(octets) = &errand.speech.act {
            return self.scan(octets).await;
        }
        let begun = self.greeting().await?;
        match &errand.speech.act {
            Act::Scan(_) | Act::Look(false) => Ok(()),
            Act::Look(true) => {
                self.hello(begun).await?;
                self.starttls().await
            }
            Act::Guess(times) => {
                self.hello(begun).await?;
                self.guess(*times).await
            }
            Act::Callout { to } => {
                self.introduce(begun).await?;
                self.callout(to).await
            }
            Act::Mail {
                envelopes,
                other_sender,
                leaves_at_unknown,
            } => {
                self.introduce(begun).await?;
                let other = other_sender.as_deref();
                self.envelopes(envelopes, other, *leaves_at_unknown).await
            }
        }
    }

    /// Waits for the greeting, or speaks before its end.
    async fn greeting(&mut self) -> Result<Begun, Lost> {
        let speech = &self.errand.speech;
        let clock = self.stage.clock.clone();
        let patience = speech
            .patience
            .map_or(GREETING, |patience| clock.wait(patience));
        let mut begun = Begun::Greeted;
        let mut greeting = None;
        if let Some(early) = speech.early.map(|early| clock.wait(early)) {
            match self.wire.reply(early.min(patience)).await {
                Err(Lost::Late) => {
                    let hello = speech::hello(speech.dialect, speech.extended, &speech.helo);
                    self.wire.send(hello.as_bytes()).await?;
                    // The first line of a greeting of several was all of it for this client.
                    self.wire.forget();
                    begun = Begun::Spoken;
                }
                come => greeting = Some(come?),
            }
        }
        let greeting = match greeting {
            Some(greeting) => greeting,
            None => {
                let rest = patience.saturating_sub(self.begun.elapsed());
                match self.wire.reply(rest).await {
                    // It leaves without a word.
                    Err(Lost::Late) if speech.patience.is_some() => {
                        self.said_goodbye = true;
                        return Err(Lost::Leaves);
                    }
                    come => come?,
                }
            }
        };
        self.agree(&greeting)?;
        self.tried.greeted = Some(self.begun.elapsed());
        Ok(match begun {
            Begun::Spoken if greeting.code != 220 => Begun::Answered(greeting),
            begun => begun,
        })
    }

    /// Goes on behind 2xx; after 5xx the errand is over, after 4xx there may be another try.
    fn agree(&mut self, reply: &Reply) -> Result<(), Lost> {
        match reply.code {
            200..=299 => return Ok(()),
            500.. => self.left.give_up(),
            _ => {}
        }
        Err(Lost::Leaves)
    }

    /// EHLO, or HELO where that is the client's way or EHLO is not known.
    async fn hello(&mut self, begun: Begun) -> Result<(), Lost> {
        let speech = &self.errand.speech;
        let mut reply = match begun {
            Begun::Answered(reply) => reply,
            Begun::Spoken => self.wire.reply(REPLY).await?,
            Begun::Greeted => {
                self.say(&speech::hello(
                    speech.dialect,
                    speech.extended,
                    &speech.helo,
                ))
                .await?
            }
        };
        if speech.extended && matches!(reply.code, 500..=504) {
            reply = self
                .say(&speech::hello(speech.dialect, false, &speech.helo))
                .await?;
        }
        self.agree(&reply)?;
        self.offered = match speech.extended {
            true => Extensions::from_ehlo_reply(&reply),
            false => Extensions::default(),
        };
        Ok(())
    }

    /// Hello, TLS and login, as far as the client wants them.
    async fn introduce(&mut self, begun: Begun) -> Result<(), Lost> {
        self.hello(begun).await?;
        let wants = self.errand.speech.tls;
        if wants != Starttls::Never && self.offered.starttls {
            self.starttls().await?;
            self.hello(Begun::Greeted).await?;
        } else if wants == Starttls::Required {
            return Err(Lost::Leaves);
        }
        match &self.errand.speech.login {
            Some((user, password)) => self.log_in(user, password).await,
            None => Ok(()),
        }
    }

    async fn starttls(&mut self) -> Result<(), Lost> {
        let reply = self
            .say(&speech::bare(self.errand.speech.dialect, "STARTTLS"))
            .await?;
        self.agree(&reply)?;
        self.wire.secure(&self.stage.tls).await
    }

    /// AUTH PLAIN (RFC 4616).
    async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Lost> {
        let initial = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
        let reply = self.say(&format!("AUTH PLAIN {initial}\r\n")).await?;
        self.agree(&reply)
    }

    async fn envelopes(
        &mut self,
        envelopes: &[Envelope],
        other: Option<&str>,
        leaves: bool,
    ) -> Result<(), Lost> {
        let mut other = other;
        let last = (0..envelopes.len())
            .rev()
            .find(|of| !self.left.of(*of).is_empty());
        for (of, envelope) in envelopes.iter().enumerate() {
            let to = self.left.of(of);
            if to.is_empty() {
                continue;
            }
            let mail = Transaction {
                of,
                envelope,
                from: &envelope.from,
                to,
                leaves,
                last: Some(of) == last,
            };
            let refused = self.transaction(&mail).await?;
            if refused.is_empty() {
                continue;
            }
            if let Some(from) = other.take() {
                self.say(&speech::bare(self.errand.speech.dialect, "RSET"))
                    .await?;
                let again = Transaction {
                    from,
                    to: refused,
                    ..mail
                };
                self.transaction(&again).await?;
            }
        }
        Ok(())
    }

    /// Notes that a transaction begins; its place among those of the try.
    pub(super) fn begin(&mut self, of: usize, to: &[u32]) -> usize {
        self.tried.envelopes.push(Sent {
            of: u32::try_from(of).unwrap_or(u32::MAX),
            to: to.to_vec(),
            ..Sent::default()
        });
        self.tried.envelopes.len() - 1
    }

    pub(super) fn sent(&mut self, place: usize, note: impl FnOnce(&mut Sent)) {
        if let Some(sent) = self.tried.envelopes.get_mut(place) {
            note(sent);
        }
    }

    pub(super) async fn say(&mut self, line: &str) -> Result<Reply, Lost> {
        self.wire.send(line.as_bytes()).await?;
        self.wire.reply(REPLY).await
    }

    /// Goes, as the client goes.
    pub(super) async fn part(&mut self) {
        let speech = &self.errand.speech;
        if self.said_goodbye || speech.parting == Parting::Close {
            return;
        }
        let quit = speech::bare(speech.dialect, "QUIT");
        let both = speech.dialect.grouping == Grouping::Parting;
        let text = match both {
            true => speech::bare(speech.dialect, "RSET") + &quit,
            false => quit,
        };
        let (last, mut replies) = (self.wire.last, 1 + usize::from(both));
        if self.wire.send(text.as_bytes()).await.is_err() || speech.parting == Parting::QuitUnheard
        {
            replies = 0;
        }
        for _ in 0..replies {
            if self.wire.reply(REPLY).await.is_err() {
                break;
            }
        }
        // What the server thought of the act counts, not its goodbye.
        self.wire.last = last;
    }
}
