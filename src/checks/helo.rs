//! HELO: does the client say who it is, and could that be so? (RFC 5321 §2.3.5, §4.1.1.1, §4.1.3, §4.1.4)
//!
//! The form of a name is judged at once, whether it exists by A and AAAA. Every HELO and EHLO of the session counts, so
//! that a second one does not shake off what the first one showed; each kind of finding counts once. Only a name or
//! address of ours denies on its own: nobody else has it. Names that do not exist are sent by 10 to 42 % of legitimate
//! servers, names with an underscore by working ones, so these are hints. That the name is another than the reverse name
//! is no finding at all.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, de};

use crate::checks::examination::{Examination, InZone};
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, names, settings};
use crate::facts::{DnsAnswer, Facts, Failure, RecordType};
use crate::smtp::domain::{Domain, HeloName, Host};

pub(in crate::checks) const KIND: Kind = Kind {
    name: "helo",
    summary: "does the client greet with a name that could be its own?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# Points for greeting with one of our names, or with the address of ours that the client connected to.
own_name = 5
# Our names; empty: `hostname`, unless others could be called the same (one without a dot, localhost, *.local, *.lan and
# the like). Names of mail domains that only we send from may stand here too, then together with `hostname`.
own_names = []
# Points for an address without brackets.
bare_address = 3
# Points for an address literal that is not the client's address.
wrong_literal = 2
# Points for a name without a dot.
unqualified = 1
# Points for a name with an underscore, which no host name may have; working mail servers do.
underscore = 1
# Points for what is neither a domain nor an address literal.
bad_syntax = 1
# Points for a domain without an address (A or AAAA).
unresolvable = 0.5
"#;

/// Most names of a session whose addresses are asked for.
const MOST_NAMES: usize = 4;

const ADDRESSES: [RecordType; 2] = [RecordType::A, RecordType::Aaaa];

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HeloCheck {
    own_name: Points,
    own_names: Vec<OwnName>,
    bare_address: Points,
    wrong_literal: Points,
    unqualified: Points,
    underscore: Points,
    bad_syntax: Points,
    unresolvable: Points,
}

impl Default for HeloCheck {
    fn default() -> Self {
        Self {
            own_name: Points::new(5),
            own_names: Vec::new(),
            bare_address: Points::new(3),
            wrong_literal: Points::new(2),
            unqualified: Points::new(1),
            underscore: Points::new(1),
            bad_syntax: Points::new(1),
            unresolvable: Points::hundredths(50),
        }
    }
}

/// A name of ours.
#[derive(Debug)]
struct OwnName(Domain);

impl<'de> Deserialize<'de> for OwnName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        let name = written.strip_suffix('.').unwrap_or(&written);
        Domain::parse(name, false).map(Self).ok_or_else(|| {
            de::Error::custom(format!(
                "{written:?} is no domain: write one such as \"mx.example.com\""
            ))
        })
    }
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: HeloCheck = settings(table)?;
    Ok(Some(Box::new(check)))
}

/// What a name's form shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    OwnName,
    BareAddress,
    WrongLiteral,
    BadSyntax,
    Unqualified,
    Underscore,
    /// The client's own address, as a literal.
    Literal,
    /// A domain of hosts.
    Domain,
}

impl Check for HeloCheck {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let facts = examination.facts();
        let Some(client) = names::public_client(facts) else {
            return;
        };
        let mut seen: Vec<(Form, &str)> = Vec::new();
        let mut last = None;
        for name in facts.helos().map(|helo| &helo.name) {
            let form = self.form(name, client, facts);
            last = Some((form, name.as_str()));
            if seen.iter().all(|(known, _)| *known != form) {
                seen.push((form, name.as_str()));
            }
        }
        let Some(last) = last else { return };
        let mut failed = false;
        for (form, name) in &seen {
            if let Some((points, reason, words)) = self.weigh(*form) {
                let evidence = format!("says HELO with {words} ({})", names::shown(name));
                examination.found(Outcome::Fail, points, reason, evidence);
                failed = true;
            }
        }
        self.resolve(examination, failed, last);
    }
}

impl HeloCheck {
    fn form(&self, name: &HeloName, client: IpAddr, facts: &Facts) -> Form {
        let written = name.as_str();
        // No host is called like an address.
        let is_host = names::is_host_name(written);
        let is_ours = |address: IpAddr| {
            let local = facts
                .client()
                .map(|client| client.local.ip().to_canonical());
            // The client's own address is ours as well when it connects from this host.
            local == Some(address) && address != client && !address.is_unspecified()
        };
        if !is_host && let Ok(address) = written.parse::<IpAddr>() {
            return match is_ours(address.to_canonical()) {
                true => Form::OwnName,
                false => Form::BareAddress,
            };
        }
        if self.is_own(written.strip_suffix('.').unwrap_or(written)) {
            return Form::OwnName;
        }
        if is_host {
            return match written.contains('_') {
                true => Form::Underscore,
                false => Form::Domain,
            };
        }
        match name.host() {
            None => Form::BadSyntax,
            Some(Host::Literal(literal)) => match literal.ip().map(|ip| ip.to_canonical()) {
                Some(address) if address == client => Form::Literal,
                Some(address) if is_ours(address) => Form::OwnName,
                _ => Form::WrongLiteral,
            },
            Some(Host::Domain(_)) if written.contains('.') => Form::BadSyntax,
            Some(Host::Domain(_)) => Form::Unqualified,
        }
    }

    fn is_own(&self, name: &str) -> bool {
        let mut ours = self.own_names.iter();
        ours.any(|own| own.0.as_str().eq_ignore_ascii_case(name))
    }

    const fn weigh(&self, form: Form) -> Option<(Points, &'static str, &'static str)> {
        Some(match form {
            Form::OwnName => (self.own_name, "own_name", "a name or address of ours"),
            Form::BareAddress => {
                let words = "an address without brackets";
                (self.bare_address, "bare_address", words)
            }
            Form::WrongLiteral => {
                let words = "an address that is not its own";
                (self.wrong_literal, "wrong_literal", words)
            }
            Form::BadSyntax => (self.bad_syntax, "bad_syntax", "no proper name"),
            Form::Unqualified => (self.unqualified, "unqualified", "a name without a domain"),
            Form::Underscore => (self.underscore, "underscore", "an underscore in the name"),
            Form::Literal | Form::Domain => return None,
        })
    }

    /// Asks for the addresses of the names, all at once, and concludes.
    fn resolve(
        &self,
        examination: &mut Examination<'_>,
        failed: bool,
        (last_form, last): (Form, &str),
    ) {
        let asked = self.resolvable(examination.facts());
        let (mut nowhere, mut failure, mut pending) = (None, None, false);
        for name in &asked {
            match existence(name, examination) {
                None => pending = true,
                Some(Existence::Nowhere) => nowhere = nowhere.or(Some(name)),
                Some(Existence::Failed(why)) => failure = failure.or(Some((name, why))),
                Some(Existence::Exists) => {}
            }
        }
        if let Some(name) = nowhere {
            let evidence = format!(
                "says HELO with a name that does not exist ({})",
                names::shown(name)
            );
            return examination.found(Outcome::Fail, self.unresolvable, "unresolvable", evidence);
        }
        if pending {
            let both = |name| ADDRESSES.map(|kind| (InZone::plain(name), kind));
            let questions = asked.iter().flat_map(|name| both(name));
            return examination.ask(questions, self.unresolvable.span());
        }
        if let Some((name, why)) = failure {
            let (name, why) = (names::shown(name), why.label());
            let evidence = format!("no answer about its HELO name {name}: {why}");
            return examination.found(Outcome::Unknown, Points::ZERO, "failed", evidence);
        }
        if !failed {
            let words = match last_form {
                Form::Literal => "is its address",
                _ => "exists",
            };
            let evidence = ["its HELO name ", &names::shown(last), " ", words].concat();
            examination.found(Outcome::Pass, Points::ZERO, "plausible", evidence);
        }
    }

    /// The names of the session that could exist and are not ours, in lower case.
    fn resolvable<'f>(&self, facts: &'f Facts) -> Vec<Cow<'f, str>> {
        let mut asked: Vec<Cow<'f, str>> = Vec::new();
        for helo in facts.helos() {
            let name = names::lower(helo.name.as_str());
            if asked.len() < MOST_NAMES
                && !asked.contains(&name)
                && names::is_host_name(&name)
                && !self.is_own(&name)
            {
                asked.push(name);
            }
        }
        asked
    }
}

/// What the DNS says about a name's addresses.
enum Existence {
    Exists,
    Nowhere,
    Failed(Failure),
}

/// Nothing while it depends on an answer that has not come.
fn existence(name: &str, examination: &Examination<'_>) -> Option<Existence> {
    let answers = ADDRESSES.map(|kind| examination.known(InZone::plain(name), kind));
    let answers = answers.map(|known| known.map(|(answer, _)| answer));
    let is_found = |answer: &DnsAnswer| matches!(answer, DnsAnswer::Found(_));
    if answers.iter().flatten().any(|answer| is_found(answer)) {
        return Some(Existence::Exists);
    }
    let [Some(a), Some(aaaa)] = answers else {
        return None;
    };
    let failure = [a, aaaa].into_iter().find_map(|answer| match answer {
        DnsAnswer::Failed(failure) => Some(*failure),
        _ => None,
    });
    Some(failure.map_or(Existence::Nowhere, Existence::Failed))
}
