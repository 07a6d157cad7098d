//! Whether a backend would relay for strangers, and whether it is told who they are: asked in the name of a
//! documentation address (RFC 5737), for a recipient in a domain that nobody can have (RFC 2606 §2).
//!
//! No mail is sent: RSET and QUIT follow RCPT, whatever it was answered. Only a 2xx to RCPT is relaying, and only a 5xx to
//! RCPT is refusing: 4xx may be another word in a minute, and who refuses MAIL, EHLO or the connection has said nothing of
//! the recipient. One that takes every recipient and refuses later looks the same as one that relays.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::session::relay::open::Who;
use crate::session::relay::{Relay, Trouble};
use crate::session::upstream::{Seat, Server, Upstream};
use crate::smtp::command::Command;
use crate::smtp::domain::HeloName;
use crate::smtp::params::{MailParams, RcptParams};
use crate::smtp::path::{ForwardPath, ReversePath};
use crate::smtp::reply::{Reply, ReplyClass};
use crate::smtp::xclient::HostName;

/// The stranger; its port is nobody's.
const STRANGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 25);
/// Where it connected to.
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 25);
/// What it says in EHLO: a name in which its address is not, so that only who knows it repeats it.
const NAME: &str = "self-test.gatepost.example";
/// Whom it writes to.
const RECIPIENT: &str = "<self-test@relay.gatepost.example>";

/// What a self-test has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tested {
    /// What became of the recipient.
    pub relaying: Relaying,
    /// Whom the backend takes the stranger for.
    pub seen: SeenAs,
}

/// Whether a backend relays for strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relaying {
    /// It refused the recipient for good.
    Refused,
    /// It took it.
    Open,
    /// It refused this stranger before it heard of the recipient, or put it off.
    Unknown,
}

impl Relaying {
    /// Its name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Refused => "refuses_to_relay",
            Self::Open => "relays_for_strangers",
            Self::Unknown => "unknown",
        }
    }
}

/// Whom a backend takes a client for, by its reply to EHLO; Exim repeats the address there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenAs {
    /// Itself.
    Itself,
    /// Somebody at another address.
    Another(IpAddr),
    /// It does not say.
    Unsaid,
}

/// Asks one server of a backend what it offers, as a stranger, and notes it.
///
/// # Errors
///
/// [`Trouble`]: the backend's fault or our configuration's.
pub async fn probe(upstream: &Upstream, server: &Arc<Server>) -> Result<(), Trouble> {
    connect(upstream, server).await?.part().await;
    Ok(())
}

/// Tests one server of a backend, and notes what that shows.
///
/// # Errors
///
/// [`Trouble`] that ended it before the backend had said its last word. A refusal for good of the whole session is its last
/// word as well, and noted: it is always refused, and no test will ever get further.
pub async fn self_test(upstream: &Upstream, server: &Arc<Server>) -> Result<Tested, Trouble> {
    let test = test(upstream, server).await;
    let tested = match &test {
        Ok(tested) => *tested,
        Err(Trouble::Refuses(said) | Trouble::RefusesName(said)) if said.starts_with('5') => {
            Tested {
                seen: SeenAs::Unsaid,
                relaying: Relaying::Unknown,
            }
        }
        Err(_) => return test,
    };
    upstream.tested(server, tested);
    test
}

async fn test(upstream: &Upstream, server: &Arc<Server>) -> Result<Tested, Trouble> {
    let mut relay = connect(upstream, server).await?;
    let hello = relay.hello(upstream.backend.command_timeout).await?;
    let tested = Tested {
        seen: seen_as(&hello),
        relaying: relay.try_to_relay(upstream).await?,
    };
    relay.part().await;
    Ok(tested)
}

async fn connect(upstream: &Upstream, server: &Arc<Server>) -> Result<Relay, Trouble> {
    let name = HeloName::parse(NAME).unwrap_or_else(|| HeloName::literal(STRANGER.ip()));
    let who = Who {
        client: STRANGER,
        local: LOCAL,
        name,
        extended: true,
        host_name: HostName::default(),
    };
    Relay::connect(upstream, Seat::new(server), &who, 0).await
}

impl Relay {
    async fn try_to_relay(&mut self, upstream: &Upstream) -> Result<Relaying, Trouble> {
        let Some(recipient) = ForwardPath::parse(RECIPIENT) else {
            return Ok(Relaying::Unknown);
        };
        let mail = Command::Mail(ReversePath::Null, MailParams::default());
        let rcpt = Command::Rcpt(recipient, RcptParams::default());
        let within = upstream.backend.command_timeout;
        let relaying = match self.begin(mail, rcpt, within).await {
            // 421 is a 4xx like any other here.
            Err(Trouble::Closes(_)) => return Ok(Relaying::Unknown),
            Err(trouble) => return Err(trouble),
            Ok((mailed, _)) if mailed.class() != ReplyClass::Positive => Relaying::Unknown,
            Ok((_, Err(Trouble::Closes(_)))) => return Ok(Relaying::Unknown),
            Ok((_, named)) => match named?.class() {
                ReplyClass::Positive => Relaying::Open,
                ReplyClass::Permanent => Relaying::Refused,
                _ => Relaying::Unknown,
            },
        };
        // Whatever it answers, QUIT follows.
        let _ = self.ask(&Command::Rset, "answer RSET", within).await;
        Ok(relaying)
    }
}

/// By the addresses in brackets in the first line, where Exim has `host Hello name [address]`; the host is the server.
fn seen_as(hello: &Reply) -> SeenAs {
    let line = hello.lines.first().map_or("", |line| line);
    let (_, greeting) = line.split_once(' ').unwrap_or_default();
    let bracketed = greeting.split('[').skip(1).filter_map(|rest| {
        let (inside, _) = rest.split_once(']')?;
        let plain = inside.strip_prefix("IPv6:").unwrap_or(inside);
        plain.parse::<IpAddr>().ok()
    });
    let addresses: Vec<IpAddr> = bracketed.map(|address| address.to_canonical()).collect();
    match addresses.last() {
        _ if addresses.contains(&STRANGER.ip()) => SeenAs::Itself,
        Some(other) => SeenAs::Another(*other),
        None => SeenAs::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_good() {
        assert!(HeloName::parse(NAME).is_some());
        assert!(ForwardPath::parse(RECIPIENT).is_some());
    }

    #[test]
    fn whom_it_takes_the_stranger_for() {
        let another = |text: &str| SeenAs::Another(text.parse().unwrap());
        for (line, seen) in [
            (
                "mail.example.com Hello self-test.gatepost.example [192.0.2.1]",
                SeenAs::Itself,
            ),
            (
                "mail.example.com Hello a.example [192.0.2.1] (may 3)",
                SeenAs::Itself,
            ),
            ("mail.example.com Hello [::ffff:192.0.2.1]", SeenAs::Itself),
            (
                "mail.example.com Hello localhost [127.0.0.2]",
                another("127.0.0.2"),
            ),
            (
                "mail.example.com Hello you [IPv6:2001:db8::1]",
                another("2001:db8::1"),
            ),
            ("mail.example.com", SeenAs::Unsaid),
            ("[203.0.113.5] at your service", SeenAs::Unsaid),
            ("mail.example.com [ok] 192.0.2.1", SeenAs::Unsaid),
            ("", SeenAs::Unsaid),
        ] {
            let reply = Reply::new(250, None, line.to_owned());
            assert_eq!(seen_as(&reply), seen, "{line}");
        }
    }
}
