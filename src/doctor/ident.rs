//! Probe `ident`: is a question about who is behind a connection answered or refused at once, so that nobody waits for it?
//!
//! Few servers ask today; those that do wait up to half a minute where a firewall drops the question.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::checks::address::is_public;
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::world::{NOT_PUBLIC, World};
use crate::doctor::{Kind, Of, Subject, text};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "ident",
    summary: "port 113 of MX and outgoing addresses answers or refuses at once, rather than dropping the question",
    standard: "RFC 1413 §4, RFC 9293 §3.5.2",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

/// The longest that is waited: who asks waits from 5 s (Sendmail) to 30 s (older Exim).
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer that takes longer is one that is waited for.
const AT_ONCE: Duration = Duration::from_secs(2);
/// Octets of an answer (RFC 1413 §5 has lines of at most 1000).
const ANSWER: usize = 1000;

const WHY: &str =
    "RFC 9293 §3.5.2: servers that ask (RFC 1413) wait for a time-out with each message from here";
const ADVICE: &str = "have the firewall refuse port 113 with a reset instead of dropping it, or let gatepost answer ([ident])";

/// What has become of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    /// Refused, after this time.
    Refused(Duration),
    /// Answered with this, after this time.
    Answered(Duration, String),
    /// Connected, and then nothing.
    Silent,
    /// Neither.
    Dropped,
    /// There is no way there from here.
    NoWay(String),
}

async fn look(subject: &Subject) -> Vec<Finding> {
    let world = &*subject.world;
    let outgoing = &world.settings.outgoing;
    // Asked is who sends; where nobody has said who does, the exchangers do.
    let addresses = match outgoing.is_empty() {
        true => subject.own_addresses(),
        false => outgoing.clone(),
    };
    let public = addresses.into_iter().filter(|address| is_public(*address));
    let each = public.map(|address| async move {
        let finding = judge(address, &hear(world, address).await);
        subject.whose(address).await.weigh(finding)
    });
    join_all(each).await
}

async fn hear(world: &World, address: IpAddr) -> Heard {
    let Some(way) = world.way_to(SocketAddr::new(address, 113)) else {
        return Heard::NoWay(NOT_PUBLIC.to_owned());
    };
    let begun = Instant::now();
    let mut stream = match timeout(PATIENCE, TcpStream::connect(way)).await {
        Err(_) => return Heard::Dropped,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Heard::Refused(begun.elapsed());
        }
        Ok(Err(error)) => return Heard::NoWay(error.to_string()),
        Ok(Ok(stream)) => stream,
    };
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(b"25, 25\r\n").await?;
        let mut bounded = stream.take(ANSWER as u64);
        while !answer.contains(&b'\n') {
            if bounded.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        Ok::<(), std::io::Error>(())
    };
    match timeout(PATIENCE, exchange).await {
        Err(_) => Heard::Silent,
        Ok(_) => {
            let said = String::from_utf8_lossy(&answer).trim().to_owned();
            Heard::Answered(begun.elapsed(), said)
        }
    }
}

fn judge(address: IpAddr, heard: &Heard) -> Finding {
    let (after, seen) = match heard {
        Heard::Refused(after) => (*after, "port 113 refuses".to_owned()),
        Heard::Answered(after, said) if said.is_empty() => (*after, "port 113 closes".to_owned()),
        Heard::Answered(after, said) => {
            (*after, format!("port 113 answers: {}", text::shown(said)))
        }
        Heard::NoWay(why) => {
            let advice = match address.is_ipv6() {
                true => "ask from a network with IPv6",
                false => "see whether this machine has a way to it",
            };
            return Finding::could_not_tell(address, text::shown(why), advice);
        }
        Heard::Silent | Heard::Dropped => {
            let patience = humantime::format_duration(PATIENCE);
            let seen = match heard {
                Heard::Silent => {
                    format!("port 113 takes connections and says nothing within {patience}")
                }
                _ => format!("port 113 drops connections: nothing within {patience}"),
            };
            return Finding::new(Outcome::Warning, address, seen, WHY, ADVICE);
        }
    };
    match after > AT_ONCE {
        true => {
            let seen = format!("{seen}, after {:.0} s", after.as_secs_f64());
            Finding::new(Outcome::Notice, address, seen, WHY, ADVICE)
        }
        false => Finding::good(address, seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_once_is_good_whatever_is_said() {
        let (soon, late) = (Duration::from_millis(20), Duration::from_secs(3));
        for (heard, outcome) in [
            (Heard::Refused(soon), Outcome::Good),
            (
                Heard::Answered(soon, "25, 25 : ERROR : HIDDEN-USER".to_owned()),
                Outcome::Good,
            ),
            (Heard::Answered(soon, String::new()), Outcome::Good),
            (Heard::Refused(late), Outcome::Notice),
            (Heard::Dropped, Outcome::Warning),
            (Heard::Silent, Outcome::Warning),
            (Heard::NoWay("no route".to_owned()), Outcome::CouldNotTell),
        ] {
            let finding = judge("192.0.2.1".parse().unwrap(), &heard);
            assert_eq!(finding.outcome, outcome, "{heard:?}");
        }
    }
}
