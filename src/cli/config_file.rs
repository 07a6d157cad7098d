//! Which configuration a command reads: `--config`, GATEPOST_CONFIG, or Debian's place.

use std::ops::Deref;
use std::path::{Path, PathBuf};

/// The option.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct ConfigFile {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/gatepost/gatepost.toml",
        env = "GATEPOST_CONFIG"
    )]
    config: PathBuf,
}

impl Deref for ConfigFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.config
    }
}

impl From<PathBuf> for ConfigFile {
    fn from(config: PathBuf) -> Self {
        Self { config }
    }
}
