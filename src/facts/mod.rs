//! Floor 1: what is known about a session, as plain serialisable data.
//!
//! [`Facts`] is append-only: each [`Entry`] carries the [`Stage`] at which it was learnt and its offset since connect.
//! Nothing here judges, waits, or knows where an answer came from on the wire; a fault of the client, the answer of a
//! DNSBL and the envelope stand side by side, raw, so that any policy can be applied to them later.
//!
//! Words: a *fact* is one entry; a *question* is something the world (or time) must answer; an *answer* is a value or
//! the way it failed.

mod answer;
mod client;
mod ended;
mod envelope;
mod identity;
mod listed;
mod login;
mod question;
mod quota;
mod rate;
mod recall;
mod stage;
mod weight;

pub use answer::{
    Answer, Answered, DnsAnswer, Failure, Primary, Record, RecordData, Silence, Source, TXT_MAX,
};
pub use client::{Client, TlsParameters};
pub use ended::{Ended, Limit, Side};
pub use envelope::{Helo, Mail, Rcpt};
pub use identity::{BadIdentity, Identity, network_of, one_client, one_site};
pub use listed::{Listed, Subject};
pub use login::{Login, Logins};
pub use question::{DnsName, Question, RecordType};
pub use quota::{Counting, Party, Quota, Room};
pub use rate::{BadRate, NO_LIMIT, Per, Rate};
pub use recall::{Recall, Recalled};
pub use stage::Stage;

use serde::{Deserialize, Serialize};

use crate::smtp::fault::Fault;

/// Milliseconds since the client connected, or the length of a wait; saturates at about 49 days.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub u32);

impl From<std::time::Duration> for Millis {
    fn from(duration: std::time::Duration) -> Self {
        Self(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX))
    }
}

impl From<Millis> for std::time::Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(u64::from(millis.0))
    }
}

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}s", self.0 / 1000, self.0 % 1000)
    }
}

/// One thing learnt, with when and at which stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The stage of the session when it was learnt.
    pub stage: Stage,
    /// Offset since connect.
    pub at: Millis,
    /// What was learnt.
    pub fact: Fact,
}

/// What can be learnt in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Who connected, and to which listener; always the first fact.
    Client(Box<Client>),
    /// A TLS handshake ended well.
    Tls(Box<TlsParameters>),
    /// HELO or EHLO was accepted as syntax.
    Helo(Box<Helo>),
    /// AUTH was tried, and answered.
    Login(Box<Login>),
    /// MAIL opened a mail transaction.
    Mail(Box<Mail>),
    /// RCPT named a recipient.
    Rcpt(Box<Rcpt>),
    /// The backend refused the recipient named last, for good.
    Rejected,
    /// The mail transaction ended or was reset.
    Reset,
    /// The client broke a rule of the protocol.
    Fault(Fault),
    /// A question was answered.
    Answered(Box<Answered>),
    /// An entry that was added by command speaks of this session.
    Listed(Box<Listed>),
}

/// All that is known about one session, in the order it was learnt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts {
    entries: Vec<Entry>,
}

/// The most entries a session keeps: one that goes on and on may not grow its facts without end.
/// A thousand messages of one recipient fit, and so do a thousand recipients with their answers.
pub const MAX_ENTRIES: usize = 4096;

impl Facts {
    /// The facts of a session that has just been accepted.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let mut facts = Self {
            entries: Vec::with_capacity(4),
        };
        facts.push(Stage::Connect, Millis(0), Fact::Client(Box::new(client)));
        facts
    }

    /// Adds what was learnt and says whether it was kept: beyond [`MAX_ENTRIES`] it is not, and the
    /// session should end. So that a recipient of before is not judged in place of one that did not
    /// fit, an envelope that did not fit closes the mail transaction.
    pub fn push(&mut self, stage: Stage, at: Millis, fact: Fact) -> bool {
        if !self.is_full() {
            self.entries.push(Entry { stage, at, fact });
            return true;
        }
        let is_envelope = matches!(fact, Fact::Mail(_) | Fact::Rcpt(_) | Fact::Reset);
        if let (true, Some(last)) = (is_envelope, self.entries.last_mut()) {
            *last = Entry {
                stage,
                at,
                fact: Fact::Reset,
            };
        }
        false
    }

    /// Takes the recipient named last out of the open mail transaction, and the answer to its [`Counting`]: of very many,
    /// not each is kept. All else that was learnt stays where it is. Says how many octets were given back.
    pub fn forget_rcpt(&mut self) -> usize {
        let open = self.entries.len() - self.transaction().count();
        let last = self.entries.iter().rposition(is_rcpt);
        let Some(last) = last.filter(|last| *last >= open) else {
            return 0;
        };
        let before = self.octets_from(last);
        let goes = |entry: &mut Entry| is_rcpt(entry) || is_count(entry);
        self.entries.extract_if(last.., goes).for_each(drop);
        before - self.octets_from(last)
    }

    fn octets_from(&self, at: usize) -> usize {
        let entries = self.entries.iter().skip(at);
        entries.map(|entry| entry.fact.octets()).sum()
    }

    /// Whether nothing more is kept.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= MAX_ENTRIES
    }

    /// Every entry, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The same session as it stood after its first `seen` entries.
    #[must_use]
    pub fn up_to(&self, seen: usize) -> Self {
        Self {
            entries: self.entries.iter().take(seen).cloned().collect(),
        }
    }

    /// As [`Facts::up_to`], without a copy.
    #[must_use]
    pub fn into_up_to(mut self, seen: usize) -> Self {
        self.entries.truncate(seen);
        self
    }

    /// Brings the session to how it stood after its first `seen` entries, without a copy: what came later lies in `later`
    /// from then on, newest first, and comes back from there when more is to be seen again.
    pub fn wind(&mut self, seen: usize, later: &mut Vec<Entry>) {
        while self.entries.len() > seen {
            later.extend(self.entries.pop());
        }
        while self.entries.len() < seen {
            let Some(entry) = later.pop() else {
                return;
            };
            self.entries.push(entry);
        }
    }

    /// The stage reached: that of the newest entry.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.entries
            .last()
            .map_or(Stage::Connect, |entry| entry.stage)
    }

    /// Who connected; `None` only in a record that was cut.
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        self.entries.iter().find_map(|entry| match &entry.fact {
            Fact::Client(client) => Some(client.as_ref()),
            _ => None,
        })
    }

    /// The latest HELO or EHLO.
    #[must_use]
    pub fn helo(&self) -> Option<&Helo> {
        self.helos().next_back()
    }

    /// Every HELO and EHLO, oldest first: what one of them showed, a later one does not hide.
    pub fn helos(&self) -> impl DoubleEndedIterator<Item = &Helo> {
        self.entries.iter().filter_map(|entry| match &entry.fact {
            Fact::Helo(helo) => Some(helo.as_ref()),
            _ => None,
        })
    }

    /// The parameters of the TLS session, if there is one.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsParameters> {
        self.entries
            .iter()
            .rev()
            .find_map(|entry| match &entry.fact {
                Fact::Tls(tls) => Some(tls.as_ref()),
                _ => None,
            })
    }

    /// Whether users may log in here.
    #[must_use]
    pub fn logins(&self) -> Logins {
        self.client().map_or(Logins::None, |client| client.logins)
    }

    /// The login that the backend has accepted.
    #[must_use]
    pub fn user(&self) -> Option<&Login> {
        // Mail servers are judged over and over, and most sessions are theirs.
        if self.logins() == Logins::None {
            return None;
        }
        self.entries.iter().find_map(|entry| match &entry.fact {
            Fact::Login(login) if login.is_accepted() => Some(login.as_ref()),
            _ => None,
        })
    }

    /// Whether this is no mail server's session: a user's, logged in or not yet. Who else it may be, from which address and
    /// under which name, says nothing about a user (RFC 6409 §3.4, §6).
    #[must_use]
    pub fn is_of_users(&self) -> bool {
        self.logins() == Logins::Required || self.user().is_some()
    }

    /// The reverse-path of the open mail transaction.
    #[must_use]
    pub fn mail(&self) -> Option<&Mail> {
        self.transaction().find_map(|fact| match fact {
            Fact::Mail(mail) => Some(mail.as_ref()),
            _ => None,
        })
    }

    /// The recipient named last in the open mail transaction: the one that is being judged.
    #[must_use]
    pub fn rcpt(&self) -> Option<&Rcpt> {
        self.transaction().find_map(|fact| match fact {
            Fact::Rcpt(rcpt) => Some(rcpt.as_ref()),
            _ => None,
        })
    }

    /// Recipients that the client has named in this session; those that were forgotten are not among them.
    #[must_use]
    pub fn recipients(&self) -> u32 {
        let named = self.entries.iter().filter(|entry| is_rcpt(entry)).count();
        u32::try_from(named).unwrap_or(u32::MAX)
    }

    /// What the client did against the protocol, oldest first.
    pub fn faults(&self) -> impl Iterator<Item = Fault> + '_ {
        self.entries.iter().filter_map(|entry| match entry.fact {
            Fact::Fault(fault) => Some(fault),
            _ => None,
        })
    }

    /// Recipients that the backend has refused for good.
    #[must_use]
    pub fn rejected(&self) -> usize {
        let is_it = |entry: &&Entry| entry.fact == Fact::Rejected;
        self.entries.iter().filter(is_it).count()
    }

    /// The answer to `question`, if it has come.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Option<&Answered> {
        self.answers()
            .find(|answered| answered.question == *question)
    }

    /// Every answer that has come, oldest first.
    pub fn answers(&self) -> impl Iterator<Item = &Answered> {
        self.entries.iter().filter_map(|entry| match &entry.fact {
            Fact::Answered(answered) => Some(answered.as_ref()),
            _ => None,
        })
    }

    /// Whether the client has a pass, as far as that has been asked.
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.answers()
            .any(|answered| matches!(answered.answer, Answer::Memory(Recalled::Pass { .. })))
    }

    /// The entries added by command that speak of this session, oldest first.
    pub fn listed(&self) -> impl DoubleEndedIterator<Item = &Listed> {
        self.entries.iter().filter_map(|entry| match &entry.fact {
            Fact::Listed(listed) => Some(listed.as_ref()),
            _ => None,
        })
    }

    /// The open mail transaction, what was learnt last first: everything behind the last reset.
    fn transaction(&self) -> impl Iterator<Item = &Fact> {
        let newest_first = self.entries.iter().rev().map(|entry| &entry.fact);
        newest_first.take_while(|fact| !matches!(fact, Fact::Reset))
    }
}

impl From<Vec<Entry>> for Facts {
    /// What a record holds, however much that is.
    fn from(entries: Vec<Entry>) -> Self {
        Self { entries }
    }
}

fn is_rcpt(entry: &Entry) -> bool {
    matches!(entry.fact, Fact::Rcpt(_))
}

fn is_count(entry: &Entry) -> bool {
    match &entry.fact {
        Fact::Answered(answered) => matches!(answered.question, Question::Count(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
