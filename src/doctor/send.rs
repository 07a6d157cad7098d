//! The message that `--send` puts through a backup exchanger: a token to know it by, and the session that hands it over.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::doctor::call::Call;
use crate::doctor::text;
use crate::doctor::world::World;
use crate::smtp::command::Command;
use crate::smtp::params::{MailParams, RcptParams};
use crate::smtp::path::{ForwardPath, ReversePath};
use crate::smtp::reply::Reply;

/// What is to be sent, and how long its arrival is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The recipient; by default postmaster@ the domain.
    pub recipient: Option<String>,
    /// A word that nobody can guess; each exchanger's number is put behind it.
    pub token: String,
    /// How long to wait until the message has arrived.
    pub wait: Duration,
}

impl Parcel {
    /// The token of the message through one exchanger.
    pub(in crate::doctor) fn token(&self, index: usize) -> String {
        format!("{}{index}", self.token)
    }

    /// The recipient at `domain`.
    pub(in crate::doctor) fn recipient(&self, domain: &str) -> String {
        let default = || format!("postmaster@{domain}");
        self.recipient.clone().unwrap_or_else(default)
    }
}

/// A message on its way.
#[derive(Debug)]
pub(in crate::doctor) struct Letter<'l> {
    pub(in crate::doctor) from: &'l str,
    pub(in crate::doctor) to: &'l str,
    pub(in crate::doctor) token: &'l str,
    pub(in crate::doctor) now: SystemTime,
}

impl fmt::Display for Letter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            to,
            token,
            now,
        } = self;
        let domain = from.rsplit('@').next().unwrap_or_default();
        let date = OffsetDateTime::from(*now)
            .format(&Rfc2822)
            .unwrap_or_default();
        write!(
            f,
            "From: gatepost doctor <{from}>\r\nTo: <{to}>\r\nDate: {date}\r\nMessage-ID: <{token}@{domain}>\r\n\
             Subject: gatepost doctor: does the backup MX relay? {token}\r\nAuto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             \"gatepost doctor --send\" has sent this to see whether a backup mail exchanger still\r\n\
             hands on what it takes. It can be deleted.\r\n\r\n{token}\r\n"
        )
    }
}

impl Letter<'_> {
    /// Hands it to `to`. The reply to the message, or to the command before it that was refused.
    ///
    /// # Errors
    ///
    /// What has ended the session, for people.
    pub(in crate::doctor) async fn hand_over(
        &self,
        world: &World,
        host: &str,
        to: SocketAddr,
    ) -> Result<Reply, String> {
        self.session(world, host, to)
            .await
            .map_err(|error| text::shown(&error))
    }

    async fn session(&self, world: &World, host: &str, to: SocketAddr) -> Result<Reply, String> {
        let told = |error: crate::doctor::talk::Trouble| error.to_string();
        let sender = ReversePath::parse(&format!("<{}>", self.from)).ok_or("no sender")?;
        let recipient = ForwardPath::parse(&format!("<{}>", self.to)).ok_or("no recipient")?;
        let mut call = Call::default();
        let mut talk = call.dial(world, host, to).await.map_err(told)?;
        let greeting = call.greeting.map(|(reply, _)| reply);
        // Whoever does not want us says so with the one or the other.
        if let Some(refusal) = [greeting, call.hello]
            .into_iter()
            .flatten()
            .find(|reply| reply.code >= 400)
        {
            talk.part().await;
            return Ok(refusal);
        }
        for (command, what) in [
            (
                Command::Mail(sender, MailParams::default()),
                "reply to MAIL",
            ),
            (
                Command::Rcpt(recipient, RcptParams::default()),
                "reply to RCPT",
            ),
            (Command::Data, "reply to DATA"),
        ] {
            let reply = talk.ask(&command, what).await.map_err(told)?;
            if reply.code >= 400 {
                talk.part().await;
                return Ok(reply);
            }
        }
        let reply = talk.data(self.to_string().as_bytes()).await.map_err(told)?;
        talk.part().await;
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_has_its_token_and_no_line_that_ends_it() {
        let letter = Letter {
            from: "gatepost-doctor-t1@d.example",
            to: "postmaster@d.example",
            token: "t1",
            now: SystemTime::UNIX_EPOCH,
        };
        let text = letter.to_string();
        assert!(text.contains("Message-ID: <t1@d.example>\r\n"), "{text}");
        assert!(
            text.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"),
            "{text}"
        );
        assert!(
            text.lines()
                .all(|line| !line.starts_with('.') && line.len() < 200)
        );
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        assert!(text.ends_with("\r\n"));
    }
}
