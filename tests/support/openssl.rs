//! `openssl s_client`, as a TLS client that is not ours.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::support::process::{self, Finished};

/// Connects with implicit TLS (RFC 8314 section 3) and plays the `script`: what to wait for, and what to say then.
pub(crate) fn implicit_tls(server: SocketAddr, script: &[(&str, &str)]) -> Finished {
    s_client(server, &[], script)
}

/// Connects with STARTTLS (RFC 3207) and plays the `script` under TLS. What was said before TLS is shown only in
/// part, but `s_client` goes on only if the greeting and the replies to EHLO and STARTTLS are as they should be.
pub(crate) fn starttls(server: SocketAddr, script: &[(&str, &str)]) -> Finished {
    s_client(server, &["-starttls", "smtp"], script)
}

/// Connects with implicit TLS and offers these `protocols` (ALPN, RFC 7301), separated by commas.
pub(crate) fn offering(server: SocketAddr, protocols: &str, script: &[(&str, &str)]) -> Finished {
    s_client(server, &["-alpn", protocols], script)
}

/// Makes a self-signed certificate for `names`, the first of them its common name, and writes `NAME.pem` and `NAME.key`.
pub(crate) fn certificate(directory: &Path, name: &str, key: &str, names: &[&str], days: u32) {
    let alternative: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-newkey", key]);
    if key == "ec" {
        command.args(["-pkeyopt", "ec_paramgen_curve:P-256"]);
    }
    command
        .args(["-subj", &format!("/CN={}", names[0])])
        .args(["-days", &days.to_string()])
        .args([
            "-addext",
            &format!("subjectAltName={}", alternative.join(",")),
        ])
        .arg("-keyout")
        .arg(directory.join(format!("{name}.key")))
        .arg("-out")
        .arg(directory.join(format!("{name}.pem")));
    let finished = process::run(&mut command, &[]);
    assert_eq!(finished.code, Some(0), "{}", finished.transcript);
}

/// Connects with implicit TLS and `options` of `s_client`, and plays the `script`.
pub(crate) fn s_client(server: SocketAddr, options: &[&str], script: &[(&str, &str)]) -> Finished {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-crlf", "-ign_eof"])
        .args(options);
    command.arg("-connect").arg(server.to_string());
    process::run(&mut command, script)
}
