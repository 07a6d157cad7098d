//! Why TLS cannot be had, or not with these files; each is one line that names the file.

use std::io;
use std::path::PathBuf;

/// Why TLS cannot be had, or not with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A certificate file without a certificate, or with one that is none.
    #[error("no usable certificate in {}: {reason}", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A key file without a private key, or with one that is none.
    #[error("no usable private key in {}: {reason}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key are not a pair.
    #[error(
        "the key in {} does not belong to the first certificate in {}", key.display(), chain.display()
    )]
    Mismatch {
        /// The certificate file.
        chain: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The self-signed certificate cannot be kept.
    #[error(
        "cannot write the self-signed certificate to the state directory {}: {source}; make the directory \
         writable, or configure certificates",
        directory.display()
    )]
    StateDirectory {
        /// The directory.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The self-signed certificate cannot be made, such as for a name no certificate can hold.
    #[error("cannot make a self-signed certificate for {hostname:?}: {reason}")]
    SelfSigned {
        /// The name it was to be for.
        hostname: String,
        /// What is wrong.
        reason: String,
    },
    /// The cryptographic library refuses.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}
