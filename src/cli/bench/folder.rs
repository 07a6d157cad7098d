//! The folder of a run: a new one that stays (`--keep`), or one that goes with it.
//!
//! Of a run that is killed the folder stays. It is swept at the next start: the lock that its owner held on a file in it is free
//! then, which no process number could tell for sure.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::exim;

/// What passing folders are called.
const PREFIX: &str = "gatepost-bench-";
/// The file whose lock is held while the run goes on.
const LOCK: &str = "lock";

/// The folder of the run.
pub(super) enum Folder {
    /// It stays.
    Kept(PathBuf),
    /// It goes when this is dropped; the lock says until then that it is not left over.
    Passing {
        folder: tempfile::TempDir,
        _lock: File,
    },
}

impl Folder {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing { folder, .. } => folder.path(),
        }
    }
}

/// Makes it. Exim gives up root and then must still reach its files: that is seen to before anything is made.
pub(super) fn folder(keep: Option<&Path>, has_exim: bool) -> anyhow::Result<Folder> {
    let temporary = std::env::temp_dir();
    let path = std::path::absolute(keep.unwrap_or(&temporary))?;
    // The folder that is kept is new: those above it count.
    let above = keep.and(path.parent()).unwrap_or(&path);
    if has_exim {
        exim::reaches(above)?;
    }
    if keep.is_none() {
        sweep(&temporary);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let _lock = lock(folder.path())?;
        return Ok(Folder::Passing { folder, _lock });
    }
    fs::create_dir(&path)
        .with_context(|| format!("--keep {}: a new folder can not be made", path.display()))?;
    fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    Ok(Folder::Kept(path))
}

/// A lock that is held before its file has the name by which others know it.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let new = folder.join("lock.new");
    let file = File::create_new(&new)?;
    file.try_lock()
        .with_context(|| format!("{} can not be locked", new.display()))?;
    fs::rename(new, folder.join(LOCK))?;
    Ok(file)
}

/// Removes what killed runs of this user have left in `temporary`. What can not be removed stays: nothing hangs on it.
fn sweep(temporary: &Path) {
    let entries = fs::read_dir(temporary).into_iter().flatten().flatten();
    let named = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
    for entry in entries.filter(named) {
        if is_left_over(&entry).is_some() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether it is a folder of this user whose owner is gone.
fn is_left_over(entry: &fs::DirEntry) -> Option<()> {
    // Of a link this is about the link.
    let about = entry.metadata().ok()?;
    let is_ours = about.is_dir() && about.uid() == nix::unistd::Uid::effective().as_raw();
    let lock = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(entry.path().join(LOCK))
        .ok()
        .filter(|_| is_ours)?;
    lock.try_lock().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_has_left_is_swept_and_nothing_else() {
        let temporary = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let folder = temporary.path().join(name);
            fs::create_dir(&folder).unwrap();
            folder
        };
        let (left, held) = (make("gatepost-bench-left"), make("gatepost-bench-held"));
        let (other, bare) = (make("other"), make("gatepost-bench-bare"));
        drop(lock(&left).unwrap());
        drop(lock(&other).unwrap());
        let held_lock = lock(&held).unwrap();
        std::os::unix::fs::symlink(&other, temporary.path().join("gatepost-bench-link")).unwrap();
        sweep(temporary.path());
        assert!(!left.exists());
        assert!(held.exists() && other.join(LOCK).exists() && bare.exists());
        drop(held_lock);
        sweep(temporary.path());
        assert!(!held.exists());
    }
}
