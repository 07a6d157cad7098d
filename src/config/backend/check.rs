//! What is judged about backends, beside what each value may be.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Backend, BackendTls, ClientAddress, FINAL_REPLY, Verify};
use crate::config::listen::{Listen, collide};
use crate::config::place::key;
use crate::config::report::Report;
use crate::config::units::Text;

const LONGEST: Duration = Duration::from_secs(3600);

/// Judges all backends.
pub(in crate::config) fn check(
    backends: &BTreeMap<String, Backend>,
    listeners: &BTreeMap<String, Listen>,
    report: &mut Report<'_>,
) {
    for (name, backend) in backends {
        crate::config::check_name(&key(&["backend", name]), name, report);
        check_addresses(name, backend, listeners, report);
        check_source(name, backend, report);
        check_tls(name, backend, report);
        check_timeouts(name, backend, report);
        report.number(
            &key(&["backend", name, "max_connections"]),
            &backend.max_connections,
            &(1..=1_000_000),
        );
        if backend.client_address == ClientAddress::None {
            let found = "\"none\": the backend takes every client for gatepost itself";
            let advice =
                "make sure that it relays for nobody on that account, or write \"proxy-v2\"";
            report.note(&key(&["backend", name, "client_address"]), found, advice);
        }
    }
}

fn check_addresses(
    name: &str,
    backend: &Backend,
    listeners: &BTreeMap<String, Listen>,
    report: &mut Report<'_>,
) {
    if backend.address.is_empty() {
        let at = key(&["backend", name, "address"]);
        report.complain(
            &at,
            "no address",
            "write such as address = [\"127.0.0.1:10025\"]",
        );
    }
    for (index, address) in backend.address.iter().enumerate() {
        let at = key(&["backend", name, "address", &index.to_string()]);
        if address.port() == 0 || address.ip().is_unspecified() {
            let found = format!("\"{address}\" is nowhere to connect to");
            report.complain(&at, found, "write an address and a port of the backend");
            continue;
        }
        // A wildcard listener may share a port with a backend elsewhere, but not with one on this machine.
        let own = |listener: &SocketAddr| {
            collide(*listener, *address)
                && (listener.ip() == address.ip() || address.ip().is_loopback())
        };
        let listener = listeners
            .iter()
            .find(|(_, listen)| listen.address.iter().any(own));
        if let Some((listener, _)) = listener {
            let found = format!("\"{address}\" is gatepost's own listen.{listener}");
            report.complain(
                &at,
                found,
                "write the address of the backend, or mail goes round and round",
            );
        }
    }
}

fn check_source(name: &str, backend: &Backend, report: &mut Report<'_>) {
    let Some(source) = backend.source_address else {
        return;
    };
    let at = key(&["backend", name, "source_address"]);
    if source.is_unspecified() || source.is_multicast() {
        report.complain(
            &at,
            format!("\"{source}\" is no address to come from"),
            "write one of this machine, or leave it out",
        );
        return;
    }
    let other_family = backend
        .address
        .iter()
        .find(|address| address.is_ipv4() != source.is_ipv4());
    if let Some(address) = other_family {
        let families = if source.is_ipv4() {
            ("IPv4", "IPv6")
        } else {
            ("IPv6", "IPv4")
        };
        let found = format!(
            "\"{source}\" is {}, but the address \"{address}\" is {}",
            families.0, families.1
        );
        report.complain(
            &at,
            found,
            "write both in one family; a backend with both families is two backends",
        );
    }
    if !source.is_loopback()
        && backend
            .address
            .iter()
            .all(|address| address.ip().is_loopback())
    {
        let found = format!("\"{source}\" is not loopback, but the backend is");
        report.note(
            &at,
            found,
            "\"127.0.0.2\" is the usual one for a backend on this machine",
        );
    }
}

fn check_tls(name: &str, backend: &Backend, report: &mut Report<'_>) {
    let at = |part| key(&["backend", name, part]);
    if let Some(ca) = &backend.ca {
        crate::config::check_path(&at("ca"), ca, "/etc/gatepost/backend-ca.pem", report);
    }
    if backend.tls == BackendTls::None {
        return;
    }
    let elsewhere = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    match (backend.verify, &backend.server_name) {
        (Verify::Full, None) => report.complain(
            &at("server_name"),
            "not set, so there is no telling whose certificate is the right one",
            "write the name that the backend's certificate is for; or verify = \"loopback-only\" where the backend is on \
             this machine",
        ),
        (Verify::LoopbackOnly, _) => {
            if let Some(address) = backend.address.iter().find(elsewhere) {
                report.complain(
                    &at("verify"),
                    format!("\"loopback-only\", but \"{address}\" is not on loopback"),
                    "write verify = \"full\" and server_name",
                );
            }
        }
        (Verify::Full, Some(_)) => {}
    }
}

fn check_timeouts(name: &str, backend: &Backend, report: &mut Report<'_>) {
    let second = Duration::from_secs(1);
    let timeouts = [
        ("idle_timeout", backend.idle_timeout, second),
        (
            "connect_timeout",
            backend.connect_timeout,
            Duration::from_millis(100),
        ),
        (
            "greeting_timeout",
            backend.greeting_timeout,
            Duration::from_secs(30),
        ),
        ("command_timeout", backend.command_timeout, second),
        (
            "data_initiation_timeout",
            backend.data_initiation_timeout,
            second,
        ),
        ("data_block_timeout", backend.data_block_timeout, second),
        ("final_reply_timeout", backend.final_reply_timeout, second),
    ];
    for (part, timeout, least) in timeouts {
        report.range(
            &key(&["backend", name, part]),
            &timeout,
            &(least..=LONGEST),
            Text::text,
        );
    }
    if backend.final_reply_timeout < FINAL_REPLY {
        let found = format!(
            "{} is less than RFC 5321 §4.5.3.2.6 wants",
            backend.final_reply_timeout.text()
        );
        let advice =
            "write \"10m\", unless you know that the backend is never slower: mail may come twice";
        report.note(
            &key(&["backend", name, "final_reply_timeout"]),
            found,
            advice,
        );
    }
}
