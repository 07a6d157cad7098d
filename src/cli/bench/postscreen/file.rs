//! The files of a run's Postfix: its configuration, its folders, the accounts it asks for.
//!
//! main.cf has Postfix's defaults (postconf(5)) but for where things are, what is asked of postscreen, and what goes by a clock.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, chown};

use super::program::Postfix;
use crate::cli::bench::exim::write_certificate;
use crate::cli::bench::gate::Asks;
use crate::cli::bench::world::LIST_TTL;
use crate::measure::trace::Trace;

/// The fastest session clock: Postfix counts whole seconds, and begins to count within one.
pub(in crate::cli::bench) const FASTEST: u32 = 3;

/// Postfix's defaults, seconds (postconf(5)).
const GREET_WAIT: u32 = 6;
const DNSBL_TIMEOUT: u32 = 10;
const GREET_TTL: u32 = 86_400;
const DNSBL_TTL: [u32; 2] = [60, 3600];
/// Connections of one client at one time.
const CONNECTIONS: u32 = 50;
/// Processes of one kind, and so the connections that postscreen holds and hands on; as many as Exim may have sessions.
const PROCESSES: u32 = 500;
/// Octets of a message, as at Exim.
const MESSAGE: u32 = 50 << 20;

/// The accounts that Postfix wants: what it runs as, and the group of its queue's door.
const OWNER: &str = "postfix";
const GROUP: &str = "postdrop";
/// Numbers that are taken for them where they do not exist.
const FREE: std::ops::Range<u32> = 64_000..64_500;

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

/// A setting, its default and what it is here, and their unit.
type Scaled = (&'static str, [u32; 2], &'static str);

/// How fast its time goes.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::bench) struct Pace {
    pub(in crate::cli::bench) clock: u32,
    pub(in crate::cli::bench) session_clock: u32,
}

impl Pace {
    fn settings(self) -> [Scaled; 9] {
        let Self {
            clock,
            session_clock,
        } = self;
        let (clock, session) = (clock.max(1), session_clock.max(1));
        let connections = CONNECTIONS.saturating_mul((clock / session).max(1));
        // How long a list's answer may be kept, which it says in seconds of its own.
        let [least, most] = DNSBL_TTL;
        let kept = LIST_TTL.clamp(least, most).div_ceil(clock);
        [
            (
                "postscreen_greet_wait",
                [GREET_WAIT, (GREET_WAIT / session).max(1)],
                "s",
            ),
            (
                "postscreen_dnsbl_timeout",
                [DNSBL_TIMEOUT, DNSBL_TIMEOUT.div_ceil(session)],
                "s",
            ),
            (
                "postscreen_greet_ttl",
                [GREET_TTL, GREET_TTL.div_ceil(clock)],
                "s",
            ),
            ("postscreen_dnsbl_min_ttl", [least, kept], "s"),
            ("postscreen_dnsbl_max_ttl", [most, kept], "s"),
            ("in_flow_delay", [1, 0], "s"),
            ("default_process_limit", [100, PROCESSES], ""),
            (
                "postscreen_client_connection_count_limit",
                [CONNECTIONS, connections],
                "",
            ),
            (
                "smtpd_client_connection_count_limit",
                [CONNECTIONS, connections],
                "",
            ),
        ]
    }

    /// What is changed, one a line.
    pub(super) fn scaled(self) -> Vec<String> {
        let line = |(name, [before, after], unit): Scaled| {
            format!("{name} = {before}{unit} is {after}{unit}")
        };
        self.settings().map(line).to_vec()
    }

    /// As lines of main.cf.
    fn text(self) -> String {
        let line = |(name, [_, after], unit): Scaled| format!("{name} = {after}{unit}\n");
        self.settings().map(line).concat()
    }
}

/// An account, by name and number.
pub(super) struct Account {
    name: &'static str,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// Those of the system, or new ones that only this Postfix sees: /etc/passwd and /etc/group with them, in `directory`.
    pub(super) fn both(directory: &Path) -> anyhow::Result<(Self, Self)> {
        fs::create_dir_all(directory)?;
        let mut passwd = fs::read_to_string("/etc/passwd")?;
        let mut groups = fs::read_to_string("/etc/group")?;
        let is_free = |number: &u32| {
            matches!(User::from_uid(Uid::from_raw(*number)), Ok(None))
                && matches!(Group::from_gid(Gid::from_raw(*number)), Ok(None))
        };
        let mut free = FREE.filter(is_free);
        let mut next = || {
            free.next()
                .ok_or_else(|| anyhow::anyhow!("no free user number from {FREE:?}"))
        };
        let owner = match User::from_name(OWNER)? {
            Some(user) => Self {
                name: OWNER,
                uid: user.uid,
                gid: user.gid,
            },
            None => {
                let number = next()?;
                passwd += &format!("{OWNER}:x:{number}:{number}::/:/usr/sbin/nologin\n");
                groups += &format!("{OWNER}:x:{number}:\n");
                Self {
                    name: OWNER,
                    uid: Uid::from_raw(number),
                    gid: Gid::from_raw(number),
                }
            }
        };
        let group = match Group::from_name(GROUP)? {
            Some(group) => group.gid,
            None => {
                let number = next()?;
                groups += &format!("{GROUP}:x:{number}:\n");
                Gid::from_raw(number)
            }
        };
        fs::write(directory.join("passwd"), passwd)?;
        fs::write(directory.join("group"), groups)?;
        let group = Self {
            name: GROUP,
            uid: owner.uid,
            gid: group,
        };
        Ok((owner, group))
    }
}

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
