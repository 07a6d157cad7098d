//! The files of a run's Exim: its configuration, who exists, who may log in, its certificate.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;

use super::{Part, accounts};
use crate::measure::trace::Lists;
use crate::measure::trace::{List, Trace};

/// What the configuration depends on.
pub(super) struct Post<'a> {
    pub(super) part: Part,
    pub(super) domain: &'a str,
    pub(super) host: &'a str,
    pub(super) lists: &'a [&'a List],
    /// For mail, in a secondary's place, for users.
    pub(super) ports: [u16; 3],
    pub(super) directory: &'a Path,
    pub(super) user: Option<&'a str>,
}

impl Post<'_> {
    /// The configuration. As the backend it is for the gate alone, as in `config/exim4/`: a PROXY header from 127.0.0.2, and
    /// refused what comes without. In front it takes the players' PROXY headers, offers STARTTLS, and asks the lists at RCPT,
    /// behind postmaster and abuse.
    pub(super) fn text(&self) -> String {
        let Self {
            domain,
            host,
            directory,
            ..
        } = self;
        let [mail, secondary, users] = self.ports;
        let directory = directory.display();
        let user = self
            .user
            .map(|user| format!("user = {user}"))
            .unwrap_or_default();
        let (proxies, tls) = match self.part {
            Part::Backend => ("127.0.0.2", "tls_advertise_hosts =".to_owned()),
            Part::Front => (
                "127.0.0.1",
                format!(
                    "tls_advertise_hosts = *\ntls_on_connect_ports = {users}\n\
                     tls_certificate = {directory}/pair.pem\ntls_privatekey = {directory}/pair.pem"
                ),
            ),
        };
        let lists = match self.part {
            Part::Front if !self.lists.is_empty() => {
                let of = |kind: Lists| {
                    let such = self.lists.iter().filter(move |list| list.lists == kind);
                    such.map(|list| &list.zone)
                };
                let good = of(Lists::Allowed).map(|zone| format!("  accept dnslists = {zone}\n          domains = +local_domains\n          condition = EXISTS\n"));
                let bad = of(Lists::Listed).map(|zone| {
                    format!(
                        "  deny message = listed by $dnslist_domain\n          dnslists = {zone}\n"
                    )
                });
                good.chain(bad).collect()
            }
            _ => String::new(),
        };
        format!(
            r#"keep_environment =
EXISTS = ${{lookup{{$local_part}}lsearch{{{directory}/users}}{{yes}}{{no}}}}
spool_directory = {directory}/spool
split_spool_directory = true
log_file_path = {directory}/log/%slog
pid_file_path = {directory}/exim.pid
local_interfaces = 127.0.0.1.{mail} : 127.0.0.1.{secondary} : 127.0.0.1.{users}
primary_hostname = {host}
qualify_domain = {domain}
domainlist local_domains = {domain}
hosts_proxy = {proxies}
{tls}
auth_advertise_hosts = ${{if eq{{$received_port}}{{{users}}}{{*}}{{}}}}
pipelining_connect_advertise_hosts =
chunking_advertise_hosts =
smtp_accept_max = 500
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 200
smtp_accept_max_nonmail = 50
queue_only
queue_run_max = 1
deliver_drop_privilege = true
host_lookup =
helo_allow_chars = _
dns_retrans = 1s
dns_retry = 1
rfc1413_query_timeout = 0s
message_size_limit = 50M
log_selector = +proxy +received_recipients +smtp_connection +incoming_port
acl_smtp_connect = check_connect
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept

begin acl

check_connect:
  drop    message   = a PROXY header is wanted
          condition = ${{if !eq{{$proxy_session}}{{yes}}}}
  accept

check_rcpt:
  accept  authenticated = *
  require message = relay not permitted
          domains = +local_domains
  accept  local_parts = postmaster : abuse
{lists}  deny    message = no such user here
          condition = ${{if eq{{EXISTS}}{{no}}}}
  accept

begin routers

everyone:
  driver = accept
  transport = store

begin transports

store:
  driver = appendfile
  directory = {directory}/mail
  maildir_format
  batch_max = 1000
  envelope_to_add
  return_path_add
  {user}

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{${{lookup{{$auth2}}lsearch{{{directory}/accounts}}{{$value}}fail}}}}}}
  server_set_id = $auth2

login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if eq{{$auth2}}{{${{lookup{{$auth1}}lsearch{{{directory}/accounts}}{{$value}}fail}}}}}}
  server_set_id = $auth1
"#
        )
    }
}

/// Who exists, and who may log in.
pub(super) fn write_tables(trace: &Trace, directory: &Path) -> anyhow::Result<()> {
    let users: BTreeSet<String> = trace.users.iter().map(|user| user.to_lowercase()).collect();
    let users: String = users.iter().map(|user| format!("{user}:\n")).collect();
    std::fs::write(directory.join("users"), users)?;
    let accounts: String = accounts(trace)
        .iter()
        .map(|(user, password)| format!("{user}: {password}\n"))
        .collect();
    std::fs::write(directory.join("accounts"), accounts)?;
    Ok(())
}

/// A certificate of its own, as mail servers have them.
pub(in crate::cli::bench) fn write_certificate(directory: &Path) -> anyhow::Result<()> {
    let pair = rcgen::generate_simple_self_signed(vec!["mx.example.com".to_owned()])
        .context("no certificate can be made")?;
    let text = pair.cert.pem() + &pair.signing_key.serialize_pem();
    std::fs::write(directory.join("pair.pem"), text)?;
    Ok(())
}

/// Exim's own user.
pub(super) fn user() -> Option<nix::unistd::User> {
    let mut users = ["Debian-exim", "exim"].iter();
    users.find_map(|name| nix::unistd::User::from_name(name).ok().flatten())
}

/// Started by root, Exim becomes its own user, who must be able to write to the folders and read the tables.
pub(super) fn own_user(directory: &Path) -> anyhow::Result<Option<String>> {
    if !nix::unistd::Uid::effective().is_root() {
        return Ok(None);
    }
    let Some(user) = user() else {
        return Ok(None);
    };
    for name in ["", "spool", "log", "mail", "users", "accounts", "pair.pem"] {
        nix::unistd::chown(&directory.join(name), Some(user.uid), Some(user.gid))?;
    }
    Ok(Some(user.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_good_senders_accept_whatever_they_are_called() {
        let list = |zone: &str, lists| List {
            zone: zone.to_owned(),
            lists,
            listings: Vec::new(),
            troubles: Vec::new(),
        };
        let (bad, good) = (
            list("dnswl.bad.example", Lists::Listed),
            list("trusted.example", Lists::Allowed),
        );
        let post = Post {
            part: Part::Front,
            domain: "example.com",
            host: "mx.example.com",
            lists: &[&bad, &good],
            ports: [1, 2, 3],
            directory: Path::new("/nowhere"),
            user: None,
        };
        let text = post.text();
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        let accepts = at("accept dnslists = trusted.example\n");
        assert!(accepts < at("dnslists = dnswl.bad.example\n"));
        assert_eq!(text.matches("accept dnslists").count(), 1);
    }
}
