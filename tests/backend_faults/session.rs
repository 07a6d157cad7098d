//! One connection of the scripted backend, and what is written down of it.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{IpAddr, TcpStream};

use crate::backend::{Act, Script, Shared, Stage, reset, say};

/// How a connection ended, as the backend saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// QUIT.
    Quit,
    /// The other side closed or reset.
    Left,
    /// The script reset.
    Script,
}

/// What was seen on one connection.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The client's address in the PROXY header.
    pub(crate) client: IpAddr,
    pub(crate) commands: Vec<String>,
    /// Whether a command came before the reply to the one before it.
    pub(crate) pipelined: bool,
    /// Mail data, complete or not, oldest first.
    pub(crate) messages: Vec<Message>,
    /// What no client may send.
    pub(crate) breaches: Vec<String>,
    pub(crate) end: Option<End>,
}

impl Seen {
    pub(crate) fn new(client: IpAddr) -> Self {
        Self {
            client,
            commands: Vec::new(),
            pipelined: false,
            messages: Vec::new(),
            breaches: Vec::new(),
            end: None,
        }
    }
}

/// A message for which 354 was said.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Recipients answered with 2xx.
    pub(crate) recipients: Vec<String>,
    /// Octets behind the 354 as they came, without the final dot.
    pub(crate) body: Vec<u8>,
    /// Whether the final dot came.
    pub(crate) dotted: bool,
    /// The first digit of what it was answered with.
    pub(crate) class: Option<u16>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = self.body.get(..80).unwrap_or(&self.body).escape_ascii();
        let Self {
            recipients,
            dotted,
            class,
            ..
        } = self;
        let size = self.body.len();
        write!(
            f,
            "Message({recipients:?} {size} {body} dotted={dotted} {class:?})"
        )
    }
}

/// How changes to [`Seen`] are made known.
type Note<'a> = &'a mut dyn FnMut(&mut dyn FnMut(&mut Seen));

struct Session<'a> {
    stream: TcpStream,
    script: &'a Script,
    shared: &'a Shared,
    note: Note<'a>,
    input: Vec<u8>,
    recipients: Vec<String>,
    /// How often each stage was reached.
    reached: HashMap<Stage, usize>,
}

/// Why the dialogue stops.
struct Over(End);

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self(End::Left)
    }
}

/// Serves one connection to its end.
pub(crate) fn serve(stream: TcpStream, script: &Script, shared: &Shared, note: Note<'_>) -> End {
    let mut session = Session {
        stream,
        script,
        shared,
        note,
        input: Vec::new(),
        recipients: Vec::new(),
        reached: HashMap::new(),
    };
    let Err(Over(end)) = session.dialogue();
    // The peer knows before the act is made known.
    drop(session);
    if end == End::Script {
        shared.change(|state| state.acted += 1);
    }
    end
}

impl Session<'_> {
    fn dialogue(&mut self) -> Result<std::convert::Infallible, Over> {
        self.answer(Stage::Greeting, "220 backend.example ESMTP\r\n")?;
        loop {
            let line = self.line()?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "EHLO" => {
                    let mut reply = "250-backend.example\r\n".to_owned();
                    for keyword in self.script.keywords {
                        reply += &format!("250-{keyword}\r\n");
                    }
                    self.answer(Stage::Ehlo, &(reply + "250 ENHANCEDSTATUSCODES\r\n"))?;
                }
                "MAIL" => {
                    self.recipients.clear();
                    self.answer(Stage::Mail, "250 2.1.0 sender\r\n")?;
                }
                "RCPT" => self.recipient(rest)?,
                "DATA" => self.data()?,
                "RSET" => {
                    self.recipients.clear();
                    self.answer(Stage::Rset, "250 2.0.0 forgotten\r\n")?;
                }
                "STARTTLS" => {
                    self.answer(Stage::StartTls, "454 4.7.0 not now\r\n")?;
                }
                "QUIT" => return Err(Over(End::Quit)),
                _ => say(&self.stream, b"500 5.5.2 what\r\n")?,
            }
        }
    }

    /// `code-550-5.1.1@...` is answered with this code.
    fn recipient(&mut self, rest: &str) -> Result<(), Over> {
        let path = rest
            .split_once('<')
            .and_then(|(_, path)| path.split_once('>'));
        let path = path.map_or(rest, |(path, _)| path).to_owned();
        let told = path
            .split_once('@')
            .and_then(|(local, _)| local.strip_prefix("code-"));
        let told = told.map(|told| told.replacen('-', " ", 1));
        let reply = format!("{} <{path}>\r\n", told.as_deref().unwrap_or("250 2.1.5"));
        if self.answer(Stage::Rcpt, &reply)? == 2 {
            self.recipients.push(path);
        }
        Ok(())
    }

    fn data(&mut self) -> Result<(), Over> {
        let message = Message {
            recipients: self.recipients.clone(),
            ..Message::default()
        };
        let reply = "354 go ahead\r\n";
        if self.answer(Stage::Data, reply)? != 3 {
            return Ok(());
        }
        (self.note)(&mut |seen| seen.messages.push(message.clone()));
        self.body()?;
        let class = self.answer(Stage::Dot, "250 2.0.0 taken\r\n")?;
        (self.note)(&mut |seen| seen.messages.last_mut().unwrap().class = Some(class));
        self.recipients.clear();
        Ok(())
    }

    /// Reads mail data up to CRLF.CRLF, with the act of this stage after the first octets.
    fn body(&mut self) -> Result<(), Over> {
        let mut body: Vec<u8> = Vec::new();
        let mut acted = false;
        loop {
            if self.input.is_empty() {
                self.fill()?;
            }
            let known = body.len();
            let fresh = std::mem::take(&mut self.input);
            body.extend_from_slice(&fresh);
            let end = end_of_data(&body, known);
            if let Some(end) = end {
                self.input = body.split_off(end + b".\r\n".len());
            }
            (self.note)(&mut |seen| {
                let message = seen.messages.last_mut().unwrap();
                message.body.extend_from_slice(&fresh);
                if let Some(end) = end {
                    message.body.truncate(end);
                    message.dotted = true;
                }
            });
            if end.is_some() {
                return Ok(());
            }
            if !acted {
                acted = true;
                self.act(Stage::Body, "")?;
            }
        }
    }

    /// The reply of a stage, or its act; returns the first digit of the last reply.
    fn answer(&mut self, stage: Stage, usual: &str) -> Result<u16, Over> {
        if !self.input.is_empty() {
            (self.note)(&mut |seen| seen.pipelined = true);
        }
        self.act(stage, usual).map(|said| class(&said))
    }

    fn act(&mut self, stage: Stage, usual: &str) -> Result<Vec<u8>, Over> {
        let usual = usual.as_bytes();
        let turn = self.reached.entry(stage).or_default();
        let meant = self.script.when.contains(turn);
        *turn += 1;
        let Some(act) = self.script.acts.get(&stage).filter(|_| meant) else {
            say(&self.stream, usual)?;
            return Ok(usual.to_vec());
        };
        let acted = || self.shared.change(|state| state.acted += 1);
        match act {
            Act::Say(octets) => {
                say(&self.stream, octets)?;
                acted();
                Ok(octets.clone())
            }
            Act::Add(octets) => {
                say(&self.stream, &[usual, octets].concat())?;
                acted();
                Ok(usual.to_vec())
            }
            Act::SayAndClose(octets) => {
                say(&self.stream, octets)?;
                self.fin()?;
                Ok(octets.clone())
            }
            Act::Close => {
                self.fin()?;
                Ok(Vec::new())
            }
            Act::Reset => {
                reset(&self.stream);
                Err(Over(End::Script))
            }
            Act::SayAndReset(octets) => {
                say(&self.stream, octets)?;
                if stage == Stage::Dot {
                    (self.note)(&mut |seen| {
                        seen.messages.last_mut().unwrap().class = Some(class(octets));
                    });
                }
                reset(&self.stream);
                Err(Over(End::Script))
            }
            Act::Hold => {
                acted();
                self.shared.until(|state| state.released.then_some(()));
                say(&self.stream, usual)?;
                Ok(usual.to_vec())
            }
        }
    }

    /// Nothing more will be said; what still comes is read and written down.
    fn fin(&self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)?;
        self.shared.change(|state| state.acted += 1);
        Ok(())
    }

    fn line(&mut self) -> Result<String, Over> {
        loop {
            if let Some(at) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..at + 2).take(at).collect();
                let clean = line.iter().all(|octet| matches!(octet, b' '..=b'~'));
                let text = String::from_utf8_lossy(&line).into_owned();
                (self.note)(&mut |seen| {
                    seen.commands.push(text.clone());
                    if !clean {
                        seen.breaches.push(format!("command {text:?}"));
                    }
                });
                return Ok(text);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), Over> {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer)?;
        if count == 0 {
            return Err(Over(End::Left));
        }
        self.input.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}

/// The first digit of a reply.
fn class(reply: &[u8]) -> u16 {
    reply
        .first()
        .map_or(0, |digit| u16::from(digit.wrapping_sub(b'0')))
}

/// Where the line of the final dot begins; `known` octets were searched before.
fn end_of_data(body: &[u8], known: usize) -> Option<usize> {
    if body.starts_with(b".\r\n") {
        return Some(0);
    }
    let from = known.saturating_sub(4);
    let found = memchr::memmem::find(&body[from..], b"\r\n.\r\n")?;
    Some(from + found + 2)
}
