//! Probe `dkim`: do the keys that the site signs with stand in the DNS, and are they long enough?
//!
//! Which selectors a site uses cannot be found out from outside; they are named with `--selector` or in the configuration.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};
use crate::facts::{DnsAnswer, RecordType};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "dkim",
    summary: "each DKIM selector that is named has one key of right syntax, with 2048 bits if it is RSA",
    standard: "RFC 6376 §3.6.1, RFC 8301 §3.2, RFC 8463",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

/// Octets of an RSA key of 1024 bits as it stands in the record (SubjectPublicKeyInfo); a shorter one has fewer bits.
const RSA_1024: usize = 158;
/// The same for 2048 bits.
const RSA_2048: usize = 290;
/// Octets of an Ed25519 key (RFC 8463 §4.2).
const ED25519: usize = 32;

const KEY: &str = "RFC 6376 §3.6.1: signatures made with it are not verified, and DMARC fails where it rests on them";
const SHORT: &str = "RFC 8301 §3.2: keys under 1024 bits do not count; signers should have 2048";

async fn look(subject: &Subject) -> Vec<Finding> {
    let (world, domain) = (&*subject.world, &*subject.domain);
    let selectors = &world.settings.selectors;
    if selectors.is_empty() {
        let advice =
            "name the selectors that its mail is signed with: --selector, or selectors in [doctor]";
        return vec![Finding::could_not_tell(
            domain,
            "no selector was named",
            advice,
        )];
    }
    let each = selectors.iter().map(|selector| async move {
        let name = format!("{selector}._domainkey.{domain}");
        let answer = world.dns(&name, RecordType::Txt).await;
        judge(&name, &answer)
    });
    join_all(each).await
}

fn judge(name: &str, answer: &DnsAnswer) -> Finding {
    let fault =
        |seen: String, advice: &'static str| Finding::new(Outcome::Fault, name, seen, KEY, advice);
    if let DnsAnswer::Failed(failure) = answer {
        let seen = format!("no answer: {}", failure.label());
        return Finding::could_not_tell(name, seen, "ask again");
    }
    let records: Vec<&str> = answer.txt().collect();
    let record = match records.as_slice() {
        [] => {
            return fault(
                "no DKIM key there".to_owned(),
                "publish the key, or stop signing with this selector",
            );
        }
        [one] => *one,
        more => {
            let seen = format!("{} texts where one key belongs", more.len());
            return fault(seen, "leave one");
        }
    };
    if text::tag(record, "v").is_some_and(|version| version != "DKIM1") {
        let seen = format!("no DKIM key: {}", text::shown(record));
        return fault(seen, "write a record that begins with v=DKIM1");
    }
    let Some(key) = text::tag(record, "p") else {
        let seen = format!("no key in it: {}", text::shown(record));
        return fault(seen, "write the public key behind p=");
    };
    if key.is_empty() {
        return fault(
            "the key is revoked (p= is empty)".to_owned(),
            "stop signing with this selector",
        );
    }
    let plain: String = key.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let Ok(octets) = STANDARD.decode(plain) else {
        return fault(
            "the key is no base64".to_owned(),
            "write it anew; quotes or spaces may have got into it",
        );
    };
    let kind = text::tag(record, "k").unwrap_or("rsa");
    match (kind, octets.len()) {
        ("ed25519", ED25519) => Finding::good(name, "an Ed25519 key"),
        ("rsa", RSA_2048..) => Finding::good(name, "an RSA key of 2048 bits or more"),
        ("rsa", RSA_1024..) => {
            let seen = "an RSA key of fewer than 2048 bits";
            let advice = "make one of 2048 bits under a new selector, and sign with that";
            Finding::new(Outcome::Notice, name, seen, SHORT, advice)
        }
        ("rsa", _) => {
            let seen = "an RSA key of fewer than 1024 bits";
            let advice = "make one of 2048 bits under a new selector, and sign with that";
            Finding::new(Outcome::Fault, name, seen, SHORT, advice)
        }
        (kind, length) => {
            let seen = format!("a key of kind {} with {length} octets", text::shown(kind));
            fault(seen, "k= is rsa or ed25519")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::texts;

    #[test]
    fn keys_of_all_kinds() {
        let key = |octets: usize| STANDARD.encode(vec![0x30; octets]);
        // What `openssl rsa -pubout -outform DER | wc -c` counts: 94 octets for 512 bits, 162 for 1024, 294 for 2048.
        let [k512, k1024, k2048, ed] = [94, 162, 294, 32].map(key);
        for (records, outcome) in [
            (vec![format!("v=DKIM1; k=rsa; p={k2048}")], Outcome::Good),
            (vec![format!("k=ed25519; p={ed}")], Outcome::Good),
            (vec![format!("p={k1024}")], Outcome::Notice),
            (vec![format!("p={k512}")], Outcome::Fault),
            (vec!["v=DKIM1; p=".to_owned()], Outcome::Fault),
            (vec!["v=DKIM1; p=***".to_owned()], Outcome::Fault),
            (vec!["v=spf1 -all".to_owned()], Outcome::Fault),
            (vec![format!("v=DKIM1; k=dsa; p={ed}")], Outcome::Fault),
            (
                vec![format!("p={k2048}"), format!("p={k2048}")],
                Outcome::Fault,
            ),
        ] {
            let shown: Vec<&str> = records.iter().map(String::as_str).collect();
            let finding = judge("s._domainkey.d.example", &texts(&shown));
            assert_eq!(finding.outcome, outcome, "{records:?} {finding:?}");
        }
        let none = judge("s._domainkey.d.example", &DnsAnswer::NoName);
        assert_eq!(none.outcome, Outcome::Fault);
    }
}
