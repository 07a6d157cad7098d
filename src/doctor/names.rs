//! Probe `names`: does an exchanger call itself by a name that is its own?

use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::checks::address::is_public;
use crate::checks::client_name::reverse_name;
use crate::doctor::call::Call;
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::subject::Host;
use crate::doctor::world::{Addresses, World};
use crate::doctor::{Kind, Of, Subject, text};
use crate::facts::{RecordData, RecordType};
use crate::smtp::domain::Domain;
use crate::smtp::reply::Reply;

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "names",
    summary: "names in greeting and EHLO reply: one and the same, a full name without underscore that leads to the address and is its reverse name",
    standard: "RFC 5321 §4.2, §4.3.1 and §2.3.5, RFC 1123 §2.1, RFC 1912 §2.1",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const FULL: &str = "RFC 5321 §2.3.5, §4.3.1: the greeting begins with the server's full name, which is what it says in EHLO, too";
const OWN: &str =
    "RFC 5321 §4.1.4: where it sends mail by this name, servers look whether the name leads to it";

const REVERSE: &str = "RFC 1912 §2.1: where it sends mail by this name, some filters want it to be the reverse name, too";

/// The names that a server gives itself.
#[derive(Debug)]
struct Called<'c> {
    about: String,
    host: &'c str,
    address: Option<IpAddr>,
    greeting: Option<String>,
    hello: Option<String>,
    /// The addresses of the name in the greeting.
    addresses: Addresses,
    /// The reverse names of its address.
    reverse: Vec<String>,
    why_not: String,
}

async fn look(subject: &Subject) -> Vec<Finding> {
    let calls = subject.heard().await;
    let each = calls.into_iter().map(|(host, call)| async move {
        let finding = judge(&called(&subject.world, host, call).await);
        match call.address {
            Some(address) => subject.whose(address).await.weigh(finding),
            None => finding,
        }
    });
    join_all(each).await
}

async fn called<'c>(world: &World, host: &'c Host, call: &Call) -> Called<'c> {
    let greeting = call.greeting.as_ref().map(|(reply, _)| reply);
    let greeting = greeting
        .filter(|reply| reply.is_positive())
        .and_then(first_word);
    let addresses = match greeting
        .as_deref()
        .filter(|name| Domain::is_one(name, false))
    {
        Some(name) => world.addresses(name).await,
        None => Addresses::default(),
    };
    let reverse = match call.address.filter(|address| is_public(*address)) {
        Some(address) => reverse_names(world, address).await,
        None => Vec::new(),
    };
    Called {
        reverse,
        about: call.place(&host.name),
        host: &host.name,
        address: call.address,
        hello: call
            .hello
            .as_ref()
            .filter(|reply| reply.is_positive())
            .and_then(first_word),
        greeting,
        addresses,
        why_not: call.why_not(),
    }
}

async fn reverse_names(world: &World, address: IpAddr) -> Vec<String> {
    let answer = world.dns(&reverse_name(address), RecordType::Ptr).await;
    let names = answer
        .records()
        .iter()
        .filter_map(|record| match &record.data {
            RecordData::Ptr(name) => Some(name.to_string()),
            _ => None,
        });
    names.collect()
}

fn first_word(reply: &Reply) -> Option<String> {
    let word = reply.lines.first()?.split(' ').next()?;
    (!word.is_empty()).then(|| word.to_owned())
}

fn judge(called: &Called<'_>) -> Finding {
    let about = &called.about;
    let Some(name) = &called.greeting else {
        return Finding::could_not_tell(about, called.why_not.clone(), "see probe greeting");
    };
    let shown = text::shown(name);
    let warning = |seen: String, why, advice: &'static str| {
        Finding::new(Outcome::Warning, about, seen, why, advice)
    };
    if !Domain::is_one(name, false) || !name.contains('.') {
        let advice = "set the server's full name (gatepost: hostname, Exim: primary_hostname)";
        return warning(
            format!("it greets as {shown}, which is no full name"),
            FULL,
            advice,
        );
    }
    if name.contains('_') {
        let seen = format!("it greets as {shown}, with an underscore");
        let why =
            "RFC 1123 §2.1: no host name has an underscore; some servers refuse mail from one";
        return warning(seen, why, "give it another name");
    }
    if let Some(hello) = called
        .hello
        .as_ref()
        .filter(|hello| !text::same_name(hello, name))
    {
        let seen = format!(
            "it greets as {shown} and replies to EHLO as {}",
            text::shown(hello)
        );
        return warning(seen, FULL, "have it use one name");
    }
    let leads_here = called
        .address
        .is_some_and(|address| called.addresses.found.contains(&address));
    if !leads_here && let Some(failure) = called.addresses.failed {
        let seen = format!(
            "it greets as {shown}; no answer about that name: {}",
            failure.label()
        );
        return Finding::could_not_tell(about, seen, "see whether its name servers answer");
    }
    if !leads_here {
        let seen = format!("it greets as {shown}, a name that does not lead to its address");
        let advice = "set the name that the MX record has, or give this one the address";
        return warning(seen, OWN, advice);
    }
    let is_reverse = |reverse: &String| text::same_name(reverse, name);
    if !called.reverse.is_empty() && !called.reverse.iter().any(is_reverse) {
        let reverse = text::shown(&text::list(&called.reverse));
        let seen = format!("it greets as {shown}; its reverse name is {reverse}");
        let advice = "give the address the reverse name that the server has";
        return Finding::new(Outcome::Notice, about, seen, REVERSE, advice);
    }
    match text::same_name(name, called.host) {
        true => Finding::good(about, "it greets by the name that the MX record has"),
        false => Finding::good(about, format!("it greets as {shown}, which leads to it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(greeting: Option<&str>, hello: &str, addresses: &[&str]) -> Called<'static> {
        Called {
            about: "mx.d.example".to_owned(),
            host: "mx.d.example",
            address: "192.0.2.1".parse().ok(),
            greeting: greeting.map(str::to_owned),
            hello: Some(hello.to_owned()),
            addresses: Addresses {
                found: addresses.iter().map(|one| one.parse().unwrap()).collect(),
                ..Addresses::default()
            },
            reverse: vec!["MX.d.example.".to_owned()],
            why_not: "refused".to_owned(),
        }
    }

    #[test]
    fn names_of_all_kinds() {
        let (here, other) = (&["192.0.2.1"][..], &["192.0.2.9"][..]);
        for (greeting, hello, addresses, outcome) in [
            (Some("mx.d.example"), "MX.d.example", here, Outcome::Good),
            (
                Some("big.isp.example"),
                "big.isp.example",
                here,
                Outcome::Notice,
            ),
            (
                Some("mx.d.example"),
                "mail.d.example",
                here,
                Outcome::Warning,
            ),
            (
                Some("mx.d.example"),
                "mx.d.example",
                other,
                Outcome::Warning,
            ),
            (Some("localhost"), "localhost", here, Outcome::Warning),
            (
                Some("mx_1.d.example"),
                "mx_1.d.example",
                here,
                Outcome::Warning,
            ),
            (Some("***"), "***", here, Outcome::Warning),
            (None, "", here, Outcome::CouldNotTell),
        ] {
            let finding = judge(&called(greeting, hello, addresses));
            assert_eq!(finding.outcome, outcome, "{finding:?}");
        }
    }
}
