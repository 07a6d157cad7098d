//! Changes of files, all or none, and back: what was there before is kept in a folder that is root's alone, so that
//! `--undo` puts back the very octets, also after a change that was cut off in its middle.
//!
//! The folder is not below gatepost's own: whoever could write there could have root write anything anywhere.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::debian::{GENERATED, place};

/// Where backups are kept, one folder for each change.
const BACKUPS: &str = "/var/backups/gatepost";
/// What the folder of a backup begins with.
const PREFIX: &str = "exim-";
/// What a backup holds.
const LIST: &str = "files.json";
/// What [`GENERATED`] was made to, and its earlier content.
const MADE: &str = "generated.after";
const EARLIER: &str = "generated.before";

/// A file as it shall be.
#[derive(Debug)]
pub(super) struct Change {
    /// Its place on the machine, whatever the root.
    pub(super) path: String,
    /// What is in it; `None`: it is not there.
    pub(super) before: Option<String>,
    /// What shall be in it.
    pub(super) after: String,
}

/// A file in a backup.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    path: String,
    /// `None`: it was not there.
    before: Option<Owner>,
}

/// What a backup says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct List {
    files: Vec<Kept>,
    /// Of [`GENERATED`], as in [`Kept`].
    generated: Option<Owner>,
}

/// Mode, user and group.
type Owner = (u32, u32, u32);

/// A change that was made, or begun.
#[derive(Debug)]
pub(super) struct Backup {
    root: PathBuf,
    /// Its folder.
    pub(super) folder: PathBuf,
    list: List,
}

impl Backup {
    /// Keeps what the changes will replace.
    fn make(root: &Path, changes: &[Change]) -> anyhow::Result<Self> {
        let backups = place(root, BACKUPS);
        fs::create_dir_all(&backups)?;
        fs::set_permissions(&backups, Permissions::from_mode(0o700))?;
        let whole = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&backups)?;
        let mut files = Vec::new();
        for (number, change) in changes.iter().enumerate() {
            let path = place(root, &change.path);
            let before = match &change.before {
                None => None,
                Some(text) => {
                    let metadata = fs::symlink_metadata(&path)?;
                    ensure!(
                        metadata.is_file(),
                        "{} is a link or no file",
                        path.display()
                    );
                    ensure!(
                        fs::read(&path)? == text.as_bytes(),
                        "{} has changed meanwhile",
                        path.display()
                    );
                    write(&whole.path().join(format!("{number}.before")), text)?;
                    Some(owner(&metadata))
                }
            };
            write(&whole.path().join(format!("{number}.after")), &change.after)?;
            files.push(Kept {
                path: change.path.clone(),
                before,
            });
        }
        let generated = place(root, GENERATED);
        let generated = match fs::metadata(&generated) {
            Ok(metadata) => {
                write(&whole.path().join(EARLIER), fs::read(&generated)?)?;
                Some(owner(&metadata))
            }
            Err(_) => None,
        };
        let list = List { files, generated };
        write(&whole.path().join(LIST), serde_json::to_vec_pretty(&list)?)?;
        let name = format!("{PREFIX}{}", stamp());
        let folder = backups.join(&name);
        ensure!(!folder.exists(), "{} is there already", folder.display());
        // Only under this name it counts, and then it is whole.
        fs::rename(whole.path(), &folder)?;
        sync(&backups)?;
        Ok(Self {
            root: root.to_owned(),
            folder,
            list,
        })
    }

    /// All there are, the newest first.
    pub(super) fn all(root: &Path) -> anyhow::Result<Vec<Self>> {
        let Ok(entries) = fs::read_dir(place(root, BACKUPS)) else {
            return Ok(Vec::new());
        };
        let mut folders: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().unwrap_or_default();
                name.to_string_lossy().starts_with(PREFIX)
            })
            .collect();
        folders.sort();
        let read = |folder: PathBuf| -> anyhow::Result<Self> {
            let list = fs::read(folder.join(LIST))
                .with_context(|| format!("can not read the backup {}", folder.display()))?;
            let list = serde_json::from_slice(&list)
                .with_context(|| format!("can not read the backup {}", folder.display()))?;
            Ok(Self {
                root: root.to_owned(),
                folder,
                list,
            })
        };
        folders.into_iter().rev().map(read).collect()
    }

    /// The files it has.
    pub(super) fn files(&self) -> Vec<&str> {
        let files = self.list.files.iter();
        files.map(|file| file.path.as_str()).collect()
    }

    fn before(&self, number: usize) -> anyhow::Result<Option<Vec<u8>>> {
        match self.list.files.get(number).and_then(|file| file.before) {
            None => Ok(None),
            Some(_) => Ok(Some(fs::read(
                self.folder.join(format!("{number}.before")),
            )?)),
        }
    }

    /// The files that are neither as they were before nor as they were made: somebody else has changed them since.
    fn strange(&self) -> anyhow::Result<Vec<&str>> {
        let mut strange = Vec::new();
        for (number, file) in self.list.files.iter().enumerate() {
            let now = fs::read(place(&self.root, &file.path)).ok();
            let after = fs::read(self.folder.join(format!("{number}.after")))?;
            if now != self.before(number)? && now != Some(after) {
                strange.push(file.path.as_str());
            }
        }
        Ok(strange)
    }

    /// Puts back what was there before, and lets go of the backup. `update` has Debian's file made anew where it is not
    /// the one that this change had made.
    pub(super) fn take_back(
        &self,
        update: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let strange = self.strange()?;
        if !strange.is_empty() {
            bail!(
                "{} has been changed since, and nothing was taken back: take the change out by hand, what was there \
                 before is in {}; then remove that folder",
                strange.join(" and "),
                self.folder.display()
            );
        }
        for (number, file) in self.list.files.iter().enumerate() {
            let path = place(&self.root, &file.path);
            match (file.before, self.before(number)?) {
                (Some(owner), Some(text)) => replace(&path, &text, owner)?,
                _ if path.exists() => fs::remove_file(&path)?,
                _ => {}
            }
        }
        let generated = place(&self.root, GENERATED);
        let kept = |name: &str| fs::read(self.folder.join(name)).ok();
        let now = fs::read(&generated).ok();
        match (self.list.generated, kept(EARLIER)) {
            (Some(owner), Some(earlier)) if now == kept(MADE) || now.as_ref() == Some(&earlier) => {
                replace(&generated, &earlier, owner)?;
            }
            (None, _) if now.is_none() => {}
            (None, _) if now == kept(MADE) => fs::remove_file(&generated)?,
            _ => update()?,
        }
        // Half a backup must not count as one.
        let gone = self.folder.with_file_name(format!(".old-{}", stamp()));
        fs::rename(&self.folder, &gone)
            .and_then(|()| fs::remove_dir_all(&gone))
            .with_context(|| format!("can not remove {}", self.folder.display()))?;
        // Another backup may be in it, and then it stays.
        let _ = fs::remove_dir(place(&self.root, BACKUPS));
        Ok(())
    }
}

/// Makes the changes, and has `update` make Debian's file of them; whatever fails, all is as before.
pub(super) fn make(
    root: &Path,
    changes: &[Change],
    update: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<Backup> {
    let backup = Backup::make(root, changes).context("can not keep what is there now")?;
    let made = write_all(&backup, changes)
        .and_then(|()| update())
        .and_then(|()| {
            if let Ok(generated) = fs::read(place(root, GENERATED)) {
                write(&backup.folder.join(MADE), &generated)?;
            }
            Ok(())
        });
    let Err(error) = made else {
        return Ok(backup);
    };
    match backup.take_back(update) {
        Ok(()) => Err(error.context("nothing was changed")),
        Err(worse) => Err(error.context(format!(
            "and it could not be taken back ({worse:#}); what was there before is in {}",
            backup.folder.display()
        ))),
    }
}

fn write_all(backup: &Backup, changes: &[Change]) -> anyhow::Result<()> {
    for (change, kept) in changes.iter().zip(&backup.list.files) {
        let path = place(&backup.root, &change.path);
        let owner = kept.before.unwrap_or((0o644, 0, 0));
        replace(&path, change.after.as_bytes(), owner)
            .with_context(|| format!("can not write {}", path.display()))?;
    }
    Ok(())
}

/// Writes a file whole or not at all.
fn replace(path: &Path, content: &[u8], (mode, user, group): Owner) -> anyhow::Result<()> {
    let folder = path.parent().context("a file stands in a folder")?;
    let mut file = tempfile::Builder::new()
        .prefix(".gatepost-")
        .tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    let metadata = file.as_file().metadata()?;
    if (metadata.uid(), metadata.gid()) != (user, group) && nix::unistd::Uid::effective().is_root()
    {
        chown(file.path(), Some(user), Some(group))?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync(folder)
}

fn owner(metadata: &fs::Metadata) -> Owner {
    (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
}

/// Writes a file of a backup.
fn write(path: &Path, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(content.as_ref())?;
    Ok(file.sync_all()?)
}

fn sync(folder: &Path) -> anyhow::Result<()> {
    Ok(fs::File::open(folder)?.sync_all()?)
}

/// Now, so that names sort by time.
fn stamp() -> String {
    let now = OffsetDateTime::now_utc();
    let (hour, minute, second) = now.to_hms();
    format!(
        "{}T{hour:02}{minute:02}{second:02}.{:03}Z",
        now.date(),
        now.millisecond()
    )
}
