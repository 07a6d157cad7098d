//! The self-signed certificate for a server that has none: made once and kept, so that it does not change with every
//! start.
//!
//! ECDSA P-256, for the server's own name, valid for ten years. Opportunistic TLS between mail servers (RFC 7435) asks
//! for no more; MTA-STS and DANE do, and want real certificates.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use rustls::crypto::CryptoProvider;

use super::pair::Pair;
use super::{PairFiles, TlsProblem};

/// File name of the certificate in the state directory.
pub const CERTIFICATE_FILE: &str = "self-signed.pem";
/// File name of its private key.
pub const KEY_FILE: &str = "self-signed.key";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Ten years.
const VALID: Duration = Duration::from_secs(3652 * 24 * 60 * 60);
/// One that ends so soon is made anew.
const RENEWED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The certificate kept in `directory`, or a new one if there is none, or none that can be used for `hostname`.
///
/// # Errors
/// [`TlsProblem`]: files that are there but cannot be read, a directory that cannot be written to, a name that no
/// certificate can hold.
pub fn load_or_make(
    hostname: &str,
    directory: &Path,
    now: SystemTime,
    provider: &CryptoProvider,
) -> Result<Pair, TlsProblem> {
    let files = PairFiles {
        chain: directory.join(CERTIFICATE_FILE),
        key: directory.join(KEY_FILE),
    };
    match Pair::read(&files, provider) {
        Ok(pair) if pair.is_for(hostname) && pair.term().ends > now + RENEWED => {
            return Ok(pair);
        }
        Err(TlsProblem::Unreadable { file, source })
            if source.kind() != io::ErrorKind::NotFound =>
        {
            return Err(TlsProblem::Unreadable { file, source });
        }
        // For another name, too old, absent, or torn by a crash between the two files: make both anew.
        _ => {}
    }
    let (certificate, key) = make(hostname, now).map_err(|error| TlsProblem::SelfSigned {
        hostname: hostname.to_owned(),
        reason: error.to_string(),
    })?;
    keep(&files.key, &key)
        .and_then(|()| keep(&files.chain, &certificate))
        .map_err(|source| TlsProblem::StateDirectory {
            directory: directory.to_owned(),
            source,
        })?;
    Pair::read(&files, provider)
}

/// Certificate and key in PEM.
fn make(hostname: &str, now: SystemTime) -> Result<(String, String), rcgen::Error> {
    let epoch = date_time_ymd(1970, 1, 1);
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let mut params = CertificateParams::new(vec![hostname.to_owned()])?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, hostname);
    // The client's clock may be behind ours.
    params.not_before = epoch + now.saturating_sub(DAY);
    params.not_after = epoch + now + VALID;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Writes a file that is whole or not there, readable by its owner only.
fn keep(file: &Path, text: &str) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(directory)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}
