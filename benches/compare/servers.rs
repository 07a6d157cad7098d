//! The servers that are compared, each a process of its own before the same sink.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Mode;
use crate::free_port;

/// A running server.
pub(crate) struct Server {
    process: Child,
    plain: SocketAddr,
    tls: SocketAddr,
}

impl Server {
    /// gatepost, the binary of this build, as configured by default but for the wait and the limits.
    pub(crate) fn gatepost(folder: &Path, sink: SocketAddr) -> Self {
        let (plain, tls) = ports();
        let file = folder.join("gatepost.toml");
        let folder = folder.display();
        let text = format!(
            r#"
hostname = "mx.example.com"
user = "root"
[listen.mx]
address = ["{plain}"]
tls = "none"
backend = "sink"
[listen.tls]
address = ["{tls}"]
tls = "implicit"
backend = "sink"
[backend.sink]
address = ["{sink}"]
allow_open_backend = true
loopback_clients = true
[policy.default]
greet_wait = "0s"
checks.rhsbl.enabled = false
checks.rdns.enabled = false
checks.helo.enabled = false
checks.sender_domain.enabled = false
[policy.default.checks.dnsbl]
zones = []
[policy.default.checks.spf]
enabled = false
[limits]
connections_per_network = 1000
connection_rate_per_address = "off"
[store]
directory = "{folder}/state"
[journal]
directory = "{folder}/journal"
"#
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        command.args(["run", "--config"]).arg(&file);
        Self::start(command, plain, tls)
    }

    /// HAProxy in TCP mode, with gatepost's certificate, which therefore starts first.
    pub(crate) fn haproxy(folder: &Path, sink: SocketAddr) -> Self {
        let (plain, tls) = ports();
        let pair = folder.join("pair.pem");
        let read = |name: &str| std::fs::read_to_string(folder.join("state").join(name)).unwrap();
        std::fs::write(&pair, read("self-signed.pem") + &read("self-signed.key")).unwrap();
        let pair = pair.display();
        let text = format!(
            "defaults
    mode tcp
    timeout connect 20s
    timeout client 60s
    timeout server 60s
listen plain
    bind {plain}
    server sink {sink} send-proxy-v2
listen tls
    bind {tls} ssl crt {pair}
    server sink {sink} send-proxy-v2
"
        );
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("/usr/sbin/haproxy");
        command.arg("-db").arg("-f").arg(&file);
        Self::start(command, plain, tls)
    }

    fn start(mut command: Command, plain: SocketAddr, tls: SocketAddr) -> Self {
        let mut process = command
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The log is written and read, as it would be.
        let log = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || log.lines().for_each(drop));
        let begun = Instant::now();
        while !greets(plain) || TcpStream::connect(tls).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{command:?}");
            assert_eq!(process.try_wait().unwrap(), None, "{command:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            process,
            plain,
            tls,
        }
    }

    /// Where it serves sessions of this kind.
    pub(crate) const fn address(&self, mode: Mode) -> SocketAddr {
        match mode {
            Mode::Tls | Mode::Full | Mode::Resumed => self.tls,
            Mode::Plain | Mode::Greeting => self.plain,
        }
    }

    /// CPU time of all its threads so far, in user space and in the kernel on its behalf (proc(5), `schedstat`).
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = format!("/proc/{}/task", self.process.id());
        let nanoseconds = std::fs::read_dir(tasks).unwrap().map(|task| {
            let file = task.unwrap().path().join("schedstat");
            let text = std::fs::read_to_string(file).unwrap();
            text.split_whitespace()
                .next()
                .unwrap()
                .parse::<u64>()
                .unwrap()
        });
        Duration::from_nanos(nanoseconds.sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn greets(server: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(server) else {
        return false;
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    stream.read_exact(&mut [0; 3]).is_ok()
}

fn ports() -> (SocketAddr, SocketAddr) {
    let one = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    (one(), one())
}
