//! Probe `exim`: has Exim behind gatepost settings that do not go with a proxy before it?
//!
//! Read are the values that Exim itself tells (`exim -bP`), macros and included files and all. The trap of named lists: Exim keeps
//! the answer of a list `+name` for a connection, also across the PROXY header that changes the client's address; an option that
//! asks such a list before the header makes 127.0.0.1's answer that of every client (seen with Exim 4.96: a stranger could relay).

use std::collections::BTreeMap;

use futures_util::FutureExt;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "exim",
    summary: "Exim's settings: room for gatepost's connections, no PIPECONNECT, no named host list that is asked before the PROXY header",
    standard: "Exim specification §14 (smtp_accept_max), §10.7 (caching of named lists), PROXY protocol §2",
    of: Of::Machine,
    look: |subject| look(subject).boxed(),
};

const ACCEPT_MAX: &str = "smtp_accept_max";
const PER_HOST: &str = "smtp_accept_max_per_host";
const PIPECONNECT: &str = "pipelining_connect_advertise_hosts";
/// What Exim asks of a client before it has read the PROXY header: a named list in one of these is answered for gatepost, and
/// that answer is kept for the client.
pub const EARLY: [&str; 8] = [
    "sender_unqualified_hosts",
    "recipient_unqualified_hosts",
    "helo_accept_junk_hosts",
    "helo_verify_hosts",
    "helo_try_verify_hosts",
    "host_lookup",
    "host_reject_connection",
    "smtp_reserve_hosts",
];
/// Debian's default; gatepost may have several times as many connections (backend.NAME.max_connections is 400).
const TOO_FEW: u64 = 100;

async fn look(subject: &Subject) -> Vec<Finding> {
    let options = [
        &[ACCEPT_MAX, PER_HOST, PIPECONNECT, "hosts_proxy"][..],
        &EARLY,
    ]
    .concat();
    match subject.world.hands.exim(&options).await {
        None => Vec::new(),
        Some(Ok(settings)) => judge(&settings),
        Some(Err(why)) => {
            let advice = "run this as root, or as a user who may read Exim's configuration";
            vec![Finding::could_not_tell("exim", text::shown(&why), advice)]
        }
    }
}

/// `name = value` by line.
fn read(settings: &str) -> BTreeMap<&str, &str> {
    let pairs = settings.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}

fn judge(settings: &str) -> Vec<Finding> {
    let settings = read(settings);
    let get = |name: &str| settings.get(name).copied().unwrap_or_default();
    let behind_proxy = !get("hosts_proxy").is_empty();
    if !behind_proxy {
        let seen = "hosts_proxy is not set: this Exim takes no PROXY header from gatepost";
        let advice = "where gatepost stands before this Exim: gatepost setup exim";
        return vec![Finding::could_not_tell("exim", seen, advice)];
    }
    let mut findings = Vec::new();
    let warning = |seen: String, why, advice: &'static str| {
        Finding::new(Outcome::Warning, "exim", seen, why, advice)
    };
    if let Ok(most @ 1..TOO_FEW) = get(ACCEPT_MAX).parse::<u64>() {
        let why = "Exim specification, smtp_accept_max: gatepost's connections all count; the next one gets 421, whoever the client is";
        let advice =
            "set smtp_accept_max to some hundreds, and at least to max_connections in [backend]";
        findings.push(warning(format!("{ACCEPT_MAX} = {most}"), why, advice));
    }
    let per_host = get(PER_HOST);
    if !matches!(per_host, "" | "0") {
        let why = "Exim specification, smtp_accept_max_per_host: to Exim all clients come from one host, gatepost's";
        let advice = "leave it unset; gatepost limits each client itself";
        findings.push(warning(
            format!("{PER_HOST} = {}", text::shown(per_host)),
            why,
            advice,
        ));
    }
    let early = get(PIPECONNECT);
    if early == "*" {
        let why = "while Exim offers PIPECONNECT it does not check that a client waits its turn";
        let advice =
            "set pipelining_connect_advertise_hosts to nothing, on gatepost's port at least";
        let seen = format!("{PIPECONNECT} = {early}");
        findings.push(Finding::new(Outcome::Notice, "exim", seen, why, advice));
    }
    for name in EARLY {
        let value = get(name);
        if value
            .split([':', ','])
            .any(|item| item.trim().trim_start_matches('!').trim().starts_with('+'))
        {
            let why = "Exim keeps the list's answer for 127.0.0.1 across the PROXY header: strangers may relay";
            let advice = "write the addresses themselves instead of +name, or leave the option out";
            let seen = format!("{name} = {}", text::shown(value));
            findings.push(Finding::new(Outcome::Fault, "exim", seen, why, advice));
        }
    }
    if findings.is_empty() {
        let seen = format!(
            "{ACCEPT_MAX} = {}, no PIPECONNECT for all, no named list before the PROXY header",
            get(ACCEPT_MAX)
        );
        findings.push(Finding::good("exim", seen));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{outcomes, seen};

    const GOOD: &str = "smtp_accept_max = 500\nsmtp_accept_max_per_host = \nhosts_proxy = 127.0.0.2\n\
                        pipelining_connect_advertise_hosts = \nhost_lookup = *\nsender_unqualified_hosts = 10.0.0.0/8\n";

    #[test]
    fn a_good_setting_is_good() {
        assert_eq!(outcomes(&judge(GOOD)), [Outcome::Good]);
    }

    #[test]
    fn each_setting_that_does_not_go_with_a_proxy_is_told() {
        for (old, new, outcome) in [
            ("max = 500", "max = 20", Outcome::Warning),
            ("per_host = ", "per_host = 10", Outcome::Warning),
            (
                "connect_advertise_hosts = ",
                "connect_advertise_hosts = *",
                Outcome::Notice,
            ),
            ("10.0.0.0/8", "+relay_from_hosts", Outcome::Fault),
            (
                "10.0.0.0/8",
                "10.0.0.1 : !+relay_from_hosts",
                Outcome::Fault,
            ),
            ("127.0.0.2", "", Outcome::CouldNotTell),
        ] {
            let findings = judge(&GOOD.replace(old, new));
            assert_eq!(outcomes(&findings), [outcome], "{new}");
        }
        assert!(seen(&judge(&GOOD.replace("max = 500", "max = 0"))).contains("= 0"));
    }
}
