//! Plays a dialogue: one session, and the script's client at its other end.
//!
//! Without a backend the session runs over a pipe in memory and time stands still: it passes only where the script says
//! so. With one everything is real, sockets and time; with a clock that stands still, only the sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::users::Users;
use gatepost::app::tasks::Tasks;
use gatepost::cli::demo::backend::MailStore;
use gatepost::facts::Ended;
use gatepost::net::Stream;
use gatepost::net::handshakes::Turn;
use gatepost::session;
use gatepost::session::context::{Arrival, Shared};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::script::{Dialogue, Step, fits};
use crate::wire::{Pace, Wire};
use crate::world::{Behind, Scene};

/// Time passes in so many steps, so that what happens on the way happens at its time; in a tenth of it with sockets, which
/// must be asked each time.
const PACES: u32 = 600;

/// Plays `dialogue`; the error says where it went otherwise.
pub(crate) fn play(dialogue: &Dialogue) -> Result<(), String> {
    let scene = Scene::of(dialogue)?;
    runtime(scene.paused())?.block_on(async {
        let mut stage = Stage::set(&scene).await?;
        for (line, step) in &dialogue.steps {
            stage
                .act(step)
                .await
                .map_err(|error| format!("line {line}: {error}"))?;
        }
        stage.end()
    })
}

fn runtime(paused: bool) -> Result<Runtime, String> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(paused)
        .build();
    runtime.map_err(|error| error.to_string())
}

struct Stage {
    wire: Wire,
    shared: Arc<Shared>,
    session: JoinHandle<Ended>,
    maildir: TempDir,
    /// Whom users log in to.
    users: Option<Arc<Users>>,
    /// What the mail store has stored, or what users and their mail brought to the backend, and the script has not told.
    stored: Option<Vec<String>>,
    paused: bool,
    _turn: Option<Turn>,
    _props: Tasks,
}

impl Stage {
    async fn set(scene: &Scene) -> Result<Self, String> {
        let io = |error: std::io::Error| error.to_string();
        let maildir = TempDir::new().map_err(io)?;
        let props = Tasks::default();
        let mut users = None;
        let backend = match scene.behind {
            Behind::Nothing => SocketAddr::from(([127, 0, 0, 1], 9)),
            Behind::Store => mail_store(&maildir, &props).await.map_err(io)?,
            Behind::Users => {
                let (serving, address) = Users::serve(&props).await.map_err(io)?;
                users = Some(serving);
                address
            }
            Behind::Nobody => port().await.map_err(io)?.local_addr().map_err(io)?,
        };
        let (door, shared) = scene.build(backend)?;
        if let Some(users) = &users {
            // As a process asks, when it starts, what is offered.
            let server = door.upstream.servers().first().ok_or("no server")?;
            let asked = session::probe(&door.upstream, server).await;
            asked.map_err(|trouble| trouble.to_string())?;
            users.forget().await;
        }
        let paused = scene.paused();
        let (wire, stream) = match scene.behind {
            Behind::Nothing => {
                let (client, server) = tokio::io::duplex(scene.pipe);
                (Wire::new(client, Pace::Pipe), Stream::Pipe(server))
            }
            Behind::Store | Behind::Nobody | Behind::Users => {
                let listener = port().await.map_err(io)?;
                let address = listener.local_addr().map_err(io)?;
                let client = TcpStream::connect(address).await.map_err(io)?;
                client.set_nodelay(true).map_err(io)?;
                let (server, _) = listener.accept().await.map_err(io)?;
                let pace = if paused { Pace::Still } else { Pace::Real };
                (Wire::new(client, pace), Stream::plain(server))
            }
        };
        let arrival = Arrival {
            id: "s1".into(),
            wall: SystemTime::UNIX_EPOCH,
            peer: scene.client,
            local: SocketAddr::from(([192, 0, 2, 25], 25)),
        };
        let permit = match scene.proxied {
            true => None,
            false => Some(
                shared
                    .admission
                    .admit(scene.client.ip())
                    .map_err(|limit| format!("{limit:?}"))?,
            ),
        };
        let turn = match scene.busy {
            true => shared.handshakes.enter().await.ok(),
            false => None,
        };
        let session = tokio::spawn(session::run(
            stream,
            arrival,
            door,
            Arc::clone(&shared),
            permit,
        ));
        Ok(Self {
            wire,
            shared,
            session,
            maildir,
            users,
            stored: None,
            paused,
            _turn: turn,
            _props: props,
        })
    }

    async fn act(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Hear(expected) => self.hear(expected, str::eq).await,
            Step::HearLike(pattern) => self.hear(pattern, fits).await,
            Step::HearOctets(octets) => self.wire.octets(octets).await,
            Step::Stored(line) => self.stored(line),
            other => {
                // Who reads nothing from the start has not read the greeting either.
                if !matches!(other, Step::Closed | Step::Deaf) {
                    self.wire.settle().await;
                }
                self.nothing_untold()?;
                self.do_otherwise(other).await
            }
        }
    }

    async fn do_otherwise(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Say(octets) => self.wire.say(octets).await?,
            Step::Closed => {
                if !self.wire.closed().await {
                    return Err(format!(
                        "the server has not closed; it says {:?}",
                        self.wire.unread()
                    ));
                }
                self.nothing_untold()?;
            }
            Step::Open => {
                if self.session.is_finished() {
                    return Err("the session has ended".to_owned());
                }
            }
            Step::Wait(time) => self.wait(*time).await?,
            Step::Leave => self.wire.leave(),
            Step::Deaf => self.wire.go_deaf(),
            Step::Tls => self.wire.tls().await?,
            Step::Drain => self.shared.draining.cancel(),
            Step::Cut => self.shared.cut.cancel(),
            Step::Ended(label) => self.ended(label).await?,
            Step::Hear(_) | Step::HearLike(_) | Step::HearOctets(_) | Step::Stored(_) => {}
        }
        Ok(())
    }

    async fn hear(&mut self, expected: &str, fits: fn(&str, &str) -> bool) -> Result<(), String> {
        match self.wire.line().await {
            Ok(Some(line)) if fits(expected, &line) => Ok(()),
            Ok(Some(line)) => Err(format!("expected {expected:?}\n           heard {line:?}")),
            Ok(None) => Err(format!("expected {expected:?}, but the server has closed")),
            Err(error) => Err(format!("expected {expected:?}, but {error}")),
        }
    }

    async fn wait(&mut self, time: Duration) -> Result<(), String> {
        if !self.paused {
            return Err("time can not be made to pass where it is real".to_owned());
        }
        let paces = match self.wire.has_sockets() {
            true => PACES / 10,
            false => PACES,
        };
        let pace = (time / paces).max(Duration::from_millis(1)).min(time);
        let mut left = time;
        while !left.is_zero() {
            let now = pace.min(left);
            left -= now;
            tokio::time::advance(now).await;
            self.wire.settle().await;
            if !left.is_zero() {
                self.nothing_untold()
                    .map_err(|error| format!("{left:?} too early: {error}"))?;
            }
        }
        Ok(())
    }

    async fn ended(&mut self, label: &str) -> Result<(), String> {
        let session = &self.session;
        if self.paused && !self.wire.settle_until(|| session.is_finished()).await {
            return Err("the session goes on".to_owned());
        }
        let ended = tokio::time::timeout(Duration::from_secs(20), &mut self.session).await;
        let ended = match ended {
            Ok(Ok(ended)) => ended,
            Ok(Err(panic)) => return Err(format!("the session panicked: {panic}")),
            Err(_) => return Err("the session goes on".to_owned()),
        };
        let said = match ended {
            Ended::Fault(fault) => format!("fault {}", fault.label()),
            other => other.label().to_owned(),
        };
        if said != label {
            return Err(format!("expected the end {label:?}, it was {said:?}"));
        }
        self.wire.settle().await;
        self.nothing_untold()?;
        self.stored = Some(match &self.users {
            Some(users) => {
                self.wire.settle_until(|| users.is_idle()).await;
                users.heard()
            }
            None => messages(&self.maildir),
        });
        Ok(())
    }

    fn stored(&mut self, expected: &str) -> Result<(), String> {
        let stored = self.stored.as_mut().ok_or("M: comes behind E:")?;
        if stored.is_empty() {
            return Err(format!("expected {expected:?}, but nothing more is stored"));
        }
        match stored.remove(0) {
            line if line == expected => Ok(()),
            line => Err(format!("expected {expected:?}\n          stored {line:?}")),
        }
    }

    fn nothing_untold(&self) -> Result<(), String> {
        match self.wire.unread() {
            text if text.is_empty() => Ok(()),
            text => Err(format!("the server has said more: {text:?}")),
        }
    }

    fn end(self) -> Result<(), String> {
        match self.stored {
            Some(stored) if stored.is_empty() => Ok(()),
            Some(stored) => Err(format!("stored but not told: {stored:#?}")),
            None => Err("the session's end is not told".to_owned()),
        }
    }
}

async fn port() -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

async fn mail_store(maildir: &TempDir, props: &Tasks) -> std::io::Result<SocketAddr> {
    let socket = port().await?;
    let address = socket.local_addr()?;
    let store = MailStore::new("example.com", maildir.path())?;
    props.spawn(store.serve(socket, props.clone()));
    Ok(address)
}

/// The lines of all stored messages, in the order of their arrival.
fn messages(maildir: &TempDir) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(maildir.path().join("new")) else {
        return Vec::new();
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let text = |path| std::fs::read_to_string(path).unwrap();
    let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    files.iter().map(text).flat_map(lines).collect()
}
