//! Tests of pairs: files that are none, files that do not belong together, dates.

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tempfile::TempDir;

use super::*;
use crate::net::tls::check;
use crate::net::tls::tests::pair;

const HOST: &str = "mx.example.org";

#[test]
fn a_wrong_pair_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let a = pair(&directory, "a", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let b = pair(&directory, "b", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let crossed = PairFiles {
        chain: a.chain.clone(),
        key: b.key.clone(),
    };
    let problem = check(&crossed).unwrap_err();
    assert!(matches!(problem, TlsProblem::Mismatch { .. }), "{problem}");
    let text = problem.to_string();
    assert!(text.contains("a.pem") && text.contains("b.key"), "{text}");
}

#[test]
fn unusable_files_are_named() {
    let directory = TempDir::new().unwrap();
    let good = pair(&directory, "good", &[HOST], &PKCS_ECDSA_P256_SHA256);
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let empty = file("empty", "");
    let torn = file("torn", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let junk = file(
        "junk",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let junk_key = file(
        "junk.key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let absent = directory.path().join("absent");
    let huge = file("huge", &"-".repeat(2 * 1024 * 1024));
    for (chain, key, begin) in [
        (&huge, &good.key, "cannot read"),
        (&directory.path().to_owned(), &good.key, "cannot read"),
        (&empty, &good.key, "no usable certificate in"),
        (&torn, &good.key, "no usable certificate in"),
        (&junk, &good.key, "no usable certificate in"),
        (&good.key, &good.key, "no usable certificate in"),
        (&good.chain, &empty, "no usable private key in"),
        (&good.chain, &junk_key, "no usable private key in"),
        (&good.chain, &good.chain, "no usable private key in"),
        (&absent, &good.key, "cannot read"),
        (&good.chain, &absent, "cannot read"),
    ] {
        let files = PairFiles {
            chain: chain.clone(),
            key: key.clone(),
        };
        let text = check(&files).unwrap_err().to_string();
        let named = if key == &good.key { chain } else { key };
        assert!(text.starts_with(begin), "{text}");
        assert!(text.contains(&named.display().to_string()), "{text}");
    }
}

#[test]
fn a_chain_holds_while_all_of_it_does() {
    let directory = TempDir::new().unwrap();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let made = |from: i32, to: i32, is_ca| {
        let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        if is_ca {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        params.self_signed(&key).unwrap().pem()
    };
    let year = |year: u64| {
        let leaps = (year - 1969) / 4;
        SystemTime::UNIX_EPOCH + Duration::from_secs(((year - 1970) * 365 + leaps) * 86400)
    };
    let files = PairFiles {
        chain: directory.path().join("chain.pem"),
        key: directory.path().join("key.pem"),
    };
    fs::write(&files.key, key.serialize_pem()).unwrap();
    for (chain, begins, ends, ends_first) in [
        (made(2026, 2027, false), 2026, 2027, 0),
        (
            made(2026, 2027, false) + &made(2020, 2030, true),
            2026,
            2027,
            0,
        ),
        (
            made(2022, 2032, false) + &made(2020, 2030, true),
            2022,
            2030,
            1,
        ),
    ] {
        fs::write(&files.chain, chain).unwrap();
        let term = check(&files).unwrap().term();
        assert_eq!((term.begins, term.ends), (year(begins), year(ends)));
        assert_eq!(term.ends_first, ends_first);
        assert!(term.holds(year(begins)) && term.holds(year(ends)));
        assert!(!term.holds(year(begins - 1)) && !term.holds(year(ends + 1)));
    }
}
