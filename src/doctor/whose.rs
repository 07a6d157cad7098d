//! Whose is a host that something is wrong with? What a domain's owner can not mend is at most a notice, and says whom to tell.

use std::net::IpAddr;

use tokio::net::UdpSocket;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::subject::Host;
use crate::doctor::world::Settings;
use crate::doctor::{Subject, text};

/// Whose an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::doctor) enum Whose {
    /// The domain's own, as far as can be told.
    Own,
    /// That of a host of others, called so: a provider's, whom only that can mend.
    Others(String),
}

impl Whose {
    /// What was found; of a host of others at most a notice, which says whom to tell.
    pub(in crate::doctor) fn weigh(&self, finding: Finding) -> Finding {
        match self {
            Self::Others(host) if finding.outcome >= Outcome::Notice => {
                let advice = format!("{}: {}", whom_to_tell(host), finding.advice);
                Finding {
                    outcome: Outcome::Notice,
                    advice: advice.into(),
                    ..finding
                }
            }
            _ => finding,
        }
    }
}

/// RFC 5321 §4.5.1: there is a postmaster wherever mail is taken.
fn whom_to_tell(host: &str) -> String {
    let at = registered(host).unwrap_or(host);
    format!(
        "{} is not yours to mend, it seems; tell whoever runs it (postmaster@{})",
        text::shown(host),
        text::shown(at)
    )
}

/// The domain that a name is registered under.
fn registered(name: &str) -> Option<&str> {
    psl::domain_str(name.trim_end_matches('.'))
}

/// Whether a host by its name is of the same owner as the domain.
fn is_of(host: &str, domain: &str) -> bool {
    match (registered(host), registered(domain)) {
        (Some(one), Some(other)) => text::same_name(one, other),
        // Neither is under a public suffix, as inside a company.
        _ => text::same_name(host, domain) || host.ends_with(&format!(".{domain}")),
    }
}

/// Whether an address is this machine's: then that is where one would speak to it from. Nothing is sent.
async fn is_here(address: IpAddr) -> bool {
    let any = match address.is_ipv4() {
        true => IpAddr::from([0; 4]),
        false => IpAddr::from([0; 16]),
    };
    let Ok(socket) = UdpSocket::bind((any, 0)).await else {
        return false;
    };
    let connected = socket.connect((address, 25)).await;
    let local = connected.and_then(|()| socket.local_addr());
    local.is_ok_and(|local| local.ip() == address)
}

/// The host of others that has this address, by all but this machine's own.
fn stranger<'h>(
    settings: &Settings,
    domain: &str,
    hosts: &'h [Host],
    address: IpAddr,
) -> Option<&'h str> {
    let is_reached = || settings.reach.keys().any(|to| to.ip() == address);
    if settings.outgoing.contains(&address) || is_reached() {
        return None;
    }
    let mut there = hosts
        .iter()
        .filter(|host| host.called().any(|one| one == address));
    let first = there.next()?;
    let is_own = |host: &Host| is_of(&host.name, domain);
    let is_known = is_own(first) || there.any(is_own);
    (!is_known).then_some(&first.name)
}

impl Subject {
    /// Whose this one of [`own_addresses`](Subject::own_addresses) is. The domain's own are outgoing ones, those of this machine,
    /// those that `reach` leads to, and those of exchangers with a name under the domain or beside it.
    pub(in crate::doctor) async fn whose(&self, address: IpAddr) -> Whose {
        match stranger(&self.world.settings, &self.domain, &self.hosts, address) {
            Some(host) if !is_here(address).await => Whose::Others(host.to_owned()),
            _ => Whose::Own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::time::{Duration, SystemTime};

    use crate::doctor::world::Addresses;

    #[test]
    fn a_provider_is_known_by_its_name() {
        for (host, domain, own) in [
            ("mx.d.example", "d.example", true),
            ("mx.d.example", "mail.d.example", true),
            ("D.example", "d.example", true),
            ("mx.isp.example", "d.example", false),
            ("d-example.mail.isp.example", "d.example", false),
            ("mx.one.co.uk", "two.co.uk", false),
            ("mx.corp", "corp", true),
            ("corp", "corp", true),
            ("mxcorp", "corp", false),
        ] {
            assert_eq!(is_of(host, domain), own, "{host} {domain}");
        }
    }

    #[test]
    fn of_others_no_more_than_a_notice_is_told_and_whom_to_tell() {
        let finding = |outcome| Finding::new(outcome, "mx", "seen", "why", "mend it");
        let others = Whose::Others("mx7.isp.example".to_owned());
        for (outcome, own, of_others) in [
            (Outcome::Good, Outcome::Good, Outcome::Good),
            (
                Outcome::CouldNotTell,
                Outcome::CouldNotTell,
                Outcome::CouldNotTell,
            ),
            (Outcome::Notice, Outcome::Notice, Outcome::Notice),
            (Outcome::Warning, Outcome::Warning, Outcome::Notice),
            (Outcome::Fault, Outcome::Fault, Outcome::Notice),
        ] {
            assert_eq!(Whose::Own.weigh(finding(outcome)).outcome, own);
            assert_eq!(others.weigh(finding(outcome)).outcome, of_others);
        }
        let told = others.weigh(finding(Outcome::Warning));
        assert!(told.advice.contains("postmaster@isp.example"), "{told:?}");
        assert!(told.advice.ends_with("mend it"), "{told:?}");
    }

    #[test]
    fn addresses_that_are_named_are_own() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let host = |name: &str, at: &str| {
            let addresses = Addresses {
                found: vec![address(at)],
                ..Addresses::default()
            };
            Host::new(10, name.to_owned(), addresses)
        };
        let hosts = [
            host("mx.isp.example", "192.0.2.1"),
            host("mx.d.example", "192.0.2.2"),
            host("a.isp.example", "192.0.2.3"),
            host("shared.d.example", "192.0.2.3"),
        ];
        let mut settings = Settings {
            hostname: "here.example".to_owned(),
            outgoing: Vec::new(),
            selectors: Vec::new(),
            reach: BTreeMap::new(),
            patience: Duration::ZERO,
            parcel: None,
            now: SystemTime::UNIX_EPOCH,
        };
        for (at, whose) in [
            ("192.0.2.1", Some("mx.isp.example")),
            ("192.0.2.2", None),
            ("192.0.2.3", None),
            ("192.0.2.9", None),
        ] {
            let found = stranger(&settings, "d.example", &hosts, address(at));
            assert_eq!(found, whose, "{at}");
        }
        let isp = address("192.0.2.1");
        settings.outgoing.push(isp);
        assert_eq!(stranger(&settings, "d.example", &hosts, isp), None);
        settings.outgoing.clear();
        let (to, by) = (SocketAddr::new(isp, 25), SocketAddr::new(isp, 2525));
        settings.reach.insert(to, by);
        assert_eq!(stranger(&settings, "d.example", &hosts, isp), None);
    }

    #[tokio::test]
    async fn this_machine_is_known_by_its_address() {
        assert!(is_here([127, 0, 0, 1].into()).await);
        assert!(!is_here([192, 0, 2, 1].into()).await);
    }
}
