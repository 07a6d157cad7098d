//! SPF: may this client send for the domain it names (RFC 7208)?
//!
//! Judged is the MAIL FROM identity, and the HELO identity where the reverse-path is null (§2.3,
//! §2.4). The evaluation is [`check_host`], a pure function of the answers that have come: the
//! judge asks its DNS questions like those of any other check, so they are cached, recorded and
//! replayed. Headers are not written here (§9), and a pass is no merit: anybody can give one to
//! himself (§11.1).
//!
//! ```text
//! evaluate (terms, limits) → ahead (questions in time), values (macros, names of the client) → record, macros, name (texts)
//! ```

mod ahead;
mod evaluate;
mod explain;
mod identity;
mod macros;
mod name;
mod record;
mod values;

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::checks::examination::Examination;
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, address, settings};
use crate::facts::{DnsAnswer, Facts, RecordType};
use evaluate::{Evaluator, Halt};
use identity::Identity;
use macros::DomainSpec;

pub(in crate::checks) const KIND: Kind = Kind {
    name: "spf",
    summary: "may the client send for the domain of its sender?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# Points by what the SPF record of the sender's domain says about the client; of the HELO name for
# mail from the null sender (<>). Pass, neutral and no record bring none: spammers have records too.
# The domain says that the client may not send for it ("-all"). Forwarded mail fails as well.
fail = 3
# It says that the client probably may not ("~all").
softfail = 1
# Its record is wrong, or asks for more lookups than SPF allows.
permerror = 0.5
# The DNS did not answer.
temperror = 0
"#;

/// Whom the check judges: the property of RFC 8601 §2.7.2, `mailfrom` or `helo`, and the domain in A-labels, empty if
/// there is none.
pub(in crate::checks) fn identity(facts: &Facts) -> Option<(&'static str, Cow<'_, str>)> {
    let identity = Identity::of(facts)?;
    Some((identity.property(), identity.domain))
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Spf {
    fail: Points,
    softfail: Points,
    permerror: Points,
    temperror: Points,
}

impl Default for Spf {
    fn default() -> Self {
        Self {
            fail: Points::new(3),
            softfail: Points::new(1),
            permerror: Points::hundredths(50),
            temperror: Points::ZERO,
        }
    }
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Spf = settings(table)?;
    Ok(Some(Box::new(check)))
}

/// What check_host() says (§2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpfResult {
    /// There is no record, or no domain that could have one.
    None,
    /// The domain says nothing about the client.
    Neutral,
    /// The client may send for the domain.
    Pass,
    /// The client may not.
    Fail,
    /// The client probably may not.
    Softfail,
    /// The DNS failed; it may say more later.
    Temperror,
    /// The record is wrong.
    Permerror,
}

impl SpfResult {
    /// The result as the RFC writes it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Softfail => "softfail",
            Self::Temperror => "temperror",
            Self::Permerror => "permerror",
        }
    }
}

/// Whom check_host() is asked about (§4.1).
#[derive(Clone, Copy, Debug)]
pub struct Query<'q> {
    /// The client's address.
    pub ip: IpAddr,
    /// The local-part of the sender; empty for postmaster.
    pub local_part: &'q str,
    /// The domain of the sender, or the HELO name; A-labels (§4.3).
    pub domain: &'q str,
    /// The name in HELO.
    pub helo: &'q str,
    /// Seconds since 1970, for macro `t`.
    pub started: Option<u64>,
}

/// What check_host() says, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation<'a> {
    /// The result.
    pub result: SpfResult,
    /// The domain whose record, or lack of one, decided; for temperror the name that was asked for.
    pub domain: String,
    /// The directive that matched as it is written, or what is wrong. From strangers, unbounded.
    pub because: Cow<'a, str>,
    explanation: Option<DomainSpec<'a>>,
}

/// Who answers: `None` when the answer is not there, and the question is noted.
pub type Answers<'f, 'a> = dyn FnMut(&str, RecordType) -> Option<&'a DnsAnswer> + 'f;

/// The check_host() function of RFC 7208 §4. `None`: answers are missing, of which the first that it
/// was told is missing holds it up, and the others may be needed as well.
pub fn check_host<'a>(query: &Query<'_>, answers: &mut Answers<'_, 'a>) -> Option<Evaluation<'a>> {
    let conclude = |result, domain: String, because: Cow<'a, str>| Evaluation {
        result,
        domain,
        because,
        explanation: None,
    };
    let Some(domain) = name::name(query.domain) else {
        let domain = query.domain.to_owned();
        return Some(conclude(SpfResult::None, domain, "no domain".into()));
    };
    match Evaluator::new(query, answers).check_host(&domain) {
        Ok(evaluation) => Some(evaluation),
        Err(Halt::Waits) => None,
        Err(Halt::Temporary(name, because)) => {
            Some(conclude(SpfResult::Temperror, name, because.into()))
        }
        Err(Halt::Permanent(domain, because)) => {
            Some(conclude(SpfResult::Permerror, domain, because.into()))
        }
    }
}

/// What the domain that decided explains a fail with (§6.2). `None`: answers are missing;
/// `Some(None)`: it explains nothing. The text is a stranger's.
pub fn explanation<'a>(
    query: &Query<'_>,
    evaluation: &Evaluation<'a>,
    answers: &mut Answers<'_, 'a>,
) -> Option<Option<String>> {
    match Evaluator::new(query, answers).explanation(evaluation) {
        Ok(text) => Some(text),
        Err(Halt::Waits) => None,
        Err(_) => Some(None),
    }
}

impl Check for Spf {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let facts = examination.facts();
        let Some(client) = facts
            .client()
            .filter(|client| address::is_public(client.ip()))
        else {
            return;
        };
        let Some(identity) = Identity::of(facts) else {
            return;
        };
        let query = Query {
            ip: client.ip(),
            local_part: &identity.local_part,
            domain: &identity.domain,
            helo: facts.helo().map_or("unknown", |helo| helo.name.as_str()),
            started: client.started,
        };
        let mut could_bring = self.span();
        let evaluation = check_host(&query, &mut |name, kind| {
            let answer = examination.dns(name, kind, could_bring.clone());
            // The whole of it hangs on the first answer that is missing, whatever others there are.
            if answer.is_none() {
                could_bring = Points::ZERO.span();
            }
            answer
        });
        let Some(evaluation) = evaluation else {
            return;
        };
        // Nothing waits for the words.
        let words = explanation(&query, &evaluation, &mut |name, kind| {
            examination.dns(name, kind, Points::ZERO.span())
        });
        let evidence = identity.evidence(&evaluation, words.flatten().as_deref());
        let (outcome, points) = self.weigh(evaluation.result);
        if evaluation.result == SpfResult::Pass {
            examination.vouch(crate::facts::Identity::spf(&identity.domain));
        }
        examination.found(outcome, points, evaluation.result.label(), evidence);
    }
}

impl Spf {
    fn weigh(&self, result: SpfResult) -> (Outcome, Points) {
        match result {
            SpfResult::None | SpfResult::Neutral | SpfResult::Pass => (Outcome::Pass, Points::ZERO),
            SpfResult::Fail => (Outcome::Fail, self.fail),
            SpfResult::Softfail => (Outcome::Fail, self.softfail),
            SpfResult::Permerror => (Outcome::Fail, self.permerror),
            SpfResult::Temperror => (Outcome::Unknown, self.temperror),
        }
    }

    /// What any result could bring.
    fn span(&self) -> RangeInclusive<Points> {
        let all = [self.fail, self.softfail, self.permerror, self.temperror];
        let least = all.into_iter().min().unwrap_or_default().below_zero();
        let most = all.into_iter().max().unwrap_or_default().above_zero();
        least..=most
    }
}
