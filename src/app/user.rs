//! From root to the user of the configuration, once the sockets are open. What was read as root is not used after that: the
//! certificates are opened as the user that has to open them again.

use std::ffi::CString;

use nix::unistd::{Uid, User, initgroups, setgid, setuid};

use crate::config::{Problem, Snapshot};

/// The one who stays what root is.
const ROOT: &str = "root";

/// Says who serves, where that is worth knowing.
pub fn remark() {
    if Uid::effective().is_root() {
        tracing::warn!(
            "serving as root, as user = \"root\" says: a fault in gatepost is one of the whole machine"
        );
    }
}

/// Becomes the user that the configuration names. Who is not root is who it is.
///
/// # Errors
///
/// When root can not become that user; nothing may be served then.
pub fn become_it(snapshot: &Snapshot) -> Result<(), Box<Problem>> {
    let name = &snapshot.config.user;
    if !Uid::effective().is_root() || name == ROOT {
        return Ok(());
    }
    let problem =
        |found: String, allowed: &str| Box::new(snapshot.problem("user", &found, allowed));
    let unknown = "make the user (useradd --system gatepost), name another, or start gatepost as the user it is to be; \
                   \"root\" if it really must be";
    let user = match User::from_name(name) {
        Ok(Some(user)) => user,
        Ok(None) => return Err(problem(format!("there is no user {name:?}"), unknown)),
        Err(error) => return Err(problem(format!("{name:?}: {error}"), unknown)),
    };
    if user.uid.is_root() {
        let found = format!("{name:?} is root by another name");
        return Err(problem(found, unknown));
    }
    let drop = || {
        let name = CString::new(name.as_str()).map_err(|_| nix::Error::EINVAL)?;
        initgroups(&name, user.gid)?;
        setgid(user.gid)?;
        setuid(user.uid)
    };
    if let Err(error) = drop() {
        let found = format!("can not become {name:?}: {error}");
        return Err(problem(found, "start gatepost as that user"));
    }
    // Whoever could go back has not left.
    if setuid(Uid::from_raw(0)).is_ok() {
        let found = format!("{name:?} can become root again");
        return Err(problem(found, "name a user without privileges"));
    }
    Ok(())
}
