//! Wrong configurations and the line that each gets; layers over one another; inheritance of policies.
//!
//! Nothing here touches the process environment: all layers are text.

use std::path::Path;
use std::time::Duration;

use gatepost::config::{self, Layers, Snapshot};
use proptest::prelude::*;

/// A good file. Cases add to it or spoil it.
const GOOD: &str = r#"hostname = "mx.example.com"
[listen.mx]
address = ["0.0.0.0:25"]
backend = "exim"
[backend.exim]
address = ["127.0.0.1:10025"]
"#;

fn load(text: &str) -> Result<Snapshot, Vec<String>> {
    load_with(text, &[], &[])
}

fn load_with(
    text: &str,
    environment: &[(&str, &str)],
    arguments: &[(&str, &str)],
) -> Result<Snapshot, Vec<String>> {
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    config::from_layers(&Layers {
        file: Some((Path::new("g.toml"), text)),
        environment: &owned(environment),
        arguments: &owned(arguments),
        system_name: "box",
    })
    .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// The problems of the good file with `more` behind it; it has six lines.
fn problems_of(more: &str) -> Vec<String> {
    load(&format!("{GOOD}{more}")).map(|_| ()).expect_err(more)
}

fn good(more: &str) -> Snapshot {
    load(&format!("{GOOD}{more}")).unwrap_or_else(|problems| panic!("{}", problems.join("\n")))
}

#[test]
fn each_mistake_behind_a_good_file_gets_its_one_line() {
    for (text, line) in [
        // keys, in every kind of table
        (
            "[limts]\n",
            "g.toml:7:2: limts: unknown key, did you mean \"limits\"? allowed here: admin, backend, doctor, hostname, \
                       ident, journal, limits, listen, log, mail_data, policy, resolver, store, tls, user",
        ),
        (
            "[resolver]\ntimout = \"3s\"\n",
            "g.toml:8:1: resolver.timout: unknown key, did you mean \"timeout\"? allowed \
                                           here: cache_size, servers, timeout",
        ),
        (
            "[[tls.certificates]]\nchain = \"/c\"\nkey = \"/k\"\ncertt = 1\n",
            "g.toml:10:1: tls.certificates[0].certt: unknown key; allowed here: chain, key",
        ),
        (
            "[policy.default]\ngreet_wiat = \"6s\"\n",
            "g.toml:8:1: policy.default.greet_wiat: unknown key, did you mean \"greet_wait\"? allowed here: add_header, checks, \
          deny_points, drop_points, exempt_recipients, greet_wait, greylist_points, inherit, mode, primary, shield, tarpit, tarpit_drip",
        ),
        (
            "[policy.default.checks.secondary_mx]\nprimary = [\"mxx\"]\n",
            "g.toml:8:12: policy.default.checks.secondary_mx.primary[0]: the listener \"mxx\" is unknown, did you mean \"mx\"? allowed: \"mx\"",
        ),
        // not built yet
        (
            "[admin]\naddress = \"0.0.0.0:8025\"\n",
            "g.toml:8:1: admin.address[0]: \"0.0.0.0:8025\" can be reached from elsewhere, and anybody may read there; write one on loopback, such as \"127.0.0.1:8025\", or set token",
        ),
        (
            "[admin]\naddress = \"127.0.0.1:8025\"\ntoken = \"secret\"\n",
            "g.toml:9:1: admin.token: a token of 6 characters can be guessed; write at least 16, such as what \"openssl rand -hex 16\" prints",
        ),
        (
            "[policy.default]\nshield = \"when-primary-down\"\n",
            "g.toml:7:9: policy.default.primary: shield = \"when-primary-down\" needs it; write where the primary is, such as primary = [\"192.0.2.25:25\"]",
        ),
        (
            "[policy.default]\nshield = \"when-primary-down\"\nprimary = [\"mx1\"]\n",
            "g.toml:9:12: policy.default.primary[0]: \"mx1\" is no address; write an address with its port, such as \"192.0.2.25:25\" or \"[2001:db8::25]:25\"",
        ),
        (
            "[log]\nformat = \"journal\"\n",
            "g.toml:8:1: log.format: the word \"journal\" is unknown, did you mean \"journald\"? allowed: \"text\", \"json\", \"journald\"",
        ),
        (
            "[backend.b]\naddress = \"127.0.0.1:26\"\ntls = \"starttls\"\n",
            "g.toml:7:10: backend.b.server_name: not set, so there is no telling whose certificate is the right one; write \
             the name that the backend's certificate is for; or verify = \"loopback-only\" where the backend is on this \
             machine",
        ),
        (
            "[backend.b]\naddress = [\"127.0.0.1:26\", \"192.0.2.1:25\"]\ntls = \"implicit\"\nverify = \"loopback-only\"\n",
            "g.toml:10:1: backend.b.verify: \"loopback-only\", but \"192.0.2.1:25\" is not on loopback; write verify = \
             \"full\" and server_name",
        ),
        (
            "[backend.b]\naddress = \"127.0.0.1:26\"\nca = \"ca.pem\"\n",
            "g.toml:9:1: backend.b.ca: \"ca.pem\" is not a whole path; write it from / on, such as \
             \"/etc/gatepost/backend-ca.pem\"",
        ),
        (
            "[listen.s]\naddress = \"0.0.0.0:465\"\nrole = \"submision\"\nbackend = \"exim\"\n",
            "g.toml:9:1: listen.s.role: the word \"submision\" is unknown, did you mean \"submission\"? allowed: \"mx\", \"submission\"",
        ),
        (
            "[listen.s]\naddress = \"0.0.0.0:465\"\ntls = \"none\"\nrole = \"submission\"\nbackend = \"exim\"\n",
            "g.toml:9:1: listen.s.tls: \"none\", where users log in, would show their passwords to everybody on the way; write \"starttls\" or \"implicit\"",
        ),
        (
            "[listen.s]\naddress = \"0.0.0.0:26\"\ntls = \"none\"\nauth = true\nbackend = \"exim\"\n",
            "g.toml:9:1: listen.s.tls: \"none\", where users log in, would show their passwords to everybody on the way; write \"starttls\" or \"implicit\"",
        ),
        (
            "[limits]\nfailed_logins_per_address = 30\n",
            "g.toml:8:1: limits.failed_logins_per_address: 30 has no unit; write \"30/min\"",
        ),
        // words
        (
            "[policy.default]\nadd_header = [\"x-gatepost\", \"recieved\"]\n",
            "g.toml:8:29: policy.default.add_header[1]: the word \"recieved\" is unknown, did you mean \"received\"? allowed: \"x-gatepost\", \"authentication-results\", \"received\"",
        ),
        (
            "[backend.b]\naddress = \"127.0.0.1:26\"\nclient_address = \"proxy_v2\"\n",
            "g.toml:9:1: backend.b.client_address: the word \"proxy_v2\" is unknown, did you mean \"proxy-v2\"? allowed: \
          \"proxy-v1\", \"proxy-v2\", \"xclient\", \"none\"",
        ),
        (
            "[mail_data]\nbare_newline = 0\n",
            "g.toml:8:1: mail_data.bare_newline: found 0; write a word in quotes",
        ),
        (
            "[policy.default]\nmode = \"observed\"\n",
            "g.toml:8:1: policy.default.mode: the word \"observed\" is unknown, did you mean \"observe\"? allowed: \
          \"enforce\", \"observe\"",
        ),
        (
            "[log]\nlevel = \"info,gatepost::gather=debgu\"\n",
            "g.toml:8:1: log.level: the level \"debgu\" is unknown, did you mean \"debug\"? allowed: \"off\", \"error\", \
          \"warn\", \"info\", \"debug\", \"trace\"",
        ),
        // units
        (
            "[resolver]\ntimeout = 3\n",
            "g.toml:8:1: resolver.timeout: 3 has no unit; write \"3s\"",
        ),
        (
            "[resolver]\ntimeout = 2.5\n",
            "g.toml:8:1: resolver.timeout: 2.5 has no unit; write \"2.5s\"",
        ),
        (
            "[limits]\nsession = \"6\"\n",
            "g.toml:8:1: limits.session: \"6\" has no unit; write \"6s\"",
        ),
        (
            "[limits]\nmessage_size = 50\n",
            "g.toml:8:1: limits.message_size: 50 has no unit; write \"50MiB\" or \"50B\"",
        ),
        (
            "[limits]\nconnection_rate_per_address = \"60/fortnight\"\n",
            "g.toml:8:1: limits.connection_rate_per_address: \"60/fortnight\" is not a rate; write a rate, such as \
          \"60/min\" or \"5/s\", or \"off\"",
        ),
        (
            "[limits]\nconnections = \"20000\"\n",
            "g.toml:8:1: limits.connections: found \"20000\"; write a whole number that is not negative",
        ),
        (
            "[limits]\nerrors = -1\n",
            "g.toml:8:1: limits.errors: found -1; write a whole number that is not negative",
        ),
        (
            "[journal]\nenabled = \"yes\"\n",
            "g.toml:8:1: journal.enabled: found \"yes\"; write true or false",
        ),
        // ranges
        (
            "[policy.default]\ngreet_wait = \"11s\"\n",
            "g.toml:8:1: policy.default.greet_wait: found 11s; allowed: 0s to 10s",
        ),
        (
            "[limits]\nrecipients = 99\n",
            "g.toml:8:1: limits.recipients: found 99; allowed: 100 to 100000",
        ),
        (
            "[limits]\nconnections_per_address = 300\n",
            "g.toml:7:2: limits.connections_per_network: 200 is less than connections_per_address, 300; write at least as \
          many: an address is part of its network",
        ),
        (
            "[backend.b]\naddress = \"127.0.0.1:26\"\ngreeting_timeout = \"5s\"\n",
            "g.toml:9:1: backend.b.greeting_timeout: found 5s; allowed: 30s to 1h",
        ),
        // addresses
        (
            "[listen.b]\naddress = \"0.0.0.0\"\nbackend = \"exim\"\n",
            "g.toml:8:1: listen.b.address: \"0.0.0.0\" has no port; write \"0.0.0.0:25\"",
        ),
        (
            "[listen.b]\naddress = [\"127.0.0.1:26\", \"::\"]\nbackend = \"exim\"\n",
            "g.toml:8:28: listen.b.address[1]: \"::\" has no port; write \"[::]:25\"",
        ),
        (
            "[listen.b]\naddress = \"0.0.0.0:25\"\nbackend = \"exim\"\n",
            "g.toml:3:12: listen.mx.address[0]: \"0.0.0.0:25\" stands in listen.b.address[0], too; write each address and \
          port once",
        ),
        (
            "[listen.b]\naddress = [\"127.0.0.1:25\"]\nbackend = \"exim\"\n",
            "g.toml:3:12: listen.mx.address[0]: \"0.0.0.0:25\" and \"127.0.0.1:25\" of listen.b.address[0] take in each \
          other; write each address and port once",
        ),
        (
            "[listen.b]\nbackend = \"exim\"\n",
            "g.toml:7:9: listen.b.address: no address; write such as address = [\"0.0.0.0:25\", \"[::]:25\"]",
        ),
        (
            "[backend.b]\naddress = \"127.0.0.1:25\"\n",
            "g.toml:8:1: backend.b.address[0]: \"127.0.0.1:25\" is gatepost's own listen.mx; write the address of the \
          backend, or mail goes round and round",
        ),
        (
            "[backend.b]\naddress = \"127.0.0.1:0\"\n",
            "g.toml:8:1: backend.b.address[0]: \"127.0.0.1:0\" is nowhere to connect to; write an address and a port of \
          the backend",
        ),
        (
            "[backend.b]\naddress = \"127.0.0.1:26\"\nsource_address = \"::1\"\n",
            "g.toml:9:1: backend.b.source_address: \"::1\" is IPv6, but the address \"127.0.0.1:26\" is IPv4; write both in \
          one family; a backend with both families is two backends",
        ),
        (
            "[listen.b]\naddress = \"0.0.0.0:26\"\nbackend = \"exim\"\nproxy_protocol_from = [\"192.0.2.7/24\"]\n",
            "g.toml:10:24: listen.b.proxy_protocol_from[0]: \"192.0.2.7/24\" has bits set behind its prefix; write \
          \"192.0.2.0/24\" or \"192.0.2.7\"",
        ),
        // references
        (
            "[listen.b]\naddress = \"0.0.0.0:26\"\n",
            "g.toml:7:9: listen.b.backend: no backend; write the name of one: \"exim\"",
        ),
        (
            "[listen.b]\naddress = \"0.0.0.0:26\"\nbackend = \"exmi\"\n",
            "g.toml:9:1: listen.b.backend: the backend \"exmi\" is unknown, did you mean \"exim\"? allowed: \"exim\"",
        ),
        (
            "[listen.b]\naddress = \"0.0.0.0:26\"\nbackend = \"exim\"\npolicy = \"defualt\"\n",
            "g.toml:10:1: listen.b.policy: the policy \"defualt\" is unknown, did you mean \"default\"? allowed: \"default\"",
        ),
        (
            "[listen.\"a b\"]\naddress = \"0.0.0.0:26\"\nbackend = \"exim\"\n",
            "g.toml:7:9: listen.\"a b\": does not do as a name; write letters, digits, - and _, at most 64",
        ),
        // files
        (
            "[tls]\ncertificates = [\"a.pem\"]\n",
            "g.toml:8:17: tls.certificates[0]: found \"a.pem\"; write a table { chain = \"...\", key = \"...\" }",
        ),
        (
            "[policy.default.checks.dnsbl]\nzones = [{ zone = \"a b\", points = 1 }]\n",
            "g.toml:8:10: policy.default.checks.dnsbl.zones[0]: zone = \"a b\" is no domain; \
             write one such as \"zen.spamhaus.org\"",
        ),
        (
            "[policy.default.checks.dnsbl]\nzones = [{ zone = \"192.0.2.1\", points = 1 }]\n",
            "g.toml:8:10: policy.default.checks.dnsbl.zones[0]: zone = \"192.0.2.1\" is an address, not a domain; \
             write one such as \"zen.spamhaus.org\"",
        ),
        (
            "[policy.default.checks.dnsbl]\nzones = [{ zone = \"my key\", name = \"zen\", points = 1 }]\n",
            "g.toml:8:10: policy.default.checks.dnsbl.zones[0]: zone is no domain; \
             write one such as \"zen.spamhaus.org\"",
        ),
        (
            "[policy.default.checks.dnsbl]\nzones = [\"zen.spamhaus.org\"]\n",
            "g.toml:8:10: policy.default.checks.dnsbl.zones[0]: found \"zen.spamhaus.org\"; \
             write a table such as { zone = \"zen.spamhaus.org\", points = 5 }",
        ),
        (
            "[[tls.certificates]]\nchain = \"/c.pem\"\n",
            "g.toml:7:1: tls.certificates[0].key: no key beside the chain; write both: { chain = \"...\", key = \"...\" }",
        ),
        (
            "[store]\ndirectory = \"state\"\n",
            "g.toml:8:1: store.directory: \"state\" is not a whole path; write it from / on, such as \"/var/lib/gatepost\"",
        ),
        // doctor
        (
            "[doctor]\ndomains = [\"example.com\", \"a b\"]\n",
            "g.toml:8:27: doctor.domains[1]: \"a b\" is no name of the DNS; write one in ASCII, such as \"example.com\"",
        ),
        (
            "[doctor]\nevery = \"1m\"\n",
            "g.toml:8:1: doctor.every: found 1m; allowed: 5m to 30d",
        ),
        (
            "[doctor]\nreach = [\"192.0.2.1:25\"]\n",
            "g.toml:8:10: doctor.reach[0]: \"192.0.2.1:25\" is no detour; write two addresses with ports, such as \
          \"203.0.113.5:25=10.0.0.5:25\"",
        ),
        // policies
        (
            "[policy.backup]\ninherit = \"defautl\"\n",
            "g.toml:8:1: policy.backup.inherit: the policy \"defautl\" is unknown, did you mean \"default\"? allowed: \
          \"backup\", \"default\"",
        ),
        (
            "[policy.a]\ninherit = \"b\"\n[policy.b]\ninherit = \"a\"\n",
            "g.toml:10:1: policy.b.inherit: goes round: a → b → a; leave out inherit in one of them",
        ),
        (
            "[policy.a]\ninherit = \"a\"\n",
            "g.toml:8:1: policy.a.inherit: goes round: a → a; leave out inherit in one of them",
        ),
        (
            "[policy.default]\ndeny_points = 2\n",
            "g.toml:8:1: policy.default.deny_points: 2 is less than greylist_points, 3; write greylist_points ≤ deny_points \
          ≤ drop_points",
        ),
        (
            "[policy.default]\ngreylist_points = 0\n",
            "g.toml:8:1: policy.default.greylist_points: found 0; write more than 0, or every client is meant",
        ),
        (
            "[policy.default]\nexempt_recipients = [\"postmaster\", \"abuse@example.com\"]\n",
            "g.toml:8:36: policy.default.exempt_recipients[1]: \"abuse@example.com\" is not a local-part; write what stands \
          before the @, such as \"postmaster\"",
        ),
        (
            "[policy.default.checks]\ndnsbl = 5\n",
            "g.toml:8:1: policy.default.checks.dnsbl: found 5; write a table",
        ),
        (
            "[policy.default]\nchecks = 5\n",
            "g.toml:8:1: policy.default.checks: found 5; write a table",
        ),
        // the file itself
        (
            "[listen.mx]\n",
            "g.toml:7:1: invalid table header, duplicate key `mx` in table `listen`; write TOML: key = value, text in quotes",
        ),
    ] {
        assert_eq!(problems_of(text), [line], "{text}");
    }
}

#[test]
fn the_names_of_checks_and_their_settings_are_told_with_their_place() {
    let [unknown] = &problems_of("[policy.default.checks.dnsb]\n")[..] else {
        panic!("one problem")
    };
    let start = "g.toml:7:24: policy.default.checks.dnsb: the check \"dnsb\" is unknown, did you mean \"dnsbl\"? allowed: ";
    assert!(unknown.starts_with(start), "{unknown}");

    let problems = problems_of("[policy.default.checks.dnsbl]\nzonez = []\nlookup_private = 5\n");
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with(
        "g.toml:8:1: policy.default.checks.dnsbl.zonez: unknown key, did you mean \"zones\"?"
    ));
    assert!(
        problems[1]
            .starts_with("g.toml:9:1: policy.default.checks.dnsbl.lookup_private: found 5; "),
        "{problems:?}"
    );
}

#[test]
fn a_check_can_be_switched_off_and_on_again_by_an_heir() {
    let snapshot = good(
        "[policy.default.checks.conduct]\nenabled = false\n[policy.b]\ninherit = \"default\"\nchecks.conduct.enabled = true\n",
    );
    let has = |policy: &str| {
        let checks = &snapshot.policies[policy].checks;
        checks.iter().any(|check| check.name() == "conduct")
    };
    assert!(!has("default") && has("b"));
    let problems = problems_of("[policy.default.checks.conduct]\nenabled = \"no\"\n");
    assert_eq!(
        problems,
        ["g.toml:8:1: policy.default.checks.conduct.enabled: found \"no\"; write true or false"]
    );
    let problems = problems_of("[policy.default.checks.conduct]\nenable = true\n");
    assert!(
        problems[0].contains("unknown key, did you mean \"enabled\"?"),
        "{problems:?}"
    );
}

#[test]
fn a_list_in_a_checks_settings_is_told_element_by_element() {
    let zones = "zones = [{ zone = 'a.example', answers = '127.0.0.2..11', points = 5 }, \
                 { zone = 'b.example', points = 'five' }, { zne = 'c.example', points = 1 }]";
    let problems = problems_of(&format!("[policy.default.checks.dnsbl]\n{zones}\n"));
    let keys: Vec<&str> = problems
        .iter()
        .filter_map(|line| line.split(": ").nth(1))
        .collect();
    let zones = "policy.default.checks.dnsbl.zones";
    let expected = [("0", "answers"), ("1", "points"), ("2", "zne")];
    assert_eq!(
        keys,
        expected.map(|(index, part)| format!("{zones}[{index}].{part}")),
        "{problems:?}"
    );
}

#[test]
fn an_inherited_mistake_is_told_once_where_it_is_written() {
    let problems = problems_of(
        "[policy.default]\nchecks.dnsbl.zonez = 1\n[policy.b]\ninherit = \"default\"\nchecks.dnsbl.zonse = 1\n",
    );
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].starts_with("g.toml:8:14: policy.default.checks.dnsbl.zonez: unknown key"),
        "{problems:?}"
    );
    assert!(
        problems[1].starts_with("g.toml:11:14: policy.b.checks.dnsbl.zonse: unknown key"),
        "{problems:?}"
    );
}

#[test]
fn one_run_tells_every_mistake_in_the_order_of_the_file() {
    let text = "
hostname = 'mx_example com'
[listen.mx]
address = ['0.0.0.0', '127.0.0.1:25', '::', '127.0.0.1:25']
tls = 'startls'
polcy = 'strict'
[backend.exim]
address = '127.0.0.1:10025'
greeting_timeout = 60
[policy.strict]
inherit = 'defalt'
greet_wait = '1m'
[limits]
recipients = 5
errors = 'many'
";
    let lines = load(text).map(|_| ()).unwrap_err();
    let places: Vec<&str> = lines
        .iter()
        .map(|line| line.split(": ").nth(1).unwrap_or_default())
        .collect();
    assert_eq!(
        places,
        [
            "hostname",
            "listen.mx.backend",
            "listen.mx.address[0]",
            "listen.mx.address[2]",
            "listen.mx.address[3]",
            "listen.mx.tls",
            "listen.mx.polcy",
            "backend.exim.greeting_timeout",
            "policy.strict.inherit",
            "policy.strict.greet_wait",
            "limits.recipients",
            "limits.errors",
        ]
    );
    assert!(
        lines[4].contains("\"127.0.0.1:25\" stands in listen.mx.address[1], too"),
        "{}",
        lines[4]
    );
}

#[test]
fn what_could_not_be_read_is_not_called_missing() {
    for (text, count) in [
        (
            "[listen.mx]\nadress = '0.0.0.0:25'\nbackend = 'exim'\n[backend.exim]\naddress = '127.0.0.1:10025'",
            1,
        ),
        (
            "[listen]\nmx = 5\n[backend.exim]\naddress = '127.0.0.1:10025'",
            1,
        ),
        ("listen = 5\nbackend = 6", 2),
        (
            "[listen.mx]\naddress = '0.0.0.0:25'\nbackend = 'exim'\n[backend]\nexim = 5",
            1,
        ),
        (
            "[listen.mx]\naddress = '0.0.0.0:25'\nbackend = 'exim'\npolicy = 'a'\npolicies.a = {}\n[backend.exim]\naddress = '127.0.0.1:10025'\n[policy]\na = 5",
            2,
        ),
        ("", 1),
    ] {
        let problems = load(text).map(|_| ()).unwrap_err();
        assert_eq!(problems.len(), count, "{text}: {problems:?}");
    }
}

#[test]
fn syntax_faults_have_a_place_and_one_line() {
    for (text, start) in [
        ("hostname = mx\n", "g.toml:1:12: "),
        ("hostname = \"a\"\n\n[listen.mx\n", "g.toml:3:11: "),
        ("a = 1\na = 2\n", "g.toml:2:1: duplicate key `a`"),
    ] {
        let problems = load(text).map(|_| ()).unwrap_err();
        let [problem] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert!(
            problem.starts_with(start) && !problem.contains('\n'),
            "{problem}"
        );
    }
}

#[test]
fn the_environment_goes_over_the_file_and_arguments_over_both() {
    let environment = [
        (
            "GATEPOST_LISTEN__MX__ADDRESS",
            "[\"127.0.0.1:2525\",\"[::1]:2525\"]",
        ),
        ("GATEPOST_LIMITS__COMMAND_TIMEOUT", "90s"),
        ("GATEPOST_LIMITS__RECIPIENTS", "200"),
        ("GATEPOST_LOG__LEVEL", "info,gatepost::gather=debug"),
        ("GATEPOST_POLICY__DEFAULT__GREET_WAIT", "0s"),
        ("GATEPOST_CONFIG", "/etc/gatepost/gatepost.toml"),
        ("HOME", "/root"),
    ];
    let snapshot = load_with(
        GOOD,
        &environment,
        &[
            ("limits.recipients", "300"),
            ("store.directory", "/tmp/state"),
        ],
    )
    .unwrap();
    let addresses: Vec<String> = snapshot.config.listen["mx"]
        .address
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses, ["127.0.0.1:2525", "[::1]:2525"]);
    assert_eq!(
        snapshot.config.limits.command_timeout,
        Duration::from_secs(90)
    );
    assert_eq!(snapshot.config.limits.recipients, 300);
    assert_eq!(snapshot.config.log.level, "info,gatepost::gather=debug");
    assert_eq!(snapshot.policies["default"].greet_wait, Duration::ZERO);
    let origin = |key: &str| {
        let setting = snapshot
            .effective()
            .iter()
            .find(|setting| setting.key == key)
            .unwrap();
        format!("{} from {}", setting.value, setting.origin)
    };
    assert_eq!(
        origin("limits.recipients"),
        "300 from argument limits.recipients"
    );
    assert_eq!(
        origin("limits.command_timeout"),
        "\"90s\" from environment GATEPOST_LIMITS__COMMAND_TIMEOUT"
    );
    assert_eq!(origin("listen.mx.backend"), "\"exim\" from g.toml:4:1");
    assert_eq!(origin("limits.errors"), "20 from default");
}

#[test]
fn mistakes_outside_the_file_name_variable_or_argument() {
    for (environment, arguments, start) in [
        (
            &[("GATEPOST_LISTEN__MX__ADDRES", "0.0.0.0:25")][..],
            &[][..],
            "environment GATEPOST_LISTEN__MX__ADDRES: listen.mx.addres: unknown key, did you mean \"address\"?",
        ),
        (
            &[("GATEPOST_FOO", "1")],
            &[],
            "environment GATEPOST_FOO: foo: unknown key; allowed here: ",
        ),
        (
            &[("GATEPOST_RESOLVER__TIMEOUT", "300")],
            &[],
            "environment GATEPOST_RESOLVER__TIMEOUT: resolver.timeout: 300 has no unit; write \"300s\"",
        ),
        (
            &[("GATEPOST_LISTEN__MX__ADDRESS", "[::]")],
            &[],
            "environment GATEPOST_LISTEN__MX__ADDRESS: listen.mx.address[0]: \"::\" has no port; write \"[::]:25\"",
        ),
        (
            &[],
            &[("listen.mx.backend", "exmi")],
            "argument listen.mx.backend: listen.mx.backend: the backend \"exmi\"",
        ),
    ] {
        let problems = load_with(GOOD, environment, arguments)
            .map(|_| ())
            .unwrap_err();
        let [problem] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn everything_can_come_from_the_environment() {
    let environment = [
        ("GATEPOST_LISTEN__MX__ADDRESS", "127.0.0.1:2525"),
        ("GATEPOST_LISTEN__MX__BACKEND", "exim"),
        ("GATEPOST_BACKEND__EXIM__ADDRESS", "[::1]:10025"),
    ];
    let owned: Vec<(String, String)> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let layers = Layers {
        environment: &owned,
        system_name: "mx.example.com",
        ..Layers::default()
    };
    let snapshot = config::from_layers(&layers).unwrap();
    assert_eq!(
        snapshot.config.backend["exim"].address[0].to_string(),
        "[::1]:10025"
    );
    assert_eq!(snapshot.config.hostname, "mx.example.com");
    assert_eq!(snapshot.source, None);
}

#[test]
fn a_policy_takes_what_it_does_not_set_from_the_one_it_inherits() {
    let snapshot = good(
        "
[policy.default]
deny_points = 6.5
greet_wait = '2s'
exempt_recipients = ['Postmaster', 'abuse', 'help']
checks.dnsbl.lookup_private = true
[policy.backup]
inherit = 'default'
mode = 'observe'
deny_points = 4
[policy.third]
inherit = 'backup'
greylist_points = 1
[policy.apart]
",
    );
    let policy = |name: &str| {
        let policy = &snapshot.policies[name];
        let points = format!(
            "{} {} {}",
            policy.greylist_points, policy.deny_points, policy.drop_points
        );
        (
            points,
            policy.greet_wait.as_secs(),
            format!("{:?}", policy.mode),
            policy.exempt_recipients.len(),
        )
    };
    assert_eq!(
        policy("default"),
        ("3 6.5 50".to_owned(), 2, "Enforce".to_owned(), 3)
    );
    assert_eq!(
        policy("backup"),
        ("3 4 50".to_owned(), 2, "Observe".to_owned(), 3)
    );
    assert_eq!(
        policy("third"),
        ("1 4 50".to_owned(), 2, "Observe".to_owned(), 3)
    );
    assert_eq!(
        policy("apart"),
        ("3 5 50".to_owned(), 6, "Enforce".to_owned(), 2)
    );
    assert_eq!(
        &*snapshot.policies["default"].exempt_recipients[0],
        "postmaster"
    );
    let checks = |name: &str| format!("{:?}", snapshot.policies[name].checks);
    assert_eq!(checks("third"), checks("default"));
    assert_ne!(checks("apart"), checks("default"));
    let setting = |key: &str| {
        let setting = snapshot
            .effective()
            .iter()
            .find(|setting| setting.key == key)
            .unwrap();
        format!("{} from {}", setting.value, setting.origin)
    };
    assert_eq!(
        setting("policy.third.checks.dnsbl.lookup_private"),
        "true from g.toml:12:14"
    );
    assert_eq!(setting("policy.third.deny_points"), "4 from g.toml:16:1");
    assert_eq!(setting("policy.apart.deny_points"), "5 from default");
}

#[test]
fn a_least_rate_of_zero_is_none() {
    assert_eq!(good("").config.limits.data_min_rate, 500);
    let snapshot = good("[limits]\ndata_min_rate = 0\n");
    assert_eq!(snapshot.config.limits.data_min_rate, 0);
    assert_eq!(snapshot.notes, []);
    for wrong in ["-1", "1000001"] {
        let problems = problems_of(&format!("[limits]\ndata_min_rate = {wrong}\n"));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with(&format!(
                "g.toml:8:1: limits.data_min_rate: found {wrong}; "
            )),
            "{problems:?}"
        );
    }
}

#[test]
fn what_works_and_is_doubtful_is_noted() {
    let notes = |text: &str| -> Vec<String> {
        load(text)
            .unwrap()
            .notes
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let nameless = GOOD.replace("hostname = \"mx.example.com\"\n", "");
    assert_eq!(
        notes(&nameless),
        [
            "g.toml: hostname: \"box\" has no domain; write the name clients see, such as \"mx.example.com\""
        ]
    );
    for (more, key) in [
        ("client_address = \"none\"", "backend.exim.client_address"),
        (
            "final_reply_timeout = \"2m\"",
            "backend.exim.final_reply_timeout",
        ),
        (
            "source_address = \"192.0.2.1\"",
            "backend.exim.source_address",
        ),
        (
            "[policy.default]\nexempt_recipients = [\"abuse\"]",
            "policy.default.exempt_recipients",
        ),
    ] {
        let notes = notes(&format!("{GOOD}{more}\n"));
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains(&format!(": {key}: ")), "{notes:?}");
    }
    assert_eq!(notes(GOOD), [""; 0]);
}

#[test]
fn the_secret_key_in_a_zone_is_not_shown() {
    let text = "[policy.default.checks.dnsbl]\nzones = [{ zone = \"secretkey.zen.example\", name = \"zen\", points = 5 }]\n";
    let snapshot = good(text);
    let setting = |key: &str| {
        snapshot
            .effective()
            .iter()
            .find(|setting| setting.key == key)
            .unwrap()
            .value
            .clone()
    };
    let zones = setting("policy.default.checks.dnsbl.zones");
    assert!(
        zones.contains("name = \"zen\"") && !zones.contains("secretkey"),
        "{zones}"
    );
}

#[test]
fn a_missing_or_broken_file_is_a_problem_with_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none.toml");
    let problems = config::load(Some(&missing), &[]).unwrap_err();
    assert!(
        problems[0]
            .to_string()
            .starts_with(&format!("{}: cannot be read: ", missing.display())),
        "{problems:?}"
    );

    let broken = directory.path().join("latin1.toml");
    std::fs::write(&broken, b"hostname = \"mx\"\n# caf\xe9\n").unwrap();
    let problems = config::load(Some(&broken), &[]).unwrap_err();
    assert!(
        problems[0]
            .to_string()
            .starts_with(&format!("{}:2:6: is not UTF-8", broken.display())),
        "{problems:?}"
    );

    let good = directory.path().join("good.toml");
    std::fs::write(&good, GOOD).unwrap();
    let snapshot =
        config::load(Some(&good), &[("limits.errors".to_owned(), "7".to_owned())]).unwrap();
    assert_eq!(
        (snapshot.config.limits.errors, snapshot.source.as_deref()),
        (7, Some(good.as_path()))
    );
}

/// Text that begins as a good file and is then spoilt: lines left out, doubled, cut, exchanged.
fn spoilt() -> impl Strategy<Value = String> {
    let lines: Vec<String> = config::reference::text()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let pieces = prop_oneof![
        Just(String::new()),
        Just("listen.3 = 7".to_owned()),
        Just("x = [1, {a = 2}]".to_owned()),
        Just("address = ['a', 'b', '127.0.0.1:25', 5]".to_owned()),
        Just("inherit = 'default'".to_owned()),
        Just("[policy.99999999999]".to_owned()),
        Just("[listen.4.\"a\\nb\"]".to_owned()),
        "[a-z_]{1,9} = (-?[0-9]{1,20}|'[ -&(-~]{0,12}'|\\[\\]|\\{\\}|true|1e300)",
    ];
    proptest::collection::vec((0..lines.len(), pieces), 0..6).prop_map(move |changes| {
        let mut lines = lines.clone();
        for (at, piece) in changes {
            lines[at] = piece;
        }
        lines.join("\n")
    })
}

proptest! {
    #[test]
    fn whatever_the_file_holds_each_problem_is_one_line(
        text in spoilt(),
        environment in proptest::collection::vec(("GATEPOST_[A-Z_]{0,12}", "[ -~]{0,12}"), 0..2),
        arguments in proptest::collection::vec(("[a-z.0-9\\[\\]]{0,12}", "[ -~]{0,12}"), 0..2),
    ) {
        let layers = Layers {
            file: Some((Path::new("g.toml"), &text)),
            environment: &environment,
            arguments: &arguments,
            system_name: "box",
        };
        if let Err(problems) = config::from_layers(&layers) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                let line = problem.to_string();
                prop_assert!(!line.contains(char::is_control), "{line:?}");
                prop_assert!(!problem.found.is_empty() && !problem.allowed.is_empty(), "{line:?}");
            }
        }
    }
}
