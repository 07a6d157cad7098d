//! SIGHUP: a changed configuration is taken up as a whole or not at all, and sessions go on.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use serde_json::Value;

use crate::check_config::make_pair;
use crate::run::{Client, HEADER, Running, free_address};
use crate::support::process;
use crate::support::wait;
use crate::world::{Store, World};

/// A running gatepost that takes clients' addresses from PROXY headers, with a mail store behind it.
struct House {
    world: World,
    running: Running,
    address: SocketAddr,
    reloads: usize,
    store: Store,
}

/// What the tests change.
const LISTEN: &str = "backend = \"store\"\nproxy_protocol_from = [\"127.0.0.1/32\"]\n";

impl House {
    fn start() -> Self {
        let (address, backend) = (free_address(), free_address());
        let world = World::new().backend(backend).behind("127.0.0.1/32");
        let world = world.with(
            "address = \"127.0.0.1:0\"",
            &format!("address = \"{address}\""),
        );
        let store = Store::start(&world, backend);
        let running = Running::start(&world, 1024);
        running.logged("backend answers");
        Self {
            world,
            running,
            address,
            reloads: 0,
            store,
        }
    }

    /// Writes the configuration with something else in one place, and has it taken up.
    fn change(&mut self, old: &str, new: &str) -> String {
        self.write(old, new);
        self.reload()
    }

    fn write(&mut self, old: &str, new: &str) {
        self.world.change(old, new);
        self.world.save();
    }

    fn reload(&mut self) -> String {
        self.reloads += 1;
        self.running.reload(self.reloads - 1)
    }

    /// A client that has been greeted and has said hello.
    fn client(&self, address: SocketAddr) -> Client {
        let mut client = Client::connect(address);
        client.say(HEADER);
        let greeting = client.reply();
        assert!(greeting.starts_with("220"), "{greeting}");
        let hello = client.command("EHLO client.example.net");
        assert!(hello.starts_with("250"), "{hello}");
        client
    }

    fn status(&self) -> Value {
        let mut command = self.world.command(&["status", "--json"]);
        let finished = process::run(&mut command, &[]);
        serde_json::from_str(&finished.transcript).unwrap()
    }
}

/// The reply to a recipient.
fn recipient(client: &mut Client) -> String {
    client.command("MAIL FROM:<>");
    client.command("RCPT TO:<user@example.com>")
}

#[test]
fn a_policy_holds_for_sessions_that_begin_with_it() {
    let mut house = House::start();
    let mut before = house.client(house.address);
    house.write("\"mx.example.com\"", "\"mx2.example.com\"");
    let wait = "greet_wait = \"100ms\"";
    let taken = house.change(
        wait,
        &format!("{wait}\nchecks.access.deny = [{{ network = \"192.0.2.77\" }}]"),
    );
    assert!(
        taken.contains("taken up"),
        "{taken}\n{}",
        house.running.server.output()
    );

    let mut after = house.client(house.address);
    let refused = recipient(&mut after);
    assert!(refused.starts_with("550 "), "{refused}");
    assert!(
        after
            .command("HELO client.example.net")
            .contains("mx2.example.com")
    );
    // Who was there before is judged, and answered, by what held then.
    let accepted = recipient(&mut before);
    assert!(accepted.starts_with("250 "), "{accepted}");
    assert!(before.command("QUIT").contains("mx.example.com"));
    let status = house.status();
    assert_eq!(status["reload"]["taken"], true, "{status}");
}

#[test]
fn a_configuration_with_a_fault_changes_nothing() {
    let mut house = House::start();
    let refused = house.change(
        "hostname = \"mx.example.com\"",
        "hostname = \"mx2.example.com\"\nhostnam = \"x\"\nlimits.recipients = \"many\"",
    );
    assert!(refused.contains("problems=2"), "{refused}");
    house.running.logged("hostnam: unknown key, did you mean");
    house.running.logged("limits.recipients");
    let mut after = house.client(house.address);
    assert!(
        after
            .command("HELO client.example.net")
            .contains("mx.example.com")
    );
    assert!(recipient(&mut after).starts_with("250 "));
    let plain = process::run(&mut house.world.command(&["status"]), &[]);
    assert_eq!(
        plain.code,
        Some(1),
        "the file does not load: {}",
        plain.transcript
    );

    // Mended, it is taken up.
    let taken = house.change("hostnam = \"x\"\nlimits.recipients = \"many\"", "");
    assert!(taken.contains("taken up"), "{taken}");
    let mut mended = house.client(house.address);
    assert!(
        mended
            .command("HELO client.example.net")
            .contains("mx2.example.com")
    );
}

#[test]
fn listeners_come_go_and_stay_and_their_sessions_go_on() {
    let mut house = House::start();
    let (kept, other) = (house.address, free_address());
    let mut first = house.client(kept);
    let second = format!("{LISTEN}\n[listen.second]\naddress = \"{other}\"\n{LISTEN}");
    let taken = house.change(LISTEN, &second);
    assert!(taken.contains("taken up"), "{taken}");
    let line = house.running.logged("listener=second");
    assert!(line.contains("listening"), "{line}");
    let mut at_the_new_one = house.client(other);
    assert!(recipient(&mut at_the_new_one).starts_with("250 "));
    let status = house.status();
    assert_eq!(status["listeners"].as_array().unwrap().len(), 2, "{status}");
    // The same backend: what is known of it, and the connections to it, are counted on.
    assert_eq!(status["backends"][0]["connections"], 1, "{status}");
    assert_eq!(status["backends"][0]["up"], true, "{status}");
    assert_eq!(status["sessions"]["open"], 2, "{status}");

    let taken = house.change(&second, LISTEN);
    assert!(taken.contains("taken up"), "{taken}");
    let gone = wait::until(|| TcpStream::connect(other).is_err().then_some(()));
    gone.expect("nobody listens there any more");
    let line = house.running.logged("no longer listening");
    assert!(line.contains("listener=second"), "{line}");
    assert!(at_the_new_one.command("NOOP").starts_with("250"));
    assert!(recipient(&mut first).starts_with("250 "));
    // Opened once, and never again.
    let log = house.running.server.output();
    let opened = log
        .lines()
        .filter(|line| line.contains(" listener=mx address"));
    assert_eq!(opened.count(), 1, "{log}");
}

/// All or nothing: what could be had is not had either.
#[test]
fn an_address_that_can_not_be_had_changes_nothing() {
    let mut house = House::start();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (in_use, free) = (taken.local_addr().unwrap(), free_address());
    let more = format!(
        "{LISTEN}\n[listen.free]\naddress = [\"{free}\", \"{in_use}\"]\n{LISTEN}\n\
         [[tls.certificates]]\nchain = \"/nx.pem\"\nkey = \"/nx.pem\"\n"
    );
    let refused = house.change(LISTEN, &more);
    assert!(
        refused.contains("refused") && refused.contains("problems=2"),
        "{refused}"
    );
    house
        .running
        .logged(&format!("cannot listen on {in_use}: the address is in use"));
    assert!(TcpStream::connect(free).is_err());
    let status = house.status();
    assert_eq!(status["listeners"].as_array().unwrap().len(), 1, "{status}");
    for (index, key) in ["tls.certificates[0].chain", "listen.free.address"]
        .iter()
        .enumerate()
    {
        let problem = status["reload"]["problems"][index].as_str().unwrap();
        assert!(problem.contains(key), "{problem}");
    }
    assert!(recipient(&mut house.client(house.address)).starts_with("250 "));
}

/// The domain that a self-test asks for, which nobody's server may take.
#[test]
fn a_backend_that_would_relay_is_not_taken_up() {
    let mut house = House::start();
    let (good, open) = (house.store.address, free_address());
    let _open = Store::start_for("relay.gatepost.example", &house.world, open);
    let refused = house.change(&good.to_string(), &open.to_string());
    assert!(refused.contains("refused"), "{refused}");
    house
        .running
        .logged("backend.store.address: the backend would relay for strangers");
    assert!(recipient(&mut house.client(house.address)).starts_with("250 "));
    assert_eq!(
        house.status()["backends"][0]["servers"][0]["address"],
        good.to_string()
    );
}

#[test]
fn what_takes_a_restart_is_said_and_the_rest_holds() {
    let mut house = House::start();
    let old = format!("directory = \"{}\"", house.world.path("state").display());
    let new = format!("max_entries = 2000\n{old}");
    let taken = house.change(&old, &new);
    assert!(taken.contains("taken up"), "{taken}");
    let line = house.running.logged("waits for a restart");
    assert!(line.contains("keys=store"), "{line}");
    assert_eq!(house.status()["reload"]["restart"][0], "store");
    // Compared with what holds, not with what was read last.
    house.change(
        "hostname = \"mx.example.com\"",
        "hostname = \"mx2.example.com\"",
    );
    assert_eq!(house.status()["reload"]["restart"][0], "store");
    house.change(&new, &old);
    assert_eq!(
        house.status()["reload"]["restart"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn other_certificates_and_limits_hold_from_then_on() {
    let mut house = House::start();
    assert_eq!(house.status()["certificates"][0]["self_signed"], true);
    let mut before = house.client(house.address);
    make_pair(&house.world, "a");
    let path = |name: &str| house.world.path(name).display().to_string();
    let (chain, key) = (path("a.pem"), path("a.key"));
    let journal = "[journal]\n";
    let more = format!(
        "[[tls.certificates]]\nchain = \"{chain}\"\nkey = \"{key}\"\n\n\
         [limits]\nconnections_per_address = 1\n\n{journal}"
    );
    let taken = house.change(journal, &more);
    assert!(taken.contains("taken up"), "{taken}");
    let status = house.status();
    assert_eq!(status["certificates"][0]["self_signed"], false, "{status}");
    assert_eq!(status["certificates"][0]["chain"], chain, "{status}");
    // Who is in stays in, and counts.
    let mut second = Client::connect(house.address);
    second.say(HEADER);
    let refused = second.reply();
    assert!(refused.contains("421 "), "{refused}");
    assert!(before.command("NOOP").starts_with("250"));

    let taken = house.change(&more, journal);
    assert!(taken.contains("taken up"), "{taken}");
    assert_eq!(house.status()["certificates"][0]["self_signed"], true);
    house.client(house.address);
}

/// A message must not be cut in two by it, wherever it stands.
#[test]
fn a_message_under_way_is_delivered() {
    let mut house = House::start();
    let mut client = house.client(house.address);
    assert!(recipient(&mut client).starts_with("250 "));
    assert!(client.command("DATA").starts_with("354"));
    client.say("Subject: half");
    let taken = house.reload();
    assert!(taken.contains("taken up"), "{taken}");
    client.say("\r\nthe other half");
    let reply = client.command(".");
    assert!(reply.starts_with("250 "), "{reply}");
}
