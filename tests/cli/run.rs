//! `gatepost run`: how it starts, how it does not, how it stops.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::support::process::Server;
use crate::support::wait;
use crate::world::{Store, World};

/// A running gatepost, and its process id.
pub(crate) struct Running {
    pub(crate) server: Server,
    id: String,
}

impl Running {
    /// Starts it, with no more than so many descriptors, and waits until it listens.
    pub(crate) fn start(world: &World, descriptors: u32) -> Self {
        let gatepost = world.command(&["run"]);
        // The shell becomes gatepost, so the process id is that of both.
        let script = format!("echo id=$$; ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script])
            .arg(gatepost.get_program())
            .args(gatepost.get_args())
            .current_dir(world.path("."))
            .env_remove("GATEPOST_CONFIG");
        let server = Server::start(&mut shell);
        let mut running = Self {
            server,
            id: String::new(),
        };
        running.logged("listening");
        running.id = running.value("id=");
        running
    }

    /// Has it read its configuration anew, which it has read so many times before, and waits until it has; the last line of
    /// its log about it.
    pub(crate) fn reload(&self, before: usize) -> String {
        let sent = Command::new("kill").args(["-HUP", &self.id]).status();
        assert!(sent.unwrap().success());
        let ends = [
            "the configuration is taken up",
            "the changed configuration is refused",
        ];
        let line = || {
            let log = self.server.output();
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            let mut lines = whole
                .lines()
                .filter(|line| ends.iter().any(|end| line.contains(end)));
            lines.nth(before).map(str::to_owned)
        };
        wait::until(line).unwrap_or_else(|| panic!("no reload:\n{}", self.server.output()))
    }

    /// Waits for a line of the log that contains `part`, and returns it.
    pub(crate) fn logged(&self, part: &str) -> String {
        let line = || {
            let log = self.server.output();
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            whole
                .lines()
                .find(|line| line.contains(part))
                .map(str::to_owned)
        };
        wait::until(line).unwrap_or_else(|| panic!("no {part}:\n{}", self.server.output()))
    }

    fn value(&self, name: &str) -> String {
        let line = self.logged(name);
        let rest = line.split_once(name).unwrap().1;
        rest.split_whitespace().next().unwrap().to_owned()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.value("address=").parse().unwrap()
    }

    /// Sends it `signal` and waits until it ends.
    pub(crate) fn signal(&mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill").args([signal, &self.id]).status();
        assert!(sent.unwrap().success());
        let status = wait::until(|| self.server.ended());
        status
            .unwrap_or_else(|| panic!("it does not end:\n{}", self.server.output()))
            .code()
    }
}

/// An address that nobody listens on, and that no other test gets when it asks for any port.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 77), 0)).unwrap();
    listener.local_addr().unwrap()
}

/// What a front proxy says first.
pub(crate) const HEADER: &str = "PROXY TCP4 192.0.2.77 192.0.2.25 51234 25";

/// A client that reads lines.
pub(crate) struct Client(pub(crate) BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).unwrap())
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// A whole reply.
    pub(crate) fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        write!(self.0.get_mut(), "{line}\r\n").unwrap();
    }

    pub(crate) fn command(&mut self, line: &str) -> String {
        self.say(line);
        self.reply()
    }
}

/// The other listener's address is free and could be had, and is not had either.
#[test]
fn an_address_in_use_is_one_line_and_nothing_is_half_started() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken_address = taken.local_addr().unwrap();
    let free = free_address();
    let world = World::new()
        .with("address = \"127.0.0.1:0\"", &format!("address = \"{free}\""))
        .with(
            "[backend.store]",
            &format!("[listen.other]\naddress = \"{taken_address}\"\nbackend = \"store\"\n\n[backend.store]"),
        );

    let finished = world.run(&["run"]);
    assert_eq!(finished.code, Some(1));
    assert_eq!(
        finished.transcript,
        format!(
            "gatepost: g.toml:8:1: listen.other.address: cannot listen on {taken_address}: the address is in use; \
             take it away from the server that listens there (the MTA itself?), or write another\n"
        )
    );
    for name in ["state", "journal"] {
        assert!(!world.path(name).exists(), "{name} was made");
    }
    let refused = TcpStream::connect(free);
    assert!(refused.is_err(), "the first listener is left");
}

/// The journal has the time of each line; elsewhere it is gatepost's to write.
#[test]
fn lines_for_the_journal_have_no_time_of_their_own() {
    let world = World::new();
    for (stream, time) in [
        ("$(stat -L -c %d:%i /proc/self/fd/2)", false),
        ("1:1", true),
    ] {
        let gatepost = world.command(&["run"]);
        let mut shell = Command::new("sh");
        let script = format!("export JOURNAL_STREAM={stream}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script]).arg(gatepost.get_program());
        shell.args(gatepost.get_args()).current_dir(world.path("."));
        let server = Server::start(&mut shell);
        let line = wait::until(|| {
            let output = server.output();
            let line = output.lines().find(|line| line.contains("listening"));
            line.filter(|line| line.ends_with("tls=starttls"))
                .map(str::to_owned)
        });
        let line = line.unwrap_or_else(|| panic!("{}", server.output()));
        assert!(line.contains(" listener=mx "), "{line}");
        assert_eq!(!line.trim_start().starts_with("INFO"), time, "{line}");
    }
}

#[test]
fn sigterm_and_sigint_end_it_well() {
    for signal in ["-TERM", "-INT"] {
        let world = World::new();
        let mut running = Running::start(&world, 1024);
        let address = running.address();
        let mut client = Client::connect(address);
        assert!(client.reply().starts_with("220-"));
        assert_eq!(running.signal(signal), Some(0));
        let stopping = running.logged("stopping: ");
        assert!(stopping.contains("sessions=1 within=30s"), "{stopping}");
        running.logged("stopped sessions=1");
        assert!(client.reply().starts_with("421 "));
        assert!(TcpStream::connect(address).is_err());
    }
}

/// Root opens the sockets, and is not root when it serves. Nobody else can try this.
#[test]
fn root_becomes_the_user_of_the_configuration() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    // Below 1024, where the new user could not open it.
    let world = World::new()
        .with("127.0.0.1:0", "127.0.0.78:25")
        .with("user = \"root\"", "user = \"nobody\"");
    for name in ["state", "journal"] {
        std::fs::create_dir(world.path(name)).unwrap();
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        nix::unistd::chown(&world.path(name), Some(nobody.uid), Some(nobody.gid)).unwrap();
    }
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(world.path("."), open).unwrap();
    let running = Running::start(&world, 1024);
    assert!(
        Client::connect(running.address())
            .reply()
            .starts_with("220-")
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id)).unwrap();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let ids = |id: u32| format!("\t{id}\t{id}\t{id}\t{id}\n");
    let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    assert!(status.contains(&format!("Uid:{}", ids(uid))), "{status}");
    assert!(status.contains(&format!("Gid:{}", ids(gid))), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    assert!(status.contains("CapPrm:\t0000000000000000"), "{status}");
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    let groups: Vec<&str> = groups.unwrap().split_whitespace().collect();
    assert_eq!(groups, [gid.to_string()]);
    let state = std::fs::read_dir(world.path("state")).unwrap();
    assert!(state.count() > 0, "nothing is kept");
    let log = running.server.output();
    assert!(!log.contains("can not write"), "{log}");
}

/// Nobody serves as root who has not said so.
#[test]
fn root_without_a_user_to_become_does_not_serve() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let address = free_address();
    for (written, found) in [
        (
            "user = \"no-such-user\"",
            "g.toml:2:1: user: there is no user \"no-such-user\"",
        ),
        ("", "user: there is no user \"gatepost\""),
    ] {
        let world = World::new()
            .with("127.0.0.1:0", &address.to_string())
            .with("user = \"root\"", written);
        let there = nix::unistd::User::from_name("gatepost").unwrap().is_some();
        if written.is_empty() && there {
            continue;
        }
        let finished = world.run(&["run"]);
        assert_eq!(finished.code, Some(1));
        assert!(
            finished.transcript.contains(found),
            "{}",
            finished.transcript
        );
        assert!(TcpStream::connect(address).is_err());
        assert!(!world.path("state").exists());
    }
}

/// It is told once, asked again, and what it offers is offered before a session has got through to it.
#[test]
fn a_backend_that_comes_later_is_found() {
    let backend = free_address();
    let world = World::new().backend(backend).behind("127.0.0.1/32");
    let running = Running::start(&world, 1024);
    let line = running.logged("backend can not be reached");
    assert!(line.contains("ERROR"), "{line}");
    assert!(line.contains("it gets no mail"), "{line}");
    let mut early = Client::connect(running.address());
    early.say(HEADER);
    early.reply();
    let offered = early.command("EHLO client.example.net");
    assert!(!offered.contains("8BITMIME"), "{offered}");
    // A session that meets it as well makes the question wait a moment, and no longer.
    early.command("MAIL FROM:<>");
    let refused = early.command("RCPT TO:<user@example.com>");
    assert!(refused.starts_with("451 4.3.2 "), "{refused}");

    let _store = Store::start(&world, backend);

    running.logged("backend answers");
    let mut client = Client::connect(running.address());
    client.say(HEADER);
    client.reply();
    let offered = client.command("EHLO client.example.net");
    assert!(offered.contains("8BITMIME"), "{offered}");
    let log = running.server.output();
    let told = log.matches("gets no mail until it answers").count();
    assert_eq!(told, 1, "{log}");
}

/// A drain does not wait for a backend that may never come.
#[test]
fn a_backend_that_is_silent_holds_up_no_stop() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let world = World::new().backend(silent.local_addr().unwrap());
    let mut running = Running::start(&world, 1024);
    // It has connected, and waits for a greeting.
    let _connection = silent.accept().unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(running.signal("-TERM"), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// 300 descriptors, 64 of them kept aside, two a session: 118 sessions, and 421 for the next.
#[test]
fn no_more_clients_are_served_than_there_are_descriptors_for() {
    let world = World::new().and(
        "[limits]\nconnections_per_address = 1000\nconnections_per_network = 1000\n\
         connection_rate_per_address = \"off\"\n",
    );
    let running = Running::start(&world, 300);
    let line = running.logged("descriptors");
    for part in [
        "WARN",
        "limits.connections = 20000",
        "raise LimitNOFILE",
        "found=300",
        "needed=41024",
        "connections=118",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let mut served: Vec<Client> = (0..118)
        .map(|_| Client::connect(running.address()))
        .collect();
    for client in &mut served {
        assert!(client.reply().starts_with("220-"));
    }
    let refused = Client::connect(running.address()).reply();
    assert!(refused.starts_with("421 "), "{refused}");
    let log = running.server.output();
    assert!(!log.contains("can not accept"), "{log}");
}

/// A header is believed of the networks that are named and of nobody else: a peer from elsewhere is served as itself, so
/// that it may not name another.
#[test]
fn only_a_front_proxy_may_name_the_client() {
    let world = World::new().behind("127.0.0.1/32");
    let running = Running::start(&world, 1024);
    let from = |address| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        let address = Ipv4Addr::new(127, 0, 0, address);
        socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
        socket.connect(&running.address().into()).unwrap();
        Client::of(socket.into())
    };

    let mut outside = from(3);
    let greeting = outside.reply();
    assert!(greeting.starts_with("220-mx.example.com"), "{greeting}");
    let header = outside.command(HEADER);
    assert!(header.starts_with("500 "), "{header}");
    let hello = outside.command("EHLO client.example.net");
    assert!(hello.contains("Hello [127.0.0.3]"), "{hello}");
    // A header that comes first gains nothing either: it is talk before the greeting.
    let mut early = from(3);
    early.say(HEADER);
    early.reply();
    let header = early.reply();
    assert!(header.starts_with("500 "), "{header}");
    outside.command("QUIT");
    running.logged("client=127.0.0.3 ");

    let mut inside = from(1);
    inside.say(HEADER);
    inside.reply();
    let hello = inside.command("EHLO client.example.net");
    assert!(hello.contains("Hello [192.0.2.77]"), "{hello}");
    // And without a header nobody is served there.
    let mut silent = from(1);
    assert_eq!(silent.command("EHLO client.example.net"), "");
}
