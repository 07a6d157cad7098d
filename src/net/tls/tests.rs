//! Tests of TLS: pairs, their choice, the self-signed certificate, handshakes in memory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
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

const HOST: &str = "mx.example.org";

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// Writes a pair for `names` and gives its files.
fn pair(
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

type Joined = (
    Result<(Stream, TlsParameters), TlsError>,
    io::Result<client::TlsStream<DuplexStream>>,
);

async fn shake(acceptor: &Acceptor, config: Arc<ClientConfig>, name: &str) -> Joined {
    let (ours, theirs) = duplex(32 * 1024);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(config);
    tokio::join!(
        Stream::Pipe(ours).starttls(acceptor),
        connector.connect(name, theirs)
    )
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
        (&rustls::version::TLS13, "TLSv1.3", "TLS_AES_"),
        (&rustls::version::TLS12, "TLSv1.2", "TLS_ECDHE_ECDSA_"),
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

#[tokio::test]
async fn one_ticket_resumes_the_session() {
    let directory = TempDir::new().unwrap();
    let files = pair(&directory, "own", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let acceptor = load(std::slice::from_ref(&files), HOST, directory.path(), now()).unwrap();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
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
        assert_eq!(
            kinds,
            [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]
        );
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
    let config = client_config(&[&own.chain, &other.chain], &rustls::version::TLS13, false);
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
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
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

#[test]
fn a_wrong_pair_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let a = pair(&directory, "a", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let b = pair(&directory, "b", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let crossed = PairFiles {
        chain: a.chain.clone(),
        key: b.key.clone(),
    };
    let problem = load(&[a, crossed.clone()], HOST, directory.path(), now()).unwrap_err();
    assert!(matches!(problem, TlsProblem::Mismatch { .. }), "{problem}");
    let text = problem.to_string();
    assert!(text.contains("a.pem") && text.contains("b.key"), "{text}");
    assert!(matches!(check(&crossed), Err(TlsProblem::Mismatch { .. })));
}

#[test]
fn unusable_files_are_named() {
    let directory = TempDir::new().unwrap();
    let good = pair(&directory, "good", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let empty = file("empty", "");
    let torn = file("torn", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let junk = file(
        "junk",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let junk_key = file(
        "junk.key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let absent = directory.path().join("absent");
    for (chain, key, begin) in [
        (&empty, &good.key, "no usable certificate in"),
        (&torn, &good.key, "no usable certificate in"),
        (&junk, &good.key, "no usable certificate in"),
        (&good.key, &good.key, "no usable certificate in"),
        (&good.chain, &empty, "no usable private key in"),
        (&good.chain, &junk_key, "no usable private key in"),
        (&good.chain, &good.chain, "no usable private key in"),
        (&absent, &good.key, "cannot read"),
        (&good.chain, &absent, "cannot read"),
    ] {
        let files = PairFiles {
            chain: chain.clone(),
            key: key.clone(),
        };
        let text = check(&files).unwrap_err().to_string();
        let named = if key == &good.key { chain } else { key };
        assert!(text.starts_with(begin), "{text}");
        assert!(text.contains(&named.display().to_string()), "{text}");
    }
}

#[tokio::test]
async fn reload_takes_up_new_pairs_or_keeps_the_old() {
    let directory = TempDir::new().unwrap();
    let old = pair(&directory, "old", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let new = pair(&directory, "new", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let acceptor = load(std::slice::from_ref(&old), HOST, directory.path(), now()).unwrap();
    let config = client_config(&[&old.chain, &new.chain], &rustls::version::TLS13, false);
    let crossed = PairFiles {
        chain: new.chain.clone(),
        key: old.key.clone(),
    };
    assert!(
        acceptor
            .reload(&[crossed], HOST, directory.path(), now())
            .is_err()
    );
    let (_, client) = shake(&acceptor, Arc::clone(&config), HOST).await;
    assert_eq!(shown(&client.unwrap()), certificate(&old.chain));
    let clone = acceptor.clone();
    clone
        .reload(std::slice::from_ref(&new), HOST, directory.path(), now())
        .unwrap();
    let config = client_config(&[&old.chain, &new.chain], &rustls::version::TLS13, false);
    let (_, client) = shake(&acceptor, config, HOST).await;
    assert_eq!(shown(&client.unwrap()), certificate(&new.chain));
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
    let config = client_config(&[&chain], &rustls::version::TLS13, false);
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
    Stream::Pipe(ours).starttls(&acceptor).await.unwrap_err()
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
    let config = client_config(&[&other.chain], &rustls::version::TLS13, false);
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
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
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
