//! A small SMTP client that does exactly what a test tells it, right or wrong.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reply: its code, and its lines as they came, codes included, without CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The reply code of the last line.
    pub(crate) code: u16,
    /// The lines.
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// All lines together.
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Fails the test, with what was said instead, if the code is another.
    #[track_caller]
    pub(crate) fn expect(self, code: u16) -> Self {
        assert_eq!(self.code, code, "{}", self.text());
        self
    }

    /// Fails the test, with what was said instead, if the text does not contain `part`.
    #[track_caller]
    pub(crate) fn containing(self, part: &str) -> Self {
        assert!(
            self.text().contains(part),
            "no {part:?} in {:?}",
            self.text()
        );
        self
    }

    /// Fails the test, with what was said instead, if the code is not 5xx.
    #[track_caller]
    pub(crate) fn permanent(self) -> Self {
        assert!(
            (500..600).contains(&self.code),
            "not permanent: {}",
            self.text()
        );
        self
    }

    /// Fails the test, with what was said instead, if the code is not 4xx.
    #[track_caller]
    pub(crate) fn transient(self) -> Self {
        assert!(
            (400..500).contains(&self.code),
            "not transient: {}",
            self.text()
        );
        self
    }
}

/// An open SMTP connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Client {
    /// Connects, and says nothing.
    pub(crate) fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).expect("somebody listens there");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_nodelay(true).expect("TCP has this option");
        Self {
            stream,
            input: Vec::new(),
        }
    }

    /// Connects and says, in a PROXY header (version 1), that `client` did.
    pub(crate) fn connect_as(server: SocketAddr, client: &str) -> Self {
        let mut connection = Self::connect(server);
        connection.send(proxy_header(client));
        connection
    }

    /// Connects as `client`, waits for the greeting, and says EHLO.
    pub(crate) fn greeted(server: SocketAddr, client: &str) -> Self {
        let mut connection = Self::connect_as(server, client);
        connection.reply().expect(220);
        connection.command("EHLO client.example.net").expect(250);
        connection
    }

    /// Sends octets as they are.
    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream
            .write_all(octets.as_ref())
            .expect("the other side reads");
    }

    /// Sends a command line and reads the reply.
    #[track_caller]
    pub(crate) fn command(&mut self, line: &str) -> Reply {
        self.send(format!("{line}\r\n"));
        self.reply()
    }

    /// Says MAIL, RCPT for each recipient, DATA and the message, and returns the reply to it. All must go well.
    #[track_caller]
    pub(crate) fn mail(&mut self, recipients: &[&str], message: &[u8]) -> Reply {
        self.command("MAIL FROM:<sender@example.net>").expect(250);
        for recipient in recipients {
            self.command(&format!("RCPT TO:<{recipient}>")).expect(250);
        }
        self.command("DATA").expect(354);
        self.message(message)
    }

    /// Sends a message whose lines end in CRLF, dot-stuffed (RFC 5321 section 4.5.2), then the end of mail data, and
    /// reads the reply.
    pub(crate) fn message(&mut self, message: &[u8]) -> Reply {
        self.send(stuffed(message));
        self.send(".\r\n");
        self.reply()
    }

    /// Reads one reply, all its lines.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let line = line.unwrap_or_else(|error| panic!("no reply after {lines:?}: {error}"));
            let more = line.as_bytes().get(3) == Some(&b'-');
            let code = line.get(..3).and_then(|code| code.parse().ok());
            lines.push(line);
            let code = code.unwrap_or_else(|| panic!("not a reply: {lines:?}"));
            if !more {
                return Reply { code, lines };
            }
        }
    }

    /// Reads until the other side closes, and returns what it still said. An end by reset counts as closed.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> String {
        loop {
            match self.fill() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("the connection is not closed: {error}"),
            }
        }
        String::from_utf8_lossy(&self.input).into_owned()
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.input[..end]).into_owned();
                self.input.drain(..end + 2);
                return Ok(line);
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer)?;
        self.input.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

/// The PROXY header, version 1, of a connection from `client`.
pub(crate) fn proxy_header(client: &str) -> String {
    match client.parse().expect("an address") {
        IpAddr::V4(client) => format!("PROXY TCP4 {client} 192.0.2.25 51234 25\r\n"),
        IpAddr::V6(client) => format!("PROXY TCP6 {client} 2001:db8::25 51234 25\r\n"),
    }
}

/// Writes a second dot before each line that begins with one.
fn stuffed(message: &[u8]) -> Vec<u8> {
    assert!(message.ends_with(b"\r\n"), "a message ends with CRLF");
    let mut out = Vec::with_capacity(message.len() + message.len() / 64);
    for line in message.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out
}
