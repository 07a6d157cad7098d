//! TLS toward a real Exim: behind the PROXY header, at once or after STARTTLS; with a certificate that is verified.

use std::path::Path;

use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::process;

const CLEAN: &str = "192.0.2.77";
const NAME: &str = "mail.example.com";
const MESSAGE: &[u8] = b"Subject: test\r\nFrom: sender@example.net\r\n\r\nHello.\r\n";

/// A certificate for [`NAME`]; its key lies beside it. Everybody can read both.
fn certificate() -> (TempDir, std::path::PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::with_prefix("gatepost-tls-").unwrap();
    let now = std::time::SystemTime::now();
    let settings = gatepost::net::tls::Settings {
        hostname: NAME.to_owned(),
        state_directory: folder.path().to_owned(),
        ..Default::default()
    };
    gatepost::net::tls::load(settings, now).unwrap();
    let file = folder.path().join("self-signed.pem");
    let open = std::fs::Permissions::from_mode(0o755);
    for path in [folder.path(), &file, &file.with_extension("key")] {
        std::fs::set_permissions(path, open.clone()).unwrap();
    }
    (folder, file)
}

fn exim(certificate: &Path, when: &str) -> Exim {
    let (file, key) = (certificate.display(), certificate.with_extension("key"));
    let key = key.display();
    Exim::start_with(&format!(
        "tls_certificate = {file}\ntls_privatekey = {key}\nGATEPOST_OWN_TLS_ADVERTISE_HOSTS = yes\n{when}\n"
    ))
}

fn gatepost(exim: &Exim, settings: String) -> Gatepost {
    let mut setup = Setup::new(
        exim.address(),
        ([127, 0, 0, 1], process::free_tcp_port()).into(),
    );
    setup.backend_settings = settings;
    Gatepost::start(&setup)
}

fn verified(tls: &str, certificate: &Path) -> String {
    let ca = certificate.display();
    format!("tls = \"{tls}\"\nserver_name = \"{NAME}\"\nca = \"{ca}\"")
}

const STARTTLS: &str = "tls_advertise_hosts = *";
const IMPLICIT: &str = "tls_on_connect_ports = GATEPOST_PORT\ntls_advertise_hosts = *";

#[test]
fn mail_arrives_under_tls() {
    let (_folder, certificate) = certificate();
    for (tls, when) in [("starttls", STARTTLS), ("implicit", IMPLICIT)] {
        let exim = exim(&certificate, when);
        for settings in [
            verified(tls, &certificate),
            format!("tls = \"{tls}\"\nverify = \"loopback-only\""),
        ] {
            let gatepost = gatepost(&exim, settings);
            let mut client = Client::greeted(gatepost.proxied(), CLEAN);
            client.mail(&["user@example.com"], MESSAGE).expect(250);
            client.mail(&["user@example.com"], MESSAGE).expect(250);
            let line = exim.logged(&[" <= sender@example.net", &format!("[{CLEAN}]")]);
            assert!(line.contains("P=esmtps X=TLS1.3"), "{tls}: {line}");
            assert!(line.contains("PRX=127.0.0.2"), "{tls}: {line}");
            assert!(line.contains("H=(client.example.net)"), "{tls}: {line}");
        }
        exim.delivered(4);
    }
}

#[test]
fn a_certificate_that_is_not_the_right_one_gets_no_mail() {
    let (_folder, own) = certificate();
    let (_other_folder, other) = certificate();
    let exim = exim(&own, STARTTLS);
    for (settings, told) in [
        (verified("starttls", &other), "invalid peer certificate"),
        (
            verified("starttls", &own).replace(NAME, "mx.example.com"),
            "not valid for name",
        ),
        // A port for STARTTLS does not begin with a handshake.
        (verified("implicit", &own), "failed in the TLS handshake"),
    ] {
        let gatepost = gatepost(&exim, settings);
        let mut client = Client::greeted(gatepost.proxied(), CLEAN);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@example.com>").expect(451);
        gatepost.logged(&["ERROR", "TLS handshake", told]);
    }
    assert_eq!(exim.accepted(), 0);
}

#[test]
fn where_starttls_is_not_offered_mail_waits() {
    let exim = Exim::start();
    let settings = "tls = \"starttls\"\nverify = \"loopback-only\"".to_owned();
    let gatepost = gatepost(&exim, settings);
    let mut client = Client::greeted(gatepost.proxied(), CLEAN);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(451);
    gatepost.logged(&["ERROR", "does not offer STARTTLS"]);
    assert_eq!(exim.accepted(), 0);
}
