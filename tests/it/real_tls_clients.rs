//! TLS clients that are not ours: GnuTLS, Exim as a sender, testssl.sh, and clients that came to the wrong port.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::house::House;
use crate::support::client::Client;
use crate::support::gatepost::{Gatepost, HOSTNAME, Setup};
use crate::support::{exim, front, openssl, process};

#[test]
fn gnutls_speaks_tls_by_starttls_and_from_the_first_octet() {
    let house = House::start();
    for (server, more) in [
        (house.gatepost.direct(), &["--starttls-proto=smtp"][..]),
        (house.gatepost.direct_tls(), &[]),
    ] {
        for (priority, version) in [
            ("NORMAL:-VERS-ALL:+VERS-TLS1.3", "(TLS1.3-"),
            ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "(TLS1.2-"),
        ] {
            let mut command = Command::new("gnutls-cli");
            command
                .args(["--insecure", "--crlf", "--priority", priority])
                .args(more)
                .args(["--port", &server.port().to_string()])
                .arg(server.ip().to_string());
            let script = [
                ("Simple Client Mode", "EHLO client.example.net\n"),
                ("ENHANCEDSTATUSCODES", "QUIT\n"),
                ("221 ", ""),
            ];
            let session = process::run(&mut command, &script);
            for part in [version, "-(ECDSA-", "221 2.0.0 "] {
                let transcript = &session.transcript;
                assert!(transcript.contains(part), "{part}: {transcript}");
            }
        }
    }
}

#[test]
fn exim_delivers_only_under_tls_and_does() {
    let house = House::start();
    let server = front::stand_before(house.gatepost.proxied(), "192.0.2.77");
    let directory = exim::directory();
    let config = directory.path().join("sender.conf");
    fs::write(&config, sender(directory.path(), server)).unwrap();
    let mut command = Command::new("/usr/sbin/exim4");
    command.arg("-C").arg(&config);
    command.args(["-odf", "-f", "sender@example.net", "user@example.com"]);
    let sent = process::run(&mut command, &[("", "Subject: under TLS\n\nHello.\n")]);
    let log = fs::read_to_string(directory.path().join("log/mainlog")).unwrap_or_default();
    assert_eq!(sent.code, Some(0), "{}\n{log}", sent.transcript);
    assert!(
        log.contains("=> user@example.com"),
        "{log}\n{}",
        house.gatepost.log()
    );
    assert!(log.contains(" X=TLS1.3:"), "{log}");
    house
        .exim
        .logged(&[" <= sender@example.net", "[192.0.2.77]"]);
    house
        .gatepost
        .recorded(&["TLSv1.3", "sender@example.net", "\"ended\":\"quit\""]);
}

/// An Exim that has nowhere to send mail but `server`, and only under TLS.
fn sender(directory: &Path, server: SocketAddr) -> String {
    format!(
        r#"
keep_environment =
spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
primary_hostname = client.example.net
trusted_users = root : Debian-exim
untrusted_set_sender = *
dns_retrans = 1s
dns_retry = 1

begin routers

out:
  driver = manualroute
  route_list = * {host} byname
  self = send
  transport = out

begin transports

out:
  driver = smtp
  port = {port}
  allow_localhost
  hosts_require_tls = *
  tls_verify_hosts =
  tls_try_verify_hosts =
"#,
        directory = directory.display(),
        host = server.ip(),
        port = server.port(),
    )
}

#[test]
fn who_speaks_plain_text_where_tls_comes_first_is_told_so() {
    let house = House::start();
    let mut client = Client::connect(house.gatepost.direct_tls());
    client.send("EHLO client.example.net\r\n");
    client
        .reply()
        .expect(554)
        .containing("This port speaks TLS from the first octet");
    house
        .gatepost
        .recorded(&["\"ended\":\"not_tls\"", "554 5.7.0"]);
}

/// What a client hears that begins TLS on a port in plain text is for its log: it takes the greeting for broken TLS.
#[test]
fn who_begins_tls_where_plain_text_comes_first_is_recorded() {
    let house = House::start();
    let session = openssl::implicit_tls(house.gatepost.direct(), &[]);
    assert!(
        session.transcript.contains("wrong version number"),
        "{}",
        session.transcript
    );
    house
        .gatepost
        .recorded(&["spoke TLS where plain text was expected"]);
}

/// What testssl.sh complains about here with good reason, and why it stays so.
const KNOWN: [(&str, &str); 6] = [
    (
        "cert_chain_of_trust",
        "the test's certificate is self-signed",
    ),
    (
        "cert_revocation",
        "a self-signed certificate names no CRL and no OCSP server",
    ),
    (
        "cipher_order",
        "all six suites are good, so the client's order holds: it knows what its processor does fast",
    ),
    (
        "engine_problem",
        "it is about testssl.sh's own OpenSSL, and GOST",
    ),
    (
        "service",
        "it knows HTTP, POP and such alone and says that this is none",
    ),
    (
        "sessionresumption_ticket",
        "it tries with its own OpenSSL, and says that it could not",
    ),
];

/// Both kinds of certificate, all protocols, ciphers, the certificates themselves, and every hole it knows of.
#[test]
fn testssl_finds_nothing_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut certificates = Vec::new();
    for (name, key) in [("ecdsa", "ec"), ("rsa", "rsa:2048")] {
        openssl::certificate(path, name, key, &[HOSTNAME], 90);
        let (chain, key) = (
            path.join(format!("{name}.pem")),
            path.join(format!("{name}.key")),
        );
        certificates.push(format!("{{ chain = {chain:?}, key = {key:?} }}"));
    }
    let nobody = SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
    let mut setup = Setup::new(nobody, nobody);
    setup.more = format!(
        "[limits]\nconnection_rate_per_address = \"off\"\n[tls]\ncertificates = [{}]\n",
        certificates.join(", ")
    );
    let gatepost = Gatepost::start(&setup);
    let report = path.join("report.json");
    let server = gatepost.direct_tls();
    let mut command = Command::new("testssl");
    command
        // No name is looked up, and nothing but the server is connected to.
        .args(["--nodns", "none", "--ip", &server.ip().to_string()])
        .args(["--warnings", "off", "--color", "0", "--quiet"])
        .args([
            "--protocols",
            "--standard",
            "--server-defaults",
            "--server-preference",
            "--vulnerable",
        ])
        .arg("--jsonfile")
        .arg(&report)
        .arg(format!("{HOSTNAME}:{}", server.port()))
        .current_dir(path);
    let finished = process::run_within(Duration::from_secs(300), &mut command, &[]);
    let report = fs::read_to_string(&report).unwrap_or_default();
    let findings: Vec<serde_json::Value> = serde_json::from_str(&report)
        .unwrap_or_else(|error| panic!("{error}: {report}\n{}", finished.transcript));
    let ids: Vec<&str> = findings
        .iter()
        .filter_map(|finding| finding["id"].as_str())
        .collect();
    for id in [
        "TLS1",
        "TLS1_2",
        "TLS1_3",
        "cipherlist_NULL",
        "heartbleed",
        "ROBOT",
        "DROWN",
    ] {
        assert!(ids.contains(&id), "{id} was not looked at: {ids:?}");
    }
    let bad: Vec<String> = findings
        .iter()
        .filter(|finding| !matches!(finding["severity"].as_str(), Some("OK" | "INFO")))
        .filter(|finding| {
            let id = finding["id"].as_str().unwrap_or_default();
            !KNOWN
                .iter()
                .any(|(known, _)| id.split(' ').next() == Some(known))
        })
        .map(ToString::to_string)
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}
