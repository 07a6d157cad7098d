//! One mail transaction, in step or in groups (RFC 2920), and what is left of it.

use super::dialogue::{Dialogue, REPLY};
use crate::cli::bench::speech;
use crate::cli::bench::wire::Lost;
use crate::measure::trace::{Envelope, Grouping, Parting};

/// A transaction that is about to be made.
#[derive(Clone)]
pub(super) struct Transaction<'a> {
    /// Which of the errand's envelopes.
    pub(super) of: usize,
    pub(super) envelope: &'a Envelope,
    pub(super) from: &'a str,
    /// Which of its recipients.
    pub(super) to: Vec<u32>,
    /// Whether the client leaves at the first recipient that is refused.
    pub(super) leaves: bool,
    /// Whether none comes behind it.
    pub(super) last: bool,
}

impl Dialogue<'_> {
    /// Makes it, and takes what is done from what is left. The recipients that were refused for good.
    pub(super) async fn transaction(&mut self, mail: &Transaction<'_>) -> Result<Vec<u32>, Lost> {
        let place = self.begin(mail.of, &[]);
        let outcome = self.exchange(place, mail).await;
        let refused = self.settle(place, mail);
        outcome.map(|()| refused)
    }

    async fn exchange(&mut self, place: usize, mail: &Transaction<'_>) -> Result<(), Lost> {
        let dialect = self.errand.speech.dialect;
        let grouped = match dialect.grouping {
            Grouping::Always => true,
            Grouping::Offered => self.offered.pipelining,
            Grouping::Lockstep | Grouping::Parting => false,
        };
        let data = speech::bare(dialect, "DATA");
        let command = speech::mail(dialect, mail.from);
        if grouped {
            let recipients = mail
                .to
                .iter()
                .map(|to| speech::rcpt(dialect, mail.name(*to)));
            let group = command + &recipients.collect::<String>() + &data;
            self.wire.send(group.as_bytes()).await?;
            self.sent(place, |sent| sent.to.clone_from(&mail.to));
        } else {
            self.wire.send(command.as_bytes()).await?;
        }
        let code = self.wire.reply(REPLY).await?.code;
        self.sent(place, |sent| sent.mail = code);
        let begun = code < 300;
        if !begun && !grouped {
            return Ok(());
        }
        let accepted = self.recipients(place, mail, grouped).await?;
        if accepted == 0 && !grouped {
            return self.reset(mail).await;
        }
        if !grouped {
            self.wire.send(data.as_bytes()).await?;
        }
        let go = self.wire.reply(REPLY).await?.code;
        match (go, accepted) {
            (354, 0) => {
                self.wire.send(b".\r\n").await?;
                self.wire.reply(REPLY).await.map(drop)
            }
            (354, _) => self.body(place, mail).await,
            (_, 0) if begun => self.reset(mail).await,
            (_, 0) => Ok(()),
            (refused, _) => {
                self.sent(place, |sent| sent.data = refused);
                self.reset(mail).await
            }
        }
    }

    /// Names the recipients, or reads the replies to those that were named in the group. How many were accepted.
    async fn recipients(
        &mut self,
        place: usize,
        mail: &Transaction<'_>,
        grouped: bool,
    ) -> Result<usize, Lost> {
        let mut accepted = 0;
        for to in &mail.to {
            if !grouped {
                let command = speech::rcpt(self.errand.speech.dialect, mail.name(*to));
                self.wire.send(command.as_bytes()).await?;
                self.sent(place, |sent| sent.to.push(*to));
            }
            let code = self.wire.reply(REPLY).await?.code;
            self.sent(place, |sent| sent.rcpt.push(code));
            accepted += usize::from(code < 300);
            if mail.leaves && code >= 500 && !grouped {
                self.left.give_up();
                return Err(Lost::Leaves);
            }
        }
        Ok(accepted)
    }

    async fn body(&mut self, place: usize, mail: &Transaction<'_>) -> Result<(), Lost> {
        let mark = format!("{}.{}.{place}", self.errand.id, self.attempt);
        let mut text = speech::message(mail.envelope, mail.from, &mark);
        text.push_str(".\r\n");
        if mail.last && self.errand.speech.parting == Parting::QuitUnheard {
            text.push_str(&speech::bare(self.errand.speech.dialect, "QUIT"));
            self.said_goodbye = true;
        }
        self.wire.send(text.as_bytes()).await?;
        let code = self.wire.reply(REPLY).await?.code;
        self.sent(place, |sent| sent.data = code);
        Ok(())
    }

    /// Makes room for the next transaction, if there is one.
    async fn reset(&mut self, mail: &Transaction<'_>) -> Result<(), Lost> {
        match mail.last {
            true => Ok(()),
            false => {
                let reset = speech::bare(self.errand.speech.dialect, "RSET");
                self.say(&reset).await.map(drop)
            }
        }
    }

    /// Takes out what is done: what was taken, and what was refused for good. The latter.
    fn settle(&mut self, place: usize, mail: &Transaction<'_>) -> Vec<u32> {
        let Some(sent) = self.tried.envelopes.get(place).cloned() else {
            return Vec::new();
        };
        if sent.mail >= 500 {
            for to in &mail.to {
                self.left.done(mail.of, *to);
            }
            return mail.to.clone();
        }
        let mut refused = Vec::new();
        for (to, code) in sent.to.iter().zip(&sent.rcpt) {
            match (*code, sent.data) {
                (500.., _) => refused.push(*to),
                (200..=299, 200..=299 | 500..) => {}
                _ => continue,
            }
            self.left.done(mail.of, *to);
        }
        refused
    }
}

impl Transaction<'_> {
    fn name(&self, recipient: u32) -> &str {
        let place = usize::try_from(recipient).unwrap_or(usize::MAX);
        self.envelope.to.get(place).map_or("", String::as_str)
    }
}
