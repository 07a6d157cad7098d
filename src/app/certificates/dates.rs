//! What is said about the dates of a certificate, at the start, in `check-config` and while the process runs.

use std::time::{Duration, SystemTime};

use crate::net::tls::pair::Term;

/// How long before the end of a certificate it is said that it ends: time enough to mend what renews it.
pub(super) const WARNED: Duration = Duration::from_secs(14 * 24 * 60 * 60);

const RENEW: &str = "renew it; the new one is taken up by itself";
const CLOCK: &str = "see whether the clock is right";

/// What is amiss with the dates at `now`, if anything is, and what to do about it.
pub(super) fn amiss(term: &Term, now: SystemTime) -> Option<(String, &'static str)> {
    let day = humantime::format_rfc3339_seconds;
    let which = which(term);
    if now > term.ends {
        return Some((format!("{which} expired on {}", day(term.ends)), RENEW));
    }
    if now < term.begins {
        let from = day(term.begins);
        return Some((format!("the certificate holds only from {from} on"), CLOCK));
    }
    let left = term.ends.duration_since(now).unwrap_or_default();
    (left <= WARNED).then(|| {
        let days = left.as_secs() / (24 * 60 * 60);
        let found = format!("{which} expires on {}, in {days} days", day(term.ends));
        (found, RENEW)
    })
}

fn which(term: &Term) -> String {
    match term.ends_first {
        0 => "the certificate".to_owned(),
        index => format!("certificate {} of the chain", index + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_fourteen_days_before_its_end() {
        let day = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 24 * 60 * 60);
        let term = |ends_first| Term {
            begins: day(100),
            ends: day(200),
            ends_first,
        };
        for (now, index, told) in [
            (99, 0, Some("the certificate holds only from 1970-04-11")),
            (100, 0, None),
            (185, 0, None),
            (
                186,
                0,
                Some("the certificate expires on 1970-07-20T00:00:00Z, in 14 days"),
            ),
            (
                200,
                1,
                Some("certificate 2 of the chain expires on 1970-07-20T00:00:00Z, in 0 days"),
            ),
            (
                201,
                0,
                Some("the certificate expired on 1970-07-20T00:00:00Z"),
            ),
        ] {
            let said = amiss(&term(index), day(now)).map(|(found, _)| found);
            match told {
                Some(told) => assert!(
                    said.as_ref().is_some_and(|said| said.starts_with(told)),
                    "{said:?}"
                ),
                None => assert_eq!(said, None),
            }
        }
    }
}
