//! Probe `addresses`: can the whole internet reach the addresses of the exchangers?

use std::net::IpAddr;

use futures_util::FutureExt;

use crate::checks::address::is_public;
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "addresses",
    summary: "addresses of the MX: public ones, none of a private network or of loopback",
    standard: "RFC 1918 §3, RFC 6890 §2.2, RFC 5321 §5.1",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const WHY: &str = "RFC 1918 §3, RFC 6890 §2.2: nobody elsewhere can reach it; senders that get to it first wait or fail";
const ADVICE: &str = "publish the address that the internet reaches the host by";

async fn look(subject: &Subject) -> Vec<Finding> {
    let hosts = subject.hosts.iter();
    let with = hosts.filter(|host| !host.addresses.found.is_empty());
    with.map(|host| judge(&host.name, &host.addresses.found))
        .collect()
}

fn judge(host: &str, addresses: &[IpAddr]) -> Finding {
    let private: Vec<&IpAddr> = addresses.iter().filter(|one| !is_public(**one)).collect();
    match private.as_slice() {
        [] => Finding::good(host, format!("public: {}", text::list(addresses))),
        some => {
            let seen = format!("not public: {}", text::list(some));
            Finding::new(Outcome::Fault, host, seen, WHY, ADVICE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_only_a_network_of_its_own_knows_are_a_fault() {
        let all = |list: &[&str]| -> Vec<IpAddr> {
            list.iter().map(|one| one.parse().unwrap()).collect()
        };
        let good = judge("a.example", &all(&["192.0.2.1", "2001:db8::1"]));
        assert_eq!(good.outcome, Outcome::Good);
        for bad in ["10.0.0.1", "127.0.0.1", "fd00::1", "169.254.0.1"] {
            let finding = judge("a.example", &all(&["192.0.2.1", bad]));
            assert_eq!(finding.outcome, Outcome::Fault, "{bad}");
            assert_eq!(finding.seen, format!("not public: {bad}"));
        }
    }
}
