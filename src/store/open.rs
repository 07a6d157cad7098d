//! Opening: the file that is there, a new one in place of one that can not be read, or memory alone.
//!
//! Nothing here is a reason not to start. What was wrong is said in one line.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;

use crate::store::disk::{Disk, Refused};
use crate::store::embedded::{Store, pair};
use crate::store::engine::{InMemory, KEPT_IN_MEMORY, Opened, Opener};
use crate::store::keeper::Keeper;
use crate::store::key::Secret;

/// The file's name.
const FILE: &str = "memory.redb";
/// What is put behind the name of one that can not be read. One is kept.
const ASIDE: &str = ".bad";

/// What is remembered in a file in `directory`, or in memory only if there is none; at most `most` things. Run the
/// keeper on a thread of its own. Blocks while the file is read and checked.
#[must_use]
pub fn open(directory: Option<&Path>, most: u64) -> (Store, Keeper) {
    let opener = directory.map(|directory| {
        let path = directory.join(FILE);
        let opener: Opener = Box::new(move || open_or_renew(&path));
        opener
    });
    open_with(opener, most)
}

/// The same with any opener.
pub(in crate::store) fn open_with(mut opener: Option<Opener>, most: u64) -> (Store, Keeper) {
    let opened = match opener.as_mut().map(|opener| opener()) {
        Some(Ok(opened)) => opened,
        Some(Err(error)) => {
            tracing::error!(%error, "{KEPT_IN_MEMORY}");
            in_memory()
        }
        None => in_memory(),
    };
    pair(opened, opener, most)
}

fn in_memory() -> Opened {
    Opened {
        engine: Box::new(InMemory::default()),
        secret: Secret::random(),
    }
}

/// Opens the file; moves it aside and begins another if it can not be read.
fn open_or_renew(path: &Path) -> Result<Opened, String> {
    let error = match open_file(path) {
        Ok(opened) => return Ok(opened),
        Err(Refused::Unusable(error)) => return Err(said(path, &error)),
        Err(Refused::Damaged(error)) => error,
    };
    let mut aside = path.as_os_str().to_owned();
    aside.push(ASIDE);
    let aside = PathBuf::from(aside);
    std::fs::rename(path, &aside).map_err(|trouble| {
        said(
            path,
            &format!("{error}; it can not be moved aside: {trouble}"),
        )
    })?;
    let opened = open_file(path).map_err(|refused| {
        let (Refused::Damaged(error) | Refused::Unusable(error)) = refused;
        said(path, &error)
    })?;
    tracing::error!(file = %path.display(), error, moved_to = %aside.display(),
        "what was remembered of clients can not be read; it was moved aside and gatepost remembers anew");
    Ok(opened)
}

fn said(path: &Path, error: &str) -> String {
    format!("{}: {error}", path.display())
}

fn open_file(path: &Path) -> Result<Opened, Refused> {
    let file = file(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => {
            Refused::Damaged(error.to_string())
        }
        _ => Refused::Unusable(error.to_string()),
    })?;
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        return Err(Refused::Damaged("it is no file".to_owned()));
    }
    let file = FileBackend::new(file).map_err(|error| Refused::Unusable(error.to_string()))?;
    let (disk, secret) = Disk::open(file)?;
    Ok(Opened {
        engine: Box::new(disk),
        secret,
    })
}

/// The file, made if it is not there; others need not read who sends mail here.
fn file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    if !directory.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(directory)?;
    }
    let file = options.create(true).mode(0o600).open(path)?;
    // So that the name is there after a power failure; where that can not be had, a new file is begun then.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(file)
}
