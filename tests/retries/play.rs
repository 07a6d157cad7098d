//! Plays a sender: each try at its time, host by host as a mail server goes through them (RFC 5321 §5.1).

use std::time::Duration;

use gatepost::checks::identity;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf};
use tokio::io::{WriteHalf, split};

use crate::dns::Dns;
use crate::sender::{Mx, Sender, Try};
use crate::situation::{GREYLIST, PAUSE, Primary, SECOND_LOOK, Situation};
use crate::world::{Host, Stage, World};

/// How long anything may take, on the real clock.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a triplet must wait.
const WAIT: Duration = Duration::from_secs(60);

/// One sender before one gate.
pub(crate) struct Play<'a> {
    sender: &'a Sender,
    situation: &'a Situation,
    world: World<'a>,
    /// When the secondary looks at the primary next.
    next_look: Option<i64>,
}

/// What a host said to RCPT, or to the message if it took the recipient.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) text: String,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) struct Played {
    /// When it was delivered, since it was first tried.
    pub(crate) delay: Option<Duration>,
    pub(crate) replies: Vec<Reply>,
}

impl<'a> Play<'a> {
    pub(crate) fn begin(
        stage: &'a Stage,
        sender: &'a Sender,
        situation: &'a Situation,
        doubt: bool,
    ) -> Self {
        Self {
            sender,
            situation,
            world: World::new(stage, situation, Dns::of(sender, doubt)),
            next_look: None,
        }
    }

    /// Tries to deliver a message that is written at `start` until it is delivered or the sender gives up.
    pub(crate) async fn message(&mut self, number: usize, recipient: &str, start: i64) -> Played {
        let mut replies = Vec::new();
        let before = self.world.delivered();
        for (at, since) in self.sender.tries().into_iter().enumerate() {
            let now = start + i64::try_from(since.as_secs()).unwrap();
            self.advance_to(now);
            self.world.sweep().await;
            let attempt = self.sender.attempt(at, number, recipient);
            let delivered = self.attempt(&attempt, recipient, now, &mut replies).await;
            assert_eq!(self.world.delivered(), before + u64::from(delivered));
            if delivered {
                let delay = Some(since);
                return Played { delay, replies };
            }
        }
        let delay = None;
        Played { delay, replies }
    }

    /// Lets time pass, with the looks that the secondary has at the primary.
    pub(crate) fn advance_to(&mut self, now: i64) {
        // So that the outage begins a second after a look.
        let mut look = self.next_look.unwrap_or(now - 101 - now.rem_euclid(10));
        loop {
            let greets = self.situation.primary(look) == Primary::Up;
            let (takes, pause) = match greets {
                true => (0, PAUSE),
                false => (self.situation.look_takes, SECOND_LOOK),
            };
            if look + takes > now {
                break;
            }
            self.world.looked(greets);
            look += takes + pause;
        }
        self.next_look = Some(look);
        self.world.set_clock(now);
    }

    /// Whether the first client is known to have been at the primary.
    pub(crate) async fn has_tried(&self) -> bool {
        let network = identity::neighbours(self.sender.clients[0]);
        self.world.has_tried(network).await
    }

    async fn attempt(
        &self,
        attempt: &Try,
        recipient: &str,
        now: i64,
        replies: &mut Vec<Reply>,
    ) -> bool {
        for host in self.hosts(now) {
            let reply = self.session(host, attempt, recipient).await;
            let code = reply.code;
            replies.push(reply);
            if code == 250 {
                return true;
            }
            if !self.sender.next_host || code >= 500 {
                return false;
            }
        }
        false
    }

    /// The hosts that can be reached, in the order in which they are tried.
    fn hosts(&self, now: i64) -> Vec<Host> {
        let primary = match self.situation.primary(now) {
            Primary::Up => Some(Host::Primary),
            Primary::Busy => Some(Host::BusyPrimary),
            Primary::Gone => None,
        };
        let secondary = self.situation.shield.map(|_| Host::Secondary);
        let hosts = match self.sender.mx {
            Mx::InOrder => [primary, secondary],
            Mx::Primary => [primary, None],
            Mx::Secondary => [None, secondary.or(primary)],
        };
        hosts.into_iter().flatten().collect()
    }

    async fn session(&self, host: Host, attempt: &Try, recipient: &str) -> Reply {
        let (pipe, session) = self.world.connect(host, attempt.client);
        let dialogue = async {
            let mut client = Client::new(pipe);
            client.hear().await;
            client.say(&format!("EHLO {}", attempt.helo)).await;
            client.say(&format!("MAIL FROM:<{}>", attempt.from)).await;
            let mut reply = client.say(&format!("RCPT TO:<{recipient}>")).await;
            if reply.code == 250 {
                client.say("DATA").await;
                reply = client.say("Subject: test\r\n\r\nHello.\r\n.").await;
            }
            client.say("QUIT").await;
            reply
        };
        let both = async { tokio::join!(dialogue, session).0 };
        tokio::time::timeout(PATIENCE, both).await.unwrap()
    }
}

struct Client {
    input: Lines<BufReader<ReadHalf<DuplexStream>>>,
    output: WriteHalf<DuplexStream>,
}

impl Client {
    fn new(pipe: DuplexStream) -> Self {
        let (input, output) = split(pipe);
        Self {
            input: BufReader::new(input).lines(),
            output,
        }
    }

    async fn say(&mut self, line: &str) -> Reply {
        let line = format!("{line}\r\n");
        self.output.write_all(line.as_bytes()).await.unwrap();
        self.hear().await
    }

    async fn hear(&mut self) -> Reply {
        loop {
            let line = self.input.next_line().await.unwrap();
            let text = line.expect("the gate answers");
            if text.as_bytes().get(3) != Some(&b'-') {
                let code = text[..3].parse().unwrap();
                return Reply { code, text };
            }
        }
    }
}

impl Played {
    /// Compares with what the row says, and with what follows from the timetable; says what differs.
    pub(crate) fn compare(
        &self,
        sender: &Sender,
        situation: &Situation,
        doubt: bool,
        start: i64,
    ) -> Result<(), String> {
        let wrong = |what: String| {
            let (name, situation) = (&sender.name, situation.name);
            let state = if doubt { "in doubt" } else { "clean" };
            let delay = self.delay.map(humantime::format_duration);
            let delay = delay.map_or("lost".to_owned(), |delay| delay.to_string());
            let replies = self.replies.iter().take(4).map(|reply| &reply.text);
            let replies: Vec<_> = replies.collect();
            Err(format!(
                "{name}, {situation}, {state}, from {start}: {delay}; {what}\n  {replies:?}"
            ))
        };
        if self.replies.iter().any(|reply| reply.code >= 500) {
            return wrong("refused".to_owned());
        }
        let usual = doubt == situation.doubts()[0];
        if usual && self.delay.is_none() != sender.is_lost_in(situation) {
            return wrong("its row says otherwise".to_owned());
        }
        let expected = expected(sender, situation, doubt, start);
        if self.delay != expected {
            return wrong(format!("expected {expected:?}"));
        }
        if situation.name == GREYLIST.name && doubt && self.delay != sender.delay {
            return wrong(format!("its row says {:?}", sender.delay));
        }
        Ok(())
    }
}

/// The first try that a host takes. Whoever must wait waits a minute from the first try that a gate sees.
fn expected(sender: &Sender, situation: &Situation, doubt: bool, start: i64) -> Option<Duration> {
    let at = |since: &Duration| start + i64::try_from(since.as_secs()).unwrap();
    let tries = sender.tries();
    let seen = tries
        .iter()
        .find(|since| situation.sees(sender.mx, at(since)))?;
    let has_waited = |since: &Duration| sender.delay.is_some() && *since >= *seen + WAIT;
    let mut tries = tries.iter();
    let taken = tries.find(|since| situation.takes(sender.mx, at(since), has_waited(since), doubt));
    taken.copied()
}
