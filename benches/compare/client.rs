//! The clients: polite, each waits for every reply.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme, crypto,
};

/// How a session goes.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// A message, without TLS.
    Plain,
    /// A message, with TLS from the first octet.
    Tls,
    /// No message.
    Greeting,
    /// No message, with TLS from the first octet and a whole handshake.
    Full,
    /// The same, but each handshake resumes the session before it.
    Resumed,
}

impl Mode {
    const fn resumes(self) -> bool {
        matches!(self, Self::Resumed)
    }
}

/// A case and how much of it is one round.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) mode: Mode,
    /// Size of the message.
    pub(crate) octets: usize,
    pub(crate) sessions: usize,
    pub(crate) clients: usize,
}

/// Plays one round at `server`. Every client has an address of its own.
pub(crate) async fn play(case: Case, server: SocketAddr, round: usize) {
    let message: Arc<[u8]> = message(case.octets).into();
    let clients = (0..case.clients).map(|number| {
        let message = Arc::clone(&message);
        // Its own: a ticket is used once, and by the client that was given it.
        let tls = connector(case.mode.resumes());
        tokio::spawn(async move {
            let from = SocketAddr::from(([127, 8, (round % 250) as u8, number as u8 + 1], 0));
            for turn in 0..case.sessions / case.clients {
                let resumed = session(case.mode, server, from, &message, &tls).await;
                assert_eq!(resumed, case.mode.resumes() && turn > 0);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

/// Whether its handshake was a resumed one.
async fn session(
    mode: Mode,
    server: SocketAddr,
    from: SocketAddr,
    message: &[u8],
    tls: &TlsConnector,
) -> bool {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(from).unwrap();
    let stream: TcpStream = socket.connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    if matches!(mode, Mode::Plain | Mode::Greeting) {
        match mode {
            Mode::Plain => deliver(stream, message).await,
            _ => greeting(stream).await,
        }
        return false;
    }
    let name = ServerName::try_from("mx.example.com").unwrap();
    let stream = tls.connect(name, stream).await.unwrap();
    let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
    match mode {
        Mode::Tls => deliver(stream, message).await,
        _ => greeting(stream).await,
    }
    resumed
}

async fn greeting(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    expect(&mut stream, b"220").await;
    stream.write_all(b"QUIT\r\n").await.unwrap();
    expect(&mut stream, b"221").await;
}

async fn deliver(mut stream: impl AsyncRead + AsyncWrite + Unpin, message: &[u8]) {
    expect(&mut stream, b"220").await;
    for (line, code) in [
        ("EHLO mail.example.org\r\n", b"250"),
        ("MAIL FROM:<ada@example.org>\r\n", b"250"),
        ("RCPT TO:<bob@example.com>\r\n", b"250"),
        ("DATA\r\n", b"354"),
    ] {
        stream.write_all(line.as_bytes()).await.unwrap();
        expect(&mut stream, code).await;
    }
    stream.write_all(message).await.unwrap();
    expect(&mut stream, b"250").await;
    stream.write_all(b"QUIT\r\n").await.unwrap();
    expect(&mut stream, b"221").await;
}

/// Reads a reply; the servers here write each in one piece.
async fn expect(stream: &mut (impl AsyncRead + Unpin), code: &[u8]) {
    let mut octets = [0; 1024];
    let read = stream.read(&mut octets).await.unwrap();
    let said = octets.get(..read).unwrap_or_default();
    assert!(said.starts_with(code), "{}", said.escape_ascii());
}

fn message(octets: usize) -> Vec<u8> {
    let mut message = b"Subject: bench\r\n\r\n".to_vec();
    while message.len() < octets {
        message.extend_from_slice(
            b"All work and no play makes Jack a dull boy, as they say everywhere.\r\n",
        );
    }
    message.extend_from_slice(b".\r\n");
    message
}

/// TLS that believes any certificate, and resumes sessions or none.
fn connector(resumes: bool) -> TlsConnector {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believer(provider)))
        .with_no_client_auth();
    client.resumption = match resumes {
        true => Resumption::in_memory_sessions(256),
        false => Resumption::disabled(),
    };
    TlsConnector::from(Arc::new(client))
}

#[derive(Debug)]
struct Believer(Arc<crypto::CryptoProvider>);

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
