//! One call to one address of a mail exchanger: everything that the probes want to know of it, in one or two connections.
//!
//! No mail is sent: RSET follows each recipient and QUIT the last. The tries have pauses between them. Sender is the null
//! reverse-path, as that of any bounce (RFC 5321 §4.5.5), and once the domain's own postmaster: some servers relay for
//! whoever claims to be one of their own.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::sleep;

use crate::doctor::talk::{Talk, Trouble};
use crate::doctor::text;
use crate::doctor::world::World;
use crate::net::inspect::Seen;
use crate::smtp::command::Command;
use crate::smtp::domain::HeloName;
use crate::smtp::extension::Extensions;
use crate::smtp::params::{MailParams, RcptParams};
use crate::smtp::path::{ForwardPath, ReversePath};
use crate::smtp::reply::Reply;

/// Between two tries of one session.
const PAUSE: Duration = Duration::from_millis(300);
/// A recipient in a domain that nobody can have (RFC 2606 §2).
pub(in crate::doctor) const STRANGER: &str = "doctor@relay.gatepost.example";
/// What to do where a refusal may be of us.
pub(in crate::doctor) const ABOUT_US: &str = "it may refuse this machine only (a list, our name): ask from another, such as one that sends mail";

/// What an address has said; what it was not asked is `None`.
#[derive(Debug, Default)]
pub(in crate::doctor) struct Call {
    /// Where it is.
    pub(in crate::doctor) address: Option<IpAddr>,
    /// Our own address toward it.
    pub(in crate::doctor) local: Option<IpAddr>,
    /// What ended it before its end.
    pub(in crate::doctor) trouble: Option<Trouble>,
    /// The greeting, and how long it took.
    pub(in crate::doctor) greeting: Option<(Reply, Duration)>,
    /// The reply to EHLO, before TLS.
    pub(in crate::doctor) hello: Option<Reply>,
    /// The reply to STARTTLS, where that is offered.
    pub(in crate::doctor) starttls: Option<Reply>,
    /// The handshake, or why it has failed.
    pub(in crate::doctor) tls: Option<Result<Seen, String>>,
    /// The reply to a RCPT without a MAIL before it.
    pub(in crate::doctor) unordered: Option<Reply>,
    /// The last word about mail for postmaster@ the domain.
    pub(in crate::doctor) postmaster: Option<Reply>,
    /// The same for abuse@.
    pub(in crate::doctor) abuse: Option<Reply>,
    /// The same for a stranger, by the sender that was named.
    pub(in crate::doctor) stranger: Vec<(String, Reply)>,
}

impl Call {
    /// Calls `address` of `host`, an exchanger of `domain`.
    pub(in crate::doctor) async fn make(
        world: &World,
        domain: &str,
        host: &str,
        address: IpAddr,
    ) -> Self {
        let mut call = Self {
            address: Some(address),
            ..Self::default()
        };
        let trouble = call.through(world, domain, host, address).await.err();
        call.trouble = trouble;
        call
    }

    /// What stands in the way of knowing more, for a finding; nothing where it went to its end.
    pub(in crate::doctor) fn why_not(&self) -> String {
        let trouble = self.trouble.as_ref().map(ToString::to_string);
        trouble.unwrap_or_else(|| "it was not asked".to_owned())
    }

    /// Whether a refusal may be of us, and not of the recipient: policy (RFC 3463 §3.8), our name in EHLO, or the same words
    /// to whatever was asked. What tells of relaying or of the mailbox is about the recipient.
    pub(in crate::doctor) fn may_be_about_us(&self, refusal: &Reply) -> bool {
        let said = refusal.to_string().to_ascii_lowercase();
        let enhanced = refusal.enhanced.map(|code| (code.subject, code.detail));
        if said.contains("relay") || matches!(enhanced, Some((1, _))) {
            return false;
        }
        let others = [&self.postmaster, &self.abuse].into_iter().flatten();
        let mut all = others.chain(self.stranger.iter().map(|(_, reply)| reply));
        refusal.code == 504
            || matches!(enhanced, Some((7, _) | (5, 2)))
            || (!self.stranger.is_empty() && all.all(|other| other == refusal))
    }

    /// Its address for people.
    pub(in crate::doctor) fn place(&self, host: &str) -> String {
        match self.address {
            Some(address) => format!("{host} [{address}]"),
            None => host.to_owned(),
        }
    }

    /// What it offers before TLS.
    pub(in crate::doctor) fn extensions(&self) -> Option<Extensions> {
        let hello = self.hello.as_ref().filter(|reply| reply.is_positive())?;
        Some(Extensions::from_ehlo_reply(hello))
    }

    async fn through(
        &mut self,
        world: &World,
        domain: &str,
        host: &str,
        address: IpAddr,
    ) -> Result<(), Trouble> {
        let way = world.way_to(SocketAddr::new(address, 25));
        let to = way.ok_or(Trouble::NotPublic)?;
        let mut talk = self.dial(world, host, to).await?;
        if self.hello.as_ref().is_some_and(Reply::is_positive) {
            self.try_recipients(&mut talk, domain).await?;
        }
        talk.part().await;
        Ok(())
    }

    /// Greeting and EHLO, and the same under TLS where that is offered and works.
    pub(in crate::doctor) async fn dial(
        &mut self,
        world: &World,
        host: &str,
        to: SocketAddr,
    ) -> Result<Talk, Trouble> {
        let patience = world.settings.patience;
        let mut talk = self.begin(world, to).await?;
        if self.extensions().is_some_and(|offered| offered.starttls) {
            let reply = talk.ask(&Command::StartTls, "reply to STARTTLS").await?;
            let agrees = reply.code == 220;
            self.starttls = Some(reply);
            if agrees {
                let secured = talk
                    .secure(&world.inspector, host, world.settings.now)
                    .await;
                talk = match secured {
                    Ok((mut talk, seen)) => {
                        self.tls = Some(Ok(seen));
                        talk.hello(&our_name(world, self)).await?;
                        talk
                    }
                    Err(why) => {
                        self.tls = Some(Err(text::shown(&why)));
                        // The rest is asked without TLS.
                        let mut talk = Talk::open(to, patience).await?;
                        talk.greeting().await?;
                        talk.hello(&our_name(world, self)).await?;
                        talk
                    }
                };
            }
        }
        Ok(talk)
    }

    async fn begin(&mut self, world: &World, to: SocketAddr) -> Result<Talk, Trouble> {
        let mut talk = Talk::open(to, world.settings.patience).await?;
        self.local = talk.local;
        let (greeting, after) = talk.greeting().await?;
        let is_welcome = greeting.is_positive();
        self.greeting = Some((greeting, after));
        if is_welcome {
            self.hello = Some(talk.hello(&our_name(world, self)).await?);
        }
        Ok(talk)
    }

    async fn try_recipients(&mut self, talk: &mut Talk, domain: &str) -> Result<(), Trouble> {
        let postmaster = format!("postmaster@{domain}");
        if let Some(path) = to(&postmaster) {
            let rcpt = Command::Rcpt(path, RcptParams::default());
            self.unordered = Some(talk.ask(&rcpt, "reply to RCPT").await?);
            talk.ask(&Command::Rset, "reply to RSET").await?;
        }
        self.postmaster = attempt(talk, "", &postmaster).await?;
        self.abuse = attempt(talk, "", &format!("abuse@{domain}")).await?;
        for sender in ["", &postmaster] {
            if let Some(reply) = attempt(talk, sender, STRANGER).await? {
                self.stranger.push((sender.to_owned(), reply));
            }
        }
        Ok(())
    }
}

/// What we call ourselves. Toward ourselves by our address: who says our own name there is taken for a liar.
pub(in crate::doctor) fn our_name(world: &World, call: &Call) -> HeloName {
    let hostname = &world.settings.hostname;
    let greeting = call
        .greeting
        .as_ref()
        .and_then(|(reply, _)| reply.lines.first());
    let is_ourselves = greeting
        .and_then(|line| line.split(' ').next())
        .is_some_and(|name| text::same_name(name, hostname));
    let literal = || {
        let local = call.local.unwrap_or(IpAddr::from([127, 0, 0, 1]));
        HeloName::literal(local)
    };
    match HeloName::parse(hostname) {
        // Many servers refuse a name without a dot, and it would be ours that is at fault.
        Some(name) if !is_ourselves && hostname.contains('.') => name,
        _ => literal(),
    }
}

fn to(mailbox: &str) -> Option<ForwardPath> {
    ForwardPath::parse(&format!("<{mailbox}>"))
}

/// One transaction up to its recipient: the reply to RCPT, or to MAIL where that was refused. `None` for what can not be an
/// address.
async fn attempt(talk: &mut Talk, from: &str, recipient: &str) -> Result<Option<Reply>, Trouble> {
    sleep(PAUSE).await;
    let (Some(sender), Some(recipient)) = (ReversePath::parse(&format!("<{from}>")), to(recipient))
    else {
        return Ok(None);
    };
    let mail = Command::Mail(sender, MailParams::default());
    let mut reply = talk.ask(&mail, "reply to MAIL").await?;
    if reply.is_positive() {
        let rcpt = Command::Rcpt(recipient, RcptParams::default());
        reply = talk.ask(&rcpt, "reply to RCPT").await?;
        if !reply.closes() {
            talk.ask(&Command::Rset, "reply to RSET").await?;
        }
    }
    Ok(Some(reply))
}
