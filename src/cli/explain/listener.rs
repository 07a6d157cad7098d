//! The listener a client is thought to come to.

use crate::cli::output::Usage;
use crate::config::{Listen, Role, Snapshot};

/// The listener `name`; without a name the one that other mail servers come to. Where there are several, any of them does
/// as long as they have the same policy and backend; otherwise the answer would depend on the choice.
pub(super) fn choose<'a>(
    snapshot: &'a Snapshot,
    name: Option<&str>,
) -> Result<(&'a String, &'a Listen), Usage> {
    let all = &snapshot.config.listen;
    if let Some(name) = name {
        let found = all.get_key_value(name);
        return found.ok_or_else(|| Usage(format!("there is no [listen.{name}]; {}", known(all))));
    }
    let others = || all.iter().filter(|(_, listen)| listen.role == Role::Mx);
    // Port 25 is the one that mail comes to.
    let has_smtp = |listen: &Listen| listen.address.iter().any(|address| address.port() == 25);
    let chosen = others().find(|(_, listen)| has_smtp(listen));
    let chosen = chosen
        .or_else(|| others().next())
        .or_else(|| all.iter().next());
    let Some((name, listen)) = chosen else {
        return Err(Usage("the configuration has no listener".to_owned()));
    };
    let alike = |other: &Listen| other.policy == listen.policy && other.backend == listen.backend;
    match others().all(|(_, other)| alike(other)) {
        true => Ok((name, listen)),
        false => Err(Usage(format!(
            "the listeners differ in policy or backend: name one with --listener; {}",
            known(all)
        ))),
    }
}

fn known(all: &std::collections::BTreeMap<String, Listen>) -> String {
    let one = |(name, listen): (&String, &Listen)| {
        format!(
            "{name} (policy {}, backend {})",
            listen.policy, listen.backend
        )
    };
    let list: Vec<String> = all.iter().map(one).collect();
    format!("there are {}", list.join(", "))
}
