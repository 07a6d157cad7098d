//! swaks, the SMTP test tool, as a client that is not ours.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use crate::support::process::{self, Finished};

/// Sends a mail to `server` as swaks does it. A PROXY header (version 2) makes gatepost take `client` for its
/// address; `more` are further options.
pub(crate) fn send(server: SocketAddr, client: IpAddr, recipient: &str, more: &[&str]) -> Finished {
    let (family, destination) = match client {
        IpAddr::V4(_) => ("AF_INET", "192.0.2.25"),
        IpAddr::V6(_) => ("AF_INET6", "2001:db8::25"),
    };
    let mut command = Command::new("swaks");
    command
        .arg("--server")
        .arg(server.ip().to_string())
        .arg("--port")
        .arg(server.port().to_string())
        .args(["--timeout", "15"])
        .args([
            "--helo",
            "client.example.net",
            "--from",
            "sender@example.net",
        ])
        .args(["--to", recipient])
        .args([
            "--proxy-version",
            "2",
            "--proxy-command",
            "PROXY",
            "--proxy-protocol",
            "STREAM",
        ])
        .args(["--proxy-family", family])
        .args([
            "--proxy-source",
            &client.to_string(),
            "--proxy-source-port",
            "51234",
        ])
        .args(["--proxy-dest", destination, "--proxy-dest-port", "25"])
        .args(more);
    process::run(&mut command, &[])
}
