//! The accounts that Postfix asks for: the system's, or some that only the run's Postfix sees.

use std::fs;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User};

/// The accounts that Postfix wants: what it runs as, and the group of its queue's door.
const OWNER: &str = "postfix";
const GROUP: &str = "postdrop";
/// Numbers that are taken for them where they do not exist.
const FREE: std::ops::Range<u32> = 64_000..64_500;

/// An account, by name and number.
pub(super) struct Account {
    pub(super) name: &'static str,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
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
