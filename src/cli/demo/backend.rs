//! The demo's mail store: a small SMTP server that takes what gatepost lets through and keeps it as a Maildir.
//!
//! It stands where Exim stands, and wants a PROXY header first, as the Exim recipe does. It is built on the same
//! receiving machine as the gate. It is no MTA: nothing is relayed, queued or filtered.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::app::tasks::Tasks;
use crate::net::proxy_header::{self, Parse};
use crate::smtp::command::Command;
use crate::smtp::extension::Extensions;
use crate::smtp::path::ForwardPath;
use crate::smtp::reply::Reply;
use crate::smtp::server::{Event, Server};
use crate::smtp::verb::Verb;

/// A client that says nothing for this long is let go.
const IDLE: Duration = Duration::from_secs(300);

/// A mail store with its Maildir.
#[derive(Debug)]
pub struct MailStore {
    domain: String,
    maildir: PathBuf,
    /// The local-parts that exist, lower case; all do if not set.
    users: Option<HashSet<String>>,
    clients: Mutex<HashSet<SocketAddr>>,
    delivered: AtomicU64,
}

impl MailStore {
    /// A store that takes mail for `domain` into `maildir`.
    ///
    /// # Errors
    ///
    /// The folders of the Maildir can not be made.
    pub fn new(domain: &str, maildir: &Path) -> std::io::Result<Arc<Self>> {
        Self::make(domain, maildir, None)
    }

    /// One that takes mail for these local-parts alone, lower case, and for bare `<postmaster>`.
    ///
    /// # Errors
    ///
    /// The folders of the Maildir can not be made.
    pub fn for_users(
        domain: &str,
        maildir: &Path,
        users: HashSet<String>,
    ) -> std::io::Result<Arc<Self>> {
        Self::make(domain, maildir, Some(users))
    }

    fn make(
        domain: &str,
        maildir: &Path,
        users: Option<HashSet<String>>,
    ) -> std::io::Result<Arc<Self>> {
        for folder in ["tmp", "new", "cur"] {
            std::fs::create_dir_all(maildir.join(folder))?;
        }
        Ok(Arc::new(Self {
            domain: domain.to_owned(),
            maildir: maildir.to_owned(),
            users,
            clients: Mutex::default(),
            delivered: AtomicU64::new(0),
        }))
    }

    /// Serves on `socket` until the tasks are cut.
    pub async fn serve(self: Arc<Self>, socket: TcpListener, tasks: Tasks) {
        while let Ok((stream, _)) = socket.accept().await {
            let store = Arc::clone(&self);
            tasks.spawn(async move {
                // A connection that breaks concerns only its own message, which is then not stored.
                let _ = tokio::time::timeout(IDLE, store.talk(stream)).await;
            });
        }
    }

    /// Messages stored so far.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Every client that had a session, as its PROXY header named it; kept only where the users are named.
    #[must_use]
    pub fn clients(&self) -> HashSet<SocketAddr> {
        self.lock_clients().clone()
    }

    fn lock_clients(&self) -> MutexGuard<'_, HashSet<SocketAddr>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn talk(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut input = BytesMut::new();
        let client = loop {
            match proxy_header::parse(&input) {
                Parse::Header {
                    consumed, client, ..
                } => {
                    let _ = input.split_to(consumed);
                    break client;
                }
                Parse::Bad(_) => return Ok(()),
                Parse::NeedMore { .. } => read(&mut stream, &mut input).await?,
            }
        };
        if self.users.is_some() {
            self.lock_clients().insert(client);
        }
        let mut conversation = Conversation::new(self, client);
        let mut out = Vec::new();
        conversation.answer(
            Verb::Connect,
            &Reply::new(220, None, "mail store ready"),
            &mut out,
        );
        loop {
            let going_on = conversation.take(&mut input, &mut out)?;
            if !out.is_empty() {
                stream.write_all(&out).await?;
                out.clear();
            }
            match going_on {
                Next::More => read(&mut stream, &mut input).await?,
                Next::Again => {}
                Next::Done => return Ok(()),
            }
        }
    }

    fn takes(&self, path: &ForwardPath) -> bool {
        match path {
            ForwardPath::Postmaster(_) => true,
            ForwardPath::Mailbox(mailbox) => {
                let domain = mailbox.domain.to_string();
                let user = mailbox.local_part.unquoted().to_lowercase();
                let exists = |users: &HashSet<String>| users.contains(&user);
                domain.eq_ignore_ascii_case(&self.domain) && self.users.as_ref().is_none_or(exists)
            }
        }
    }

    /// Stores a message under a name of its own; `new` shows only whole messages.
    fn store(
        &self,
        client: SocketAddr,
        recipients: &[ForwardPath],
        data: &[u8],
    ) -> std::io::Result<()> {
        let number = self.delivered.fetch_add(1, Ordering::Relaxed);
        let name = format!("{number:06}.{}.gatepost-demo", std::process::id());
        let mut message = format!("X-Client: {}\r\n", client.ip()).into_bytes();
        for recipient in recipients {
            message.extend_from_slice(format!("X-Recipient: {recipient}\r\n").as_bytes());
        }
        message.extend_from_slice(data);
        let unfinished = self.maildir.join("tmp").join(&name);
        std::fs::write(&unfinished, message)?;
        std::fs::rename(unfinished, self.maildir.join("new").join(name))
    }
}

async fn read(stream: &mut TcpStream, input: &mut BytesMut) -> std::io::Result<()> {
    match stream.read_buf(input).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

enum Next {
    /// Wait for more input.
    More,
    /// Look at the input again.
    Again,
    /// The session is over.
    Done,
}

/// One session with the gate.
struct Conversation<'a> {
    store: &'a MailStore,
    client: SocketAddr,
    server: Server,
    recipients: Vec<ForwardPath>,
    data: Vec<u8>,
}

impl<'a> Conversation<'a> {
    fn new(store: &'a MailStore, client: SocketAddr) -> Self {
        let mut server = Server::new();
        server.set_offer(Extensions {
            size: Some(50 << 20),
            eight_bit_mime: true,
            smtputf8: true,
            enhanced_status_codes: true,
            pipelining: true,
            ..Extensions::default()
        });
        Self {
            store,
            client,
            server,
            recipients: Vec::new(),
            data: Vec::new(),
        }
    }

    fn answer(&mut self, verb: Verb, reply: &Reply, out: &mut Vec<u8>) {
        self.server.reply(verb, reply, out);
    }

    fn take(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> std::io::Result<Next> {
        let step = self.server.next(input);
        let consumed = step.consumed;
        let next = match step.event {
            Event::NeedMore | Event::AuthLine(_) => Next::More,
            Event::Fault(fault) => {
                let reply = fault.reply();
                self.server.refuse(&reply, out);
                if fault.is_fatal() {
                    Next::Done
                } else {
                    Next::Again
                }
            }
            Event::Command(command) => self.obey(command, out),
            Event::Body(body) => {
                self.data.extend_from_slice(&body.chunk);
                match (body.end, body.refused) {
                    (true, refused) => {
                        let reply = match refused {
                            Some(fault) => fault.reply(),
                            None => self.keep()?,
                        };
                        self.answer(Verb::EndOfData, &reply, out);
                        self.forget();
                        Next::Again
                    }
                    (false, _) if consumed == 0 => Next::More,
                    (false, _) => Next::Again,
                }
            }
        };
        let _ = input.split_to(consumed.min(input.len()));
        Ok(next)
    }

    fn obey(&mut self, command: Command, out: &mut Vec<u8>) -> Next {
        let verb = command.verb();
        let ok = |text: &'static str| Reply::new(250, Some((2, 0, 0)), text);
        let reply = match command {
            Command::Ehlo(_) => {
                self.forget();
                self.server
                    .offer()
                    .ehlo_reply("mailstore", &format!("[{}]", self.client.ip()))
            }
            Command::Rcpt(path, _) if self.store.takes(&path) => {
                self.recipients.push(path);
                ok("Recipient accepted")
            }
            Command::Rcpt(..) => Reply::new(550, Some((5, 7, 1)), "Relaying denied"),
            Command::Data => Reply::new(354, None, "Go ahead"),
            Command::Quit => Reply::new(221, Some((2, 0, 0)), "Bye"),
            Command::Rset | Command::Helo(_) => {
                self.forget();
                ok("OK")
            }
            _ => ok("OK"),
        };
        self.answer(verb, &reply, out);
        if verb == Verb::Quit {
            Next::Done
        } else {
            Next::Again
        }
    }

    /// Stores the message; what was stuffed on the way is unstuffed (RFC 5321 §4.5.2).
    fn keep(&mut self) -> std::io::Result<Reply> {
        let mut plain = Vec::with_capacity(self.data.len());
        for line in self.data.split_inclusive(|octet| *octet == b'\n') {
            plain.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        self.store.store(self.client, &self.recipients, &plain)?;
        Ok(Reply::new(250, Some((2, 0, 0)), "Stored"))
    }

    fn forget(&mut self) {
        self.recipients.clear();
        self.data.clear();
    }
}
