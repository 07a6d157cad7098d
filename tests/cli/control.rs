//! `gatepost status`, `allow`, `deny`, `forget`: what they do to a gatepost that runs.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use crate::run::{Client, Running, free_address};
use crate::support::wait;
use crate::world::{Dns, LISTED, Store, World};

/// Files that one of 1024 descriptors suffices for.
const DESCRIPTORS: u32 = 1024;

/// A gatepost that takes clients' addresses from PROXY headers, with a mail store behind it.
pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) running: Running,
    _store: Store,
    _dns: Dns,
}

impl House {
    fn start() -> Self {
        Self::with("")
    }

    /// One with `more` in its configuration.
    pub(crate) fn with(more: &str) -> Self {
        let dns = Dns::start();
        let backend = free_address();
        let world = World::new().resolver(dns.address).backend(backend).with(
            "address = \"127.0.0.1:0\"",
            "address = \"127.0.0.1:0\"\nproxy_protocol_from = [\"127.0.0.0/8\"]",
        );
        let world = world.and(more);
        let store = Store::start(&world, backend);
        let running = Running::start(&world, DESCRIPTORS);
        running.logged("backend answers");
        Self {
            world,
            running,
            _store: store,
            _dns: dns,
        }
    }

    fn restart(&mut self) {
        assert_eq!(self.running.signal("-TERM"), Some(0));
        assert!(!self.socket().exists(), "the socket is left");
        self.running = Running::start(&self.world, DESCRIPTORS);
        self.running.logged("backend answers");
    }

    fn socket(&self) -> PathBuf {
        self.world.path("state/control.sock")
    }

    /// What a command says, and its exit code.
    pub(crate) fn says(&self, command: &[&str]) -> (Option<i32>, String) {
        let finished = self.world.run(command);
        (finished.code, finished.transcript)
    }

    /// What it says when all is well.
    pub(crate) fn ok(&self, command: &[&str]) -> String {
        let (code, said) = self.says(command);
        assert_eq!(code, Some(0), "{command:?}: {said}");
        said
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.ok(&["status", "--json"])).unwrap()
    }

    pub(crate) fn greeted(&self, address: &str) -> Client {
        let mut client = Client::connect(self.running.address());
        let header = format!("PROXY TCP4 {address} 127.0.0.1 2525 25\r\n");
        client.0.get_mut().write_all(header.as_bytes()).unwrap();
        let greeting = client.reply();
        assert!(greeting.starts_with("220"), "{greeting}");
        client
    }

    /// What a client hears at RCPT.
    fn rcpt(&self, address: &str) -> String {
        let mut client = self.greeted(address);
        client.command("EHLO mx.sender.test");
        client.command("MAIL FROM:<ada@elsewhere.test>");
        client.command("RCPT TO:<user@example.com>")
    }
}

#[test]
fn a_denied_network_is_refused_at_once_and_after_a_restart_until_it_is_forgotten() {
    let mut house = House::start();
    let client = "192.0.2.77";
    assert!(house.rcpt(client).starts_with("250"));
    let said = house.ok(&["deny", "192.0.2.0/24", "--comment", "the liar from May"]);
    assert_eq!(said, "192.0.2.0/24 is denied until forgotten\n");
    for _ in 0..2 {
        let refused = house.rcpt(client);
        assert!(refused.starts_with("550 5.7.1"), "{refused}");
        assert!(
            refused.contains("denied here by network 192.0.2.0/24"),
            "{refused}"
        );
        assert!(!refused.contains("liar"), "{refused}");
        assert!(house.rcpt("198.51.100.77").starts_with("250"));
        let explained = house.ok(&["explain", client]);
        assert!(explained.contains("denied here by network"), "{explained}");
        house.restart();
    }
    let list = house.ok(&["deny", "--list"]);
    assert!(list.starts_with("192.0.2.0/24 "), "{list}");
    assert!(list.trim_end().ends_with("the liar from May"), "{list}");
    assert_eq!(
        house.ok(&["allow", "--list"]),
        "nothing was added by command\n"
    );
    assert_eq!(house.status()["entries"]["deny"], 1);

    let said = house.ok(&["forget", "192.0.2.0/24"]);
    assert!(said.contains("the entry is removed"), "{said}");
    assert!(house.rcpt(client).starts_with("250"));
    let journal = std::fs::read_dir(house.world.path("journal")).unwrap();
    let records: String = journal
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let noted = r#"{"listed":{"allow":false,"subject":{"network":"192.0.2.0/24"}}}"#;
    assert!(records.contains(noted), "{records}");
}

#[test]
fn what_is_allowed_passes_a_block_list_and_names_count_too() {
    let house = House::start();
    let refused = house.rcpt(LISTED);
    assert!(refused.contains("sends spam"), "{refused}");
    let list: Value =
        serde_json::from_str(&house.ok(&["allow", LISTED, "--for", "7d", "--json"])).unwrap();
    let time = |name: &str| list[name].as_u64().unwrap();
    assert_eq!(time("expires") - time("created"), 7 * 24 * 60 * 60);
    assert!(house.rcpt(LISTED).starts_with("250"));

    for (subject, reason) in [
        (".sender.test", "helo .sender.test"),
        ("@elsewhere.test", "sender @elsewhere.test"),
    ] {
        house.ok(&["deny", subject]);
        let refused = house.rcpt("192.0.2.77");
        assert!(
            refused.contains(&format!("denied here by {reason}")),
            "{refused}"
        );
        house.ok(&["forget", subject]);
    }
    assert!(house.rcpt("192.0.2.77").starts_with("250"));
}

#[test]
fn a_session_under_way_hears_of_it_at_its_next_mail() {
    let house = House::start();
    let mut client = house.greeted("192.0.2.77");
    client.command("EHLO mx.sender.test");
    house.ok(&["deny", "192.0.2.77"]);
    client.command("MAIL FROM:<ada@elsewhere.test>");
    let refused = client.command("RCPT TO:<user@example.com>");
    assert!(refused.contains("denied here by network"), "{refused}");
    assert!(
        client
            .command("RCPT TO:<postmaster@example.com>")
            .starts_with("250")
    );
    house.ok(&["allow", "192.0.2.77"]);
    client.command("RSET");
    client.command("MAIL FROM:<ada@elsewhere.test>");
    assert!(
        client
            .command("RCPT TO:<user@example.com>")
            .starts_with("250")
    );
}

/// What a policy makes of an entry is not what whoever adds it may think.
#[test]
fn an_entry_without_effect_is_said_to_be() {
    for (more, note) in [
        (
            "mode = \"observe\"",
            "policy default observes, and refuses nobody",
        ),
        (
            "checks.access.enabled = false",
            "policy default does not look at it: its check access is off",
        ),
    ] {
        let world = World::new().with("[policy.default]", &format!("[policy.default]\n{more}"));
        let _running = Running::start(&world, DESCRIPTORS);
        let said = world.run(&["deny", "192.0.2.77"]);
        assert_eq!(said.code, Some(0));
        assert!(
            said.transcript.contains(&format!("note: {note}\n")),
            "{}",
            said.transcript
        );
    }
}

#[test]
fn an_explanation_sees_what_is_counted_and_is_not_counted() {
    let house = House::with("[policy.default.checks.rate]\nrecipients_per_address = \"2/h\"\n");
    let client = "192.0.2.77";
    let explained = || house.ok(&["explain", client]);
    assert!(house.rcpt(client).starts_with("250"));
    for _ in 0..3 {
        let explained = explained();
        assert!(explained.contains("there is room"), "{explained}");
        assert!(explained.contains("verdict  clear"), "{explained}");
    }
    assert!(house.rcpt(client).starts_with("250"));
    let told = "Too many recipients from your address (more than 2 an hour), try again in ";
    let put_off = house.rcpt(client);
    assert!(
        put_off.starts_with(&format!("450 4.7.1 {told}")),
        "{put_off}"
    );
    let explained = explained();
    assert!(explained.contains("no room for "), "{explained}");
    assert!(
        explained.contains(&format!("reply    450 4.7.1 {told}")),
        "{explained}"
    );
    assert!(house.rcpt("192.0.2.78").starts_with("250"));
}

#[test]
fn a_pass_is_forgotten() {
    let house = House::start();
    let mut client = house.greeted("192.0.2.77");
    client.command("EHLO mx.sender.test");
    client.command("MAIL FROM:<ada@elsewhere.test>");
    client.command("RCPT TO:<user@example.com>");
    assert!(client.command("DATA").starts_with("354"));
    let taken = client.command("Subject: test\r\n\r\nHello.\r\n.");
    assert!(taken.starts_with("250"), "{taken}");
    client.command("QUIT");
    let ended = || (house.status()["sessions"]["ended"] == 1).then_some(());
    wait::until(ended).unwrap();

    let explained = house.ok(&["explain", "192.0.2.77"]);
    assert!(explained.contains(", clean sessions: 1"), "{explained}");

    let (code, said) = house.says(&["forget", "192.0.2.77"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "192.0.2.77: what was remembered is forgotten\n")
    );
    let (code, said) = house.says(&["forget", "192.0.2.77"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(1), "gatepost: nothing is known of 192.0.2.77\n")
    );
}

#[test]
fn status_tells_programs_and_people() {
    let house = House::start();
    let _open = house.greeted("192.0.2.77");
    let status = house.status();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["listeners"][0]["name"], "mx");
    assert_eq!(
        status["listeners"][0]["address"],
        house.running.address().to_string()
    );
    assert_eq!(status["backends"][0]["up"], true);
    assert_eq!(status["backends"][0]["connections"], 0);
    assert_eq!(status["sessions"]["open"], 1);
    assert_eq!(status["zones"][0]["name"], "bl.test");
    assert_eq!(status["memory"]["on_disk"], true);
    let people = house.ok(&["status"]);
    for part in [
        "up ",
        "policy default (enforce), backend store",
        "up, 0 of ",
        "bl.test",
        "1 open, 0 ended",
        "on disk",
    ] {
        assert!(people.contains(part), "{part}: {people}");
    }
}

#[test]
fn the_level_of_the_log_is_changed_while_it_runs() {
    let house = House::start();
    assert_eq!(house.ok(&["log"]), "info\n");
    assert_eq!(
        house.ok(&["log", "warn"]),
        "warn (until it ends; the configuration says info)\n"
    );
    let status = house.status();
    assert_eq!(status["log"]["level"], "warn");
    assert_eq!(status["log"]["configured"], "info");
    let people = house.ok(&["status"]);
    assert!(people.contains("level warn, by command"), "{people}");
    house.rcpt("192.0.2.81");
    let told = house.ok(&["log", "info,gatepost::session=debug"]);
    assert!(
        told.starts_with("info,gatepost::session=debug (until"),
        "{told}"
    );
    assert_eq!(house.ok(&["log", "--reset"]), "info\n");
    assert_eq!(house.status()["log"]["configured"], Value::Null);
    house.rcpt("192.0.2.82");
    house.running.logged("client=192.0.2.82");
    let log = house.running.server.output();
    assert!(!log.contains("client=192.0.2.81"), "{log}");
    let (code, said) = house.says(&["log", "loud"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("\"loud\" is no level"), "{said}");
    let mut stream = UnixStream::connect(house.socket()).unwrap();
    stream
        .write_all(b"{\"log\":{\"level\":\"loud\"}}\n")
        .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("{\"refused\":"), "{said}");
    assert_eq!(house.ok(&["log"]), "info\n");
}

#[test]
fn one_line_says_what_is_wrong() {
    let world = World::new();
    let finished = world.run(&["status"]);
    assert_eq!(finished.code, Some(1));
    let socket = world.path("state/control.sock");
    let line = format!(
        "gatepost: it is not running: nobody answers on {}\n",
        socket.display()
    );
    assert_eq!(finished.transcript, line);
    for command in [
        &["deny"][..],
        &["deny", "192.0.2.1/24"],
        &["deny", "192.0.2.1", "--for", "0s"],
        &["allow", "a b"],
        &["allow", "192.0.2.1", "--list"],
        &["forget", "spf:"],
    ] {
        let finished = world.run(command);
        assert_eq!(
            finished.code,
            Some(2),
            "{command:?}: {}",
            finished.transcript
        );
    }
}

#[test]
fn rubbish_on_the_socket_is_refused_and_harms_nothing() {
    let house = House::start();
    let mode = std::fs::metadata(house.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let deep = format!("{}\n", "[".repeat(10_000));
    let long = "x".repeat(70_000);
    for (rubbish, answer) in [
        (&b"\n"[..], "no request"),
        (b"{}\n", "no request"),
        (b"\"status\"\n", "no request"),
        (b"\xff\xfe\0\n", "no request"),
        (b"{\"status\":{},\"more\":1}\n", "no request"),
        (
            b"{\"keep\":{\"allow\":true,\"subject\":\"a b\"}}\n",
            "neither a network",
        ),
        (
            b"{\"keep\":{\"allow\":true,\"subject\":\"::/0\",\"seconds\":18446744073709551615}}\n",
            "a hundred years",
        ),
        (b"{\"forget\":{\"what\":\"\"}}\n", "network"),
        (deep.as_bytes(), "no request"),
        (long.as_bytes(), "one line of at most"),
        (b"half a request", "one line of at most"),
    ] {
        let mut stream = UnixStream::connect(house.socket()).unwrap();
        stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        // It may stop reading before the end.
        let _ = stream.write_all(rubbish);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with("{\"refused\":"), "{said}");
        assert!(said.contains(answer), "{said}");
    }
    drop(UnixStream::connect(house.socket()).unwrap());
    assert_eq!(house.status()["entries"]["allow"], 0);
    let log = house.running.server.output();
    assert!(!log.contains("defect"), "{log}");
}
