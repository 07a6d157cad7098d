//! A real HAProxy in front of gatepost: TCP mode, the client's address in a PROXY header.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{process, wait};

/// A running HAProxy. It is told its clients' addresses by a PROXY header itself, so that any can be played.
#[derive(Debug)]
pub(crate) struct Haproxy {
    server: process::Server,
    ports: [u16; 2],
    _directory: TempDir,
}

impl Haproxy {
    /// Starts it before the listener at `gate`, which must trust headers from loopback.
    pub(crate) fn start(gate: SocketAddr) -> Self {
        // Between choosing a port and taking it somebody else may take it: then another.
        for _ in 0..5 {
            let directory = TempDir::new().expect("there is room for a file");
            let ports = [process::free_tcp_port(), process::free_tcp_port()];
            let file = directory.path().join("haproxy.cfg");
            std::fs::write(&file, configuration(gate, ports)).expect("there is room for a file");
            // In the foreground, without a worker process of its own.
            let mut command = Command::new("/usr/sbin/haproxy");
            command.arg("-db").arg("-f").arg(&file);
            let mut haproxy = Self {
                server: process::Server::start(&mut command),
                ports,
                _directory: directory,
            };
            if haproxy.listens() {
                return haproxy;
            }
        }
        panic!("haproxy does not start; is it installed?");
    }

    /// Where clients are passed on with a header of version 1 or 2.
    pub(crate) fn address(&self, version: usize) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[version - 1]))
    }

    fn listens(&mut self) -> bool {
        let ready = wait::until(|| {
            if self.server.ended().is_some() {
                return Some(false);
            }
            let all = [1, 2].map(|version| TcpStream::connect(self.address(version)).is_ok());
            all.iter().all(|listens| *listens).then_some(true)
        });
        ready.unwrap_or(false)
    }
}

/// With health checks, which connect with a header that names nobody.
fn configuration(gate: SocketAddr, [one, two]: [u16; 2]) -> String {
    format!(
        "defaults
    mode tcp
    timeout connect 20s
    timeout client 60s
    timeout server 60s

listen one
    bind 127.0.0.1:{one} accept-proxy
    server gate {gate} send-proxy check check-send-proxy inter 100ms

listen two
    bind 127.0.0.1:{two} accept-proxy
    server gate {gate} send-proxy-v2 check check-send-proxy inter 100ms
"
    )
}
