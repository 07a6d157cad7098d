//! What stands around a session in a dialogue: the door, what all sessions share, and who answers questions.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatepost::config::{self, Layers, TlsMode};
use gatepost::facts::{
    Answer, DnsAnswer, Failure, Question, Recall, Recalled, Record, RecordData, RecordType, Source,
};
use gatepost::gather::Answerer;
use gatepost::gather::rates::Rates;
use gatepost::net::admission::{Admission, Limits};
use gatepost::net::handshakes::Handshakes;
use gatepost::net::tls::{self, Acceptor};
use gatepost::session::context::{Door, Shared, Tally, failed_logins};
use gatepost::session::upstream::Upstream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tokio_util::sync::CancellationToken;

use crate::script::Dialogue;

/// The name of the gate.
pub(crate) const HOSTNAME: &str = "mx.example.com";

/// Where clean sessions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Nowhere: no recipient gets so far, and time is ours.
    Nothing,
    /// To a mail store on a real socket, in real time.
    Store,
    /// To a port where nobody listens, in real time.
    Nobody,
    /// To a backend that users log in to, on a real socket, in real time.
    Users,
}

/// The settings of a dialogue.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The client.
    pub(crate) client: SocketAddr,
    /// Whether the client is named by a PROXY header only.
    pub(crate) proxied: bool,
    /// Octets that fit between client and server before one of them must read.
    pub(crate) pipe: usize,
    /// Where clean sessions go.
    pub(crate) behind: Behind,
    /// Whether no TLS handshake has its turn.
    pub(crate) busy: bool,
    /// Whether time passes only where the script says so, though sockets are real.
    still: bool,
    tls: String,
    listen: Vec<String>,
    policy: Vec<String>,
    checks: Vec<String>,
    limits: Vec<String>,
    zones: BTreeMap<String, Zone>,
    /// Whether the client has a pass.
    remembered: bool,
    /// Whether CHUNKING is offered.
    chunking: bool,
}

/// How a zone answers about every client.
#[derive(Clone, Debug)]
enum Zone {
    Listed(Option<Box<str>>),
    /// Answering it is a defect of ours.
    Panics,
    NotListed,
    Fails,
    Hangs(Duration),
    /// Listed, but it takes its time to say so.
    Slow(Duration),
}

impl Scene {
    /// The settings of `dialogue`; an unknown one is an error.
    pub(crate) fn of(dialogue: &Dialogue) -> Result<Self, String> {
        let mut scene = Self {
            client: SocketAddr::from(([192, 0, 2, 1], 40_000)),
            proxied: false,
            pipe: 64 * 1024,
            behind: Behind::Nothing,
            busy: false,
            still: false,
            tls: "none".to_owned(),
            listen: Vec::new(),
            policy: Vec::new(),
            checks: Vec::new(),
            limits: Vec::new(),
            zones: BTreeMap::new(),
            remembered: false,
            chunking: false,
        };
        for (key, value) in &dialogue.settings {
            scene
                .set(key, value)
                .ok_or_else(|| format!("# {key} {value}: not a setting"))?;
        }
        Ok(scene)
    }

    /// Whether time passes only where the script says so.
    pub(crate) fn paused(&self) -> bool {
        self.still || self.behind == Behind::Nothing
    }

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        let (word, more) = value.split_once(' ').unwrap_or((value, ""));
        match key {
            "client" => self.client.set_ip(value.parse().ok()?),
            "proxied" => self.proxied = true,
            "remembered" => self.remembered = true,
            "chunking" => self.chunking = true,
            "handshakes" if value == "busy" => self.busy = true,
            "clock" if value == "still" => self.still = true,
            "pipe" => self.pipe = value.parse().ok()?,
            "tls" => self.tls = value.to_owned(),
            "listen" => self.listen = pairs(value)?,
            "greet_wait" => self.policy.push(format!("greet_wait = \"{value}\"")),
            "policy" => self.policy.extend(pairs(value)?),
            "add_header" => {
                let fields: Vec<&str> = value.split(' ').collect();
                self.policy.push(format!("add_header = {fields:?}"));
            }
            "pregreet" => self.check("pregreet", &[format!("mode = \"{value}\"")]),
            "conduct" | "rate" => self.check(key, &pairs(value)?),
            "allow" | "deny" => {
                self.check(
                    "access",
                    &[format!("{key} = [{{ network = \"{value}\" }}]")],
                );
            }
            "limits" => self.limits.extend(pairs(value)?),
            "listed" => {
                let text = (!more.is_empty()).then(|| more.into());
                self.zones.insert(word.to_owned(), Zone::Listed(text));
            }
            "panics" => drop(self.zones.insert(word.to_owned(), Zone::Panics)),
            "unlisted" => drop(self.zones.insert(word.to_owned(), Zone::NotListed)),
            "fails" => drop(self.zones.insert(word.to_owned(), Zone::Fails)),
            "hangs" | "slow" => {
                let time = humantime::parse_duration(more).ok()?;
                let zone = if key == "slow" {
                    Zone::Slow(time)
                } else {
                    Zone::Hangs(time)
                };
                self.zones.insert(word.to_owned(), zone);
            }
            "backend" => {
                self.behind = match value {
                    "store" => Behind::Store,
                    "nobody" => Behind::Nobody,
                    "users" => Behind::Users,
                    _ => return None,
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn check(&mut self, name: &str, lines: &[String]) {
        self.checks.push(format!("[policy.default.checks.{name}]"));
        self.checks.extend_from_slice(lines);
    }

    fn configuration(&self, backend: SocketAddr) -> String {
        let Self { tls, .. } = self;
        // The scripted DNS knows lists of addresses; the names of clients are told in tests/verdicts.
        let off = ["rhsbl", "rdns", "helo", "sender_domain"]
            .map(|check| format!("checks.{check}.enabled = false"))
            .join("\n");
        let (policy, checks) = (self.policy.join("\n"), self.checks.join("\n"));
        let listen = self.listen.join("\n");
        let zone = |name: &String| format!("{{ zone = \"{name}\", points = 5 }}");
        let zones: Vec<String> = self.zones.keys().map(zone).collect();
        let zones = zones.join(", ");
        let wait = match policy.contains("greet_wait") {
            true => "",
            false => "greet_wait = \"0s\"",
        };
        format!(
            r#"
hostname = "{HOSTNAME}"
[listen.mx]
address = ["192.0.2.25:25"]
tls = "{tls}"
{listen}
backend = "store"
[backend.store]
address = ["{backend}"]
source_address = "127.0.0.2"
allow_open_backend = true
[policy.default]
{wait}
{policy}
{off}
[policy.default.checks.dnsbl]
zones = [{zones}]
[policy.default.checks.spf]
enabled = false
{checks}
"#
        )
    }

    /// Door and shared state, with `backend` behind them.
    pub(crate) fn build(&self, backend: SocketAddr) -> Result<(Arc<Door>, Arc<Shared>), String> {
        let text = self.configuration(backend);
        let layers = Layers {
            file: Some((Path::new("dialogue.toml"), &text)),
            ..Layers::default()
        };
        let snapshot = config::from_layers(&layers).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            format!("{}\n{text}", lines.join("\n"))
        })?;
        // Not as part of the file: there a limit may not be as low as a short dialogue wants it.
        let limits: config::Limits =
            toml::from_str(&self.limits.join("\n")).map_err(|error| error.to_string())?;
        let listen = snapshot.config.listen["mx"].clone();
        let door = Door {
            name: "mx".into(),
            is_primary: false,
            policy: Arc::clone(&snapshot.policies["default"]),
            upstream: Arc::new(Upstream::new(
                "store",
                snapshot.config.backend["store"].clone(),
            )),
            acceptor: (listen.tls != TlsMode::None).then(|| certificate().0.clone()),
            listen,
        };
        let shared = Shared {
            hostname: HOSTNAME.into(),
            admission: Admission::new(Limits {
                connections: limits.connections,
                per_address: limits.connections_per_address,
                per_network: limits.connections_per_network,
                rate: None,
            }),
            logins: failed_logins(&limits),
            tarpit: Arc::new(Semaphore::new(limits.tarpit)),
            handshakes: Handshakes::new(1),
            limits,
            mail_data: config::MailData {
                chunking: self.chunking,
                ..snapshot.config.mail_data
            },
            answerer: Arc::new(Answers {
                zones: self.zones.clone(),
                remembered: self.remembered,
                rates: Rates::default(),
            }),
            memory: None,
            journal: None,
            draining: CancellationToken::new(),
            cut: CancellationToken::new(),
            metrics: gatepost::telemetry::metrics::Metrics::default(),
            live: Arc::default(),
            recent: Arc::default(),
            tally: Tally::default(),
        };
        Ok((Arc::new(door), Arc::new(shared)))
    }
}

/// `key=value` pairs as lines of TOML.
fn pairs(text: &str) -> Option<Vec<String>> {
    let line = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let bare =
            value.bytes().all(|octet| octet.is_ascii_digit()) || matches!(value, "true" | "false");
        let quote = if bare { "" } else { "\"" };
        Some(format!("{key} = {quote}{value}{quote}"))
    };
    text.split_whitespace().map(line).collect()
}

/// The scripted DNS; recipients are counted as they are.
struct Answers {
    zones: BTreeMap<String, Zone>,
    remembered: bool,
    rates: Rates,
}

impl Answerer for Answers {
    fn ask(&self, question: &Question) -> BoxFuture<'static, (Answer, Source)> {
        panic!("a session says for whom it asks: {question}")
    }

    fn ask_for(&self, _: IpAddr, question: &Question) -> BoxFuture<'static, (Answer, Source)> {
        if let Question::Memory(recall) = question {
            let recalled = match recall {
                Recall::Pass(_) if self.remembered => Recalled::Pass {
                    since: 86_400,
                    visits: 3,
                },
                _ => Recalled::Nothing,
            };
            return std::future::ready((Answer::Memory(recalled), Source::Memory)).boxed();
        }
        if let Question::Count(counting) = question {
            let room = Answer::Count(self.rates.count(counting));
            return std::future::ready((room, Source::Memory)).boxed();
        }
        let Question::Dns { name, kind } = question else {
            panic!("only a session can watch its socket: {question}")
        };
        let mut zones = self.zones.iter();
        let zone = zones.find(|(zone, _)| name.asked().ends_with(&format!(".{zone}")));
        let Some((_, zone)) = zone else {
            panic!("nobody has scripted an answer: {question}")
        };
        let (zone, kind) = (zone.clone(), *kind);
        async move { (Answer::Dns(answer(zone, kind).await), Source::Live) }.boxed()
    }
}

async fn answer(zone: Zone, kind: RecordType) -> DnsAnswer {
    let found = |data| DnsAnswer::Found(vec![Record { ttl: 60, data }]);
    match (zone, kind) {
        (Zone::Listed(_), RecordType::A) => found(listing()),
        (Zone::Slow(time), RecordType::A) => {
            tokio::time::sleep(time).await;
            found(listing())
        }
        (Zone::Listed(Some(text)), RecordType::Txt) => found(RecordData::Txt(text)),
        (Zone::Listed(_) | Zone::Slow(_), _) => DnsAnswer::NoData,
        (Zone::Panics, _) => panic!("a planted defect"),
        (Zone::NotListed, _) => DnsAnswer::NoName,
        (Zone::Fails, _) => DnsAnswer::Failed(Failure::ServFail),
        (Zone::Hangs(time), _) => {
            tokio::time::sleep(time).await;
            DnsAnswer::Failed(Failure::Timeout)
        }
    }
}

fn listing() -> RecordData {
    RecordData::A(Ipv4Addr::new(127, 0, 0, 2))
}

/// The gate's certificate, made once, and a client that trusts nothing else.
pub(crate) fn certificate() -> &'static (Acceptor, TlsConnector) {
    static MADE: OnceLock<(Acceptor, TlsConnector)> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let settings = tls::Settings {
            hostname: HOSTNAME.to_owned(),
            state_directory: folder.path().to_owned(),
            ..tls::Settings::default()
        };
        let acceptor = tls::load(settings, SystemTime::now()).unwrap();
        let mut roots = RootCertStore::empty();
        let file = folder.path().join("self-signed.pem");
        roots
            .add(CertificateDer::from_pem_file(file).unwrap())
            .unwrap();
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (acceptor, TlsConnector::from(Arc::new(client)))
    })
}
