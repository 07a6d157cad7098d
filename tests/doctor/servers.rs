//! Machines of the small internet that are no mail server: one that drops what comes, a web server with one page, one that
//! answers ident, and an SMTP server that minds no order.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::certificates::Pair;

/// A port that drops connections, as a firewall does: its queue is full, and nobody takes from it.
#[derive(Debug)]
pub(crate) struct Dropping {
    pub(crate) address: SocketAddr,
    _held: Vec<Socket>,
}

impl Dropping {
    pub(crate) fn start() -> Self {
        let stream = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = stream();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        // The kernel keeps one more than it was told; from then on it drops.
        let mut held = vec![listener];
        for _ in 0..4 {
            let filler = stream();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&address.into());
            held.push(filler);
        }
        Self {
            address,
            _held: held,
        }
    }
}

/// A port that refuses connections at once: it is taken, and nobody listens.
#[derive(Debug)]
pub(crate) struct Refusing {
    pub(crate) address: SocketAddr,
    _held: Socket,
}

impl Refusing {
    pub(crate) fn start() -> Self {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        held.bind(&any.into()).unwrap();
        let address = held.local_addr().unwrap().as_socket().unwrap();
        Self {
            address,
            _held: held,
        }
    }
}

/// Serves connections one after the other, each as `serve` says, as long as the test runs.
fn serve(serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve(stream);
        }
    });
    address
}

/// A web server that answers every request with `body`, under TLS.
pub(crate) fn web(pair: &Pair, body: &str) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let chain = vec![CertificateDer::from(pair.certificate_der.clone())];
    let key = PrivateKeyDer::try_from(pair.key_der.clone()).unwrap();
    let config = Arc::new(config.with_single_cert(chain, key).unwrap());
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    serve(move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = StreamOwned::new(session, stream);
        let mut request = Vec::new();
        let mut octet = [0];
        while !request.ends_with(b"\r\n\r\n") && tls.read(&mut octet)? == 1 {
            request.extend_from_slice(&octet);
        }
        if request.starts_with(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n") {
            tls.write_all(answer.as_bytes())?;
        }
        tls.flush()
    })
}

/// An SMTP server called `name` that takes everything for `domain`, in any order, and offers TLS that it does not have.
pub(crate) fn disorderly(name: &'static str, domain: &'static str) -> SocketAddr {
    serve(move |mut stream| {
        let lines = BufReader::new(stream.try_clone()?).lines();
        write!(stream, "220 {name} ESMTP\r\n")?;
        for line in lines {
            let line = line?;
            let answer = match line.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" => {
                    format!("250-{name}\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 SIZE 52428800\r\n")
                }
                "STARTTLS" => {
                    stream.write_all(b"220 2.0.0 go ahead\r\n")?;
                    stream.read_exact(&mut [0; 5])?;
                    stream.write_all(b"what is this?\r\n")?;
                    break;
                }
                "RCPT" if !line.contains(domain) => "550 5.7.1 no\r\n".to_owned(),
                "QUIT" => {
                    stream.write_all(b"221 2.0.0 bye\r\n")?;
                    break;
                }
                _ => "250 2.0.0 as you like\r\n".to_owned(),
            };
            stream.write_all(answer.as_bytes())?;
        }
        Ok(())
    })
}

/// A mail exchanger that counts who comes, and greets nobody until it is opened; then it says yes to everything.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    /// How many have come, and whether it is open.
    state: Arc<(Mutex<(usize, bool)>, Condvar)>,
}

impl Gate {
    pub(crate) fn start(name: &'static str) -> Self {
        let state = Arc::new((Mutex::new((0, false)), Condvar::new()));
        let known = Arc::clone(&state);
        let address = serve(move |mut stream| {
            let (lock, opened) = &*known;
            let mut state = lock.lock().unwrap();
            state.0 += 1;
            drop(opened.wait_while(state, |(_, open)| !*open).unwrap());
            let lines = BufReader::new(stream.try_clone()?).lines();
            write!(stream, "220 {name} ESMTP\r\n")?;
            for line in lines {
                if line?.starts_with("QUIT") {
                    break;
                }
                write!(stream, "250 {name}\r\n")?;
            }
            Ok(())
        });
        Self { address, state }
    }

    /// How many have come.
    pub(crate) fn came(&self) -> usize {
        self.state.0.lock().unwrap().0
    }

    pub(crate) fn open(&self) {
        self.state.0.lock().unwrap().1 = true;
        self.state.1.notify_all();
    }
}
