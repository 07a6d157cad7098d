//! `gatepost check-config`, and `gatepost run` with what it would complain about: one clear line, exit code 1.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};

use crate::support::process::Server;
use crate::support::wait;
use crate::world::{Store, World, gatepost};

/// The lines of `gatepost check-config` and its exit code.
fn check(world: &World, more: &[&str]) -> (Option<i32>, Vec<String>) {
    let finished = world.run(&[&["check-config"], more].concat());
    let lines = finished.transcript.lines().map(str::to_owned).collect();
    (finished.code, lines)
}

/// One problem, told by `check-config` and, with the same line, by `run`.
fn complains(world: &World, line: &str) {
    let (code, lines) = check(world, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(lines, [line, "g.toml: 1 problem"]);

    let finished = world.run(&["run"]);
    assert_eq!(finished.code, Some(1));
    let told = finished.transcript.trim_start_matches("gatepost: ");
    assert_eq!(told, format!("{line}\n"));
    for name in ["state", "journal"] {
        assert!(!world.path(name).exists(), "{name} was made");
    }
}

/// Writes a certificate and its key, `NAME.pem` and `NAME.key`.
pub(crate) fn make_pair(world: &World, name: &str) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["mx.example.com".to_owned()]).unwrap();
    fs::write(world.path(&format!("{name}.pem")), cert.pem()).unwrap();
    fs::write(
        world.path(&format!("{name}.key")),
        signing_key.serialize_pem(),
    )
    .unwrap();
}

/// A world with a good pair, `a`, and then the pair that is to be looked at.
fn with_pair(chain: &str, key: &str) -> World {
    let world = World::new();
    make_pair(&world, "a");
    make_pair(&world, "b");
    let path = |name: &str| world.path(name).display().to_string();
    let tables: Vec<String> = [("a.pem", "a.key"), (chain, key)]
        .iter()
        .map(|(chain, key)| {
            let (chain, key) = (path(chain), path(key));
            format!("[[tls.certificates]]\nchain = \"{chain}\"\nkey = \"{key}\"\n")
        })
        .collect();
    world.and(&tables.concat())
}

#[test]
fn a_good_file_is_counted_and_nothing_is_made() {
    let world = with_pair("b.pem", "b.key");
    let (code, lines) = check(&world, &[]);
    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(
        lines,
        ["g.toml: no problems; 1 listener, 1 backend, 1 policy"]
    );
    assert!(!world.path("state").exists());
}

#[test]
fn what_holds_is_printed_with_where_it_comes_from() {
    let world = World::new();
    let finished = crate::support::process::run(
        world
            .command(&["check-config", "--print"])
            .env("GATEPOST_LIMITS__RECIPIENTS", "200"),
        &[],
    );
    assert_eq!(finished.code, Some(0));
    for line in [
        "hostname = \"mx.example.com\"  # g.toml:1:1\n",
        "backend.store.source_address = \"127.0.0.2\"  # g.toml:9:1\n",
        "limits.recipients = 200  # environment GATEPOST_LIMITS__RECIPIENTS\n",
        "limits.connections = 20000  # default\n",
    ] {
        assert!(
            finished.transcript.contains(line),
            "{line}{}",
            finished.transcript
        );
    }
}

#[test]
fn a_mistyped_key_gets_its_nearest_spelling() {
    complains(
        &World::new().with("backend = \"store\"", "backnd = \"store\""),
        "g.toml:5:1: listen.mx.backnd: unknown key, did you mean \"backend\"? \
         allowed here: address, auth, backend, policy, proxy_protocol_from, role, tls",
    );
}

#[test]
fn a_wrong_unit_gets_an_example() {
    complains(
        &World::new().with("timeout = \"1s\"", "timeout = \"1x\""),
        "g.toml:13:1: resolver.timeout: \"1x\" is not a duration; \
         write a duration with its unit, such as \"90s\", \"5m\" or \"2h\"",
    );
}

#[test]
fn a_backend_that_is_not_in_the_file_is_said() {
    complains(
        &World::new().with("backend = \"store\"", "backend = \"stor\""),
        "g.toml:5:1: listen.mx.backend: the backend \"stor\" is unknown, did you mean \"store\"? \
         allowed: \"store\"",
    );
}

/// It is no reason for `run` not to start, so it has to be asked for.
#[test]
fn a_backend_that_does_not_answer_is_said_when_asked_for() {
    let world = World::new();
    assert_eq!(check(&world, &[]).0, Some(0));
    let (code, lines) = check(&world, &["--connect"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        lines,
        [
            "g.toml:8:1: backend.store.address: can not be reached: no connection to the backend: 127.0.0.1:9: \
             connection refused; start the backend, or write where it listens",
            "g.toml: 1 problem"
        ]
    );

    let store = Store::start(&world, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let world = world.backend(store.address);
    let (code, lines) = check(&world, &["--connect"]);
    assert_eq!(code, Some(0), "{lines:?}");
}

/// Says this to whoever connects, and waits until they go.
fn says(line: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(line.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    address
}

#[test]
fn a_backend_that_refuses_is_told_with_what_to_do() {
    let proxy = "let the backend expect PROXY headers from this address (Exim: hosts_proxy)";
    let port = "550 this port is for gatepost only";
    for (said, more, key, found, advice) in [
        (
            port,
            "",
            "source_address",
            "refused the session: 550 this port is for gatepost only",
            proxy,
        ),
        (
            port,
            "\nclient_address = \"none\"",
            "client_address",
            "refused the session: 550 this port is for gatepost only",
            "a backend that takes gatepost only wants a PROXY header: write \"proxy-v2\"",
        ),
        (
            "421 too many connections",
            "",
            "address",
            "closes the session: 421 too many connections",
            "the backend is there and closes at once: look into its log and at its limits",
        ),
        (
            "454 not now",
            "",
            "address",
            "refused the session: 454 not now",
            "the backend is there and takes nobody now: look into its log and at its limits",
        ),
        (
            "SSH-2.0-OpenSSH_9.2",
            "",
            "address",
            "broke the protocol: ",
            "see whether an SMTP server listens there that takes PROXY headers as client_address says, and its log",
        ),
    ] {
        let source = "source_address = \"127.0.0.2\"";
        let line: &'static str = format!("{said}\r\n").leak();
        let world = World::new()
            .backend(says(line))
            .with(source, &format!("{source}{more}"));
        let (code, lines) = check(&world, &["--connect"]);
        assert_eq!(code, Some(1));
        let start = format!("backend.store.{key}: {found}");
        assert!(lines[0].contains(&start), "{lines:?}");
        assert!(lines[0].ends_with(&format!("; {advice}")), "{lines:?}");
    }
}

/// The source address is ours to choose, so no backend is to blame.
#[test]
fn a_source_address_of_another_host_is_said() {
    let world = World::new().with("\"127.0.0.2\"", "\"192.0.2.9\"");
    let (code, lines) = check(&world, &["--connect"]);
    assert_eq!(code, Some(1));
    assert!(
        lines[0].starts_with("g.toml:9:1: backend.store.source_address: "),
        "{lines:?}"
    );
    assert!(
        lines[0].ends_with("; write an address of this host, or leave it out"),
        "{lines:?}"
    );
}

#[test]
fn a_file_that_is_not_there_is_said() {
    for command in ["check-config", "run", "explain"] {
        let world = World::new();
        let mut gatepost = gatepost(&world.path("."));
        gatepost.arg(command).args(["--config", "nx.toml"]);
        if command == "explain" {
            gatepost.arg("192.0.2.1");
        }
        let finished = crate::support::process::run(&mut gatepost, &[]);
        assert_eq!(finished.code, Some(1));
        assert!(
            finished.transcript.starts_with(
                "nx.toml: cannot be read: No such file or directory (os error 2); \
                 name the file with --config or GATEPOST_CONFIG\n"
            ),
            "{}",
            finished.transcript
        );
    }
}

#[test]
fn a_key_of_another_certificate_is_said() {
    let world = with_pair("b.pem", "a.key");
    let (key, chain) = (world.path("a.key"), world.path("b.pem"));
    complains(
        &world,
        &format!(
            "g.toml:36:1: tls.certificates[1].key: the key in {} does not belong to the first certificate in {}; \
             name the key that the certificate was made for",
            key.display(),
            chain.display()
        ),
    );
}

#[test]
fn a_certificate_that_is_not_there_is_said() {
    let world = with_pair("nx.pem", "b.key");
    let chain = world.path("nx.pem");
    complains(
        &world,
        &format!(
            "g.toml:35:1: tls.certificates[1].chain: cannot read {}: No such file or directory (os error 2); \
             name a file that is there",
            chain.display()
        ),
    );
}

#[test]
fn a_file_without_a_key_is_said() {
    let world = with_pair("b.pem", "b.key");
    fs::write(world.path("b.key"), "no key\n").unwrap();
    let key = world.path("b.key");
    complains(
        &world,
        &format!(
            "g.toml:36:1: tls.certificates[1].key: no usable private key in {}: it has no PEM section with a private key; \
             write the certificate's private key into it, PEM, not encrypted",
            key.display()
        ),
    );
}

#[test]
fn a_key_that_may_not_be_read_is_said() {
    let world = with_pair("b.pem", "b.key");
    let key = world.path("b.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&key).is_ok() {
        // Root reads everything: a folder in its place can not be read by anybody.
        fs::remove_file(&key).unwrap();
        fs::create_dir(&key).unwrap();
    }
    let (code, lines) = check(&world, &[]);
    assert_eq!(code, Some(1));
    let start = format!(
        "g.toml:36:1: tls.certificates[1].key: cannot read {}: ",
        key.display()
    );
    assert!(lines[0].starts_with(&start), "{lines:?}");
    assert_eq!(lines[1..], ["g.toml: 1 problem"]);
}

/// A world with one pair for `name` that holds from and to these years.
fn with_one_pair(name: &str, years: (i32, i32)) -> World {
    let world = World::new();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs::write(world.path("a.pem"), certificate.pem()).unwrap();
    fs::write(world.path("a.key"), key.serialize_pem()).unwrap();
    let path = |name: &str| world.path(name).display().to_string();
    let tls = format!(
        "[[tls.certificates]]\nchain = \"{}\"\nkey = \"{}\"\n",
        path("a.pem"),
        path("a.key")
    );
    world.and(&tls)
}

#[test]
fn a_certificate_that_does_not_hold_or_is_for_another_name_is_noted() {
    let good = "g.toml: no problems; 1 listener, 1 backend, 1 policy";
    let place = "note: g.toml:32:1: tls.certificates[0].chain:";
    for (name, years, note) in [
        (
            "mx.example.com",
            (2020, 2021),
            "the certificate expired on 2021-01-01T00:00:00Z; renew it; the new one is taken up by itself",
        ),
        (
            "mx.example.com",
            (4000, 4001),
            "the certificate holds only from 4000-01-01T00:00:00Z on; see whether the clock is right",
        ),
        (
            "mail.example.com",
            (2020, 4001),
            "no certificate is for the name clients see, \"mx.example.com\"; this one is for \"mail.example.com\"; \
             add one that is, or set hostname to the name the MX record and the certificate have",
        ),
    ] {
        let (code, lines) = check(&with_one_pair(name, years), &[]);
        assert_eq!(code, Some(0), "{lines:?}");
        // They come through two pipes, in any order.
        assert!(lines.contains(&good.to_owned()), "{lines:?}");
        assert!(lines.contains(&format!("{place} {note}")), "{lines:?}");
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
    for name in ["mx.example.com", "*.example.com"] {
        let (code, lines) = check(&with_one_pair(name, (2020, 4001)), &[]);
        assert_eq!((code, &lines[..]), (Some(0), &[good.to_owned()][..]));
    }
}

/// X.509 of version 1, as old scripts make it; the library says only `Other(OtherError(UnsupportedCertVersion))`.
#[test]
fn a_certificate_of_version_1_is_told_in_words() {
    let world = with_pair("b.pem", "b.key");
    let config = world.path("v1.cnf");
    fs::write(&config, "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
    let (key, request, chain) = (
        world.path("b.key"),
        world.path("b.csr"),
        world.path("b.pem"),
    );
    let openssl = |arguments: &[&std::ffi::OsStr]| {
        let mut openssl = std::process::Command::new("openssl");
        let made = crate::support::process::run(openssl.args(arguments), &[]);
        assert_eq!(made.code, Some(0), "{}", made.transcript);
    };
    let word = std::ffi::OsStr::new;
    openssl(&[
        word("req"),
        word("-new"),
        word("-key"),
        key.as_os_str(),
        word("-subj"),
        word("/CN=mx.example.com"),
        word("-config"),
        config.as_os_str(),
        word("-out"),
        request.as_os_str(),
    ]);
    openssl(&[
        word("x509"),
        word("-req"),
        word("-in"),
        request.as_os_str(),
        word("-signkey"),
        key.as_os_str(),
        word("-days"),
        word("30"),
        word("-out"),
        chain.as_os_str(),
    ]);
    let (code, lines) = check(&world, &[]);
    assert_eq!(code, Some(1));
    let problem = format!(
        "g.toml:35:1: tls.certificates[1].chain: no usable certificate in {}: it is an X.509 certificate of version 1; \
         TLS wants version 3 (RFC 5280); write the certificate and those that vouch for it into it, PEM, in this order",
        chain.display()
    );
    assert_eq!(lines[0], problem);
}

/// A file stands where a directory should: that stops root as well.
#[test]
fn a_directory_that_can_not_be_written_to_is_said() {
    let mut world = World::new();
    for name in ["state", "journal"] {
        let path = world.path(name).display().to_string();
        world = world.with(&path, &format!("{path}/in"));
        fs::write(world.path(name), "").unwrap();
    }
    let (code, lines) = check(&world, &[]);
    assert_eq!(code, Some(1));
    for (line, (place, key, name)) in lines
        .iter()
        .zip([("26:1", "store", "state"), ("29:1", "journal", "journal")])
    {
        let start = format!("g.toml:{place}: {key}.directory: the user ");
        let directory = world.path(name).join("in").display().to_string();
        let rest = format!(" can not write to {directory}: not a directory, so ");
        assert!(line.starts_with(&start) && line.contains(&rest), "{line}");
    }
    assert_eq!(lines[2..], ["g.toml: 2 problems"]);

    // Mail is worth more than records: it serves all the same, and says so.
    let world = World::new();
    let path = world.path("journal").display().to_string();
    let world = world.with(&path, &format!("{path}/in"));
    fs::write(world.path("journal"), "").unwrap();
    let mut server = Server::start(&mut world.command(&["run"]));
    let said = wait::until(|| {
        let output = server.output();
        (output.contains("listening") || server.ended().is_some()).then_some(output)
    });
    let said = said.unwrap_or_default();
    assert_eq!(
        said.matches("journal.directory: the user ").count(),
        1,
        "{said}"
    );
}

#[test]
fn settings_that_do_nothing_or_count_twice_are_noted() {
    let zone = "{ zone = \"bl.test\", answers = \"127.0.0.[2..11]\", points = 5 }";
    let world = World::new()
        .with(zone, &format!("{zone}, {zone}"))
        .and(
            "[policy.default.checks.access]\ndeny = [\n  { network = \"192.0.2.0/24\", expires = \"2999-12-31\" },\n\
             \x20 { network = \"198.51.100.0/24\", expires = \"2020-12-31\" },\n]\n\
             [policy.other]\ninherit = \"default\"\n",
        );
    let (code, lines) = check(&world, &[]);
    assert_eq!(code, Some(0), "{lines:?}");
    for line in [
        "note: g.toml:23:1: policy.default.checks.dnsbl.zones[1]: \"bl.test\" stands here twice with the same answers; \
         its points count twice; remove one, or write other answers",
        "note: g.toml:32:1: policy.default.checks.access.deny[1]: the entry for 198.51.100.0/24 has expired; \
         remove it, or write a later date",
    ] {
        assert!(
            lines.iter().any(|found| found == line),
            "{line}\n{lines:#?}"
        );
    }
    assert_eq!(lines.len(), 3, "{lines:#?}");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let world = World::new();
    for (arguments, line) in [
        (
            &["check-confg"][..],
            "error: unrecognized subcommand 'check-confg'",
        ),
        (
            &["check-config", "--prnt"],
            "error: unexpected argument '--prnt' found",
        ),
    ] {
        let finished =
            crate::support::process::run(gatepost(&world.path(".")).args(arguments), &[]);
        assert_eq!(finished.code, Some(2));
        assert!(
            finished.transcript.starts_with(line),
            "{}",
            finished.transcript
        );
    }
}
