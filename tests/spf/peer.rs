//! The same cases for another implementation: small worlds made by chance, evaluated by pyspf, from whose package the suite
//! comes. Where the two differ one of them is wrong, or the RFC leaves it open. What is left open is not made: whether the
//! addresses of exchanges and of reverse names count as void lookups (§4.6.4), so those names have both kinds. Nor is a
//! record that includes its own domain at once: pyspf calls it broken even where an earlier term decides; nor a
//! `redirect` behind other terms, which pyspf counts as a lookup even where it is not followed.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// A generator of whole numbers (SplitMix64), so that a seed makes the same worlds everywhere.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % most
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// Those that exist, and one that does not.
const DOMAINS: [&str; 6] = [
    "a.example",
    "b.example",
    "mail.a.example",
    "_spf.b.example",
    "c.example",
    "missing.example",
];
const HOSTS: [&str; 5] = [
    "a.example",
    "b.example",
    "mail.a.example",
    "_spf.b.example",
    "c.example",
];
const CLIENTS: [&str; 5] = [
    "192.0.2.1",
    "192.0.2.77",
    "198.51.100.9",
    "2001:db8::1",
    "2001:db8:1::2",
];
/// Names that an `exists:` of the worlds may ask for.
const EXISTING: [&str; 4] = [
    "1.2.0.192.in-addr.c.example",
    "192.0.2.77.c.example",
    "ada.c.example",
    "a.example.c.example",
];

const OF: [&str; 6] = [
    "",
    ":a.example",
    ":b.example",
    ":mail.a.example",
    ":c.example",
    ":%{d}",
];
const PREFIXES: [&str; 6] = ["", "", "/24", "//64", "/24//64", "/0"];
const IP4: [&str; 4] = ["192.0.2.1", "192.0.2.0/24", "198.51.100.0/25", "0.0.0.0/0"];
const IP6: [&str; 3] = ["2001:db8::1", "2001:db8::/32", "::/0"];
const EXISTS: [&str; 5] = [
    "%{ir}.%{v}.c.example",
    "%{i}.c.example",
    "%{l}.c.example",
    "%{o}.c.example",
    "%{d3}.c.example",
];
/// Terms that make a record broken (§4.6, §12).
const BROKEN: [&str; 9] = [
    "unknown:x",
    "ip4",
    "ip4:192.0.2.256",
    "ip4:192.0.2.0/33",
    "ip6:192.0.2.1",
    "ip6:2001:db8::/129",
    "include",
    "a/33",
    "exists:%{x}.c.example",
];

/// A case with the zones it lives in.
pub(crate) fn case(chance: &mut Chance) -> Value {
    let mut zones = serde_json::Map::new();
    for domain in HOSTS {
        zones.insert(domain.to_owned(), records(domain, chance));
    }
    for name in EXISTING {
        if chance.one_in(2) {
            zones.insert(name.to_owned(), json!([{ "A": "127.0.0.2" }]));
        }
    }
    let host = chance.of(&CLIENTS);
    let named = chance.of(&HOSTS);
    zones.insert(reverse(host), json!([{ "PTR": named }]));
    let mailfrom = match chance.one_in(6) {
        true => String::new(),
        false => format!(
            "{}@{}",
            chance.of(&["ada", "Bob", "x-y"]),
            chance.of(&DOMAINS)
        ),
    };
    json!({
        "host": host,
        "mailfrom": mailfrom,
        "helo": chance.of(&DOMAINS),
        "zonedata": zones,
    })
}

fn records(domain: &str, chance: &mut Chance) -> Value {
    let (ip4, ip6) = (chance.of(&CLIENTS[..3]), chance.of(&CLIENTS[3..]));
    let mut records = vec![json!({ "A": ip4 }), json!({ "AAAA": ip6 })];
    if chance.one_in(3) {
        let address = chance.of(&CLIENTS);
        let kind = if address.contains(':') { "AAAA" } else { "A" };
        records.push(json!({ kind: address }));
    }
    for preference in 0..chance.below(3) {
        records.push(json!({ "MX": [preference, chance.of(&HOSTS)] }));
    }
    if !chance.one_in(8) {
        records.push(json!({ "TXT": record(domain, chance) }));
    }
    if chance.one_in(20) {
        records.push(json!({ "TXT": record(domain, chance) }));
    }
    if chance.one_in(4) {
        records.push(json!({ "TXT": "something else" }));
    }
    if chance.one_in(15) {
        records.push(json!("TIMEOUT"));
    }
    Value::Array(records)
}

fn record(domain: &str, chance: &mut Chance) -> String {
    if chance.one_in(8) {
        return format!("v=spf1 redirect={}", chance.of(&DOMAINS));
    }
    let mut terms = vec!["v=spf1".to_owned()];
    for _ in 0..chance.below(5) {
        let term = term(chance);
        if !term.ends_with(&format!("include:{domain}")) {
            terms.push(term);
        }
    }
    if !chance.one_in(5) {
        terms.push(format!("{}all", chance.of(&["-", "~", "?", "+", ""])));
    }
    terms.join(" ")
}

fn term(chance: &mut Chance) -> String {
    let qualifier = chance.of(&["", "", "", "-", "~", "?", "+"]);
    let (domain, prefix) = (chance.of(&OF), chance.of(&PREFIXES));
    let mechanism = match chance.below(24) {
        0..=3 => format!("a{domain}{prefix}"),
        4..=7 => format!("mx{domain}{prefix}"),
        8..=10 => format!("ip4:{}", chance.of(&IP4)),
        11..=13 => format!("ip6:{}", chance.of(&IP6)),
        14..=18 => format!("include:{}", chance.of(&DOMAINS)),
        19..=20 => format!("exists:{}", chance.of(&EXISTS)),
        21..=22 => format!("ptr{}", chance.of(&["", ":a.example", ":example"])),
        _ => chance.of(&BROKEN).to_owned(),
    };
    format!("{qualifier}{mechanism}")
}

/// The name of an address (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse(host: &str) -> String {
    match host.parse().unwrap() {
        std::net::IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        std::net::IpAddr::V6(address) => {
            let digits = address.octets().into_iter().rev();
            let nibbles = digits.flat_map(|octet| [octet & 15, octet >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            format!("{}.ip6.arpa", labels.join("."))
        }
    }
}

/// What pyspf makes of them.
pub(crate) fn results(cases: &[Value]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut peer = Command::new("python3")
        .arg(root.join("tests/spf/peer.py"))
        .arg(root.join("target/spf-suite"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = serde_json::to_vec(cases).unwrap();
    let mut stdin = peer.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = peer.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "pyspf failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
