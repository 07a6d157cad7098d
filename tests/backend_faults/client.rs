//! A client that waits for each reply, keeps account of what it was told, and can vanish in several ways.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::backend::{PATIENCE, reset};

/// Whom the PROXY header names.
pub(crate) const ADDRESS: &str = "192.0.2.77";

/// A reply, its lines without CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply(pub(crate) Vec<String>);

impl Reply {
    /// Its first digit.
    pub(crate) fn class(&self) -> char {
        self.0[0].chars().next().unwrap()
    }

    /// Fails the test if its first line does not begin with code and enhanced code as `expected`.
    #[track_caller]
    pub(crate) fn expect(&self, expected: &str) {
        assert!(
            self.0[0].starts_with(expected),
            "{expected} is not {self:?}"
        );
    }
}

/// A transaction as the client sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    /// Recipients answered with 2xx.
    pub(crate) accepted: Vec<String>,
    /// Mail data, without the final dot.
    pub(crate) body: Vec<u8>,
    /// Whether the final dot was sent.
    pub(crate) dotted: bool,
    /// What the message was answered with.
    pub(crate) verdict: Option<Reply>,
}

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    Fin,
    Rst,
    /// Its output ends, but it still reads.
    Half,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    pub(crate) sent: Vec<Sent>,
}

impl Client {
    /// Connects, says who it is, and reads nothing yet.
    pub(crate) fn connected(server: SocketAddr) -> Self {
        Self::connected_as(server, ADDRESS)
    }

    fn connected_as(server: SocketAddr, address: &str) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self {
            stream,
            input: Vec::new(),
            sent: Vec::new(),
        };
        let (family, local) = match address.contains(':') {
            true => ("TCP6", "2001:db8::25"),
            false => ("TCP4", "192.0.2.25"),
        };
        client.send(format!("PROXY {family} {address} {local} 51234 25\r\n"));
        client
    }

    /// Connects, and waits for the replies to greeting and EHLO.
    #[track_caller]
    pub(crate) fn greeted(server: SocketAddr) -> Self {
        Self::greeted_as(server, ADDRESS)
    }

    /// As [`Client::greeted`], under another address.
    #[track_caller]
    pub(crate) fn greeted_as(server: SocketAddr, address: &str) -> Self {
        let mut client = Self::connected_as(server, address);
        client.reply().expect("220");
        client.command("EHLO client.example.net").expect("250");
        client
    }

    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).unwrap();
    }

    #[track_caller]
    pub(crate) fn command(&mut self, line: &str) -> Reply {
        self.send(format!("{line}\r\n"));
        self.reply()
    }

    /// MAIL with parameters.
    #[track_caller]
    pub(crate) fn mail_with(&mut self, parameters: &str) {
        self.command(&format!("MAIL FROM:<sender@example.net>{parameters}"))
            .expect("250");
        self.sent.push(Sent::default());
    }

    #[track_caller]
    pub(crate) fn mail(&mut self) {
        self.mail_with("");
    }

    #[track_caller]
    pub(crate) fn rcpt(&mut self, recipient: &str) -> Reply {
        let reply = self.command(&format!("RCPT TO:<{recipient}>"));
        if reply.class() == '2' {
            self.accepted(recipient);
        }
        reply
    }

    /// Notes a recipient as answered with 2xx.
    pub(crate) fn accepted(&mut self, recipient: &str) {
        self.now().accepted.push(recipient.to_owned());
    }

    /// MAIL and RCPT, which must both be accepted.
    #[track_caller]
    pub(crate) fn open(&mut self, recipient: &str) {
        self.mail();
        self.rcpt(recipient).expect("250");
    }

    /// A part of mail data.
    pub(crate) fn body(&mut self, octets: &[u8]) {
        self.now().body.extend_from_slice(octets);
        self.send(octets);
    }

    /// The final dot, and nothing read.
    pub(crate) fn end(&mut self) {
        self.now().dotted = true;
        self.send(".\r\n");
    }

    /// The reply to the message.
    #[track_caller]
    pub(crate) fn verdict(&mut self) -> Reply {
        let reply = self.reply();
        self.now().verdict = Some(reply.clone());
        reply
    }

    /// DATA, a message and its reply.
    #[track_caller]
    pub(crate) fn message(&mut self, body: &[u8]) -> Reply {
        self.command("DATA").expect("354");
        self.body(body);
        self.end();
        self.verdict()
    }

    fn now(&mut self) -> &mut Sent {
        self.sent.last_mut().expect("a transaction is open")
    }

    /// Leaves without a word.
    pub(crate) fn leave(mut self, how: Leave) -> Vec<Sent> {
        match how {
            Leave::Fin => {}
            Leave::Rst => reset(&self.stream),
            Leave::Half => {
                self.finish_sending();
                self.closed();
            }
        }
        self.sent
    }

    /// Sends no more.
    pub(crate) fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// QUIT, unless the other side has closed already; nothing may come that was not asked for.
    #[track_caller]
    pub(crate) fn quit(mut self, closed: bool) -> Vec<Sent> {
        if !closed {
            self.command("QUIT").expect("221");
        }
        self.closed();
        self.sent
    }

    /// Reads to the end of input, whatever comes.
    pub(crate) fn end_of_input(&mut self) {
        while self.fill().is_ok_and(|count| count > 0) {}
    }

    /// Waits until the other side closes, which it must do without another word.
    #[track_caller]
    pub(crate) fn closed(&mut self) {
        match self.fill() {
            Ok(0) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            other => panic!("not closed: {other:?}"),
        }
        assert_eq!(self.input.escape_ascii().to_string(), "");
    }

    /// As [`Client::closed`], but a reset, which can take the last reply away, will not do.
    #[track_caller]
    pub(crate) fn closed_in_good_order(&mut self) {
        let end = self.fill().map_err(|error| error.kind());
        assert_eq!(end, Ok(0));
        assert_eq!(self.input.escape_ascii().to_string(), "");
    }

    /// Fails the test if a reply has come.
    #[track_caller]
    pub(crate) fn still_waits(&self) {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0; 1]).map_err(|error| error.kind());
        self.stream.set_nonblocking(false).unwrap();
        assert_eq!(peeked, Err(io::ErrorKind::WouldBlock));
    }

    /// Sends mail data until nobody takes it any more; returns how much was sent.
    pub(crate) fn body_until_blocked(&mut self, octets: &[u8]) -> usize {
        let patience = Some(Duration::from_millis(250));
        self.stream.set_write_timeout(patience).unwrap();
        let mut sent = 0;
        while let Some(rest) = octets.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        self.now().body.extend_from_slice(&octets[..sent]);
        sent
    }

    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let line = line.unwrap_or_else(|error| panic!("no reply after {lines:?}: {error}"));
            let clean = line.bytes().all(|octet| matches!(octet, b' '..=b'~'));
            assert!(clean && line.len() <= 510, "{line:?}");
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line);
            if !more {
                return Reply(lines);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line = self.input.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(io::Error::other);
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
