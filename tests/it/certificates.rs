//! Certificates in a running gatepost: which one is shown to whom, what becomes of new ones, what is said about them.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, crypto};
use tempfile::TempDir;

use crate::support::gatepost::{Gatepost, HOSTNAME, Setup};
use crate::support::{openssl, process, wait};

const QUIT: [(&str, &str); 1] = [("\n220 ", "QUIT\n")];

/// A setting without a backend: nothing gets so far.
fn setup(tls: &str) -> Setup {
    let nobody = SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
    let mut setup = Setup::new(nobody, nobody);
    setup.more = format!(
        "[limits]\nconnection_rate_per_address = \"off\"\nconnections_per_address = 200\n[tls]\n{tls}"
    );
    setup
}

/// `certificates = [...]` with `NAME.pem` and `NAME.key` for each name.
fn certificates(directory: &Path, names: &[&str]) -> String {
    let directory = directory.display();
    let entry = |name: &&str| {
        format!("{{ chain = \"{directory}/{name}.pem\", key = \"{directory}/{name}.key\" }}")
    };
    let entries: Vec<String> = names.iter().map(entry).collect();
    format!("certificates = [{}]\n", entries.join(", "))
}

#[test]
fn the_client_chooses_by_name_and_by_what_it_can() {
    let directory = TempDir::new().unwrap();
    let made = |name, key, names: &[&str]| {
        openssl::certificate(directory.path(), name, key, names, 90);
    };
    made("rsa", "rsa:2048", &[HOSTNAME]);
    made("ecdsa", "ec", &[HOSTNAME]);
    made("wild", "ec", &["*.example.net"]);
    made("exact", "ec", &["mail.example.net"]);
    let all = certificates(directory.path(), &["rsa", "ecdsa", "wild", "exact"]);
    let gatepost = Gatepost::start(&setup(&all));
    let cases = [
        (HOSTNAME, "ECDSA+SHA256:RSA-PSS+SHA256", HOSTNAME, "ECDSA"),
        (HOSTNAME, "RSA-PSS+SHA256", HOSTNAME, "RSA-PSS"),
        (
            "mail.example.net",
            "ECDSA+SHA256",
            "mail.example.net",
            "ECDSA",
        ),
        (
            "other.example.net",
            "ECDSA+SHA256",
            "*.example.net",
            "ECDSA",
        ),
        // Better a certificate with another name than none.
        ("mail.example.net", "RSA-PSS+SHA256", HOSTNAME, "RSA-PSS"),
        ("unknown.example", "ECDSA+SHA256", HOSTNAME, "ECDSA"),
        ("", "RSA-PSS+SHA256", HOSTNAME, "RSA-PSS"),
    ];
    for (version, shown) in [("-tls1_3", "New, TLSv1.3"), ("-tls1_2", "New, TLSv1.2")] {
        for (name, schemes, subject, signature) in cases {
            let mut options = vec![version, "-sigalgs", schemes];
            match name {
                "" => options.push("-noservername"),
                name => options.extend(["-servername", name]),
            }
            let session = openssl::s_client(gatepost.direct_tls(), &options, &QUIT);
            for part in [
                shown,
                &format!("subject=CN = {subject}\n"),
                &format!("Peer signature type: {signature}\n"),
                "\n221 ",
            ] {
                let transcript = &session.transcript;
                assert!(
                    transcript.contains(part),
                    "{options:?}: {part}: {transcript}"
                );
            }
        }
    }
    let status = gatepost.status();
    assert_eq!(status["certificates"].as_array().unwrap().len(), 4);
    assert_eq!(status["certificates"][0]["key"], "RSA");
    assert_eq!(status["certificates"][3]["names"][0], "mail.example.net");
}

#[test]
fn sessions_are_resumed_by_ticket_and_without() {
    let gatepost = Gatepost::start(&setup(""));
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("session").display().to_string();
    let tls = gatepost.direct_tls();
    for (version, name, more) in [
        ("-tls1_3", "TLSv1.3", None),
        ("-tls1_2", "TLSv1.2", None),
        ("-tls1_2", "TLSv1.2", Some("-no_ticket")),
    ] {
        let mut options = vec![version, "-servername", HOSTNAME];
        options.extend(more);
        let first = [&options[..], &["-sess_out", &file]].concat();
        let session = openssl::s_client(tls, &first, &QUIT);
        assert!(
            session.transcript.contains(&format!("New, {name}")),
            "{}",
            session.transcript
        );
        let again = [&options[..], &["-sess_in", &file]].concat();
        let session = openssl::s_client(tls, &again, &QUIT);
        let resumed = format!("Reused, {name}");
        assert!(
            session.transcript.contains(&resumed),
            "{more:?}: {}",
            session.transcript
        );
        assert!(
            session.transcript.contains("\n221 "),
            "{}",
            session.transcript
        );
    }
}

#[test]
fn a_client_with_old_tls_alone_is_refused_and_recorded() {
    let gatepost = Gatepost::start(&setup("min_version = \"1.3\"\n"));
    let tls = gatepost.direct_tls();
    let session = openssl::s_client(tls, &["-tls1_2"], &QUIT);
    assert!(
        session.transcript.contains("alert protocol version"),
        "{}",
        session.transcript
    );
    gatepost.logged(&["TLS handshake failed", "peer is incompatible"]);
    gatepost.recorded(&["\"ended\":\"tls_failed\""]);
    let session = openssl::s_client(tls, &["-tls1_3"], &QUIT);
    assert!(
        session.transcript.contains("\n221 "),
        "{}",
        session.transcript
    );
}

#[test]
fn the_self_signed_certificate_outlives_a_restart() {
    let setup = setup("");
    let mut gatepost = Gatepost::start(&setup);
    let before = shown(gatepost.direct_tls()).unwrap();
    assert_eq!(gatepost.status()["certificates"][0]["self_signed"], true);
    gatepost.restart(&setup);
    assert_eq!(shown(gatepost.direct_tls()).unwrap(), before);
}

#[test]
fn a_bad_certificate_is_said_and_the_old_one_stays_until_a_good_one_comes() {
    let directory = TempDir::new().unwrap();
    let (chain, key) = (
        directory.path().join("mx.pem"),
        directory.path().join("mx.key"),
    );
    openssl::certificate(directory.path(), "mx", "ec", &[HOSTNAME], 10);
    openssl::certificate(directory.path(), "new", "ec", &[HOSTNAME], 90);
    let old = CertificateDer::from_pem_file(&chain).unwrap();
    let new = CertificateDer::from_pem_file(directory.path().join("new.pem")).unwrap();
    let mut gatepost = setup(&certificates(directory.path(), &["mx"]));
    gatepost.more += "watch_interval = \"1s\"\n";
    let gatepost = Gatepost::start(&gatepost);
    gatepost.logged(&["WARN", "the certificate expires on", "in 9 days"]);

    fs::copy(directory.path().join("new.pem"), &chain).unwrap();
    let said = gatepost.logged(&["ERROR", "the new certificate is not taken up"]);
    assert!(said.contains("does not belong to"), "{said}");
    assert_eq!(shown(gatepost.direct_tls()).unwrap(), old);
    let trouble = &gatepost.status()["certificates"][0]["trouble"];
    assert!(trouble.as_str().unwrap().contains("does not belong to"));

    fs::copy(directory.path().join("new.key"), &key).unwrap();
    gatepost.logged(&["a new certificate is in use"]);
    assert_eq!(shown(gatepost.direct_tls()).unwrap(), new);
    assert!(gatepost.status()["certificates"][0]["trouble"].is_null());
}

/// Handshakes go on and on while the certificate is replaced again and again, by SIGHUP and by being looked at, also in
/// the middle of a change. A session from before goes on.
#[test]
fn certificates_are_replaced_under_load_without_a_failed_handshake() {
    const SWAPS: usize = 8;
    let directory = TempDir::new().unwrap();
    let file = |name: &str| directory.path().join(name);
    for index in 0..SWAPS {
        let key = ["ec", "rsa:2048"][index % 2];
        openssl::certificate(directory.path(), &format!("{index}"), key, &[HOSTNAME], 90);
    }
    for end in ["pem", "key"] {
        fs::copy(file(&format!("0.{end}")), file(&format!("mx.{end}"))).unwrap();
    }
    let mut gatepost = setup(&certificates(directory.path(), &["mx"]));
    gatepost.more += "watch_interval = \"1s\"\n";
    let gatepost = Gatepost::start(&gatepost);
    let server = gatepost.direct_tls();
    let made: Vec<_> = (0..SWAPS)
        .map(|index| CertificateDer::from_pem_file(file(&format!("{index}.pem"))).unwrap())
        .collect();

    let early = Tls::connect(server).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (over, made) = (Arc::clone(&over), made.clone());
            thread::spawn(move || {
                let mut count = 0;
                while !over.load(Ordering::Relaxed) {
                    let certificate = shown(server).expect("no handshake fails");
                    assert!(made.contains(&certificate), "one of those that were there");
                    count += 1;
                }
                count
            })
        })
        .collect();
    for (index, certificate) in made.iter().enumerate().skip(1) {
        // As little at once as can be: gatepost may look between any two of these.
        let pem = fs::read(file(&format!("{index}.pem"))).unwrap();
        fs::write(file("mx.pem"), &pem[..pem.len() / 2]).unwrap();
        gatepost.hang_up();
        fs::write(file("mx.pem"), &pem).unwrap();
        gatepost.hang_up();
        fs::copy(file(&format!("{index}.key")), file("mx.key")).unwrap();
        gatepost.hang_up();
        let taken = wait::until(|| (shown(server).ok()? == *certificate).then_some(()));
        assert!(taken.is_some(), "{index}:\n{}", gatepost.log());
    }
    over.store(true, Ordering::Relaxed);
    let counts: Vec<usize> = load.into_iter().map(|load| load.join().unwrap()).collect();
    assert!(counts.iter().all(|count| *count > SWAPS), "{counts:?}");
    early.says_goodbye();
}

/// The certificate that a whole session was served with.
fn shown(server: SocketAddr) -> Result<CertificateDer<'static>, String> {
    let tls = Tls::connect(server)?;
    let certificate = tls.0.conn.peer_certificates().unwrap()[0].clone();
    tls.says_goodbye();
    Ok(certificate.into_owned())
}

struct Tls(rustls::StreamOwned<ClientConnection, TcpStream>);

impl Tls {
    /// Shakes hands and is greeted.
    fn connect(server: SocketAddr) -> Result<Self, String> {
        let tcp = TcpStream::connect(server).map_err(|error| error.to_string())?;
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Believer(provider)))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(HOSTNAME).unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut tls = Self(rustls::StreamOwned::new(connection, tcp));
        tls.hears("220 ").map(|()| tls)
    }

    fn hears(&mut self, code: &str) -> Result<(), String> {
        let mut said = String::new();
        while !said.ends_with("\r\n") || !said.lines().last().unwrap_or("").starts_with(code) {
            let mut octets = [0; 512];
            match std::io::Read::read(&mut self.0, &mut octets) {
                Ok(read @ 1..) => said += &String::from_utf8_lossy(&octets[..read]),
                Ok(_) => return Err(format!("closed after {said:?}")),
                Err(error) => return Err(format!("{error} after {said:?}")),
            }
        }
        Ok(())
    }

    fn says_goodbye(mut self) {
        std::io::Write::write_all(&mut self.0, b"QUIT\r\n").unwrap();
        self.hears("221 ").unwrap();
    }
}

/// Believes every certificate, but not every signature.
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
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
