//! Where Postfix's programs are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Its command, where it is installed.
const INSTALLED: &str = "/usr/sbin/postfix";
/// What tells its settings.
const POSTCONF: &str = "/usr/sbin/postconf";
/// Debian's places in a package.
const LIBRARIES: &str = "usr/lib/postfix";
const DAEMONS: &str = "usr/lib/postfix/sbin";
const COMMANDS: &str = "usr/sbin";

/// The programs of a Postfix.
pub(super) struct Postfix {
    pub(super) daemons: PathBuf,
    pub(super) commands: PathBuf,
    /// Its own libraries, where the system's loader does not find them.
    pub(super) libraries: Option<PathBuf>,
}

impl Postfix {
    /// That of the folder, or the one that is installed.
    pub(super) fn find(unpacked: Option<&Path>) -> anyhow::Result<Self> {
        let postfix = match unpacked {
            Some(folder) => {
                let folder = std::path::absolute(folder)?;
                Self {
                    daemons: folder.join(DAEMONS),
                    commands: folder.join(COMMANDS),
                    libraries: Some(folder.join(LIBRARIES)),
                }
            }
            None => Self::installed()?,
        };
        for program in [postfix.master(), postfix.daemons.join("postscreen")] {
            ensure!(
                program.is_file(),
                "there is no {}: with --postfix goes a folder into which Debian's package of Postfix was unpacked \
                 (apt-get download postfix; dpkg -x postfix_*.deb FOLDER)",
                program.display()
            );
        }
        Ok(postfix)
    }

    fn installed() -> anyhow::Result<Self> {
        ensure!(
            Path::new(INSTALLED).exists(),
            "no Postfix on this machine; where Exim is, it can not be installed beside it, but unpacked: \
             apt-get download postfix; dpkg -x postfix_*.deb FOLDER; then --postfix FOLDER"
        );
        let asked = Command::new(POSTCONF)
            .args(["-d", "-h", "daemon_directory"])
            .output()
            .with_context(|| format!("{POSTCONF} can not be started"))?;
        let daemons = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        Ok(Self {
            daemons: daemons.into(),
            commands: "/usr/sbin".into(),
            libraries: None,
        })
    }

    /// The program that starts all others.
    pub(super) fn master(&self) -> PathBuf {
        self.daemons.join("master")
    }
}
