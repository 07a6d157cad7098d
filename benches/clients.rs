//! 100,000 distinct clients a minute through what gatepost keeps of each: the count of connections and their rate, the
//! cache of DNS answers, the lookups under way, and the memory of earlier sessions.
//!
//! Every client is a new address, half over IPv4 and half over IPv6, with a reverse name of its own that it says HELO
//! with, and one of 2,000 sender domains. It is judged by all default checks as a session does it: stage by stage, until
//! nothing is to be asked any more, and it earns a pass. Questions go over the loopback to a DNS server in this process,
//! so that the resolver is really used. Printed are clients per second, and whether memory stays as it is once caches are
//! full. `cargo bench --bench clients -- 50000` takes another number of clients.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that can not go on stops"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use gatepost::checks::policy::Policy;
use gatepost::checks::{ALL, Judgement, identity, judge};
use gatepost::facts::{
    Answer, Answered, Client, DnsAnswer, Fact, Facts, Helo, Mail, Millis, Per, Question, Rate,
    Rcpt, Silence, Source, Stage,
};
use gatepost::gather::memory::Remembrance;
use gatepost::gather::{Answerer, Gather, Settings, Zone};
use gatepost::net::admission::{Admission, Limits};
use gatepost::store::open;
use nix::sys::resource::{UsageWho, getrusage};
use socket2::SockRef;

const CLIENTS: u32 = 300_000;
/// Sessions at one time.
const AT_ONCE: usize = 200;
/// As `[resolver] cache_size` is by default.
const CACHE: usize = 100_000;
/// Less than by default, so that it is full before the first figures.
const REMEMBERED: u64 = 50_000;
const DOMAINS: u32 = 2000;
const TARGET: f64 = 100_000.0 / 60.0;
const NOW: u64 = 1_800_000_000;

/// Clients lie scattered in 16,777,216 addresses: an odd factor, and the one that undoes it.
const SCATTER: u32 = 2_654_435_761;
const GATHER: u32 = 244_002_641;
const MASK: u32 = 0x00ff_ffff;

fn address(client: u32) -> IpAddr {
    let [_, a, b, c] = (client.wrapping_mul(SCATTER) & MASK).to_be_bytes();
    if client.is_multiple_of(2) {
        return Ipv4Addr::new(20, a, b, c).into();
    }
    let network = [a, b, c].map(u16::from);
    let [a, b, c] = network;
    Ipv6Addr::new(0x2001, 0xdb8, a, b << 8 | c, 0, 0, 0, 1).into()
}

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let clients = numbers.next().unwrap_or(CLIENTS);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run(clients));
    // Threads of the store and of the DNS server end with the process.
}

async fn run(clients: u32) {
    let world = Arc::new(World::new());
    world.watch().await;
    let part = (clients / 3).max(1);
    println!(
        "{clients} clients, {AT_ONCE} at a time; RssAnon before: {:.1} MB",
        anonymous()
    );
    let (started, busy) = (Instant::now(), cpu());
    let mut asked = Tally::default();
    for from in (0..clients).step_by(part as usize) {
        let begun = Instant::now();
        let numbers = from..clients.min(from + part);
        let count = numbers.len();
        let mut sessions = stream::iter(numbers)
            .map(|number| tokio::spawn(session(Arc::clone(&world), number)))
            .buffer_unordered(AT_ONCE);
        while let Some(tally) = sessions.next().await {
            asked.add(&tally.unwrap());
        }
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        world.report(from + count as u32, rate);
    }
    let rate = f64::from(clients) / started.elapsed().as_secs_f64();
    asked.report(&world.gather, clients);
    println!(
        "{:.0} µs of CPU for each client, DNS server included",
        (cpu() - busy).as_secs_f64() * 1e6 / f64::from(clients)
    );
    println!(
        "{rate:.0} clients a second, {:.0} a minute; target {TARGET:.0} a second: {}",
        rate * 60.0,
        if rate >= TARGET { "met" } else { "missed" }
    );
}

struct World {
    policy: Policy,
    gather: Arc<Gather>,
    memory: Remembrance,
    admission: Arc<Admission>,
}

impl World {
    fn new() -> Self {
        let checks = ALL.iter();
        let checks = checks.filter_map(|kind| (kind.build)(serde_json::json!({})).unwrap());
        let policy = Policy {
            greet_wait: Duration::from_secs(6),
            checks: checks.collect(),
            ..Policy::default()
        };
        let settings = Settings {
            servers: vec![serve()],
            timeout: Duration::from_secs(3),
            cache_size: CACHE,
        };
        let gather = Gather::new(
            &settings,
            Arc::new(|task| {
                tokio::spawn(task);
            }),
        );
        let gather = gather.unwrap();
        let (store, keeper) = open(None, REMEMBERED);
        std::thread::spawn(move || keeper.run());
        let memory = Remembrance::new(Arc::new(store), Arc::new(|| NOW));
        gather.remember_with(memory.clone());
        let admission = Admission::new(Limits {
            connections: 20_000,
            per_address: 50,
            per_network: 200,
            rate: NonZeroU32::new(60).map(|count| Rate {
                count,
                per: Per::Minute,
            }),
        });
        Self {
            policy,
            gather,
            memory,
            admission,
        }
    }

    async fn watch(&self) {
        let zones = self.policy.checks.iter().flat_map(|check| check.zones());
        let zones = zones.map(|(name, lists)| Zone::new(name.asked(), name.shown(), lists));
        self.gather.watch_zones(zones.collect()).await;
    }

    fn report(&self, clients: u32, rate: f64) {
        let health = self.gather.health();
        println!(
            "after {clients:>6}: {rate:>6.0} clients a second, {:>6} answers kept, {} lookups under way, RssAnon {:.1} MB",
            health.kept,
            health.under_way,
            anonymous()
        );
    }
}

/// What was asked, by who answered.
#[derive(Default)]
struct Tally {
    dns: u64,
    failed: u64,
    memory: u64,
    judgements: u64,
    not_clear: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.dns += other.dns;
        self.failed += other.failed;
        self.memory += other.memory;
        self.judgements += other.judgements;
        self.not_clear += other.not_clear;
    }

    fn count(&mut self, answered: &Answered) {
        match &answered.answer {
            Answer::Dns(answer) => {
                self.dns += 1;
                self.failed += u64::from(matches!(answer, DnsAnswer::Failed(_)));
            }
            Answer::Memory(_) => self.memory += 1,
            _ => {}
        }
    }

    fn report(&self, gather: &Gather, clients: u32) {
        let health = gather.health();
        let each = |count: u64| count as f64 / f64::from(clients);
        let share = |count: u64| 100.0 * count as f64 / self.dns as f64;
        println!(
            "each client: {:.1} questions of the DNS, {:.1} of the memory, {:.1} judgements; {} were not clear",
            each(self.dns),
            each(self.memory),
            each(self.judgements),
            self.not_clear
        );
        println!(
            "of the DNS questions {:.1} % were answered from the cache, {:.1} % joined a lookup under way; {} failed, {} of them for want of room",
            share(health.from_cache),
            share(health.joined),
            self.failed,
            health.overloaded
        );
    }
}

async fn session(world: Arc<World>, number: u32) -> Tally {
    let address = address(number);
    let place = world.admission.enter().unwrap();
    let permit = world.admission.admit(address).unwrap();
    let mut tally = Tally::default();
    let mut facts = Facts::new(Client {
        started: Some(NOW),
        ..Client::new(
            SocketAddr::new(address, 2525),
            "198.51.100.1:25".parse().unwrap(),
            "mx",
        )
    });
    let helo = Helo {
        extended: true,
        name: format!("m{number}.host.example").parse().unwrap(),
    };
    let mail = Mail {
        path: format!("<a@d{}.example>", number % DOMAINS)
            .parse()
            .unwrap(),
        size: None,
    };
    let rcpt = Rcpt {
        path: "<b@example.com>".parse().unwrap(),
    };
    let steps = [
        (Stage::Connect, None),
        (Stage::Helo, Some(Fact::Helo(Box::new(helo)))),
        (Stage::Mail, Some(Fact::Mail(Box::new(mail)))),
        (Stage::Rcpt, Some(Fact::Rcpt(Box::new(rcpt)))),
    ];
    for (stage, fact) in steps {
        if let Some(fact) = fact {
            facts.push(stage, Millis(0), fact);
        }
        let verdict = loop {
            tally.judgements += 1;
            let judgement = judge(&world.policy, &facts);
            if judgement.questions().is_empty() {
                break judgement;
            }
            let questions = judgement.questions().to_vec();
            let mut answers: FuturesUnordered<_> = questions
                .into_iter()
                .map(|question| answered(&world.gather, question))
                .collect();
            while let Some(answered) = answers.next().await {
                tally.count(&answered);
                facts.push(stage, Millis(0), Fact::Answered(Box::new(answered)));
            }
        };
        let clear =
            matches!(&verdict, Judgement::Decide { verdict, .. } if verdict.cleared().is_some());
        tally.not_clear += u64::from(!clear);
        if stage == Stage::Rcpt {
            let known_as = &verdict.verdict().known_as;
            world.memory.earned(&identity::all(&facts, known_as));
        }
    }
    drop((place, permit));
    tally
}

async fn answered(gather: &Gather, question: Question) -> Answered {
    let (answer, source) = match question {
        // The wait before the greeting costs no work.
        Question::Silence { wait, .. } => {
            let silent = Silence::Silent { watched: wait };
            (Answer::Silence(silent), Source::Session)
        }
        _ => gather.ask(&question).await,
    };
    Answered {
        question,
        answer,
        took: Millis(1),
        source,
    }
}

/// A DNS server that knows the clients, their names and the sender domains, and lists nobody.
fn serve() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    // The system gives what it allows; what does not fit is lost, and asked again.
    SockRef::from(&socket)
        .set_recv_buffer_size(1 << 22)
        .unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        let mut reply = Vec::with_capacity(512);
        while let Ok((octets, from)) = socket.recv_from(&mut query) {
            answer(&query[..octets], &mut reply);
            // Who asked may be gone.
            let _ = socket.send_to(&reply, from);
        }
    });
    at
}

/// RFC 1035 §4.1: the question is repeated as it came, one record or none behind it.
fn answer(query: &[u8], reply: &mut Vec<u8>) {
    let mut labels: Vec<String> = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let length = usize::from(query[at]);
        let label = &query[at + 1..=at + length];
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length + 1;
    }
    let (kind, end) = (u16::from_be_bytes([query[at + 1], query[at + 2]]), at + 5);
    let found = record(&labels, kind);
    let (code, count) = match &found {
        Found::NoName => (3, 0),
        Found::NoData => (0, 0),
        Found::Data(_) => (0, 1),
    };
    reply.clear();
    reply.extend([query[0], query[1], 0x81, 0x80 | code]);
    reply.extend([0, 1, 0, count, 0, 0, 0, 0]);
    reply.extend(&query[12..end]);
    if let Found::Data(data) = found {
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 1, 44]);
        reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        reply.extend(data);
    }
}

enum Found {
    NoName,
    NoData,
    Data(Vec<u8>),
}

const A: u16 = 1;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;

fn record(labels: &[String], kind: u16) -> Found {
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    match labels.as_slice() {
        [reversed @ .., "in-addr" | "ip6", "arpa"] if kind == PTR => Found::Data(name(&[
            &format!("m{}", client_of(reversed)),
            "host",
            "example",
        ])),
        [host, "host", "example"] => {
            let client = host[1..].parse().unwrap_or_default();
            match (address(client), kind) {
                (IpAddr::V4(address), A) => Found::Data(address.octets().to_vec()),
                (IpAddr::V6(address), AAAA) => Found::Data(address.octets().to_vec()),
                _ => Found::NoData,
            }
        }
        ["mx", _, "example"] if kind == A => Found::Data(vec![192, 0, 2, 1]),
        ["mx", _, "example"] => Found::NoData,
        [domain, "example"] => match kind {
            MX => {
                let mut data = vec![0, 10];
                data.extend(name(&["mx", domain, "example"]));
                Found::Data(data)
            }
            TXT => {
                let text = b"v=spf1 ip4:20.0.0.0/8 ip6:2001:db8::/32 -all";
                let mut data = vec![u8::try_from(text.len()).unwrap()];
                data.extend(text);
                Found::Data(data)
            }
            _ => Found::NoData,
        },
        _ => Found::NoName,
    }
}

/// The client at a reversed address.
fn client_of(reversed: &[&str]) -> u32 {
    let scattered = if let [c, b, a, _] = reversed {
        let octets = [a, b, c].map(|octet| octet.parse::<u8>().unwrap());
        u32::from_be_bytes([0, octets[0], octets[1], octets[2]])
    } else {
        let nibbles: String = reversed.iter().rev().copied().collect();
        let segment = |at: usize| u32::from_str_radix(&nibbles[at..at + 4], 16).unwrap();
        segment(8) << 16 | segment(12)
    };
    scattered.wrapping_mul(GATHER) & MASK
}

fn name(labels: &[&str]) -> Vec<u8> {
    let mut name = Vec::new();
    for label in labels {
        name.push(u8::try_from(label.len()).unwrap());
        name.extend(label.as_bytes());
    }
    name.push(0);
    name
}

/// CPU time of the whole process, user and kernel.
fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let time = [usage.user_time(), usage.system_time()];
    let micros = time.map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs())
}

/// Anonymous resident memory, MB: heap and stacks, without the program's own pages.
fn anonymous() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .unwrap();
    let kb: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kb / 1e3
}
