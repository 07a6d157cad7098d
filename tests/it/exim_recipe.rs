//! The recipe of `config/exim4/`, in a configuration that Debian's `update-exim4.conf` makes, split and single.
//!
//! gatepost takes no part: its headers are made by hand here, the good and the bad.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::support::client::proxy_header;
use crate::support::exim::{Directory, Exim, SOURCE, directory as exim_directory};
use crate::support::{process, swaks, wait};

/// How Debian keeps the configuration.
#[derive(Clone, Copy, Debug)]
enum Scheme {
    Split,
    Single,
}

/// What an administrator has set already: files of `conf.d/main`, by name, and what stands in them.
type Own<'a> = [(&'a str, &'a str)];

/// Debian's Exim as an administrator has it after following the recipe: a port for gatepost, and another.
#[derive(Debug)]
struct DebianExim {
    _server: process::Server,
    directory: Directory,
    gatepost_port: u16,
    other_port: u16,
}

impl DebianExim {
    /// Starts it with an administrator's `own` settings beside the recipe.
    fn start(scheme: Scheme, own: &Own<'_>) -> Self {
        let directory = exim_directory();
        let (gatepost_port, other_port) = (process::free_tcp_port(), process::free_tcp_port());
        let config = configure(scheme, directory.path(), gatepost_port, other_port, own);
        let checked = check(&config);
        assert_eq!(
            checked.code,
            Some(0),
            "{scheme:?}: {own:?}: {}",
            checked.transcript
        );

        let mut command = Command::new("/usr/sbin/exim4");
        command.arg("-C").arg(&config).arg("-bdf");
        let mut server = process::Server::start(&mut command);
        let listens = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        wait::until(|| {
            assert!(server.ended().is_none(), "{scheme:?}: {}", server.output());
            (listens(gatepost_port) && listens(other_port)).then_some(())
        })
        .unwrap_or_else(|| panic!("{scheme:?}: Exim does not start: {}", server.output()));
        Self {
            _server: server,
            directory,
            gatepost_port,
            other_port,
        }
    }
}

/// Follows the README of the recipe in a copy of `/etc/exim4`, and returns the configuration Debian makes of it.
fn configure(
    scheme: Scheme,
    directory: &Path,
    gatepost_port: u16,
    other_port: u16,
    extra: &Own<'_>,
) -> PathBuf {
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/config/exim4/gatepost.conf");
    let recipe = fs::read_to_string(recipe).expect("the recipe is part of the repository");
    let root = directory.display();
    let own = format!(
        "GATEPOST_PORT = {gatepost_port}\nSPOOLDIR = {root}/spool\nlog_file_path = {root}/log/%slog\n\
         pid_file_path = {root}/exim.pid\ndns_retrans = 1s\ndns_retry = 1\n"
    );

    let users = extra
        .iter()
        .find_map(|(_, text)| text.strip_prefix("GATEPOST_SUBMISSION_PORT = "));
    let users = users.map_or_else(String::new, |port| format!(" ; 127.0.0.1.{}", port.trim()));

    let etc = directory.join("etc");
    run(Command::new("cp").arg("-r").arg("/etc/exim4").arg(&etc));
    let split = matches!(scheme, Scheme::Split);
    fs::write(
        etc.join("update-exim4.conf.conf"),
        format!(
            "dc_eximconfig_configtype='internet'\ndc_other_hostnames='example.com'\n\
             dc_local_interfaces='127.0.0.1.{gatepost_port} ; 127.0.0.1.{other_port}{users}'\n\
             dc_relay_domains=''\ndc_relay_nets=''\ndc_minimaldns='false'\nCFILEMODE='644'\n\
             dc_use_split_config='{split}'\ndc_localdelivery='mail_spool'\n"
        ),
    )
    .expect("the directory is ours");

    let write = |name: &str, text: String| fs::write(etc.join(name), text).expect("it is our copy");
    match scheme {
        Scheme::Split => {
            write("conf.d/main/000_localmacros", own);
            for (name, text) in extra {
                write(&format!("conf.d/main/{name}"), (*text).to_owned());
            }
            write("conf.d/main/02_zz_gatepost", recipe);
        }
        // `update-exim4.conf` puts exim4.conf.localmacros before the template, but looks for it in /etc only.
        Scheme::Single => {
            let template = fs::read_to_string(etc.join("exim4.conf.template"));
            let template = template.expect("Debian has a template");
            let extra: String = extra.iter().map(|(_, text)| *text).collect();
            write(
                "exim4.conf.template",
                format!("{own}{extra}{recipe}{template}"),
            );
        }
    }

    let config = directory.join("exim.conf");
    run(Command::new("update-exim4.conf")
        .arg("-d")
        .arg(&etc)
        .arg("-o")
        .arg(&config));
    config
}

/// What the README's check does (`update-exim4.conf --check`, which can not be used on a copy).
fn check(config: &Path) -> process::Finished {
    let mut exim = Command::new("/usr/sbin/exim4");
    process::run(exim.arg("-C").arg(config).arg("-bV"), &[])
}

/// The value of a main option, as Exim has read it.
fn option(config: &Path, name: &str) -> String {
    let mut exim = Command::new("/usr/sbin/exim4");
    let printed = process::run(exim.arg("-C").arg(config).arg("-bP").arg(name), &[]);
    assert_eq!(printed.code, Some(0), "{}", printed.transcript);
    let value = printed.transcript.trim().split_once(" = ");
    let (_, value) = value.unwrap_or_else(|| panic!("{}", printed.transcript));
    value.to_owned()
}

fn run(command: &mut Command) {
    let finished = process::run(command, &[]);
    assert_eq!(
        finished.code,
        Some(0),
        "{command:?}: {}",
        finished.transcript
    );
}

/// Connects from `source`, sends `header`, waits for the greeting, then tries to relay; everything Exim said.
fn try_to_relay(source: &str, port: u16, header: &[u8]) -> String {
    converse(source, port, header, &[&[EHLO], RELAY].concat())
}

const EHLO: &str = "EHLO client.example.net\r\n";
const RELAY: &[&str] = &[
    "MAIL FROM:<sender@example.net>\r\n",
    "RCPT TO:<postmaster@foreign.example>\r\n",
    "RCPT TO:<postmaster@example.com>\r\n",
    "QUIT\r\n",
];

/// Connects from `source`, sends `header`, waits for the greeting, then says line by line; everything Exim said.
fn converse(source: &str, port: u16, header: &[u8], lines: &[&str]) -> String {
    let source: IpAddr = source.parse().expect("an address");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("sockets can be made");
    socket
        .bind(&SocketAddr::new(source, 0).into())
        .expect("all of 127/8 is ours");
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.connect(&server.into()).expect("Exim listens");
    let mut stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("not zero");

    let mut said = Vec::new();
    let mut lines = lines.iter();
    let mut sent = stream.write_all(header);
    while sent.is_ok() && read_reply(&mut stream, &mut said).is_ok() {
        let Some(line) = lines.next() else { break };
        sent = stream.write_all(line.as_bytes());
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Reads until the last line of a reply is there; an error when the connection ends first.
fn read_reply(stream: &mut TcpStream, said: &mut Vec<u8>) -> io::Result<()> {
    let start = said.len();
    loop {
        let mut octets = [0; 1024];
        let count = stream.read(&mut octets)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        said.extend_from_slice(&octets[..count]);
        let last = said[start..]
            .split_inclusive(|&octet| octet == b'\n')
            .next_back();
        if last.is_some_and(|line| line.ends_with(b"\n") && line.get(3) == Some(&b' ')) {
            return Ok(());
        }
    }
}

/// A PROXY header of version 2 for TCP over IPv6 (PROXY protocol section 2.2).
fn version_2(client: Ipv6Addr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24".to_vec();
    header.extend_from_slice(&client.octets());
    header.extend_from_slice(&Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x25).octets());
    header.extend_from_slice(&[0xc8, 0x22, 0, 25]);
    header
}

fn try_recipe(scheme: Scheme, own: &Own<'_>) {
    let exim = DebianExim::start(scheme, own);

    let good = [
        (proxy_header("192.0.2.77").into_bytes(), "[192.0.2.77]"),
        (proxy_header("2001:db8::77").into_bytes(), "[2001:db8::77]"),
        (
            version_2(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x78)),
            "[2001:db8::78]",
        ),
    ];
    for (header, seen) in good {
        let said = try_to_relay(SOURCE, exim.gatepost_port, &header);
        assert!(
            said.contains(seen),
            "{scheme:?}: Exim sees the client: {said}"
        );
        assert!(
            said.contains("550 relay not permitted"),
            "{scheme:?}: a stranger: {said}"
        );
        assert!(
            said.contains("250 Accepted"),
            "{scheme:?}: our postmaster: {said}"
        );
        assert!(!said.contains("STARTTLS"), "{scheme:?}: {said}");
        assert!(!said.contains("PIPECONNECT"), "{scheme:?}: {said}");
    }

    let header = proxy_header("192.0.2.77").into_bytes();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00".to_vec();
    let bad: [(&str, &str, Vec<u8>); 9] = [
        (
            "a good header from a wrong source",
            "127.0.0.1",
            header.clone(),
        ),
        ("no header from a wrong source", "127.0.0.1", Vec::new()),
        ("no header", SOURCE, Vec::new()),
        (
            "SMTP instead of a header",
            SOURCE,
            b"EHLO client.example.net\r\n".to_vec(),
        ),
        ("UNKNOWN", SOURCE, b"PROXY UNKNOWN\r\n".to_vec()),
        ("LOCAL", SOURCE, local),
        (
            "a client that claims loopback",
            SOURCE,
            proxy_header("127.0.0.1").into_bytes(),
        ),
        (
            "a client that claims loopback in IPv6",
            SOURCE,
            version_2(Ipv6Addr::LOCALHOST),
        ),
        (
            "a client that claims mapped loopback",
            SOURCE,
            version_2(Ipv4Addr::LOCALHOST.to_ipv6_mapped()),
        ),
    ];
    for (what, source, header) in bad {
        let said = try_to_relay(source, exim.gatepost_port, &header);
        assert!(said.starts_with("550 "), "{scheme:?}: {what}: {said}");
        assert!(!said.contains("250 "), "{scheme:?}: {what}: {said}");
    }

    // The other port serves this machine's programs as before, and takes no header.
    let said = try_to_relay("127.0.0.1", exim.other_port, b"");
    assert!(said.contains("250 Accepted"), "{scheme:?}: {said}");
    let said = try_to_relay(SOURCE, exim.other_port, b"PROXY UNKNOWN\r\n");
    assert!(said.starts_with("550 "), "{scheme:?}: {said}");
    let said = try_to_relay("127.0.0.1", exim.other_port, &header);
    assert!(
        said.contains("500 unrecognized command"),
        "{scheme:?}: not a header: {said}"
    );
    assert!(
        said.contains("[127.0.0.1]"),
        "{scheme:?}: it is not believed: {said}"
    );
}

#[test]
fn recipe_holds_in_split_configuration() {
    try_recipe(Scheme::Split, &[]);
}

#[test]
fn recipe_holds_in_single_configuration() {
    try_recipe(Scheme::Single, &[]);
}

/// What is common in an administrator's own files does not stop Exim, and holds beside the recipe.
#[test]
fn recipe_gets_on_with_settings_of_the_administrator() {
    let own = [
        (
            "000_localmacros_tls",
            "MAIN_TLS_ADVERTISE_HOSTS = *.example.net\n",
        ),
        (
            "00_localmacros",
            "MAIN_TLS_ENABLE = yes\nMAIN_LOG_SELECTOR = +all -arguments\n",
        ),
        (
            "01_local",
            "GATEPOST_OWN_SMTP_ACCEPT_MAX = yes\nsmtp_accept_max = 300\n\
             GATEPOST_OWN_SMTP_CONNECT_BACKLOG = yes\nsmtp_connect_backlog = 77\n",
        ),
    ];
    for scheme in [Scheme::Split, Scheme::Single] {
        let directory = exim_directory();
        let config = configure(scheme, directory.path(), 10025, 25, &own);
        let checked = check(&config);
        assert_eq!(checked.code, Some(0), "{scheme:?}: {}", checked.transcript);
        for (name, value) in [
            ("log_selector", "+all -arguments +proxy"),
            (
                "tls_advertise_hosts",
                "${if or{{eq{$received_port}{10025}}{eq{$received_port}{none}}}{}{*.example.net}}",
            ),
            ("smtp_accept_max", "300"),
            ("smtp_connect_backlog", "77"),
            ("hosts_proxy", SOURCE),
        ] {
            assert_eq!(option(&config, name), value, "{scheme:?}: {name}");
        }
    }
    try_recipe(Scheme::Split, &own);
}

/// What lets users log in behind gatepost.
const SUBMISSION: (&str, &str) = (
    "000_localmacros_users",
    "GATEPOST_SUBMISSION_PORT = 10587\n",
);

/// What an administrator does to have users: the macro, the port, and Debian's own examples.
#[test]
fn recipe_offers_auth_on_the_port_of_users_only() {
    let (port, directory) = (process::free_tcp_port(), exim_directory());
    let passwd = directory.path().join("passwd");
    let line = "ann:$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA\n";
    fs::write(&passwd, line).expect("the directory is ours");
    let macros = format!("GATEPOST_SUBMISSION_PORT = {port}\n");
    let examples = fs::read_to_string("/etc/exim4/conf.d/auth/30_exim4-config_examples");
    let users = uncommented(
        &examples.expect("Debian has examples"),
        &["plain_server", "login_server"],
    )
    .replace("CONFDIR/passwd", &passwd.display().to_string());
    let own = [
        ("000_localmacros_users", macros.as_str()),
        ("../auth/40_users", users.as_str()),
    ];
    let exim = DebianExim::start(Scheme::Split, &own);
    let header = proxy_header("192.0.2.77").into_bytes();

    let said = try_to_relay(SOURCE, port, &header);
    assert!(said.contains("250-AUTH PLAIN LOGIN"), "{said}");
    assert!(!said.contains("STARTTLS"), "{said}");
    assert!(
        said.contains("550 relay not permitted"),
        "a stranger: {said}"
    );
    for source in [SOURCE, "127.0.0.1"] {
        let said = try_to_relay(source, port, b"");
        assert!(!said.contains("250 "), "without a header: {said}");
    }
    for (source, port, header) in [
        (SOURCE, exim.gatepost_port, header.as_slice()),
        ("127.0.0.1", exim.other_port, b"".as_slice()),
    ] {
        let said = try_to_relay(source, port, header);
        assert!(
            said.contains("250 ") && !said.contains("AUTH"),
            "{port}: {said}"
        );
    }

    // "ann" with "secret"; she may relay, and is known by her name.
    let login = "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n";
    let said = converse(SOURCE, port, &header, &[&[EHLO, login], RELAY].concat());
    assert!(said.contains("235 Authentication succeeded"), "{said}");
    assert_eq!(said.matches("250 Accepted").count(), 2, "{said}");
    let wrong = "AUTH PLAIN AGFubgB3cm9uZw==\r\n";
    let said = converse(SOURCE, port, &header, &[&[EHLO, wrong], RELAY].concat());
    assert!(said.contains("535 Incorrect authentication data"), "{said}");
    assert!(said.contains("550 relay not permitted"), "{said}");
}

/// Sections of Debian's examples without the `#` before their lines.
fn uncommented(examples: &str, sections: &[&str]) -> String {
    let mut out = String::new();
    let mut within = false;
    for line in examples.lines() {
        let Some(line) = line.strip_prefix('#') else {
            within = false;
            continue;
        };
        let line = line.strip_prefix(' ').unwrap_or(line);
        if let Some(name) = line.strip_suffix(':') {
            within = sections.contains(&name);
        }
        if within {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// An option that stands twice is what the README's check finds, before a restart does.
#[test]
fn recipe_and_an_option_of_the_administrator_clash_in_the_check() {
    for (name, value) in [
        ("smtp_accept_max", "300"),
        ("smtp_connect_backlog", "77"),
        ("tls_advertise_hosts", "*"),
        ("pipelining_connect_advertise_hosts", "*"),
        ("auth_advertise_hosts", "*"),
    ] {
        let directory = exim_directory();
        let text = format!("{name} = {value}\n");
        let own = [SUBMISSION, ("01_local", text.as_str())];
        let config = configure(Scheme::Split, directory.path(), 10025, 25, &own);
        let checked = check(&config);
        assert_eq!(checked.code, Some(1), "{name}: {}", checked.transcript);
        assert!(
            checked.transcript.contains("set for the second time"),
            "{name}: {}",
            checked.transcript
        );

        let guarded = format!("GATEPOST_OWN_{} = yes\n{text}", name.to_uppercase());
        let own = [SUBMISSION, ("01_local", guarded.as_str())];
        let directory = exim_directory();
        let config = configure(Scheme::Split, directory.path(), 10025, 25, &own);
        let checked = check(&config);
        assert_eq!(checked.code, Some(0), "{name}: {}", checked.transcript);
    }
}

/// Sessions and deliveries of Exim outlive its daemon, and would make their directory anew.
#[test]
fn exim_leaves_nothing_behind() {
    let exim = DebianExim::start(Scheme::Split, &[]);
    let path = exim.directory.path().to_owned();
    let session = TcpStream::connect((Ipv4Addr::LOCALHOST, exim.other_port));
    let mut session = session.expect("Exim listens");
    read_reply(&mut session, &mut Vec::new()).expect("it greets");
    drop(exim);
    let mut rest = Vec::new();
    // What it says at its end, if anything, is no matter; a session that had lived on would say 500 here.
    let _ = session.write_all(b"NONSENSE\r\n");
    let _ = session.read_to_end(&mut rest);
    assert_eq!(String::from_utf8_lossy(&rest), "");
    assert!(!path.exists());
}

/// The Exim that stands behind gatepost in the other tests holds to the recipe too, without gatepost.
#[test]
fn recipe_holds_in_the_backend_of_the_tests() {
    let exim = Exim::start();
    let client = "192.0.2.77".parse().expect("an address");
    let send = |recipient: &str, source: &str| {
        swaks::send(
            exim.address(),
            client,
            recipient,
            &["--local-interface", source],
        )
    };

    let sent = send("user@example.com", SOURCE);
    assert_eq!(sent.code, Some(0), "{}", sent.transcript);
    let line = exim.logged(&[" <= sender@example.net", "[192.0.2.77]"]);
    assert!(line.contains("PRX=127.0.0.2"), "{line}");
    assert_eq!(exim.delivered(1)[0].recipient, "user@example.com");

    let relayed = send("postmaster@foreign.example", SOURCE);
    assert_eq!(
        relayed.code,
        Some(24),
        "24 says no recipient: {}",
        relayed.transcript
    );
    let refused = send("nobody@example.com", SOURCE);
    assert_eq!(
        refused.code,
        Some(24),
        "24 says no recipient: {}",
        refused.transcript
    );
    let wrong = send("user@example.com", "127.0.0.1");
    assert!(
        wrong
            .transcript
            .contains("550 this port is for gatepost only"),
        "{}",
        wrong.transcript
    );
    assert_eq!(exim.accepted(), 1);
}
