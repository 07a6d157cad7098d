//! Where Exim listens, as its options say it (Exim specification, chapter 13), and where it shall.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;

/// The port of mail between servers (RFC 5321).
pub(super) const SMTP: u16 = 25;

/// The sockets that `local_interfaces` and `daemon_smtp_ports` make together.
pub(super) fn listening(interfaces: &str, ports: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let ports: Vec<u16> = list(ports)
        .iter()
        .map(|port| named_port(port).with_context(|| format!("Exim's port \"{port}\" is unknown")))
        .collect::<anyhow::Result<_>>()?;
    let mut sockets = Vec::new();
    for entry in list(interfaces) {
        let (address, port) = interface(&entry)
            .with_context(|| format!("Exim's interface \"{entry}\" is not an address"))?;
        match port {
            Some(port) => sockets.push(SocketAddr::new(address, port)),
            None => sockets.extend(ports.iter().map(|port| SocketAddr::new(address, *port))),
        }
    }
    Ok(sockets)
}

/// A list of Exim: parted by colons, or by what stands behind `<`; written twice, the separator is part of an entry.
fn list(text: &str) -> Vec<String> {
    let text = text.trim();
    let mut characters = text.chars().peekable();
    let mut separator = ':';
    if characters.next_if_eq(&'<').is_some() {
        separator = characters.next().unwrap_or(separator);
    }
    let mut entries = vec![String::new()];
    while let Some(character) = characters.next() {
        let doubled = character == separator && characters.next_if_eq(&separator).is_some();
        match entries.last_mut() {
            Some(entry) if character != separator || doubled => entry.push(character),
            _ => entries.push(String::new()),
        }
    }
    let trimmed = entries.iter().map(|entry| entry.trim().to_owned());
    trimmed.filter(|entry| !entry.is_empty()).collect()
}

fn named_port(name: &str) -> Option<u16> {
    match name {
        "smtp" => Some(SMTP),
        "smtps" | "ssmtp" | "submissions" => Some(465),
        "submission" => Some(587),
        number => number.parse().ok(),
    }
}

/// `192.0.2.1`, `192.0.2.1.25`, `::1.25`, `[::1]:25`.
fn interface(entry: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Some((address, port)) = entry
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        let port = match port.strip_prefix([':', '.']) {
            Some(port) => Some(named_port(port)?),
            None => None,
        };
        return Some((address.parse().ok()?, port));
    }
    if let Ok(address) = entry.parse() {
        return Some((address, None));
    }
    let (address, port) = entry.rsplit_once('.')?;
    Some((address.parse().ok()?, Some(named_port(port)?)))
}

/// Where Exim listens behind gatepost: on the ports for it, for this machine's programs on port 25 as before, and on its
/// other ports.
pub(super) fn behind(now: &[SocketAddr], front: &[SocketAddr], ipv6: bool) -> Vec<SocketAddr> {
    let mut sockets = front.to_vec();
    let local = [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ];
    for address in local {
        let any = |socket: &SocketAddr| {
            socket.ip().is_unspecified() && socket.is_ipv4() == address.is_ipv4()
        };
        let served = |socket: &SocketAddr| socket.port() == SMTP && any(socket);
        if now.iter().any(served) && (address.is_ipv4() || ipv6) {
            sockets.push(SocketAddr::new(address, SMTP));
        }
    }
    let kept = now
        .iter()
        .filter(|socket| socket.port() != SMTP || socket.ip().is_loopback());
    for socket in kept {
        let taken = front.iter().any(|front| front.port() == socket.port());
        if !sockets.contains(socket) && !taken {
            sockets.push(*socket);
        }
    }
    sockets
}

/// What gatepost takes over: the addresses that mail comes to now. Wildcards stand for the `machine`'s addresses, and so
/// does an Exim that nobody outside could reach.
pub(super) fn before(now: &[SocketAddr], machine: &[IpAddr]) -> Vec<SocketAddr> {
    let outside: Vec<IpAddr> = now
        .iter()
        .filter(|socket| socket.port() == SMTP && !socket.ip().is_loopback())
        .map(SocketAddr::ip)
        .collect();
    let whole = |ipv4: bool| {
        outside.is_empty()
            || outside
                .iter()
                .any(|address| address.is_unspecified() && address.is_ipv4() == ipv4)
    };
    let machine = machine
        .iter()
        .filter(|address| whole(address.is_ipv4()))
        .copied();
    let named = outside
        .iter()
        .filter(|address| !address.is_unspecified())
        .copied();
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in named.chain(machine) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let sockets = addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, SMTP));
    sockets.collect()
}

/// Whether two sockets can not both be listened on.
pub(super) fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// As `dc_local_interfaces` wants them.
pub(super) fn written(sockets: &[SocketAddr]) -> String {
    let mut text = String::new();
    for socket in sockets {
        let separator = if text.is_empty() { "" } else { " ; " };
        let zero = if socket.ip() == IpAddr::from(Ipv6Addr::UNSPECIFIED) {
            "0"
        } else {
            ""
        };
        let _ = write!(text, "{separator}{}{zero}.{}", socket.ip(), socket.port());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(text: &[&str]) -> Vec<SocketAddr> {
        text.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn options_are_read() {
        for (interfaces, ports, wanted) in [
            ("<; ::0 ; 0.0.0.0", "smtp", &["[::]:25", "0.0.0.0:25"][..]),
            ("127.0.0.1 : ::::1", "25", &["127.0.0.1:25", "[::1]:25"]),
            (
                "<; 192.0.2.1.26 ; [2001:db8::1]:587 ; ::1.25",
                "25",
                &["192.0.2.1:26", "[2001:db8::1]:587", "[::1]:25"],
            ),
            (
                "192.0.2.1",
                "25 : submission",
                &["192.0.2.1:25", "192.0.2.1:587"],
            ),
        ] {
            assert_eq!(
                listening(interfaces, ports).unwrap(),
                sockets(wanted),
                "{interfaces}"
            );
        }
        assert!(listening("${lookup dnsdb{x}}", "25").is_err());
        assert!(listening("192.0.2.1", "mail").is_err());
    }

    #[test]
    fn exim_moves_behind_and_keeps_its_other_ports() {
        let front = sockets(&["127.0.0.1:10025"]);
        for (now, wanted) in [
            (
                &["0.0.0.0:25", "[::]:25", "0.0.0.0:587", "[::]:587"][..],
                "127.0.0.1.10025 ; 127.0.0.1.25 ; ::1.25 ; 0.0.0.0.587 ; ::0.587",
            ),
            (
                &["127.0.0.1:25", "[::1]:25"],
                "127.0.0.1.10025 ; 127.0.0.1.25 ; ::1.25",
            ),
            (&["192.0.2.1:25"], "127.0.0.1.10025"),
            (
                &["127.0.0.1:10025", "127.0.0.1:25"],
                "127.0.0.1.10025 ; 127.0.0.1.25",
            ),
        ] {
            assert_eq!(written(&behind(&sockets(now), &front, true)), wanted);
        }
        assert_eq!(
            written(&behind(&sockets(&["[::]:25"]), &front, false)),
            "127.0.0.1.10025"
        );
    }

    #[test]
    fn gatepost_takes_the_addresses_that_mail_comes_to() {
        let machine: Vec<IpAddr> = ["192.0.2.1", "2001:db8::1"]
            .map(|address| address.parse().unwrap())
            .to_vec();
        for (now, wanted) in [
            (
                &["0.0.0.0:25", "[::]:25"][..],
                &["192.0.2.1:25", "[2001:db8::1]:25"][..],
            ),
            (&["0.0.0.0:25"], &["192.0.2.1:25"]),
            (&["198.51.100.1:25", "127.0.0.1:25"], &["198.51.100.1:25"]),
            (&["127.0.0.1:25"], &["192.0.2.1:25", "[2001:db8::1]:25"]),
        ] {
            assert_eq!(before(&sockets(now), &machine), sockets(wanted), "{now:?}");
        }
    }
}
