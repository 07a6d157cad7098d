//! The demo's six sessions: who plays them, what they say, and what is expected of the gate.
//!
//! Real sockets throughout. The players come to a door of the demo's own that believes a PROXY header, so that they can
//! have addresses from the documentation ranges (RFC 5737) and be found, or not, in the demo's block list.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::net::proxy_header::{self, Version};

/// No player waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// One session.
pub(in crate::cli) struct Play {
    /// What is shown above it.
    pub(in crate::cli) title: &'static str,
    /// The client's address.
    pub(in crate::cli) client: Ipv4Addr,
    /// What it does, in order.
    pub(in crate::cli) steps: &'static [Step],
    /// The verdict the gate is expected to reach.
    pub(in crate::cli) verdict: &'static str,
    /// How many messages are expected to reach the mail store.
    pub(in crate::cli) delivered: u64,
}

/// One thing a player does.
#[derive(Clone, Copy)]
pub(in crate::cli) enum Step {
    /// Reads one line of a reply.
    HearLine,
    /// Reads a whole reply.
    Hear,
    /// Sends lines, in one segment.
    Say(&'static [&'static str]),
    /// Upgrades to TLS.
    StartTls,
}

use Step::{Hear, HearLine, Say, StartTls};

const MESSAGE: &[&str] = &[
    "From: Ada <ada@sender.example>",
    "Subject: hello through the gate",
    "",
    "A short message.",
    ".",
];

/// The six sessions.
pub(in crate::cli) const PLAYS: &[Play] = &[
    Play {
        title: "a clean sender with STARTTLS",
        client: Ipv4Addr::new(192, 0, 2, 10),
        steps: &[
            Hear,
            Say(&["EHLO mail.sender.example"]),
            Hear,
            Say(&["STARTTLS"]),
            Hear,
            StartTls,
            Say(&["EHLO mail.sender.example"]),
            Hear,
            Say(&["MAIL FROM:<ada@sender.example>"]),
            Hear,
            Say(&["RCPT TO:<alice@demo.example>"]),
            Hear,
            Say(&["DATA"]),
            Hear,
            Say(MESSAGE),
            Hear,
            Say(&["QUIT"]),
            Hear,
        ],
        verdict: "clear",
        delivered: 1,
    },
    Play {
        title: "an early talker: answers the first line of a greeting that has two",
        client: Ipv4Addr::new(198, 51, 100, 7),
        steps: &[
            HearLine,
            Say(&["EHLO User"]),
            Hear,
            Hear,
            Say(&["MAIL FROM:<win@bot.example>"]),
            Hear,
            Say(&["RCPT TO:<alice@demo.example>"]),
            Hear,
            Say(&["QUIT"]),
            Hear,
        ],
        verdict: "deny",
        delivered: 0,
    },
    Play {
        title: "a pipelining bot: does not wait for its replies",
        client: Ipv4Addr::new(198, 51, 100, 8),
        steps: &[
            Hear,
            Say(&["EHLO bot.example"]),
            Hear,
            Say(&[
                "MAIL FROM:<win@bot.example>",
                "RCPT TO:<alice@demo.example>",
                "QUIT",
            ]),
            Hear,
            Hear,
            Hear,
        ],
        verdict: "deny",
        delivered: 0,
    },
    Play {
        title: "a listed client",
        client: Ipv4Addr::new(203, 0, 113, 66),
        steps: &[
            Hear,
            Say(&["EHLO mail.bulk.example"]),
            Hear,
            Say(&["MAIL FROM:<offers@bulk.example>"]),
            Hear,
            Say(&["RCPT TO:<alice@demo.example>"]),
            Hear,
            Say(&["QUIT"]),
            Hear,
        ],
        verdict: "deny",
        delivered: 0,
    },
    Play {
        title: "the same listed client, to postmaster@",
        client: Ipv4Addr::new(203, 0, 113, 66),
        steps: &[
            Hear,
            Say(&["EHLO mail.bulk.example"]),
            Hear,
            Say(&["MAIL FROM:<admin@bulk.example>"]),
            Hear,
            Say(&["RCPT TO:<postmaster@demo.example>"]),
            Hear,
            Say(&["DATA"]),
            Hear,
            Say(&[
                "Subject: please delist us",
                "",
                "We have closed the hole.",
                ".",
            ]),
            Hear,
            Say(&["QUIT"]),
            Hear,
        ],
        verdict: "clear",
        delivered: 1,
    },
    Play {
        title: "one transaction with both: alice@ is refused, abuse@ is not",
        client: Ipv4Addr::new(203, 0, 113, 66),
        steps: &[
            Hear,
            Say(&["EHLO mail.bulk.example"]),
            Hear,
            Say(&["MAIL FROM:<admin@bulk.example>"]),
            Hear,
            Say(&["RCPT TO:<alice@demo.example>"]),
            Hear,
            Say(&["RCPT TO:<abuse@demo.example>"]),
            Hear,
            Say(&["DATA"]),
            Hear,
            Say(&["Subject: a question", "", "Why are we refused?", "."]),
            Hear,
            Say(&["QUIT"]),
            Hear,
        ],
        verdict: "deny",
        delivered: 1,
    },
];

/// A line of a dialogue.
pub(in crate::cli) struct Spoken {
    /// Whether the client said it.
    pub(in crate::cli) by_client: bool,
    /// Since the connection stood.
    pub(in crate::cli) at: Duration,
    /// The line, without its end.
    pub(in crate::cli) line: String,
}

/// Plays a session at `door` and returns what was said.
pub(in crate::cli) async fn play(
    play: &Play,
    door: SocketAddr,
    tls: &TlsConnector,
    name: &str,
) -> anyhow::Result<Vec<Spoken>> {
    tokio::time::timeout(PATIENCE, perform(play, door, tls, name))
        .await
        .context("the gate did not answer in time")?
}

async fn perform(
    play: &Play,
    door: SocketAddr,
    tls: &TlsConnector,
    name: &str,
) -> anyhow::Result<Vec<Spoken>> {
    let mut stream = TcpStream::connect(door).await?;
    let client = SocketAddr::new(IpAddr::V4(play.client), 40_000);
    stream
        .write_all(&proxy_header::write(Version::V2, client, door))
        .await?;
    let mut player = Player {
        begun: tokio::time::Instant::now(),
        heard: Vec::new(),
        pending: String::new(),
    };
    let upgrade = play.steps.iter().position(|step| matches!(step, StartTls));
    let (before, after) = play.steps.split_at(upgrade.unwrap_or(play.steps.len()));
    player.act(&mut stream, before).await?;
    if upgrade.is_some() {
        let name = ServerName::try_from(name.to_owned())?;
        let mut stream = tls.connect(name, stream).await?;
        let version = stream.get_ref().1.protocol_version();
        player.note(
            true,
            format!("(TLS handshake: {version:?})")
                .replace("Some(", "")
                .replace("))", ")"),
        );
        player.act(&mut stream, after).await?;
    }
    Ok(player.heard)
}

struct Player {
    begun: tokio::time::Instant,
    heard: Vec<Spoken>,
    pending: String,
}

impl Player {
    async fn act<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        steps: &[Step],
    ) -> anyhow::Result<()> {
        for step in steps {
            match step {
                HearLine => {
                    self.line(stream).await?;
                }
                Hear => while self.line(stream).await?.as_bytes().get(3) == Some(&b'-') {},
                Say(lines) => {
                    let text: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
                    stream.write_all(text.as_bytes()).await?;
                    stream.flush().await?;
                    for line in *lines {
                        self.note(true, (*line).to_owned());
                    }
                }
                StartTls => {}
            }
        }
        Ok(())
    }

    async fn line<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> anyhow::Result<String> {
        loop {
            if let Some((line, rest)) = self.pending.split_once("\r\n") {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.pending = rest;
                self.note(false, line.clone());
                return Ok(line);
            }
            let mut octets = [0; 1024];
            let read = stream.read(&mut octets).await?;
            if read == 0 {
                bail!("the gate closed the connection");
            }
            self.pending.push_str(&String::from_utf8_lossy(
                octets.get(..read).unwrap_or_default(),
            ));
        }
    }

    fn note(&mut self, by_client: bool, line: String) {
        self.heard.push(Spoken {
            by_client,
            at: self.begun.elapsed(),
            line,
        });
    }
}

/// TLS for players: they trust the certificate of this demo and nothing else.
pub(in crate::cli) fn connector(certificate: &std::path::Path) -> anyhow::Result<TlsConnector> {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
