//! A record, as far as it is judged again: without evidence and replies, which are most of it and are not even read.

use serde::Deserialize;

use crate::checks::points::Points;
use crate::checks::replay::Decision;
use crate::checks::verdict::{Action, Verdict};
use crate::facts::Facts;
use crate::journal::{Timestamp, VERSION, parse_as};

/// What is judged again.
#[derive(Debug, Deserialize)]
pub(super) struct Brief {
    version: u8,
    pub(super) id: Box<str>,
    pub(super) started: Timestamp,
    pub(super) policy: Box<str>,
    pub(super) facts: Facts,
    #[serde(deserialize_with = "decisions")]
    pub(super) decisions: Vec<Decision>,
}

#[derive(Deserialize)]
struct BriefDecision {
    seen: usize,
    verdict: BriefVerdict,
}

#[derive(Deserialize)]
struct BriefVerdict {
    action: Action,
    points: Points,
    #[serde(default)]
    exempt: bool,
    #[serde(default)]
    observed: bool,
}

impl Brief {
    /// The record in a line, if it holds one of this version.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let brief: Self = parse_as(line)?;
        (brief.version == VERSION).then_some(brief)
    }
}

fn decisions<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Decision>, D::Error> {
    let brief = Vec::<BriefDecision>::deserialize(from)?;
    let decision = |one: BriefDecision| Decision {
        seen: one.seen,
        verdict: Verdict {
            action: one.verdict.action,
            points: one.verdict.points,
            exempt: one.verdict.exempt,
            observed: one.verdict.observed,
            findings: Vec::new(),
            known_as: Vec::new(),
        },
    };
    Ok(brief.into_iter().map(decision).collect())
}
