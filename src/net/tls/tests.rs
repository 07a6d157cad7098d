//! Tests of TLS: pairs, their choice, the self-signed certificate, handshakes in memory.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client;

use super::*;
use crate::net::Stream;
use crate::net::handshakes::Handshakes;

const HOST: &str = "mx.example.org";

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// Writes a pair for `names` and gives its files.
pub(super) fn pair(
    directory: &TempDir,
    file: &str,
    names: &[&str],
    algorithm: &'static rcgen::SignatureAlgorithm,
) -> PairFiles {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let files = PairFiles {
        chain: directory.path().join(format!("{file}.pem")),
        key: directory.path().join(format!("{file}.key")),
    };
    fs::write(&files.chain, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

fn certificate(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

/// A client that trusts exactly the certificates in `chains`; `rsa_only` takes no other signature.
fn client_config(
    chains: &[&Path],
    version: &'static SupportedProtocolVersion,
    rsa_only: bool,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for chain in chains {
        roots.add(certificate(chain)).unwrap();
    }
    let mut provider = aws_lc_rs::default_provider();
    if rsa_only {
        let rsa: Vec<_> = provider.signature_verification_algorithms.mapping.to_vec();
        let rsa: Vec<_> = rsa
            .into_iter()
            .filter(|(scheme, _)| format!("{scheme:?}").starts_with("RSA"))
            .collect();
        provider.signature_verification_algorithms.mapping = rsa.leak();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn settings(files: &[PairFiles], hostname: &str, state_directory: &Path) -> Settings {
    Settings {
        files: files.to_vec(),
        hostname: hostname.to_owned(),
        state_directory: state_directory.to_owned(),
        only_tls13: false,
    }
}

fn load(
    files: &[PairFiles],
    hostname: &str,
    state_directory: &Path,
    now: SystemTime,
) -> Result<Acceptor, TlsProblem> {
    super::load(settings(files, hostname, state_directory), now)
}

/// The whole handshake, as server.
async fn starttls(
    mut stream: Stream,
    acceptor: &Acceptor,
) -> Result<(Stream, TlsParameters), TlsError> {
    let hello = hello::Reader::default().read(&mut stream).await;
    let hello = hello.map_err(|no| no.error)?;
    stream.starttls(hello, acceptor, None).await
}

type Joined = (
    Result<(Stream, TlsParameters), TlsError>,
    io::Result<client::TlsStream<DuplexStream>>,
);

async fn shake(acceptor: &Acceptor, config: Arc<ClientConfig>, name: &str) -> Joined {
    let (ours, theirs) = duplex(32 * 1024);
    let ours = Stream::Pipe(ours);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(config);
    tokio::join!(starttls(ours, acceptor), connector.connect(name, theirs))
}

fn shown(client: &client::TlsStream<DuplexStream>) -> CertificateDer<'static> {
    client.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn both_versions_are_spoken() {
    let directory = TempDir::new().unwrap();
    let files = pair(&directory, "own", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let acceptor = load(std::slice::from_ref(&files), HOST, directory.path(), now()).unwrap();
    for (version, name, cipher) in [
        (&version::TLS13, "TLSv1.3", "TLS_AES_"),
        (&version::TLS12, "TLSv1.2", "TLS_ECDHE_ECDSA_"),
    ] {
        let (server, client) = shake(
            &acceptor,
            client_config(&[&files.chain], version, false),
            HOST,
        )
        .await;
        let (mut server, parameters) = server.unwrap();
        let mut client = client.unwrap();
        assert_eq!(&*parameters.version, name);
        assert!(
            parameters.cipher.starts_with(cipher),
            "{}",
            parameters.cipher
        );
        assert_eq!(parameters.server_name.as_deref(), Some(HOST));
        assert!(server.is_tls());
        client.write_all(b"EHLO a\r\n").await.unwrap();
        client.flush().await.unwrap();
        let mut input = bytes::BytesMut::new();
        assert_eq!(server.read_into(&mut input, 100).await.unwrap(), 8);
        assert_eq!(&input[..], b"EHLO a\r\n");
        server.write_all_flush(b"250 ok\r\n").await.unwrap();
        let mut reply = [0; 8];
        tokio::io::AsyncReadExt::read_exact(&mut client, &mut reply)
            .await
            .unwrap();
        assert_eq!(&reply, b"250 ok\r\n");
    }
}

/// A client whose key share is for no group of ours says hello twice; the second needs a turn like the first.
#[tokio::test]
async fn a_second_hello_waits_for_its_turn() {
    let directory = TempDir::new().unwrap();
    let files = pair(&directory, "own", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let acceptor = load(std::slice::from_ref(&files), HOST, directory.path(), now()).unwrap();
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![
        aws_lc_rs::kx_group::MLKEM1024,
        aws_lc_rs::kx_group::SECP256R1,
    ];
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&files.chain)).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let handshakes = Handshakes::new(1);
    let (ours, theirs) = duplex(64 * 1024);
    let name = ServerName::try_from(HOST).unwrap();
    let mut client = std::pin::pin!(TlsConnector::from(Arc::new(config)).connect(name, theirs));
    // Its first hello.
    assert!(futures_util::poll!(client.as_mut()).is_pending());
    let mut stream = Stream::Pipe(ours);
    let hello = hello::Reader::default().read(&mut stream).await.unwrap();
    let turn = handshakes.enter().await.unwrap();
    let mut server = std::pin::pin!(stream.starttls(hello, &acceptor, Some(turn)));
    assert!(futures_util::poll!(server.as_mut()).is_pending());
    // While the client thinks the turn is another's.
    let other = handshakes.enter().await.unwrap();
    for _ in 0..5 {
        assert!(futures_util::poll!(client.as_mut()).is_pending());
        assert!(futures_util::poll!(server.as_mut()).is_pending());
    }
    drop(other);
    let (server, client) = tokio::join!(server, client);
    assert!(server.is_ok());
    let kind = client.unwrap().get_ref().1.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::FullWithHelloRetryRequest));
}

#[tokio::test]
async fn one_ticket_resumes_the_session() {
    let directory = TempDir::new().unwrap();
    let files = pair(&directory, "own", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let acceptor = load(std::slice::from_ref(&files), HOST, directory.path(), now()).unwrap();
    for version in [&version::TLS13, &version::TLS12] {
        let config = client_config(&[&files.chain], version, false);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let (server, client) = shake(&acceptor, Arc::clone(&config), HOST).await;
            let (mut server, mut client) = (server.unwrap().0, client.unwrap());
            // The ticket comes with the first octets from the server.
            server.write_all_flush(b"250\r\n").await.unwrap();
            let mut reply = [0; 5];
            tokio::io::AsyncReadExt::read_exact(&mut client, &mut reply)
                .await
                .unwrap();
            kinds.push(client.get_ref().1.handshake_kind().unwrap());
        }
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
    }
}

#[tokio::test]
async fn the_name_asked_for_chooses_the_pair() {
    let directory = TempDir::new().unwrap();
    let own = pair(&directory, "own", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let other = pair(
        &directory,
        "other",
        &["mail.example.net", "*.lists.example"],
        &PKCS_ECDSA_P256_SHA256,
    );
    let files = [own.clone(), other.clone()];
    let acceptor = load(&files, HOST, directory.path(), now()).unwrap();
    let config = client_config(&[&own.chain, &other.chain], &version::TLS13, false);
    for (name, expected) in [
        (HOST, &own),
        ("mail.example.net", &other),
        ("MAIL.Example.NET", &other),
        ("a.lists.example", &other),
    ] {
        let (server, client) = shake(&acceptor, Arc::clone(&config), name).await;
        server.unwrap();
        assert_eq!(
            shown(&client.unwrap()),
            certificate(&expected.chain),
            "{name}"
        );
    }
    // An unknown name, or none: the first pair. The client refuses the name, but the server has not.
    let (_, client) = shake(&acceptor, Arc::clone(&config), "unknown.example").await;
    let refused = client.unwrap_err().to_string();
    assert!(refused.contains("not valid for name"), "{refused}");
    let choice = Choice::of(&acceptor);
    for name in [None, Some("unknown.example"), Some("")] {
        assert_eq!(choice.shown(name), certificate(&own.chain));
    }
}

#[tokio::test]
async fn ecdsa_goes_before_rsa_where_the_client_can() {
    let directory = TempDir::new().unwrap();
    let rsa = pair(&directory, "rsa", &[HOST], &PKCS_RSA_SHA256);
    let ecdsa = pair(&directory, "ecdsa", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let files = [rsa.clone(), ecdsa.clone()];
    let acceptor = load(&files, HOST, directory.path(), now()).unwrap();
    for version in [&version::TLS13, &version::TLS12] {
        for (rsa_only, expected) in [(false, &ecdsa), (true, &rsa)] {
            let config = client_config(&[&rsa.chain, &ecdsa.chain], version, rsa_only);
            let (server, client) = shake(&acceptor, config, HOST).await;
            server.unwrap();
            assert_eq!(shown(&client.unwrap()), certificate(&expected.chain));
        }
    }
    assert_eq!(Choice::of(&acceptor).shown(None), certificate(&ecdsa.chain));
}

/// What the acceptor would show, without a handshake.
struct Choice<'a>(&'a Acceptor);

impl<'a> Choice<'a> {
    fn of(acceptor: &'a Acceptor) -> Self {
        Self(acceptor)
    }

    fn shown(&self, name: Option<&str>) -> CertificateDer<'static> {
        let schemes = self
            .0
            .provider
            .signature_verification_algorithms
            .supported_schemes();
        self.0.certificates.shown(name, &schemes)
    }
}

#[tokio::test]
async fn new_handshakes_have_what_was_taken_up_and_old_sessions_go_on() {
    let directory = TempDir::new().unwrap();
    let old = pair(&directory, "old", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let before = fs::read(&old.chain).unwrap();
    let acceptor = load(std::slice::from_ref(&old), HOST, directory.path(), now()).unwrap();
    let config = client_config(&[&old.chain], &version::TLS13, false);
    let (server, client) = shake(&acceptor, config, HOST).await;
    let (mut server, mut client) = (server.unwrap().0, client.unwrap());
    assert!(
        acceptor.read()[0]
            .as_ref()
            .unwrap()
            .is_same(&acceptor.pairs()[0])
    );

    let new = pair(&directory, "old", &[HOST], &PKCS_ECDSA_P256_SHA256);
    assert_ne!(before, fs::read(&new.chain).unwrap());
    let read = acceptor.read().remove(0).unwrap();
    assert!(!read.is_same(&acceptor.pairs()[0]));
    acceptor.clone().take_up(vec![read]);
    let config = client_config(&[&new.chain], &version::TLS13, false);
    let (_, shaken) = shake(&acceptor, config, HOST).await;
    assert_eq!(shown(&shaken.unwrap()), certificate(&new.chain));

    acceptor.take_up(Vec::new());
    assert_eq!(acceptor.pairs().len(), 1, "never none");
    server.write_all_flush(b"250\r\n").await.unwrap();
    let mut reply = [0; 5];
    tokio::io::AsyncReadExt::read_exact(&mut client, &mut reply)
        .await
        .unwrap();
}

#[tokio::test]
async fn only_tls_1_3_where_that_is_the_least() {
    let directory = TempDir::new().unwrap();
    let files = pair(&directory, "own", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let mut settings = settings(std::slice::from_ref(&files), HOST, directory.path());
    settings.only_tls13 = true;
    let acceptor = super::load(settings, now()).unwrap();
    let config = client_config(&[&files.chain], &version::TLS13, false);
    shake(&acceptor, config, HOST).await.0.unwrap();
    let config = client_config(&[&files.chain], &version::TLS12, false);
    let error = shake(&acceptor, config, HOST).await.0.unwrap_err();
    assert_eq!(error.reason, HandshakeFailure::NothingInCommon, "{error}");
}

#[test]
fn the_exact_name_goes_before_the_wild_card() {
    let directory = TempDir::new().unwrap();
    let own = pair(&directory, "own", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let wild = pair(
        &directory,
        "wild",
        &["*.example.net"],
        &PKCS_ECDSA_P256_SHA256,
    );
    let exact = pair(
        &directory,
        "exact",
        &["Mail.Example.net", "example.net"],
        &PKCS_ECDSA_P256_SHA256,
    );
    let files = [own.clone(), wild.clone(), exact.clone()];
    let acceptor = load(&files, HOST, directory.path(), now()).unwrap();
    let choice = Choice::of(&acceptor);
    for (name, expected) in [
        ("mail.example.net", &exact),
        ("example.net", &exact),
        ("mx.example.net", &wild),
        ("MX.EXAMPLE.NET", &wild),
        ("a.mx.example.net", &own),
        (".example.net", &wild),
        ("net", &own),
    ] {
        assert_eq!(
            choice.shown(Some(name)),
            certificate(&expected.chain),
            "{name}"
        );
    }
    assert_eq!(&*acceptor.pairs()[2].names()[0], "mail.example.net");
}

#[tokio::test]
async fn the_self_signed_certificate_is_kept() {
    let directory = TempDir::new().unwrap();
    let chain = directory.path().join(self_signed::CERTIFICATE_FILE);
    let key = directory.path().join(self_signed::KEY_FILE);
    load(&[], HOST, directory.path(), SystemTime::now()).unwrap();
    let first = (fs::read(&chain).unwrap(), fs::read(&key).unwrap());
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let acceptor = load(&[], HOST, directory.path(), SystemTime::now()).unwrap();
    assert_eq!(first, (fs::read(&chain).unwrap(), fs::read(&key).unwrap()));
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        2,
        "no temporary file is left"
    );
    // The client checks name, signature and validity.
    let config = client_config(&[&chain], &version::TLS13, false);
    let (server, client) = shake(&acceptor, config, HOST).await;
    server.unwrap();
    assert_eq!(shown(&client.unwrap()), certificate(&chain));
}

#[test]
fn a_self_signed_certificate_of_no_use_is_made_anew() {
    let directory = TempDir::new().unwrap();
    let chain = directory.path().join(self_signed::CERTIFICATE_FILE);
    let key = directory.path().join(self_signed::KEY_FILE);
    load(&[], HOST, directory.path(), now()).unwrap();
    let first = certificate(&chain);
    load(&[], "mx.example.net", directory.path(), now()).unwrap();
    let second = certificate(&chain);
    assert_ne!(first, second, "for another name");
    let almost_over = now() + Duration::from_secs(3650 * 24 * 60 * 60);
    load(&[], "mx.example.net", directory.path(), almost_over).unwrap();
    assert_ne!(second, certificate(&chain), "almost at its end");
    let second = certificate(&chain);
    fs::write(&key, "").unwrap();
    load(&[], "mx.example.net", directory.path(), now()).unwrap();
    assert_ne!(second, certificate(&chain), "torn");
    fs::remove_file(&chain).unwrap();
    load(&[], "mx.example.net", directory.path(), now()).unwrap();
    assert!(chain.exists());
}

#[test]
fn a_state_directory_that_cannot_be_used_is_named() {
    let directory = TempDir::new().unwrap();
    let absent = directory.path().join("absent");
    let problem = load(&[], HOST, &absent, now()).unwrap_err();
    assert!(
        matches!(&problem, TlsProblem::StateDirectory { directory, .. } if *directory == absent),
        "{problem}"
    );
    let problem = load(&[], "mx.exämple.org", directory.path(), now()).unwrap_err();
    assert!(
        matches!(problem, TlsProblem::SelfSigned { .. }),
        "{problem}"
    );
}

/// What the server makes of `octets` followed by the end of input.
async fn failure(octets: &[u8]) -> TlsError {
    let directory = TempDir::new().unwrap();
    let acceptor = load(&[], HOST, directory.path(), now()).unwrap();
    let (ours, mut theirs) = duplex(4096);
    theirs.write_all(octets).await.unwrap();
    theirs.shutdown().await.unwrap();
    starttls(Stream::Pipe(ours), &acceptor).await.unwrap_err()
}

#[tokio::test]
async fn failed_handshakes_have_a_short_reason() {
    let long = [0x80; 3000];
    // A ClientHello of TLS 1.1 with one suite (AES128-SHA), no extensions.
    let mut tls11 = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    tls11.extend([7; 32]);
    tls11.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    for (octets, reason) in [
        (&b""[..], HandshakeFailure::Closed),
        (b"\x16\x03\x01", HandshakeFailure::Closed),
        (b"EHLO mail.example\r\n", HandshakeFailure::NotTls),
        (&long, HandshakeFailure::NotTls),
        (&tls11, HandshakeFailure::NothingInCommon),
        (b"\x15\x03\x01\x00\x02\x02\x28", HandshakeFailure::Alert),
    ] {
        let error = failure(octets).await;
        assert_eq!(error.reason, reason, "{error}");
        assert!(!error.detail.is_empty() && error.detail.len() <= TlsError::MAX_DETAIL);
        assert!(
            error
                .detail
                .bytes()
                .all(|octet| (b' '..=b'~').contains(&octet)),
            "{error}"
        );
    }
}

#[test]
fn details_are_bounded_and_printable() {
    let error = TlsError::new(HandshakeFailure::Other, &"a\r\n\u{1b}é".repeat(100));
    assert_eq!(error.detail.len(), TlsError::MAX_DETAIL);
    assert!(error.detail.starts_with("a????a"));
}

#[tokio::test]
async fn a_client_that_refuses_the_certificate_is_told_by_its_alert() {
    let directory = TempDir::new().unwrap();
    let own = pair(&directory, "own", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let other = pair(&directory, "other", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let acceptor = load(&[own], HOST, directory.path(), now()).unwrap();
    let config = client_config(&[&other.chain], &version::TLS13, false);
    let (server, client) = shake(&acceptor, config, HOST).await;
    client.unwrap_err();
    assert_eq!(server.unwrap_err().reason, HandshakeFailure::Alert);
}

/// RFC 7301 section 3.2, against ALPACA; which of several is taken, a client may ask.
#[tokio::test]
async fn a_client_that_offers_only_other_protocols_is_refused() {
    let directory = TempDir::new().unwrap();
    let files = pair(&directory, "own", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let acceptor = load(std::slice::from_ref(&files), HOST, directory.path(), now()).unwrap();
    for version in [&version::TLS13, &version::TLS12] {
        for (offered, served) in [
            (&[][..], Some(None)),
            (&["smtp"], Some(Some(&b"smtp"[..]))),
            (&["h2", "smtp"], Some(Some(b"smtp"))),
            (&["h2", "http/1.1"], None),
            (&["SMTP"], None),
        ] {
            let mut config = (*client_config(&[&files.chain], version, false)).clone();
            config.alpn_protocols = offered
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect();
            let (server, client) = shake(&acceptor, Arc::new(config), HOST).await;
            match (served, server) {
                (Some(protocol), Ok(_)) => {
                    assert_eq!(client.unwrap().get_ref().1.alpn_protocol(), protocol);
                }
                (None, Err(error)) => {
                    assert_eq!(error.reason, HandshakeFailure::NothingInCommon, "{error}");
                    let alert = client.unwrap_err().to_string();
                    assert!(alert.contains("NoApplicationProtocol"), "{alert}");
                }
                (_, server) => panic!("{offered:?}: {:?}", server.err()),
            }
        }
    }
}
