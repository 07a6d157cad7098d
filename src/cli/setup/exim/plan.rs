//! What has to change so that Exim stands behind gatepost, and the proof, on a copy, that Exim then does what the recipe of
//! `config/exim4/` says.

use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context, bail, ensure};

use super::debian::{self, Debian, Generated, SETTINGS, place};
use super::front::{self, Front};
use super::ledger::Change;
use super::{holders, sockets};
use crate::doctor::EXIM_ASKS_EARLY;

/// The recipe.
const RECIPE: &str = include_str!("../../../../config/exim4/gatepost.conf");
/// Where the recipe is explained, in the package.
const README: &str = "/usr/share/doc/gatepost/exim4/README.md";
/// What only the recipe has in it.
const MARK: &str = "GATEPOST_SOURCE";
/// The recipe's own values.
const PORT: u16 = 10025;
const SOURCE: &str = "127.0.0.2";
/// The setting that says where Exim listens.
const INTERFACES: &str = "dc_local_interfaces";
/// The files that have to change, and what is worth knowing.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Looks at both sides, decides, and has Exim read the outcome.
    pub(super) fn make(debian: &Debian, root: &Path, config: &str) -> anyhow::Result<Self> {
        let front = Front::read(&place(root, config))?;
        let (file, recipe) = recipe(debian, &front)?;

        let present = debian.generate(&[])?;
        present
            .check()
            .context("Exim does not take its configuration as it is now; mend that first")?;
        let now = sockets::listening(
            &present.option("local_interfaces")?,
            &present.option("daemon_smtp_ports")?,
        )?;
        let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        let ports: Vec<SocketAddr> = [front.exim].into_iter().chain(front.users).collect();
        let then = sockets::behind(&now, &ports, ipv6);
        if root == Path::new("/") {
            ports_are_free(&ports)?;
        }

        let mut changes = Vec::new();
        let mut notes = Vec::new();
        let mut change = |path: &str, before: Option<&str>, after: String| {
            if before != Some(after.as_str()) {
                let before = before.map(str::to_owned);
                changes.push(Change {
                    path: path.to_owned(),
                    before,
                    after,
                });
            }
        };
        let mut ours = front.listening.clone();
        if front.is_wild() {
            let addresses = sockets::before(&now, &front::machine()?);
            ensure!(
                !addresses.is_empty(),
                "this machine has no address but loopback; name those that gatepost shall listen on in {config}"
            );
            let (text, listening) = front.with(&addresses)?;
            change(config, Some(&front.text), text);
            ours = listening;
            notes.push(format!(
                "gatepost listens on the addresses that this machine has now; after a change of them, change {config}, too"
            ));
        }
        front::apart(&ours, &then)?;
        let settings = with_interfaces(&debian.settings, &sockets::written(&then))?;
        change(SETTINGS, Some(&debian.settings), settings.clone());
        let (_, old) = debian.recipe_file()?;
        change(file, old.as_deref(), recipe.clone());

        let outcome = debian.generate(&[(SETTINGS, &settings), (file, &recipe)])?;
        holds(&outcome, &front, &then)?;
        Ok(Self { changes, notes })
    }
}

/// The file of the recipe, and what shall stand in it.
fn recipe(debian: &Debian, front: &Front) -> anyhow::Result<(&'static str, String)> {
    let mut recipe = String::new();
    if front.exim.port() != PORT {
        let _ = writeln!(recipe, "GATEPOST_PORT = {}", front.exim.port());
    }
    if front.source.to_string() != SOURCE {
        let _ = writeln!(recipe, "GATEPOST_SOURCE = {}", front.source);
    }
    if let Some(users) = front.users {
        // By hand it is defined in a file of one's own.
        let _ = writeln!(
            recipe,
            ".ifndef GATEPOST_SUBMISSION_PORT\nGATEPOST_SUBMISSION_PORT = {}\n.endif",
            users.port()
        );
    }
    recipe.push_str(RECIPE);
    let (file, old) = debian.recipe_file()?;
    if debian.split {
        return Ok((file, recipe));
    }
    let mut text = old.unwrap_or_default();
    if text.contains(&recipe) {
        return Ok((file, text));
    }
    ensure!(
        !text.contains(MARK),
        "{file} has another recipe for gatepost in it already: take it out"
    );
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok((file, text + &recipe))
}

/// The settings with another value of [`INTERFACES`].
fn with_interfaces(settings: &str, value: &str) -> anyhow::Result<String> {
    let line = format!("{INTERFACES}='{value}'");
    if debian::setting(settings, INTERFACES)?.is_none() {
        let end = if settings.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{settings}{end}{line}\n"));
    }
    let lines = settings
        .split_inclusive('\n')
        .map(|old| match old.strip_prefix(INTERFACES) {
            Some(rest) if rest.starts_with('=') => {
                let end = if old.ends_with('\n') { "\n" } else { "" };
                format!("{line}{end}")
            }
            _ => old.to_owned(),
        });
    Ok(lines.collect())
}

/// That nobody but Exim and gatepost has the ports.
fn ports_are_free(exim: &[SocketAddr]) -> anyhow::Result<()> {
    let ports = exim.iter().map(SocketAddr::port);
    for port in ports.chain([sockets::SMTP]) {
        let others: Vec<String> = holders::of(port)
            .into_iter()
            .filter(|name| !name.starts_with("exim") && !name.starts_with("gatepost"))
            .collect();
        ensure!(
            others.is_empty(),
            "port {port} is taken by {}: neither Exim nor gatepost could listen there",
            others.join(", ")
        );
    }
    Ok(())
}

/// That Exim, with the outcome, does what the recipe is for.
fn holds(outcome: &Generated, front: &Front, then: &[SocketAddr]) -> anyhow::Result<()> {
    outcome.check().with_context(|| {
        format!(
            "Exim would not take the recipe beside your own settings; \"Options of your own\" in {README} says which to \
             leave out, and how"
        )
    })?;
    let listens = sockets::listening(
        &outcome.option("local_interfaces")?,
        &outcome.option("daemon_smtp_ports")?,
    )?;
    ensure!(
        listens == then,
        "a setting of your own (local_interfaces, or the macro MAIN_LOCAL_INTERFACES) goes over {INTERFACES}, so that Exim \
         would not move: take it out"
    );
    let source = IpAddr::from(front.source).to_string();
    let value = outcome.option("hosts_proxy")?;
    ensure!(
        value == source,
        "Exim would take PROXY headers from \"{value}\" and not from {source}: is GATEPOST_SOURCE set elsewhere?"
    );
    let acl = outcome.option("acl_smtp_connect")?;
    for (port, name) in [
        (Some(front.exim), "GATEPOST_PORT"),
        (front.users, "GATEPOST_SUBMISSION_PORT"),
    ] {
        let Some(port) = port.map(|socket| socket.port()) else {
            continue;
        };
        ensure!(
            acl.contains("this port is for gatepost only")
                && acl.contains(&format!("{{$received_port}}{{{port}}}")),
            "Exim would not keep port {port} for gatepost: is {name} set elsewhere?"
        );
    }
    for option in EXIM_ASKS_EARLY {
        let value = outcome.option(option)?;
        if value.contains('+') {
            bail!(
                "{option} = {value}: Exim reads this before it knows the client, and would take gatepost's right to relay \
                 for the client's; write the addresses there themselves (\"One trap\" in {README})"
            );
        }
    }
    Ok(())
}

/// A change as `diff -u` shows it: all of ours are in one place of a file.
pub(super) fn difference(change: &Change) -> String {
    const AROUND: usize = 3;
    let before: Vec<&str> = change
        .before
        .as_deref()
        .unwrap_or_default()
        .lines()
        .collect();
    let after: Vec<&str> = change.after.lines().collect();
    let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| {
        pairs.take_while(|(one, other)| one == other).count()
    };
    let head = same(&mut before.iter().zip(&after));
    let tail = same(&mut before.iter().rev().zip(after.iter().rev()))
        .min(before.len() - head)
        .min(after.len() - head);
    let start = head.saturating_sub(AROUND);
    let below = tail.min(AROUND);
    let count = |lines: &[&str]| lines.len() - start - (tail - below);
    let from = match change.before {
        Some(_) => change.path.as_str(),
        None => "/dev/null",
    };
    let mut text = format!(
        "--- {from}\n+++ {}\n@@ -{},{} +{},{} @@\n",
        change.path,
        if before.is_empty() { 0 } else { start + 1 },
        count(&before),
        start + 1,
        count(&after)
    );
    let mut lines = |sign: char, lines: &[&str], from: usize, to: usize| {
        for line in lines.get(from..to).unwrap_or_default() {
            let _ = writeln!(text, "{sign}{line}");
        }
    };
    lines(' ', &before, start, head);
    lines('-', &before, head, before.len() - tail);
    lines('+', &after, head, after.len() - tail);
    lines(' ', &after, after.len() - tail, after.len() - tail + below);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_replaced_or_added() {
        for (settings, wanted) in [
            (
                "a='1'\ndc_local_interfaces=''\nb='2'\n",
                "a='1'\ndc_local_interfaces='x'\nb='2'\n",
            ),
            ("dc_local_interfaces='y'", "dc_local_interfaces='x'"),
            ("a='1'\n", "a='1'\ndc_local_interfaces='x'\n"),
            ("a='1'", "a='1'\ndc_local_interfaces='x'\n"),
        ] {
            assert_eq!(with_interfaces(settings, "x").unwrap(), wanted);
        }
        assert!(with_interfaces("dc_local_interfaces=\"$A\"\n", "x").is_err());
    }

    #[test]
    fn differences_are_shown_as_by_diff() {
        let change = |before: Option<&str>, after: &str| Change {
            path: "/f".to_owned(),
            before: before.map(str::to_owned),
            after: after.to_owned(),
        };
        for (change, wanted) in [
            (
                change(
                    Some("1\n2\n3\n4\n5\n6\n7\n8\n9\n"),
                    "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
                ),
                "--- /f\n+++ /f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
            ),
            (
                change(Some("1\n"), "1\n2\n"),
                "--- /f\n+++ /f\n@@ -1,1 +1,2 @@\n 1\n+2\n",
            ),
            (
                change(None, "1\n"),
                "--- /dev/null\n+++ /f\n@@ -0,0 +1,1 @@\n+1\n",
            ),
        ] {
            assert_eq!(difference(&change), wanted);
        }
    }
}
