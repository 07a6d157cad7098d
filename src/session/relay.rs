//! The way to the backend: opened at the first cleared RCPT, kept for the session's next transactions.
//!
//! A connection is opened with the client's address in a PROXY header, waits for the 220, says EHLO with the client's
//! own name, and then carries MAIL and RCPT in one group if the backend pipelines (RFC 2920). Only typed commands go
//! out, only parsed replies come back. Whatever goes wrong on this side is [`Trouble`] and becomes 4xx to the client;
//! a 5xx before EHLO has succeeded concerns us and not the sender, so it is trouble too.
//!
//! There is no retry once a reply of this transaction depended on the connection; the client holds the message.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::timeout;

use crate::checks::verdict::Cleared;
use crate::config::ClientAddress;
use crate::net::backend::{self, ConnectError, Target};
use crate::net::proxy_header::Version;
use crate::net::stream::Stream;
use crate::session::upstream::Upstream;
use crate::session::{Session, replies};
use crate::smtp::client::{Client, NotSent};
use crate::smtp::command::Command;
use crate::smtp::domain::{AddressLiteral, HeloName, Host};
use crate::smtp::extension::Extensions;
use crate::smtp::params::{MailParams, RcptParams};
use crate::smtp::path::{ForwardPath, ReversePath};
use crate::smtp::phase::Phase;
use crate::smtp::reply::{BadReply, Reply, ReplyClass, ReplyReader};
use crate::smtp::verb::Verb;

/// What went wrong with the backend. Never the client's fault.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It failed so recently that it was not tried again; that failure has been told.
    #[error("failed a moment ago")]
    BacksOff,
    /// No connection.
    #[error("can not be reached: {0}")]
    Unreachable(String),
    /// It must not be told of this client, who could be taken for ourselves. It is not at fault.
    #[error(
        "must not be told of a client at {0}, which it may take for this host; see loopback_clients"
    )]
    NotForThisClient(std::net::IpAddr),
    /// It let a deadline pass.
    #[error("did not {0} in time")]
    Silent(&'static str),
    /// The connection broke.
    #[error("was lost: {0}")]
    Lost(String),
    /// It said something that no server may say.
    #[error("broke the protocol: {0}")]
    Babble(#[from] BadReply),
    /// It refused its greeting or our EHLO: our configuration or its own trouble.
    #[error("refused the session: {0}")]
    Refuses(String),
    /// It refused our PROXY header: `hosts_proxy` and `source_address` do not agree.
    #[error(
        "refused the PROXY header ({0}); check hosts_proxy on the backend and source_address here"
    )]
    RefusesProxyHeader(String),
    /// It has fewer extensions than it had: what the client was offered does not hold.
    #[error("no longer offers {0}")]
    Shrunk(&'static str),
    /// We were about to send it something out of place.
    #[error("was about to be sent something out of place: {0}")]
    Defect(#[from] NotSent),
    /// It closes the session with 421.
    #[error("closes the session: {0}")]
    Closes(String),
}

impl Trouble {
    /// What the client is told: always 4xx.
    fn reply(&self) -> Reply {
        match self {
            // It never came, or it came and was lost on the way; which of both a deadline was, the stage tells.
            Self::Silent("greet") => replies::backend_down(),
            Self::Lost(_) | Self::Silent(_) => replies::backend_lost(),
            Self::NotForThisClient(_) => replies::not_for_this_client(),
            Self::Babble(_) | Self::Shrunk(_) | Self::Defect(_) => replies::backend_broken(),
            Self::Closes(_) => replies::backend_closes(),
            _ => replies::backend_down(),
        }
    }

    fn marks_down(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Silent("greet") | Self::RefusesProxyHeader(_)
        )
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<ConnectError> for Trouble {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Client(address) => Self::NotForThisClient(address),
            failed => Self::Unreachable(failed.to_string()),
        }
    }
}

/// The mail transaction as far as it concerns the backend.
#[derive(Default)]
pub(in crate::session) struct Envelope {
    mail: Option<(ReversePath, MailParams)>,
    /// Whether the backend knows of this transaction.
    opened: bool,
    /// Why no recipient of this transaction can be accepted any more.
    refused: Option<Reply>,
    /// Recipients named in this transaction.
    pub(in crate::session) recipients: u32,
}

impl Envelope {
    /// A new transaction.
    pub(in crate::session) fn open(&mut self, path: ReversePath, params: MailParams) {
        *self = Self {
            mail: Some((path, params)),
            ..Self::default()
        };
    }
}

/// An open connection to a backend, greeted and with EHLO done.
pub(in crate::session) struct Relay {
    stream: Stream,
    input: BytesMut,
    client: Client,
    offered: Extensions,
    needs_reset: bool,
    used: bool,
}

/// Octets read from the backend at a time; its replies are short.
const REPLY_READ: usize = 2048;

/// A backend that does not take even a QUIT within this is left without one.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a backend is connected to.
fn target(backend: &crate::config::Backend) -> Target<'_> {
    Target {
        addresses: &backend.address,
        source: backend.source_address,
        header: match backend.client_address {
            ClientAddress::ProxyV1 => Some(Version::V1),
            ClientAddress::ProxyV2 => Some(Version::V2),
            ClientAddress::None => None,
        },
        loopback_clients: backend.loopback_clients,
        timeout: backend.connect_timeout,
    }
}

impl Relay {
    /// Opens the backend for a client that was cleared.
    async fn open(_: &Cleared, upstream: &Upstream, who: Who) -> Result<Box<Self>, Trouble> {
        let relay = Self::connect(upstream, who).await?;
        upstream.is_up(relay.offered.clone());
        Ok(Box::new(relay))
    }

    async fn connect(upstream: &Upstream, who: Who) -> Result<Self, Trouble> {
        if upstream.backs_off() {
            return Err(Trouble::BacksOff);
        }
        let backend = &upstream.backend;
        let connection = backend::connect(target(backend), who.client, who.local).await?;
        let mut relay = Self {
            stream: connection.stream,
            input: BytesMut::new(),
            client: Client::new(),
            offered: Extensions::default(),
            needs_reset: false,
            used: false,
        };
        let (_, greeting) = relay.read("greet", backend.greeting_timeout).await?;
        if greeting.class() != ReplyClass::Positive {
            return Err(Trouble::Refuses(greeting.to_string()));
        }
        let name = who
            .name
            .ok_or_else(|| Trouble::Lost("no name to say EHLO with".to_owned()))?;
        let hello = relay
            .ask(&Command::Ehlo(name), "answer EHLO", backend.command_timeout)
            .await?;
        match (hello.code, hello.class()) {
            (_, ReplyClass::Positive) => relay.offered = Extensions::from_ehlo_reply(&hello),
            (503, _) => return Err(Trouble::RefusesProxyHeader(hello.to_string())),
            _ => return Err(Trouble::Refuses(hello.to_string())),
        }
        Ok(relay)
    }

    /// Sends one command and reads its reply.
    async fn ask(
        &mut self,
        command: &Command,
        what: &'static str,
        within: Duration,
    ) -> Result<Reply, Trouble> {
        self.quiet()?;
        let mut out = Vec::with_capacity(256);
        self.client.send(command, &mut out)?;
        self.write(&out, within).await?;
        self.read(what, within).await.map(|(_, reply)| reply)
    }

    /// One reply. A 421 means that the backend closes, whatever was asked.
    async fn read(
        &mut self,
        what: &'static str,
        within: Duration,
    ) -> Result<(Verb, Reply), Trouble> {
        match timeout(within, self.read_reply()).await {
            Ok(Ok((_, reply))) if reply.code == 421 => Err(Trouble::Closes(reply.to_string())),
            Ok(answer) => answer,
            Err(_) => Err(Trouble::Silent(what)),
        }
    }

    async fn read_reply(&mut self) -> Result<(Verb, Reply), Trouble> {
        loop {
            let (consumed, reply) = self.client.next(&self.input)?;
            let _ = self.input.split_to(consumed.min(self.input.len()));
            if let Some(answered) = reply {
                return Ok(answered);
            }
            if self.stream.read_into(&mut self.input, REPLY_READ).await? == 0 {
                return Err(Trouble::Lost("connection closed".to_owned()));
            }
        }
    }

    /// Before a command and before the dot nothing may be waiting from the backend: answers would shift by one. Only a
    /// 421 may come unasked (RFC 5321 §3.8).
    fn quiet(&mut self) -> Result<(), Trouble> {
        let read = self.stream.read_now(&mut self.input, REPLY_READ)?;
        if let Err(unsolicited) = self.client.quiet(&self.input) {
            let said = ReplyReader::new().next(&self.input);
            return Err(match said {
                Ok((_, Some(reply))) if reply.code == 421 => Trouble::Closes(reply.to_string()),
                _ => unsolicited.into(),
            });
        }
        match read {
            Some(0) => Err(Trouble::Lost("connection closed".to_owned())),
            _ => Ok(()),
        }
    }

    async fn write(&mut self, octets: &[u8], within: Duration) -> Result<(), Trouble> {
        match timeout(within, self.stream.write_all_flush(octets)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(Trouble::Silent("read")),
        }
    }

    /// MAIL (after RSET where one is due) and the first RCPT, in one group if the backend pipelines. Where MAIL is
    /// refused, what became of RCPT is of no interest, except that after trouble the connection is of no use.
    async fn begin(
        &mut self,
        mail: Command,
        rcpt: Command,
        within: Duration,
    ) -> Result<(Reply, Result<Reply, Trouble>), Trouble> {
        if std::mem::take(&mut self.needs_reset) {
            self.ask(&Command::Rset, "answer RSET", within).await?;
        }
        self.used = true;
        if !self.offered.pipelining {
            let mailed = self.ask(&mail, "answer MAIL", within).await?;
            if mailed.class() != ReplyClass::Positive {
                return Ok((mailed.clone(), Ok(mailed)));
            }
            return Ok((mailed, self.ask(&rcpt, "answer RCPT", within).await));
        }
        self.quiet()?;
        let mut out = Vec::with_capacity(512);
        self.client.send(&mail, &mut out)?;
        self.client.send(&rcpt, &mut out)?;
        self.write(&out, within).await?;
        let (_, mailed) = self.read("answer MAIL", within).await?;
        let named = self.read("answer RCPT", within).await;
        Ok((mailed, named.map(|(_, reply)| reply)))
    }

    /// DATA; 354 or the backend's refusal.
    pub(in crate::session) async fn data(&mut self, within: Duration) -> Result<Reply, Trouble> {
        self.ask(&Command::Data, "answer DATA", within).await
    }

    /// A piece of mail data, already examined.
    pub(in crate::session) async fn pass(
        &mut self,
        chunk: &[u8],
        within: Duration,
    ) -> Result<(), Trouble> {
        self.write(chunk, within).await
    }

    /// The end of the mail data, and the backend's word on the message. Whoever calls this has seen the client's
    /// CRLF.CRLF; there is no other caller.
    pub(in crate::session) async fn finish(
        &mut self,
        last: &[u8],
        write_within: Duration,
        reply_within: Duration,
    ) -> Result<Reply, Trouble> {
        self.quiet()?;
        let mut out = Vec::with_capacity(last.len() + 3);
        out.extend_from_slice(last);
        self.client.end_of_data(&mut out)?;
        self.write(&out, write_within).await?;
        self.read("answer the message", reply_within)
            .await
            .map(|(_, reply)| reply)
    }

    /// The client's phase as the backend sees it.
    pub(in crate::session) fn phase(&self) -> Phase {
        self.client.phase()
    }

    /// Says QUIT and goes: Exim sits on a QUIT unless its peer closes.
    pub(in crate::session) async fn part(mut self) {
        let mut out = Vec::with_capacity(8);
        // In mail data nothing may be said: closing without a dot makes the backend forget the message.
        if self.client.send(&Command::Quit, &mut out).is_ok() {
            let _ = timeout(FAREWELL, self.stream.write_all_flush(&out)).await;
        }
        self.stream.close().await;
    }
}

/// On whose behalf a backend is opened.
struct Who {
    client: std::net::SocketAddr,
    local: std::net::SocketAddr,
    /// What is said with EHLO.
    name: Option<HeloName>,
}

impl Session {
    /// Gives a cleared recipient to the backend and returns the backend's answer, or 4xx for our trouble with it.
    pub(in crate::session) async fn relay_recipient(
        &mut self,
        cleared: Cleared,
        path: &ForwardPath,
        params: &RcptParams,
    ) -> Reply {
        if let Some(refused) = &self.envelope.refused {
            return refused.clone();
        }
        match self.try_recipient(&cleared, path, params).await {
            Ok(reply) => reply,
            Err(trouble) => self.backend_failed(&trouble),
        }
    }

    async fn try_recipient(
        &mut self,
        cleared: &Cleared,
        path: &ForwardPath,
        params: &RcptParams,
    ) -> Result<Reply, Trouble> {
        let rcpt = Command::Rcpt(path.clone(), params.clone());
        let within = self.door.upstream.backend.command_timeout;
        if self.envelope.opened {
            let Some(relay) = &mut self.relay else {
                return Err(Trouble::Lost("connection closed".to_owned()));
            };
            return relay.ask(&rcpt, "answer RCPT", within).await;
        }
        let reused = self.relay.as_ref().is_some_and(|relay| relay.used);
        match self.begin(cleared, rcpt.clone()).await {
            // The connection of an earlier transaction had gone stale; nothing depended on it yet.
            Err(Trouble::Lost(_) | Trouble::Closes(_)) if reused => {
                self.relay = None;
                self.begin(cleared, rcpt).await
            }
            begun => begun,
        }
    }

    async fn begin(&mut self, cleared: &Cleared, rcpt: Command) -> Result<Reply, Trouble> {
        if self.relay.is_none() {
            self.relay = Some(Relay::open(cleared, &self.door.upstream, self.who()).await?);
        }
        let (Some(relay), Some((path, params))) = (&mut self.relay, &self.envelope.mail) else {
            return Err(Trouble::Lost("no transaction".to_owned()));
        };
        let mail = Command::Mail(path.clone(), fit(params, &relay.offered)?);
        let within = self.door.upstream.backend.command_timeout;
        let (mailed, named) = relay.begin(mail, rcpt, within).await?;
        if mailed.class() != ReplyClass::Positive {
            // Some backends close behind a refusal; it stands all the same.
            if named.is_err() {
                self.relay = None;
            }
            // The client has had its 250 to MAIL: the refusal is told at each RCPT instead.
            self.envelope.refused = Some(mailed.clone());
            return Ok(mailed);
        }
        let named = named?;
        self.envelope.opened = true;
        Ok(named)
    }

    fn who(&self) -> Who {
        let client = self.client();
        let local = self
            .facts
            .client()
            .map_or(self.arrival.local, |client| client.local);
        let said = self.facts.helo().map(|helo| helo.name.clone());
        Who {
            client,
            local,
            name: said.filter(is_hostname).or_else(|| literal(client.ip())),
        }
    }

    /// Notes trouble with the backend loudly, once, and says what the client is told.
    pub(in crate::session) fn backend_failed(&mut self, trouble: &Trouble) -> Reply {
        let upstream = &self.door.upstream;
        match trouble {
            Trouble::BacksOff => {
                tracing::debug!(id = %self.arrival.id, backend = %upstream.name, "backend {trouble}");
            }
            _ => {
                tracing::error!(id = %self.arrival.id, backend = %upstream.name, "backend {trouble}");
            }
        }
        if trouble.marks_down() {
            upstream.is_down();
        }
        self.relay = None;
        let reply = self.sign(trouble.reply());
        self.envelope.refused = Some(reply.clone());
        reply
    }

    /// Ends the transaction without a message: RSET, EHLO, STARTTLS.
    pub(in crate::session) fn abandon_transaction(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.needs_reset |= self.envelope.opened;
        }
        self.close_transaction();
    }

    /// The transaction is over.
    pub(in crate::session) fn close_transaction(&mut self) {
        if self.envelope.mail.is_some() {
            self.note(self.stage, crate::facts::Fact::Reset);
        }
        self.envelope = Envelope::default();
    }

    /// Checks that client and backend are in the same phase. They always are; if ever they are not, replies have
    /// shifted, and the only safe thing is to cut the backend before it believes anything.
    pub(in crate::session) fn keep_in_step(&mut self) {
        let (Some(relay), true) = (&self.relay, self.envelope.opened) else {
            return;
        };
        if relay.phase() == self.server.phase() {
            return;
        }
        tracing::error!(
            id = %self.arrival.id, client = ?self.server.phase(), backend = ?relay.phase(),
            "defect: out of step with the backend, connection cut"
        );
        debug_assert!(false, "out of step with the backend");
        self.relay = None;
        self.envelope.refused = Some(replies::backend_broken());
    }
}

/// An address as a HELO name (RFC 5321 §4.1.3).
fn literal(ip: std::net::IpAddr) -> Option<HeloName> {
    let text = match ip {
        std::net::IpAddr::V4(v4) => AddressLiteral::V4(v4).to_string(),
        std::net::IpAddr::V6(v6) => AddressLiteral::V6(v6).to_string(),
    };
    HeloName::parse(&text)
}

/// Whether a HELO name is one that every backend takes: letters, digits, hyphens and dots, or a literal.
fn is_hostname(name: &HeloName) -> bool {
    match name.host() {
        Some(Host::Literal(AddressLiteral::V4(_) | AddressLiteral::V6(_))) => true,
        Some(Host::Literal(_)) | None => false,
        Some(Host::Domain(domain)) => domain
            .as_str()
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'),
    }
}

/// The parameters of MAIL as this backend takes them. SIZE is only a hint and may be left out; the others are promises.
fn fit(params: &MailParams, offered: &Extensions) -> Result<MailParams, Trouble> {
    let mut params = params.clone();
    if params.body.is_some() && !offered.eight_bit_mime {
        return Err(Trouble::Shrunk("8BITMIME"));
    }
    if params.smtputf8 && !offered.smtputf8 {
        return Err(Trouble::Shrunk("SMTPUTF8"));
    }
    if (params.ret.is_some() || params.envid.is_some()) && !offered.dsn {
        return Err(Trouble::Shrunk("DSN"));
    }
    if offered.size.is_none() {
        params.size = None;
    }
    Ok(params)
}

/// Asks a backend what it offers, in the name of `client`, and notes it.
///
/// # Errors
///
/// [`Trouble`]: the backend's fault or our configuration's.
pub async fn probe(
    upstream: &Upstream,
    client: std::net::SocketAddr,
    local: std::net::SocketAddr,
) -> Result<(), Trouble> {
    let name = literal(client.ip());
    let relay = Relay::connect(
        upstream,
        Who {
            client,
            local,
            name,
        },
    )
    .await?;
    upstream.is_up(relay.offered.clone());
    relay.part().await;
    Ok(())
}
