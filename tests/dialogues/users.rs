//! A backend that users log in to: it writes down everything it is told, and the password says what it does.
//!
//! `secret` is right; `later`, `closing`, `cut`, `babble`, `odd`, `garbled`, `endless` are ways in which a backend fails; any
//! other is wrong. To a recipient `cut@` it closes. It believes what stands in a PROXY header and looks at nothing else.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use gatepost::app::tasks::Tasks;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};

/// What it has heard.
#[derive(Debug, Default)]
pub(crate) struct Users {
    heard: Mutex<Vec<String>>,
    open: AtomicUsize,
}

impl Users {
    /// Serves on a port of its own.
    pub(crate) async fn serve(tasks: &Tasks) -> std::io::Result<(Arc<Self>, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let users = Arc::new(Self::default());
        let (us, more) = (Arc::clone(&users), tasks.clone());
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                us.open.fetch_add(1, Ordering::SeqCst);
                let us = Arc::clone(&us);
                more.spawn(async move {
                    // Whoever goes away in the midst of it has said what it had to say.
                    let _ = us.talk(stream).await;
                    us.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok((users, address))
    }

    /// Whether every connection has ended.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }

    /// Forgets what it has heard, once all who said it have gone.
    pub(crate) async fn forget(&self) {
        while !self.is_idle() {
            tokio::task::yield_now().await;
        }
        self.heard.lock().unwrap().clear();
    }

    /// Line by line, in the order of connections as long as there is one at a time.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    async fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufStream::new(stream);
        let mut head = [0; 28];
        stream.read_exact(&mut head).await?;
        let client = IpAddr::from([head[16], head[17], head[18], head[19]]);
        self.heard.lock().unwrap().push(format!("PROXY {client}"));
        say(&mut stream, "220 users").await?;
        let mut asked: Vec<String> = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end_matches("\r\n").to_owned();
            self.heard.lock().unwrap().push(line.clone());
            let reply = match asked.is_empty() {
                true => answer(&line, &mut asked),
                false => go_on(&line, &mut asked),
            };
            let Some(reply) = reply else {
                return Ok(());
            };
            say(&mut stream, &reply).await?;
            if reply.starts_with("354") {
                loop {
                    let line = line_of(&mut stream).await?;
                    // What gatepost put before the message.
                    if line.starts_with("Received:") || line.starts_with('\t') {
                        self.heard.lock().unwrap().push(line.clone());
                    }
                    if line == "." {
                        break;
                    }
                }
                say(&mut stream, "250 2.0.0 Kept").await?;
            }
            if reply.starts_with("221") || reply.starts_with("421") {
                return Ok(());
            }
        }
    }
}

async fn line_of(stream: &mut BufStream<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

async fn say(stream: &mut BufStream<TcpStream>, reply: &str) -> std::io::Result<()> {
    stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    stream.flush().await
}

/// The reply to a command; nothing where the connection is closed.
fn answer(line: &str, asked: &mut Vec<String>) -> Option<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let keywords = "250-users\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN SCRAM-SHA-256 GSSAPI ANONYMOUS\r\n250 PIPELINING";
    let reply = match words.as_slice() {
        ["EHLO", _] => keywords,
        ["AUTH", "PLAIN", response] => return verdict(&password(response), asked),
        ["AUTH", "LOGIN", name] => return ask(asked, &["LOGIN", name], "UGFzc3dvcmQ6"),
        ["AUTH", "PLAIN"] => return ask(asked, &["PLAIN"], ""),
        ["AUTH", "LOGIN"] => return ask(asked, &["LOGIN"], "VXNlcm5hbWU6"),
        ["AUTH", ..] => return ask(asked, &["OTHER"], "Z28gb24="),
        ["RCPT", to] if to.contains("cut@") => return None,
        ["RCPT", to] if to.contains("nobody@") => "550 5.1.1 No such user",
        ["DATA"] => "354 Go ahead",
        ["QUIT"] => "221 Bye",
        _ => "250 2.0.0 OK",
    };
    Some(reply.to_owned())
}

/// The reply to a response.
fn go_on(line: &str, asked: &mut Vec<String>) -> Option<String> {
    let so_far: Vec<&str> = asked.iter().map(String::as_str).collect();
    match so_far.as_slice() {
        ["LOGIN"] => {
            asked.push(line.to_owned());
            Some("334 UGFzc3dvcmQ6".to_owned())
        }
        _ => {
            let said = match so_far.first() {
                Some(&"PLAIN") => password(line),
                _ => String::from_utf8(BASE64.decode(line.as_bytes()).unwrap()).unwrap(),
            };
            asked.clear();
            verdict(&said, asked)
        }
    }
}

fn ask(asked: &mut Vec<String>, so_far: &[&str], challenge: &str) -> Option<String> {
    asked.extend(so_far.iter().map(ToString::to_string));
    Some(format!("334 {challenge}"))
}

fn password(response: &str) -> String {
    let decoded = BASE64.decode(response.as_bytes()).unwrap();
    let parts: Vec<&[u8]> = decoded.split(|octet| *octet == 0).collect();
    String::from_utf8(parts.last().unwrap().to_vec()).unwrap()
}

fn verdict(password: &str, asked: &mut Vec<String>) -> Option<String> {
    let reply = match password {
        "secret" => "235 2.7.0 Welcome",
        "later" => "435 4.7.0 Nobody can tell at present",
        "closing" => "421 4.3.2 Going down",
        "babble" => "this is no reply",
        "odd" => "250 2.0.0 Fine",
        "garbled" => "334 Tell me more",
        "endless" => return ask(asked, &["OTHER"], "bW9yZQ=="),
        "cut" => return None,
        _ => "535 5.7.8 Wrong",
    };
    Some(reply.to_owned())
}
