//! A peer that follows Postfix's grammar of XCLIENT (XCLIENT_README, smtpd.c): told each client's address, or no mail.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use gatepost::config::{ClientAddress, Config};

use crate::client::Client;
use crate::gate::Gate;

const ALL: &str = "NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT";
const BODY: &[u8] = b"Subject: test\r\n\r\nHello.\r\n";

/// What Postfix takes a client for: the attributes of its last XCLIENT.
type Attributes = BTreeMap<String, String>;

/// A message, as who sent it.
#[derive(Clone, Debug)]
struct Taken {
    client: Attributes,
    helo: String,
}

#[derive(Debug, Default)]
struct Seen {
    taken: Vec<Taken>,
    /// What no peer of Postfix may send.
    breaches: Vec<String>,
    mails: usize,
}

struct Postfix {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

/// How it differs from one that is set up right.
#[derive(Clone, Copy)]
struct Manner {
    /// What it offers behind XCLIENT, if it offers it.
    offers: Option<&'static str>,
    /// What it says to XCLIENT instead of its greeting.
    says: Option<&'static str>,
}

impl Postfix {
    fn start(manner: Manner) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in socket.incoming() {
                let (stream, noted) = (stream.unwrap(), Arc::clone(&noted));
                thread::spawn(move || {
                    let _ = Session::new(&stream, manner, &noted).talk();
                });
            }
        });
        Self { address, seen }
    }

    fn gate(&self) -> Gate {
        Gate::start(self.address, |config: &mut Config| {
            for backend in config.backend.values_mut() {
                backend.client_address = ClientAddress::Xclient;
            }
        })
    }
}

struct Session<'a> {
    input: BufReader<&'a TcpStream>,
    output: &'a TcpStream,
    manner: Manner,
    seen: &'a Mutex<Seen>,
    client: Attributes,
    helo: Option<String>,
    in_transaction: bool,
}

impl<'a> Session<'a> {
    fn new(stream: &'a TcpStream, manner: Manner, seen: &'a Mutex<Seen>) -> Self {
        Self {
            input: BufReader::new(stream),
            output: stream,
            manner,
            seen,
            client: Attributes::new(),
            helo: None,
            in_transaction: false,
        }
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        self.output.write_all(format!("{reply}\r\n").as_bytes())
    }

    fn breach(&self, what: &str) {
        self.seen.lock().unwrap().breaches.push(what.to_owned());
    }

    fn talk(&mut self) -> io::Result<()> {
        self.say("220 mail.example.com ESMTP Postfix")?;
        let mut line = String::new();
        while self.input.read_line(&mut line)? > 0 {
            if line.len() > 512 {
                self.breach(&line);
            }
            let text = line.trim_end().to_owned();
            line.clear();
            let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
            match verb {
                "EHLO" => {
                    self.helo = Some(rest.to_owned());
                    let xclient = self
                        .manner
                        .offers
                        .map(|all| format!("250-XCLIENT {all}\r\n"));
                    let xclient = xclient.unwrap_or_default();
                    self.say(&format!(
                        "250-mail.example.com\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-ETRN\r\n\
                         {xclient}250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 DSN"
                    ))?;
                }
                "XCLIENT" => self.xclient(rest)?,
                "QUIT" => return self.say("221 2.0.0 Bye"),
                _ if self.helo.is_none() => {
                    self.breach(&text);
                    self.say("503 5.5.1 Error: send HELO/EHLO first")?;
                }
                "MAIL" => {
                    self.in_transaction = true;
                    // gatepost's own question does not count.
                    let own = self.client.get("ADDR").is_some_and(|it| it == "192.0.2.1");
                    self.seen.lock().unwrap().mails += usize::from(!own);
                    self.say("250 2.1.0 Ok")?;
                }
                "RCPT" => self.say("250 2.1.5 Ok")?,
                "RSET" => {
                    self.in_transaction = false;
                    self.say("250 2.0.0 Ok")?;
                }
                "DATA" => self.data()?,
                _ => self.say("502 5.5.2 Error: command not recognized")?,
            }
        }
        Ok(())
    }

    fn xclient(&mut self, rest: &str) -> io::Result<()> {
        if self.in_transaction {
            self.breach("XCLIENT in a transaction");
            return self.say("503 5.5.1 Error: MAIL transaction in progress");
        }
        if let Some(says) = self.manner.says {
            return self.say(says);
        }
        let attributes: Option<Attributes> =
            rest.split(' ').map(|one| self.attribute(one)).collect();
        let Some(attributes) = attributes else {
            self.breach(rest);
            return self.say("501 5.5.4 Bad XCLIENT attribute");
        };
        self.client = attributes;
        self.helo = None;
        self.say("220 mail.example.com ESMTP Postfix")
    }

    /// One attribute, decoded, if it is offered and its value is good.
    fn attribute(&self, text: &str) -> Option<(String, String)> {
        let (name, value) = text.split_once('=')?;
        let offered = self.manner.offers?.split(' ').any(|one| one == name);
        let value = unquoted(value)?;
        let unknown = value == "[UNAVAILABLE]";
        let good = match name {
            "NAME" => unknown || value == "[TEMPUNAVAIL]" || value.contains('.'),
            "ADDR" => match value.strip_prefix("IPV6:") {
                Some(six) => six.parse::<Ipv6Addr>().is_ok(),
                None => value.parse::<Ipv4Addr>().is_ok(),
            },
            "PORT" => value.parse::<u16>().is_ok(),
            "PROTO" => matches!(&*value, "SMTP" | "ESMTP"),
            "HELO" => unknown || !value.is_empty(),
            _ => false,
        };
        (offered && good).then(|| (name.to_owned(), value))
    }

    fn data(&mut self) -> io::Result<()> {
        self.say("354 End data with <CR><LF>.<CR><LF>")?;
        let mut line = String::new();
        while line != ".\r\n" {
            line.clear();
            self.input.read_line(&mut line)?;
        }
        self.in_transaction = false;
        let taken = Taken {
            client: self.client.clone(),
            helo: self.helo.clone().unwrap_or_default(),
        };
        self.seen.lock().unwrap().taken.push(taken);
        self.say("250 2.0.0 Ok: queued as 4ABC")
    }
}

/// xtext (RFC 3461 section 4).
fn unquoted(text: &str) -> Option<String> {
    let mut octets = text.bytes();
    let mut plain = Vec::new();
    while let Some(octet) = octets.next() {
        plain.push(match octet {
            b'+' => {
                let digits = [octets.next()?, octets.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'=' => return None,
            octet => octet,
        });
    }
    String::from_utf8(plain).ok()
}

fn right(offers: &'static str) -> Manner {
    Manner {
        offers: Some(offers),
        says: None,
    }
}

/// Sends a message as a client at `address`; what Postfix took it for.
#[track_caller]
fn deliver(postfix: &Postfix, address: &str, hello: &str) -> Taken {
    let gate = postfix.gate();
    let mut client = Client::greeted_as(gate.address, address);
    client.command(hello).expect("250");
    for recipient in ["first@example.com", "second@example.com"] {
        client.open(recipient);
        client.message(BODY).expect("250 2.0.0 Ok");
    }
    client.quit(false);
    gate.stop(1);
    let mut seen = postfix.seen.lock().unwrap();
    assert_eq!(seen.breaches, [""; 0]);
    assert_eq!(seen.taken.len(), 2, "{seen:?}");
    seen.taken.pop().unwrap()
}

#[test]
fn postfix_is_told_the_client() {
    for (address, told) in [
        ("192.0.2.77", "192.0.2.77"),
        ("2001:db8::77", "IPV6:2001:db8::77"),
    ] {
        let postfix = Postfix::start(right(ALL));
        let taken = deliver(&postfix, address, "EHLO client.example.net");
        let value = |name: &str| taken.client.get(name).map(String::as_str);
        assert_eq!(value("ADDR"), Some(told));
        assert_eq!(value("PROTO"), Some("ESMTP"));
        assert_eq!(value("HELO"), Some("client.example.net"));
        assert_eq!(value("NAME"), Some("[UNAVAILABLE]"), "nobody looked");
        assert!(value("PORT").is_some_and(|port| port != "25"));
        assert_eq!(taken.helo, "client.example.net");
    }
}

#[test]
fn after_helo_it_is_told_so_and_nothing_that_it_does_not_take() {
    let postfix = Postfix::start(right("ADDR PROTO"));
    let taken = deliver(&postfix, "192.0.2.77", "HELO client.example.net");
    let expected = [("ADDR", "192.0.2.77"), ("PROTO", "SMTP")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(taken.client, Attributes::from(expected));
}

/// It would take every client for gatepost, which it may trust: no mail, and whose fault it is, is said.
#[test]
fn without_xclient_there_is_no_mail() {
    for manner in [
        Manner {
            offers: None,
            says: None,
        },
        right("NAME HELO"),
        Manner {
            offers: Some(ALL),
            says: Some("550 5.7.0 Error: insufficient authorization"),
        },
        Manner {
            offers: Some(ALL),
            says: Some("501 5.5.4 Bad ADDR syntax: 192.0.2.77"),
        },
        Manner {
            offers: Some(ALL),
            says: Some("250 2.0.0 Ok"),
        },
    ] {
        let postfix = Postfix::start(manner);
        let gate = postfix.gate();
        let mut client = Client::greeted(gate.address);
        client.mail();
        client.rcpt("user@example.com").expect("451 4.3.2");
        client.quit(false);
        gate.stop(1);
        let seen = postfix.seen.lock().unwrap();
        assert_eq!((seen.mails, seen.breaches.len()), (0, 0), "{seen:?}");
    }
}

/// Postfix gives loopback the rights of its own host, whoever says that it is there.
#[test]
fn a_loopback_client_is_not_announced() {
    let postfix = Postfix::start(right(ALL));
    let gate = postfix.gate();
    let mut client = Client::greeted_as(gate.address, "127.0.0.1");
    client.mail();
    client.rcpt("user@example.com").expect("451 4.3.5");
    client.quit(false);
    gate.stop(1);
    assert_eq!(postfix.seen.lock().unwrap().mails, 0);
}
