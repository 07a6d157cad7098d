//! The files of a run's Postfix: its configuration, its folders, who exists.
//!
//! main.cf has Postfix's defaults (postconf(5)) but for where things are, what is asked of postscreen, and what goes by a clock.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::chown;

use super::account::Account;
use super::pace::Pace;
use super::program::Postfix;
use crate::cli::bench::exim::write_certificate;
use crate::cli::bench::gate::Asks;
use crate::measure::trace::Trace;

/// Octets of a message, as at Exim.
const MESSAGE: u32 = 50 << 20;

/// The folders of the queue: their modes, and whether they are the group's. postfix-files(5) has the same.
const QUEUE: [(&str, u32, bool); 13] = [
    ("active", 0o700, false),
    ("bounce", 0o700, false),
    ("corrupt", 0o700, false),
    ("defer", 0o700, false),
    ("deferred", 0o700, false),
    ("flush", 0o700, false),
    ("hold", 0o700, false),
    ("incoming", 0o700, false),
    ("saved", 0o700, false),
    ("trace", 0o700, false),
    ("private", 0o700, false),
    ("public", 0o2710, true),
    ("maildrop", 0o1730, true),
];

/// Services, as in Debian's master.cf; nothing is chrooted, and nothing that this Postfix does not need is there.
const SERVICES: &str = "\
smtpd     pass  -       -       n       -       -       smtpd
dnsblog   unix  -       -       n       -       0       dnsblog
tlsproxy  unix  -       -       n       -       0       tlsproxy
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
anvil     unix  -       -       n       -       1       anvil
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
virtual   unix  -       n       n       -       -       virtual
postlog   unix-dgram n  -       n       -       1       postlogd
";

/// What the configuration depends on.
pub(super) struct Post<'a> {
    pub(super) postfix: &'a Postfix,
    pub(super) pace: Pace,
    pub(super) domain: &'a str,
    pub(super) host: &'a str,
    pub(super) asks: &'a Asks,
    pub(super) door: SocketAddr,
    pub(super) directory: &'a Path,
    pub(super) owner: &'a Account,
    pub(super) group: &'a Account,
}

impl Post<'_> {
    /// Makes all files and folders.
    pub(super) fn write(&self, trace: &Trace) -> anyhow::Result<()> {
        let at = |name: &str| self.directory.join(name);
        for folder in [
            "conf",
            "queue/pid",
            "data",
            "mail/new",
            "mail/cur",
            "mail/tmp",
        ] {
            fs::create_dir_all(at(folder))?;
        }
        for (name, mode, is_group) in QUEUE {
            let folder = at("queue").join(name);
            fs::create_dir(&folder)?;
            let owner = if is_group { self.group } else { self.owner };
            chown(&folder, Some(owner.uid), Some(owner.gid))?;
            fs::set_permissions(&folder, Permissions::from_mode(mode))?;
        }
        for folder in ["data", "mail", "mail/new", "mail/cur", "mail/tmp"] {
            chown(&at(folder), Some(self.owner.uid), Some(self.owner.gid))?;
        }
        write_certificate(self.directory)?;
        fs::write(at("conf/users"), users(trace))?;
        fs::write(at("conf/main.cf"), self.main())?;
        let door = format!(
            "{}      inet  n       -       n       -       1       postscreen\n",
            self.door
        );
        fs::write(at("conf/master.cf"), door + SERVICES)?;
        Ok(())
    }

    /// The lists with the points that the policy gives them, in hundredths, which are whole numbers.
    fn lists(&self) -> String {
        let site = |list: &crate::checks::Listing| {
            let (zone, points) = (list.zone.asked(), list.points.in_hundredths());
            format!("\n    {zone}={}*{points}", list.answers)
        };
        let sites: String = self.asks.listings.iter().map(site).collect();
        format!(
            "postscreen_dnsbl_sites ={sites}\npostscreen_dnsbl_threshold = {}\npostscreen_dnsbl_action = enforce\n",
            self.asks.deny_points.in_hundredths().max(1)
        )
    }

    fn main(&self) -> String {
        let Self { domain, host, .. } = self;
        let Postfix {
            daemons,
            commands,
            libraries,
        } = self.postfix;
        let places = libraries.as_ref().map_or_else(String::new, |libraries| {
            format!(
                "shlib_directory = {}\nmeta_directory = {}/conf\n",
                libraries.display(),
                self.directory.display()
            )
        });
        let (daemons, commands) = (daemons.display(), commands.display());
        let (directory, uid, gid) = (self.directory.display(), self.owner.uid, self.owner.gid);
        let (owner, group, lists, pace) = (
            self.owner.name,
            self.group.name,
            self.lists(),
            self.pace.text(),
        );
        format!(
            "compatibility_level = 3.6
daemon_directory = {daemons}
command_directory = {commands}
{places}queue_directory = {directory}/queue
data_directory = {directory}/data
mail_owner = {owner}
setgid_group = {group}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
export_environment = MAIL_CONFIG LD_LIBRARY_PATH
maillog_file = {directory}/maillog
maillog_file_prefixes = {directory}
smtpd_client_port_logging = yes
myhostname = {host}
myorigin = {domain}
mydestination =
mynetworks =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{directory}/conf/users
virtual_mailbox_base = {directory}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
message_size_limit = {MESSAGE}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = {directory}/pair.pem
smtpd_tls_key_file = {directory}/pair.pem
postscreen_upstream_proxy_protocol = haproxy
postscreen_greet_action = enforce
{lists}{pace}"
        )
    }
}

/// Who exists: all mail goes into one Maildir.
fn users(trace: &Trace) -> String {
    let own = ["postmaster", "abuse"].map(str::to_owned);
    let users: BTreeSet<String> = trace
        .users
        .iter()
        .map(|user| user.to_lowercase())
        .chain(own)
        .collect();
    let line = |user: &String| format!("{user}@{} mail/\n", trace.domain);
    users.iter().map(line).collect()
}
