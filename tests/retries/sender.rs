//! A sender: one row of `senders.toml`, and the timetable in it.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::situation::{SITUATIONS, Situation};

/// What speaks against the client where it is in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InDoubt {
    /// It is in a list with 3 points; anybody may be.
    #[default]
    Listed,
    /// Always: the sender's domain forbids it.
    Spf,
    /// Always: its names bring several findings, none of 3 points.
    Names,
}

/// Which of the domain's hosts it tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mx {
    /// By preference (RFC 5321 §5.1).
    #[default]
    InOrder,
    /// The first alone.
    Primary,
    /// The last alone.
    Secondary,
}

/// Who sends, when, and from where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sender {
    pub(crate) name: String,
    /// Where the timetable is from, behind a letter for the evidence.
    source: String,
    /// Times of the retries since the first try.
    #[serde(deserialize_with = "durations")]
    retries: Vec<Duration>,
    /// And so on, until `ends`.
    #[serde(default, deserialize_with = "duration")]
    every: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    ends: Option<Duration>,
    /// One for each try, round and round.
    pub(crate) clients: Vec<IpAddr>,
    /// Their reverse names; `{client}` is the number of the client. None: they have none.
    pub(crate) reverse: Option<String>,
    /// Their HELO; none: the reverse name, or a name of the sender's domain.
    helo: Option<String>,
    /// Whether an SPF record names all of them.
    #[serde(default)]
    pub(crate) spf: bool,
    /// The reverse-path: `{try}`, `{message}` and `{recipient}` are what they say, `{sender}` is one of `senders` for each try.
    from: String,
    #[serde(default)]
    senders: Vec<String>,
    #[serde(default)]
    pub(crate) mx: Mx,
    /// Whether it goes on to the next host when one has put it off, and not only when it was not to be reached.
    #[serde(default)]
    pub(crate) next_host: bool,
    #[serde(default)]
    pub(crate) in_doubt: InDoubt,
    /// What greylisting costs it.
    #[serde(default, deserialize_with = "duration")]
    pub(crate) delay: Option<Duration>,
    /// Situations in which it is lost.
    #[serde(default)]
    lost: Vec<String>,
    /// Whether it would better be.
    #[serde(default)]
    pub(crate) spam: bool,
}

/// One try.
pub(crate) struct Try {
    pub(crate) client: IpAddr,
    pub(crate) helo: String,
    pub(crate) from: String,
}

impl Sender {
    /// When it tries, since the first time.
    pub(crate) fn tries(&self) -> Vec<Duration> {
        let mut tries = vec![Duration::ZERO];
        tries.extend_from_slice(&self.retries);
        if let (Some(every), Some(ends)) = (self.every, self.ends) {
            let mut next = tries[tries.len() - 1] + every;
            while next <= ends {
                tries.push(next);
                next += every;
            }
        }
        tries
    }

    /// What it says at try `number` of `message`.
    pub(crate) fn attempt(&self, number: usize, message: usize, recipient: &str) -> Try {
        // Another message begins at another host of a pool.
        let at = (number + message - 1) % self.clients.len();
        let mut from = self
            .from
            .replace("{try}", &(number % 10).to_string())
            .replace("{message}", &message.to_string())
            .replace("{recipient}", &recipient.replace('@', "="));
        if !self.senders.is_empty() {
            from = from.replace("{sender}", &self.senders[number % self.senders.len()]);
        }
        Try {
            client: self.clients[at],
            helo: self.helo(at),
            from,
        }
    }

    /// The HELO of client `at`.
    pub(crate) fn helo(&self, at: usize) -> String {
        let own = self.helo.clone().or_else(|| self.reverse(at));
        own.unwrap_or_else(|| format!("mail.{}", self.domain()))
    }

    /// The reverse name of client `at`.
    pub(crate) fn reverse(&self, at: usize) -> Option<String> {
        let name = self.reverse.as_ref()?;
        Some(name.replace("{client}", &(at + 1).to_string()))
    }

    /// The domain of the reverse-path; empty for the null one.
    pub(crate) fn domain(&self) -> &str {
        self.from.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// Whether anybody has seen such a sender, or it has been made up.
    pub(crate) fn is_real(&self) -> bool {
        !self.spam && !self.source.starts_with('D')
    }

    pub(crate) fn is_lost_in(&self, situation: &Situation) -> bool {
        self.lost.iter().any(|name| name == situation.name)
    }

    /// Whether, once it has delivered, it is let through to everybody: no finding of 3 points, and its next host is known.
    pub(crate) fn earns_pass(&self, doubt: bool) -> bool {
        let clean = !doubt || self.in_doubt == InDoubt::Names;
        let known = self.clients.len() == 1 || self.spf || self.reverse.is_some();
        clean && known
    }
}

/// All rows; what they name must be there.
pub(crate) fn senders() -> Vec<Sender> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        sender: Vec<Sender>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/retries/senders.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let table: Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    for sender in &table.sender {
        for lost in &sender.lost {
            let known = SITUATIONS.iter().any(|situation| situation.name == lost);
            assert!(known, "{}: no situation is called {lost}", sender.name);
        }
        assert!(sender.tries().is_sorted(), "{}", sender.name);
    }
    table.sender
}

fn read<E: serde::de::Error>(text: &str) -> Result<Duration, E> {
    humantime::parse_duration(text).map_err(E::custom)
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    read(&String::deserialize(from)?).map(Some)
}

fn durations<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Duration>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| read(text)).collect()
}
