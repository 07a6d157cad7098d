//! Users: mail programs that are not ours, logging in to a real Exim through gatepost, on ports as 465 and 587.
//!
//! They come from an address in the DNSBL, without a reverse name, and say a literal for HELO. No password, and no name
//! that Exim did not accept, may stand in anything gatepost writes.

use std::net::SocketAddr;
use std::process::Command;

use crate::admin::get;
use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::process::{self, Finished};
use crate::support::rbldnsd::{self, Rbldnsd};
use crate::support::{front, openssl, swaks};

const SMTPS: &str = "127.0.0.6";
const SUBMISSION: &str = "127.0.0.7";
/// The user's password, and another one; both are searched for.
const PASSWORD: &str = "Zq7-hunter";
const WRONG: &str = "Zq7-typing";

struct Post {
    gatepost: Gatepost,
    exim: Exim,
    _rbldnsd: Rbldnsd,
}

impl Post {
    fn start(limits: &str) -> Self {
        let users = process::free_tcp_port();
        let exim = Exim::start_with(&format!(
            "GATEPOST_SUBMISSION_PORT = {users}\nUSERS = {PASSWORD}\n"
        ));
        let rbldnsd = Rbldnsd::start();
        let mut setup = Setup::new(exim.address(), rbldnsd.address()).zones(&[(
            rbldnsd::ZONE,
            "127.0.0.[2..11]",
            50,
        )]);
        let listener = |name: &str, address: &str, tls: &str| {
            format!(
                "[listen.{name}]\naddress = [\"{address}:0\"]\ntls = \"{tls}\"\nrole = \"submission\"\n\
                 backend = \"users\"\nproxy_protocol_from = [\"127.0.0.0/8\"]\n"
            )
        };
        setup.more = [
            listener("smtps", SMTPS, "implicit"),
            listener("submission", SUBMISSION, "starttls"),
            format!("[backend.users]\naddress = [\"127.0.0.1:{users}\"]\nsource_address = \"127.0.0.2\"\n"),
            format!("[limits]\n{limits}\n"),
        ]
        .concat();
        let post = Self {
            gatepost: Gatepost::start(&setup),
            exim,
            _rbldnsd: rbldnsd,
        };
        // Before that it does not know how users can log in.
        post.gatepost.logged(&["backend answers", "backend=users"]);
        post
    }

    fn smtps(&self) -> SocketAddr {
        self.gatepost.listener(SMTPS)
    }

    fn submission(&self) -> SocketAddr {
        self.gatepost.listener(SUBMISSION)
    }

    fn swaks(&self, server: SocketAddr, tls: &str, mechanism: &str, password: &str) -> Finished {
        let client = rbldnsd::LISTED.parse().unwrap();
        let login = [
            "--auth",
            mechanism,
            "--auth-user",
            "ann",
            "--auth-password",
            password,
        ];
        let helo = [tls, "--helo", "[192.168.1.5]"];
        swaks::send(
            server,
            client,
            "user@elsewhere.example",
            &[&helo[..], &login].concat(),
        )
    }

    /// Nothing that was typed as a password stands anywhere, as it is or in base64.
    fn keeps_no_secrets(&self) {
        let all = self.gatepost.log() + &self.gatepost.journal();
        assert!(all.contains("login"), "there is something to search: {all}");
        for secret in [
            PASSWORD, WRONG,
            // The end of both, of PLAIN, and of LOGIN; of the names with NUL before and behind them.
            "aHVudGVy", "h1bnRlc", "odW50ZXI", "dHlwaW5n", "R5cGluZ", "0eXBpbm",
        ] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
}

#[test]
fn swaks_logs_in_on_both_ports_and_by_every_mechanism() {
    let post = Post::start("");
    let ports = [
        (post.smtps(), "--tls-on-connect"),
        (post.submission(), "--tls"),
    ];
    for (server, tls) in ports {
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
            let sent = post.swaks(server, tls, mechanism, PASSWORD);
            assert_eq!(sent.code, Some(0), "{}", sent.transcript);
        }
        let wrong = post.swaks(server, tls, "PLAIN", WRONG);
        assert_eq!(
            wrong.code,
            Some(28),
            "28 says no login: {}",
            wrong.transcript
        );
        let client = rbldnsd::LISTED.parse().unwrap();
        let without = swaks::send(server, client, "user@example.com", &[tls]);
        assert_eq!(
            without.code,
            Some(23),
            "23 says no MAIL: {}",
            without.transcript
        );
        assert!(
            without.transcript.contains("530 5.7.0"),
            "{}",
            without.transcript
        );
    }
    assert_eq!(
        post.exim.delivered(6)[0].recipient,
        "user@elsewhere.example"
    );
    for authenticator in ["plain", "login", "cram"] {
        let by = format!("P=esmtpa A={authenticator}:ann");
        let line = post.exim.logged(&[" <= sender@example.net", by.as_str()]);
        assert!(line.contains(&format!("[{}]", rbldnsd::LISTED)), "{line}");
        assert!(line.contains("PRX=127.0.0.2"), "{line}");
    }

    // As docs/operate.md promises it to fail2ban.
    let client = rbldnsd::LISTED;
    let failed = format!(" client={client} listener=smtps mechanism=PLAIN code=535");
    let failed = post.gatepost.logged(&[" login failed id=", &failed]);
    assert!(!failed.contains("ann"), "{failed}");
    let login = format!(" client={client} listener=submission mechanism=LOGIN user=ann");
    post.gatepost.logged(&[" logged in id=", &login]);
    let record = post
        .gatepost
        .recorded(&["\"mechanism\":\"CRAM-MD5\"", "\"code\":235"]);
    let record = record.to_string();
    assert!(
        !record.contains("\"ann\""),
        "CRAM-MD5 shows no name: {record}"
    );
    post.gatepost.recorded(&[
        "\"mechanism\":\"PLAIN\"",
        "\"code\":235",
        "\"name\":\"ann\"",
    ]);
    let record = post.gatepost.recorded(&["\"code\":535"]);
    assert!(!record.to_string().contains("\"name\":\"ann\""), "{record}");
    post.keeps_no_secrets();
}

/// A backend that does not do its part is told of, and its listener says so to users.
#[test]
fn a_backend_without_auth_is_told_of() {
    let exim = Exim::start();
    let rbldnsd = Rbldnsd::start();
    let mut setup = Setup::new(exim.address(), rbldnsd.address());
    setup.more = format!(
        "[listen.smtps]\naddress = [\"{SMTPS}:0\"]\ntls = \"implicit\"\nrole = \"submission\"\nbackend = \"exim\"\n"
    );
    let gatepost = Gatepost::start(&setup);
    gatepost.logged(&["offers no AUTH", "backend=exim"]);
    let ehlo = [
        ("\n220 ", "EHLO a.example\n"),
        ("\n250 ", "AUTH PLAIN =\n"),
        ("\n502 ", "QUIT\n"),
    ];
    let session = openssl::implicit_tls(gatepost.listener(SMTPS), &ehlo);
    assert!(
        !session.transcript.contains("\n250-AUTH"),
        "{}",
        session.transcript
    );
    assert!(
        session.transcript.contains("\n221 "),
        "{}",
        session.transcript
    );
    let checked = gatepost.check_config(&["--connect"]);
    let line = "listen.smtps.backend: the backend offers no AUTH by which users could log in";
    assert!(checked.transcript.contains(line), "{}", checked.transcript);
    assert_eq!(checked.code, Some(1), "{}", checked.transcript);
}

/// As Python's `smtplib` does it, which a program of one's own would use; `PROXY` first, since it comes from loopback.
const SMTPLIB: &str = r#"
import smtplib, socket, ssl, sys
smtps, submission, port, password, client = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4], sys.argv[5]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

def connect(host, port, timeout):
    connection = socket.create_connection((host, port), 20)
    connection.sendall(f"PROXY TCP4 {client} 192.0.2.25 51234 465\r\n".encode())
    return connection

class Implicit(smtplib.SMTP_SSL):
    def _get_socket(self, host, port, timeout):
        return self.context.wrap_socket(connect(host, port, timeout), server_hostname=host)

class Starttls(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        return connect(host, port, timeout)

for server in (Implicit(smtps, int(port[0]), context=context), Starttls(submission, int(port[1]))):
    with server:
        if isinstance(server, Starttls):
            server.starttls(context=context)
        try:
            server.login("ann", password + "x")
            sys.exit("a wrong password is right")
        except smtplib.SMTPAuthenticationError as refused:
            print(refused.smtp_code)
        server.user, server.password = "ann", password
        server.auth("LOGIN", server.auth_login, initial_response_ok=False)
        for number in range(2):
            server.sendmail("ann@example.com", ["user@elsewhere.example", "user@example.com"], "Subject: x\r\n\r\nHello.\r\n")
        print("sent")
"#;

#[test]
fn smtplib_logs_in_on_both_ports() {
    let post = Post::start("");
    let mut python = Command::new("python3");
    let ports = format!("{},{}", post.smtps().port(), post.submission().port());
    python.args([
        "-c",
        SMTPLIB,
        SMTPS,
        SUBMISSION,
        &ports,
        PASSWORD,
        rbldnsd::LISTED,
    ]);
    let sent = process::run(&mut python, &[]);
    assert_eq!(sent.code, Some(0), "{}", sent.transcript);
    assert_eq!(
        sent.transcript.matches("sent").count(),
        2,
        "{}",
        sent.transcript
    );
    assert_eq!(post.exim.delivered(8)[7].body(), b"Hello.\r\n");
    post.exim
        .logged(&[" <= ann@example.com", "P=esmtpa A=login:ann"]);
    post.keeps_no_secrets();
}

#[test]
fn openssl_logs_in_on_both_ports() {
    let post = Post::start("");
    let plain = data_encoding::BASE64.encode(format!("\0ann\0{PASSWORD}").as_bytes());
    let auth = format!("AUTH PLAIN {plain}\n");
    let rest = [
        ("\n250 AUTH PLAIN LOGIN CRAM-MD5", auth.as_str()),
        ("\n235 ", "MAIL FROM:<ann@example.com>\n"),
        ("\n250 ", "RCPT TO:<user@elsewhere.example>\n"),
        ("\n250 ", "DATA\n"),
        ("\n354 ", "Subject: under TLS\n\nHello.\n.\n"),
        ("\n250 ", "QUIT\n"),
    ];
    let begun_by = |start: (&'static str, &'static str)| [&[start], rest.as_slice()].concat();
    let near = front::stand_before(post.smtps(), rbldnsd::LISTED);
    let implicit = openssl::implicit_tls(near, &begun_by(("\n220 ", "EHLO [192.168.1.5]\n")));
    let near = front::stand_before(post.submission(), rbldnsd::LISTED);
    let begun = begun_by(("Verify return code", "EHLO [192.168.1.5]\n"));
    let starttls = openssl::starttls(near, &begun);
    for session in [implicit, starttls] {
        assert!(
            session.transcript.contains("\n221 "),
            "{}",
            session.transcript
        );
        assert!(
            session.transcript.contains("\n250-PIPELINING"),
            "{}",
            session.transcript
        );
    }
    post.exim.delivered(2);
    post.keeps_no_secrets();
}

#[test]
fn guessing_ends_soon_on_every_port_for_users_and_mail_still_comes_in() {
    let admin = SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
    let post = Post::start(&format!(
        "failed_logins_per_address = \"2/h\"\n[admin]\naddress = \"{admin}\""
    ));
    let (smtps, submission) = (post.smtps(), post.submission());
    for _ in 0..3 {
        let wrong = post.swaks(submission, "--tls", "LOGIN", WRONG);
        assert!(wrong.transcript.contains("535 "), "{}", wrong.transcript);
    }
    let right = post.swaks(submission, "--tls", "LOGIN", PASSWORD);
    assert!(
        right
            .transcript
            .contains("421 4.7.0 Too many failed logins"),
        "{}",
        right.transcript
    );
    assert_ne!(
        post.swaks(smtps, "--tls-on-connect", "LOGIN", PASSWORD)
            .code,
        Some(0)
    );
    let other = "198.51.100.7".parse().unwrap();
    let login = [
        "--tls",
        "--auth",
        "PLAIN",
        "--auth-user",
        "ann",
        "--auth-password",
        PASSWORD,
    ];
    let sent = swaks::send(submission, other, "user@example.com", &login);
    assert_eq!(sent.code, Some(0), "{}", sent.transcript);
    post.gatepost.logged(&["session id=", "ended=refused"]);
    let metrics = get(admin, "/metrics");
    for (outcome, times) in [("rejected", 3), ("accepted", 1)] {
        let line = format!(
            "gatepost_logins_total{{listener=\"submission\",outcome=\"{outcome}\"}} {times}\n"
        );
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    post.keeps_no_secrets();
}
