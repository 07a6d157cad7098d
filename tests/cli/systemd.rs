//! What is said to systemd and taken from it, with a socket of the test's own in its place; and the units.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use crate::run::{Client, free_address};
use crate::support::process::Server;
use crate::support::{process, wait};
use crate::world::World;

/// Where it says how it is.
struct Manager(UnixDatagram);

impl Manager {
    fn new(world: &World) -> Self {
        let socket = UnixDatagram::bind(world.path("notify")).unwrap();
        socket.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        Self(socket)
    }

    fn next(&self) -> String {
        let mut message = [0; 4096];
        let count = self.0.recv(&mut message).expect("it says something");
        String::from_utf8_lossy(&message[..count]).into_owned()
    }

    /// The next message with `part` in it.
    fn hears(&self, part: &str) -> String {
        let messages = std::iter::repeat_with(|| self.next());
        messages.take(1000).find(|it| it.contains(part)).unwrap()
    }

    fn has_heard_nothing(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let nothing = self.0.recv(&mut [0; 64]).is_err();
        self.0.set_nonblocking(false).unwrap();
        nothing
    }
}

/// `gatepost run` as systemd would start it; sockets go with `stdin` and become descriptor 3.
pub(crate) fn start(world: &World, name: &str, socket: Option<TcpListener>) -> Server {
    let gatepost = world.command(&["run"]);
    let passing = match socket {
        Some(_) => "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; ",
        None => "",
    };
    let script = format!("{passing}exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).arg(gatepost.get_program());
    shell.args(gatepost.get_args()).current_dir(world.path("."));
    shell
        .env_remove("GATEPOST_CONFIG")
        .env("LISTEN_FDNAMES", name);
    shell.env("NOTIFY_SOCKET", world.path("notify"));
    shell.env("WATCHDOG_USEC", "300000");
    match socket {
        Some(socket) => Server::start_with(&mut shell, OwnedFd::from(socket)),
        None => Server::start(&mut shell),
    }
}

#[test]
fn it_is_told_of_the_start_of_reloads_and_of_the_stop() {
    let world = World::new();
    let manager = Manager::new(&world);
    let mut server = start(&world, "", None);
    let ready = manager.hears("READY=1");
    assert_eq!(ready, "READY=1\n");
    listening(&server);
    manager.hears("WATCHDOG=1");
    manager.hears("WATCHDOG=1");

    server.signal("HUP");
    let reloading = manager.hears("RELOADING=1");
    let since = reloading.split("MONOTONIC_USEC=").nth(1).unwrap();
    assert!(since.trim().parse::<u64>().unwrap() > 0, "{reloading}");
    manager.hears("READY=1");
    manager.hears("WATCHDOG=1");

    server.terminate();
    let stopping = manager.hears("STOPPING=1");
    assert!(
        stopping.contains("STATUS=draining: 0 sessions"),
        "{stopping}"
    );
}

/// The status of the service names what is amiss.
#[test]
fn its_status_says_what_troubles_it() {
    let world = World::new();
    let manager = Manager::new(&world);
    let _server = start(&world, "", None);
    let status = manager.hears("backend store is down");
    assert!(
        status.starts_with("STATUS=0 sessions, 0 messages delivered; "),
        "{status}"
    );
}

/// Not ready is one whose backends have not had their chance to show that they relay for strangers.
#[test]
fn it_is_not_ready_before_the_backend_was_tested() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let world = World::new().backend(silent.local_addr().unwrap());
    let manager = Manager::new(&world);
    let _server = start(&world, "", None);
    let (connection, _) = silent.accept().unwrap();
    assert!(manager.has_heard_nothing());
    drop((connection, silent));
    manager.hears("READY=1");
}

fn listening(server: &Server) -> SocketAddr {
    let address = || {
        let log = server.output();
        let line = log.lines().find(|line| line.contains("listening"))?;
        let rest = line.split_once("address=")?.1;
        rest.split_whitespace().next()?.parse().ok()
    };
    wait::until(address).unwrap_or_else(|| panic!("{}", server.output()))
}

/// Its own address would be refused: the test has it.
#[test]
fn a_socket_is_taken_from_it() {
    for (written, name) in [(true, "gatepost.socket"), (false, "mx")] {
        let socket = TcpListener::bind(free_address()).unwrap();
        let address = socket.local_addr().unwrap();
        let wanted = if written { address } else { free_address() };
        let world = World::new().with("127.0.0.1:0", &wanted.to_string());
        let _manager = Manager::new(&world);
        let server = start(&world, name, Some(socket.try_clone().unwrap()));
        assert_eq!(listening(&server), address);
        assert!(Client::connect(address).reply().starts_with("220-"));
        let log = server.output();
        assert!(!log.contains("in vain"), "{log}");
        assert_eq!(log.matches("listening").count(), 1, "{log}");
    }
}

#[test]
fn a_socket_that_no_listener_has_is_told() {
    let socket = TcpListener::bind(free_address()).unwrap();
    let address = socket.local_addr().unwrap();
    let world = World::new();
    let _manager = Manager::new(&world);
    let server = start(&world, "gatepost.socket", Some(socket));
    let line = || {
        let log = server.output();
        let mut lines = log.lines();
        lines
            .find(|line| line.contains("clients wait there in vain"))
            .map(str::to_owned)
    };
    let line = wait::until(line).unwrap_or_else(|| panic!("{}", server.output()));
    assert!(line.contains(&address.to_string()), "{line}");
}

/// The units say what systemd understands, and the service has no more rights than it needs.
#[test]
fn the_units_are_sound_and_tight() {
    let world = World::new();
    let units = format!("{}/systemd", env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for name in ["gatepost.service", "gatepost.socket"] {
        let unit = std::fs::read_to_string(format!("{units}/{name}")).unwrap();
        let here = unit.replace("/usr/local/bin/gatepost", env!("CARGO_BIN_EXE_gatepost"));
        std::fs::write(world.path(name), here).unwrap();
        files.push(world.path(name));
    }
    let verified = process::run(
        Command::new("systemd-analyze").arg("verify").args(&files),
        &[],
    );
    // What systemd before 253 says of the type it does not know.
    let complaints = verified.transcript.lines();
    let complaints = complaints.filter(|line| !line.ends_with("ignoring: notify-reload"));
    let complaints: Vec<&str> = complaints.collect();
    assert_eq!((verified.code, complaints), (Some(0), Vec::new()));
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--no-pager", "--offline=true", "--threshold=15"]);
    let rated = process::run(command.arg(&files[0]), &[]);
    assert_eq!(rated.code, Some(0), "{}", rated.transcript);
}
