//! The directories gatepost writes to, looked at before anything is written: a disk that takes nothing costs records or
//! what was remembered, not mail, and so would be noticed too late.

use std::io;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, Uid, User, faccessat};

use crate::config::{Problem, Snapshot};

/// Says which directories of the configuration can not be written to. Nothing is made.
#[must_use]
pub fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    let config = &snapshot.config;
    let journal = config.journal.enabled.then_some((
        "journal.directory",
        config.journal.directory.as_path(),
        "no session would be recorded",
    ));
    let store = (
        "store.directory",
        config.store.directory.as_path(),
        "nothing would be kept over a restart",
    );
    let wrong = |(key, directory, harm): (&str, &Path, &str)| {
        let error = writable(directory).err()?;
        let found = format!(
            "{} can not write to {}: {error}, so {harm}",
            whoami(),
            directory.display()
        );
        let advice = "make the directory, and let the user that gatepost runs as write to it";
        Some(snapshot.problem(key, &found, advice))
    };
    [Some(store), journal]
        .into_iter()
        .flatten()
        .filter_map(wrong)
        .collect()
}

/// Whether files could be made in `directory`, or, where it is not there, whether it could be made.
fn writable(directory: &Path) -> io::Result<()> {
    let there = directory.ancestors().find(|path| path.exists());
    let nearest = there.unwrap_or(Path::new("/"));
    if !nearest.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    let wanted = AccessFlags::W_OK | AccessFlags::X_OK;
    // By its kind: the words without the number.
    faccessat(AT_FDCWD, nearest, wanted, AtFlags::AT_EACCESS)
        .map_err(|error| io::Error::from(io::Error::from(error).kind()))
}

/// Who we are, for it is the service's user that counts.
fn whoami() -> String {
    let uid = Uid::effective();
    match User::from_uid(uid) {
        Ok(Some(user)) => format!("the user {}", user.name),
        _ => format!("the user with id {uid}"),
    }
}
