//! An authority of the test's own, and certificates that it vouches for.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

/// The authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A certificate with its key, in files.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) certificate_der: Vec<u8>,
    pub(crate) key_der: Vec<u8>,
    /// The SubjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
}

impl Authority {
    /// Makes it; its certificate is written to `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            folder: folder.to_owned(),
        }
    }

    /// The file with its certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for `name`.
    pub(crate) fn vouch(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(name, &certificate, &key)
    }

    /// One that nobody vouches for, for `name`, which expired years ago.
    pub(crate) fn expired(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        self.write(name, &certificate, &key)
    }

    fn write(&self, name: &str, certificate: &rcgen::Certificate, key: &KeyPair) -> Pair {
        use std::os::unix::fs::PermissionsExt;
        let (chain, file) = (
            self.folder.join(format!("{name}.pem")),
            self.folder.join(format!("{name}.key")),
        );
        fs::write(&chain, certificate.pem()).unwrap();
        fs::write(&file, key.serialize_pem()).unwrap();
        // Exim reads it as its own user.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        Pair {
            chain,
            key: file,
            certificate_der: certificate.der().to_vec(),
            key_der: key.serialize_der(),
            public_key: rcgen::PublicKeyData::subject_public_key_info(key),
        }
    }
}
