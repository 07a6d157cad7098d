//! gatepost's own side: what its configuration says about port 25 and about Exim, and the addresses it is to take over.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use nix::ifaddrs::getifaddrs;
use toml_edit::{Array, DocumentMut, Item, Value};

use super::sockets::{self, SMTP};
use crate::config::{self, ClientAddress, Role, Snapshot};

/// What matters here of gatepost's configuration.
#[derive(Debug)]
pub(super) struct Front {
    /// Its text.
    pub(super) text: String,
    /// Every address that it listens on.
    pub(super) listening: Vec<SocketAddr>,
    /// The listeners on port 25 of all addresses, by name.
    wild: Vec<String>,
    /// Where it expects Exim.
    pub(super) exim: SocketAddr,
    /// Where it expects Exim for users, if it has listeners for them (`role = "submission"`) and Exim is there.
    pub(super) users: Option<SocketAddr>,
    /// The address it connects to Exim from.
    pub(super) source: Ipv4Addr,
}

impl Front {
    /// Reads the configuration; an error where it does not say what the recipe needs.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| {
            format!("can not read {}, gatepost's configuration", file.display())
        })?;
        let snapshot = load(file)?;
        let listeners = &snapshot.config.listen;
        let at_smtp = |address: &&SocketAddr| address.port() == SMTP;
        let (_, listener) = listeners
            .iter()
            .find(|(_, listener)| listener.address.iter().any(|address| at_smtp(&address)))
            .with_context(|| {
                format!(
                    "{}: no listener is on port 25, so that nobody would take mail",
                    file.display()
                )
            })?;
        let name = &listener.backend;
        let backend = snapshot.config.backend.get(name);
        let backend = backend.with_context(|| format!("there is no [backend.{name}]"))?;
        let wanted = format!(
            "{}: the recipe for Exim needs, in [backend.{name}], one address such as \"127.0.0.1:10025\", \
             client_address = \"proxy-v2\" and source_address = \"127.0.0.2\"",
            file.display()
        );
        let (exim, source) = match (backend.address.as_slice(), backend.source_address) {
            ([exim], Some(IpAddr::V4(source))) => (*exim, source),
            _ => bail!(wanted),
        };
        ensure!(
            exim.ip() == IpAddr::from(Ipv4Addr::LOCALHOST)
                && exim.port() != SMTP
                && source.is_loopback()
                && source != Ipv4Addr::LOCALHOST
                && matches!(
                    backend.client_address,
                    ClientAddress::ProxyV1 | ClientAddress::ProxyV2
                ),
            wanted
        );
        let wild = listeners.iter().filter(|(_, listener)| {
            listener
                .address
                .iter()
                .any(|address| at_smtp(&address) && address.ip().is_unspecified())
        });
        let users = listeners
            .values()
            .filter(|listener| listener.role == Role::Submission)
            .filter_map(|listener| snapshot.config.backend.get(&listener.backend))
            .flat_map(|backend| backend.address.iter().copied())
            .find(|address| address.ip() == exim.ip() && *address != exim);
        Ok(Self {
            users,
            wild: wild.map(|(name, _)| name.clone()).collect(),
            listening: listening(&snapshot),
            text,
            exim,
            source,
        })
    }

    /// Whether it listens on all addresses, and so would leave port 25 on loopback to nobody else.
    pub(super) fn is_wild(&self) -> bool {
        !self.wild.is_empty()
    }

    /// The configuration with `addresses` in the place of all addresses, and nothing else changed.
    pub(super) fn with(
        &self,
        addresses: &[SocketAddr],
    ) -> anyhow::Result<(String, Vec<SocketAddr>)> {
        let mut document: DocumentMut = self.text.parse()?;
        for name in &self.wild {
            let item = document
                .get_mut("listen")
                .and_then(|listen| listen.get_mut(name))
                .and_then(|listener| listener.get_mut("address"))
                .with_context(|| format!("listen.{name}.address is not set in the file"))?;
            put(item, addresses);
        }
        let text = document.to_string();
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile()?;
        file.write_all(text.as_bytes())?;
        let listening = listening(&load(file.path())?);
        let wild = listening
            .iter()
            .any(|address| address.port() == SMTP && address.ip().is_unspecified());
        ensure!(
            !wild,
            "the environment says that gatepost listens on all addresses"
        );
        Ok((text, listening))
    }
}

fn load(file: &Path) -> anyhow::Result<Snapshot> {
    config::load(Some(file), &[]).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!(
            "gatepost's configuration is not good: {}",
            problems.join("; ")
        )
    })
}

fn listening(snapshot: &Snapshot) -> Vec<SocketAddr> {
    let listeners = snapshot.config.listen.values();
    listeners
        .flat_map(|listener| listener.address.iter().copied())
        .collect()
}

/// Leaves what is not port 25 of all addresses, and comments.
fn put(item: &mut Item, addresses: &[SocketAddr]) {
    let old: Vec<String> = match item.as_value() {
        Some(Value::Array(array)) => {
            let texts = array.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        Some(Value::String(one)) => vec![one.value().clone()],
        _ => Vec::new(),
    };
    let wild = |text: &String| {
        let address: Result<SocketAddr, _> = text.parse();
        address.is_ok_and(|address| address.port() == SMTP && address.ip().is_unspecified())
    };
    let kept = old.into_iter().filter(|text| !wild(text));
    let new: Array = addresses
        .iter()
        .map(ToString::to_string)
        .chain(kept)
        .collect();
    let mut value = Value::Array(new);
    if let Some(old) = item.as_value() {
        *value.decor_mut() = old.decor().clone();
    }
    *item = Item::Value(value);
}

/// The addresses that others can reach this machine at, without those that come and go.
pub(super) fn machine() -> anyhow::Result<Vec<IpAddr>> {
    let passing = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let passing = passing_addresses(&passing);
    let mut addresses = Vec::new();
    for interface in getifaddrs().context("can not list the machine's addresses")? {
        let Some(address) = interface.address else {
            continue;
        };
        let address = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(four), _) => IpAddr::V4(four.ip()),
            (_, Some(six)) => IpAddr::V6(six.ip()),
            _ => continue,
        };
        let useful = match address {
            IpAddr::V4(four) => !four.is_loopback() && !four.is_link_local(),
            IpAddr::V6(six) => {
                !six.is_loopback() && !six.is_unicast_link_local() && !passing.contains(&six)
            }
        };
        if useful && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// IPv6 addresses that are temporary (RFC 8981), deprecated, tentative or in conflict, as the kernel lists them.
fn passing_addresses(list: &str) -> Vec<Ipv6Addr> {
    const FLAGS: u32 = 0x01 | 0x08 | 0x20 | 0x40;
    let passing = |line: &str| {
        let mut words = line.split_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
        (flags & FLAGS != 0).then_some(Ipv6Addr::from(address))
    };
    list.lines().filter_map(passing).collect()
}

/// Says which sockets gatepost and Exim would both want.
pub(super) fn apart(ours: &[SocketAddr], exim: &[SocketAddr]) -> anyhow::Result<()> {
    for one in ours {
        if let Some(other) = exim.iter().find(|other| sockets::collide(*one, **other)) {
            bail!(
                "gatepost's configuration listens on {one}, and Exim keeps {other}: take one of them out"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wildcards_are_replaced() {
        let text = "# Mine.\n[listen.mx]\naddress = [\"0.0.0.0:25\", \"[::]:25\", \"127.0.0.1:2525\"] # all\nbackend = \"exim\"\n";
        let mut document: DocumentMut = text.parse().unwrap();
        let item = document["listen"]["mx"].get_mut("address").unwrap();
        put(item, &["192.0.2.1:25".parse().unwrap()]);
        assert_eq!(
            document.to_string(),
            text.replace("\"0.0.0.0:25\", \"[::]:25\"", "\"192.0.2.1:25\"")
        );
    }

    #[test]
    fn addresses_that_pass_are_known() {
        let list = "20010db8000000000000000000000001 02 40 00 80     eth0\n\
                    20010db8000000000000000000000002 02 40 00 01     eth0\n";
        assert_eq!(
            passing_addresses(list),
            ["2001:db8::2".parse::<Ipv6Addr>().unwrap()]
        );
    }
}
