//! `[listen.NAME]`: where clients are accepted and what is done with them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::config::place::{Key, key};
use crate::config::problem::Complaint;
use crate::config::report::Report;
use crate::config::units;
use crate::facts::Logins;

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Addresses with ports. Port 0: any free port.
    #[serde(with = "units::list")]
    pub address: Vec<SocketAddr>,
    /// When TLS begins.
    #[serde(deserialize_with = "units::word")]
    pub tls: TlsMode,
    /// Who is expected.
    #[serde(deserialize_with = "units::word")]
    pub role: Role,
    /// Whether users may log in at a listener for other mail servers.
    pub auth: bool,
    /// The name of the policy.
    pub policy: String,
    /// The name of the backend.
    pub backend: String,
    /// Networks of front proxies: from these a PROXY header must come first; from all others it is a fault.
    #[serde(with = "units::list")]
    pub proxy_protocol_from: Vec<IpNet>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: Vec::new(),
            tls: TlsMode::default(),
            role: Role::default(),
            auth: false,
            policy: "default".to_owned(),
            backend: String::new(),
            proxy_protocol_from: Vec::new(),
        }
    }
}

impl Listen {
    /// Whether users may log in.
    #[must_use]
    pub fn logins(&self) -> Logins {
        match (self.role, self.auth) {
            (Role::Submission, _) => Logins::Required,
            (Role::Mx, true) => Logins::Allowed,
            (Role::Mx, false) => Logins::None,
        }
    }
}

/// When TLS begins on a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Never.
    None,
    /// When the client says STARTTLS (RFC 3207).
    #[default]
    Starttls,
    /// At once (RFC 8314 §3.3).
    Implicit,
}

impl TlsMode {
    /// Its name, as it is written.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starttls => "starttls",
            Self::Implicit => "implicit",
        }
    }
}

/// Who a listener is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Other mail servers (RFC 5321).
    #[default]
    Mx,
    /// One's own users, who log in (RFC 6409).
    Submission,
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"# One table per listener, [listen.NAME]; the name stands in the log and in the metrics.
[listen.mx]
# Addresses with ports; IPv6 in brackets. Port 0 takes any free port.
address = ["0.0.0.0:25", "[::]:25"]
# When TLS begins: "none", "starttls" (RFC 3207) or "implicit" (at once, RFC 8314).
tls = "starttls"
# Who is expected: "mx", other mail servers; or "submission", one's own users, who must log in before they send.
role = "mx"
# Whether users may log in here too, once TLS has begun. With role = "submission" they may in any case.
auth = false
# The policy that judges the clients: [policy.NAME].
policy = "default"
# Where clean sessions go: [backend.NAME]. No default.
backend = "exim"
# Networks of front proxies. From these a PROXY header must come first; from all others it is a fault.
proxy_protocol_from = []

# Port 465 with TLS from the first octet is for one's own users (RFC 8314); so is 587, with tls = "starttls". The backend must
# offer AUTH to gatepost, as Exim does with config/exim4/ on a port of its own: give that a table [backend.NAME].
[listen.smtps]
address = ["0.0.0.0:465", "[::]:465"]
tls = "implicit"
role = "submission"
auth = false
policy = "default"
backend = "exim"
proxy_protocol_from = []
"#;

/// Judges all listeners; `policies` and `backends` are the names that exist.
pub(in crate::config) fn check(
    listeners: &BTreeMap<String, Listen>,
    policies: &[&str],
    backends: &[&str],
    report: &mut Report<'_>,
) {
    if listeners.is_empty() {
        let allowed = "write a table [listen.mx] with address and backend";
        report.complain(&key(&["listen"]), "no listener", allowed);
    }
    for (name, listen) in listeners {
        let at = |part: &str| key(&["listen", name, part]);
        crate::config::check_name(&key(&["listen", name]), name, report);
        if listen.address.is_empty() {
            report.complain(
                &at("address"),
                "no address",
                "write such as address = [\"0.0.0.0:25\", \"[::]:25\"]",
            );
        }
        if listen.logins() != Logins::None && listen.tls == TlsMode::None {
            report.complain(
                &at("tls"),
                "\"none\", where users log in, would show their passwords to everybody on the way",
                "write \"starttls\" or \"implicit\"",
            );
        }
        check_name_of("policy", &listen.policy, policies, &at("policy"), report);
        match listen.backend.as_str() {
            "" => {
                let list: Vec<_> = backends.iter().map(|name| format!("\"{name}\"")).collect();
                let list = if list.is_empty() {
                    "a table [backend.NAME] first".to_owned()
                } else {
                    list.join(" or ")
                };
                report.complain(
                    &at("backend"),
                    "no backend",
                    format!("write the name of one: {list}"),
                );
            }
            backend => check_name_of("backend", backend, backends, &at("backend"), report),
        }
    }
    check_addresses(listeners, report);
}

fn check_name_of(section: &str, name: &str, names: &[&str], at: &Key, report: &mut Report<'_>) {
    if !names.contains(&name) && !report.is_spoiled(&key(&[section, name])) {
        report.wrong(
            at,
            Complaint::unknown(&format!("the {section}"), name, names.iter().copied()),
        );
    }
}

/// No two listeners can have one address and port; a wildcard takes in all addresses of its family.
fn check_addresses(listeners: &BTreeMap<String, Listen>, report: &mut Report<'_>) {
    let mut taken: Vec<(SocketAddr, Key)> = Vec::new();
    for (name, listen) in listeners {
        for (index, address) in listen.address.iter().enumerate() {
            let at = key(&["listen", name, "address", &index.to_string()]);
            let earlier = taken
                .iter()
                .find(|(other, _)| other.port() != 0 && collide(*other, *address));
            if let Some((other, place)) = earlier {
                let place = report.written(place);
                let found = match other == address {
                    true => format!("\"{address}\" stands in {place}, too"),
                    false => format!("\"{address}\" and \"{other}\" of {place} take in each other"),
                };
                report.complain(&at, found, "write each address and port once");
            }
            taken.push((*address, at));
        }
    }
}

/// Whether a socket on `one` gets what is sent to `other`. IPv6 sockets are IPv6 only.
pub(in crate::config) fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let wild = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (wild || one.ip() == other.ip())
}
