//! The DNS of one sender, and who answers the gate's questions.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use gatepost::facts::{Answer, DnsAnswer, Question, Record, RecordData, RecordType, Source};
use gatepost::gather::{Answerer, Gather};

use crate::sender::{InDoubt, Sender};

/// A list that brings 3 points.
pub(crate) const DOUBT: &str = "doubt.example";

/// What the sender's names say. A name that is not here does not exist.
#[derive(Default)]
pub(crate) struct Dns(BTreeMap<(String, &'static str), Vec<RecordData>>);

impl Dns {
    /// The DNS of `sender`, in doubt or not.
    pub(crate) fn of(sender: &Sender, doubt: bool) -> Self {
        let mut dns = Self::default();
        let bad_names = sender.in_doubt == InDoubt::Names;
        let mut spf = "v=spf1".to_owned();
        for (at, client) in sender.clients.iter().enumerate() {
            let kind = if client.is_ipv4() { "ip4" } else { "ip6" };
            spf += &format!(" {kind}:{client}");
            if let Some(name) = sender.reverse(at) {
                dns.put(&arpa(*client), "PTR", RecordData::Ptr(name.as_str().into()));
            }
            if !bad_names {
                dns.address(&sender.helo(at), *client);
            }
            if doubt && sender.in_doubt == InDoubt::Listed {
                let listed = RecordData::A([127, 0, 0, 2].into());
                dns.put(&format!("{}.{DOUBT}", reversed(*client)), "A", listed);
            }
        }
        spf = match sender.in_doubt {
            InDoubt::Spf => "v=spf1 -all".to_owned(),
            _ => spf + " -all",
        };
        let says = RecordData::Txt(spf.as_str().into());
        let domain = sender.domain();
        if domain.is_empty() {
            // Without a sender the HELO name is asked (RFC 7208 §2.4).
            for at in 0..sender.clients.len() {
                dns.put(&sender.helo(at), "TXT", says.clone());
            }
            return dns;
        }
        if sender.spf || sender.in_doubt == InDoubt::Spf {
            dns.put(domain, "TXT", says);
        }
        dns.put(
            domain,
            "MX",
            RecordData::Mx(10, format!("mx.{domain}").into()),
        );
        dns.address(&format!("mx.{domain}"), [198, 51, 100, 200].into());
        dns
    }

    fn address(&mut self, name: &str, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.put(name, "A", RecordData::A(address)),
            IpAddr::V6(address) => self.put(name, "AAAA", RecordData::Aaaa(address)),
        }
    }

    fn put(&mut self, name: &str, kind: &'static str, data: RecordData) {
        let records = self.0.entry((name.to_lowercase(), kind)).or_default();
        if !records.contains(&data) {
            records.push(data);
        }
    }

    fn answer(&self, name: &str, kind: RecordType) -> DnsAnswer {
        let name = name.trim_end_matches('.').to_lowercase();
        let found = |data: &RecordData| Record {
            ttl: 60,
            data: data.clone(),
        };
        if let Some(records) = self.0.get(&(name.clone(), kind.as_str())) {
            return DnsAnswer::Found(records.iter().map(found).collect());
        }
        match self.0.keys().any(|(known, _)| *known == name) {
            true => DnsAnswer::NoData,
            false => DnsAnswer::NoName,
        }
    }
}

fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev();
            let nibbles = nibbles.flat_map(|octet| [octet & 15, octet >> 4]);
            let nibbles: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            nibbles.join(".")
        }
    }
}

fn arpa(address: IpAddr) -> String {
    let tree = if address.is_ipv4() { "in-addr" } else { "ip6" };
    format!("{}.{tree}.arpa", reversed(address))
}

/// DNS by script; memory and the state of the primary from the live world.
pub(crate) struct Answers {
    pub(crate) dns: Dns,
    pub(crate) gather: Arc<Gather>,
}

impl Answerer for Answers {
    fn ask(&self, question: &Question) -> BoxFuture<'static, (Answer, Source)> {
        let Question::Dns { name, kind } = question else {
            return self.gather.ask(question);
        };
        let answer = self.dns.answer(name.asked(), *kind);
        ready((Answer::Dns(answer), Source::Live)).boxed()
    }
}
