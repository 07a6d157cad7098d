//! Tests of TLS toward the backend, over loopback.

use std::time::SystemTime;

use tokio::net::TcpListener;

use super::*;
use crate::net::stream::Stream;
use crate::net::tls;
use crate::net::tls::hello::Reader;

const NAME: &str = "mail.example.com";

/// A server with a certificate of its own, and the file that vouches for it.
fn server() -> (tls::Acceptor, tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let settings = tls::Settings {
        hostname: NAME.to_owned(),
        state_directory: folder.path().to_owned(),
        ..tls::Settings::default()
    };
    let acceptor = tls::load(settings, SystemTime::now()).unwrap();
    let file = folder.path().join("self-signed.pem");
    (acceptor, folder, file)
}

/// The handshake with that server, which is said to be at `address`, or where it is.
async fn shake(
    connector: &Connector,
    acceptor: &tls::Acceptor,
    address: Option<&str>,
) -> io::Result<Stream> {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = socket.local_addr().unwrap();
    let tcp = TcpStream::connect(there).await.unwrap();
    let (accepted, _) = socket.accept().await.unwrap();
    let address = address.map_or(there, |address| address.parse().unwrap());
    let server = async {
        let mut stream = Stream::plain(accepted);
        let hello = Reader::default().read(&mut stream).await;
        let hello = hello.map_err(|no| no.error)?;
        stream.starttls(hello, acceptor, None).await
    };
    let (secured, _) = tokio::join!(Stream::plain(tcp).secure(connector, address), server);
    secured
}

fn full<'a>(name: &'a str, roots: &'a Path) -> Trust<'a> {
    Trust::Full {
        name,
        roots: Some(roots),
    }
}

#[tokio::test]
async fn the_name_and_the_root_must_be_right() {
    let (acceptor, _folder, file) = server();
    let connector = Connector::new(full(NAME, &file)).unwrap();
    let secured = shake(&connector, &acceptor, None).await.unwrap();
    assert!(secured.is_tls());

    for name in ["other.example.com", "127.0.0.1"] {
        let connector = Connector::new(full(name, &file)).unwrap();
        let error = shake(&connector, &acceptor, None).await.unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{error}");
    }
    let (_, _folder, another) = server();
    let connector = Connector::new(full(NAME, &another)).unwrap();
    let error = shake(&connector, &acceptor, None).await.unwrap_err();
    assert!(
        error.to_string().contains("invalid peer certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn without_verification_there_is_only_loopback() {
    let (acceptor, ..) = server();
    let connector = Connector::new(Trust::LoopbackOnly).unwrap();
    for address in [None, Some("[::1]:25"), Some("[::ffff:127.0.0.9]:25")] {
        let secured = shake(&connector, &acceptor, address).await;
        assert!(secured.unwrap().is_tls());
    }
    for address in ["192.0.2.1:25", "[2001:db8::1]:25", "[::ffff:192.0.2.1]:25"] {
        let error = shake(&connector, &acceptor, Some(address)).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("not on loopback"), "{error}");
    }
}

#[test]
fn what_can_not_be_used_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let problem = |file: &Path, name: &str| Connector::new(full(name, file)).unwrap_err();
    let told = problem(&file, NAME).to_string();
    assert!(told.contains("ca.pem: No such file"), "{told}");
    for text in ["", "no certificate\n"] {
        std::fs::write(&file, text).unwrap();
        let told = problem(&file, NAME).to_string();
        assert!(told.contains("ca.pem: there is none"), "{told}");
    }
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&file, garbage).unwrap();
    assert!(matches!(problem(&file, NAME), TrustProblem::Roots { .. }));
    let (_, _folder, good) = server();
    assert!(matches!(
        problem(&good, "no name"),
        TrustProblem::Name(name) if name == "no name"
    ));
}
