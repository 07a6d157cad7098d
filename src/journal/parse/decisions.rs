//! Decisions, as the writer writes them.

use crate::checks::finding::{Finding, Outcome};
use crate::checks::points::Points;
use crate::checks::replay::Decision;
use crate::checks::verdict::Verdict;
use crate::journal::parse::{Keep, Reader};

/// A finding as it stands in the line.
struct Told<'l> {
    check: &'l str,
    outcome: Outcome,
    points: Points,
    reason: &'l str,
    evidence: &'l str,
}

impl<'l> Reader<'l> {
    pub(super) fn decision(&mut self, keep: Keep) -> Option<Decision> {
        self.eat("{\"seen\":")?;
        let seen = usize::try_from(self.number()?).ok()?;
        self.eat(",\"verdict\":{\"action\":")?;
        let action = self.word()?;
        self.eat(",\"points\":")?;
        let points = self.points()?;
        let exempt = self.eat(",\"exempt\":true").is_some();
        let observed = self.eat(",\"observed\":true").is_some();
        self.eat(",\"findings\":[")?;
        let findings = self.list(FINDINGS, Self::told)?;
        let known_as = match self.eat(",\"known_as\":[") {
            Some(()) => self.list(1, Self::parsed)?,
            None => Vec::new(),
        };
        self.eat("}}")?;
        let (findings, known_as) = match keep {
            Keep::All => (findings.iter().map(Told::finding).collect(), known_as),
            Keep::NoFindings => (Vec::new(), Vec::new()),
        };
        let verdict = Verdict {
            action,
            points,
            exempt,
            observed,
            findings,
            known_as,
        };
        Some(Decision { seen, verdict })
    }

    fn told(&mut self) -> Option<Told<'l>> {
        self.eat("{\"check\":")?;
        let check = self.text()?;
        self.eat(",\"outcome\":")?;
        let outcome = self.word()?;
        self.eat(",\"points\":")?;
        let points = self.points()?;
        self.eat(",\"reason\":")?;
        let reason = self.text()?;
        let evidence = match self.eat(",\"evidence\":") {
            Some(()) => self.text()?,
            None => "",
        };
        self.eat("}")?;
        Some(Told {
            check,
            outcome,
            points,
            reason,
            evidence,
        })
    }

    /// Most points are small whole numbers.
    pub(super) fn points(&mut self) -> Option<Points> {
        self.or_any(|reader| {
            let number = reader.number()?;
            let goes_on = reader.rest.starts_with(['.', 'e', 'E']);
            let whole = i16::try_from(number).ok().filter(|whole| *whole <= 1000);
            whole.filter(|_| !goes_on).map(Points::new)
        })
    }
}

impl Told<'_> {
    fn finding(&self) -> Finding {
        Finding {
            check: self.check.to_owned().into(),
            outcome: self.outcome,
            points: self.points,
            reason: self.reason.to_owned().into(),
            evidence: self.evidence.to_owned(),
        }
    }
}

/// Room for the findings of most decisions.
const FINDINGS: usize = 12;
