//! The traits of hosts and connections, with their couplings (docs/measure.md, "Who comes").

use super::draw::Draw;
use super::{Kind, Maker};
use crate::measure::trace::{Class, Traits};

impl Maker<'_> {
    /// The traits of so many hosts (or connections) of a class, with their couplings; those of
    /// the envelope are drawn with it.
    pub(super) fn traits(&self, kind: Kind<'_>, count: usize, draw: &mut Draw) -> Vec<Traits> {
        let row = kind.row;
        let no_ptr = draw.quota(count, row.no_ptr);
        // No name and a dynamic name exclude each other.
        let dynamic = among(
            &no_ptr,
            0.0,
            100.0 * row.dynamic / (100.0 - row.no_ptr).max(1.0),
            draw,
        );
        let listed = self.listed(kind, &dynamic, draw);
        let early = draw.quota(count, row.early);
        let rude = match kind.class {
            Class::B1 => self.scenario.other.early_are_rude.value,
            _ => row.no_quit,
        };
        let others = (100.0 * row.no_quit - row.early * rude) / (100.0 - row.early).max(1.0);
        let no_quit = among(&early, rude, others.clamp(0.0, 100.0), draw);
        let columns = [row.pipelines, row.bad_helo, row.no_retry, row.spf_fail];
        let [pipelines, bad_helo, no_retry, spf_fail] =
            columns.map(|percent| draw.quota(count, percent));
        let bad_domain = among(
            &spf_fail,
            0.0,
            100.0 * row.bad_domain / (100.0 - row.spf_fail).max(1.0),
            draw,
        );
        let has = |column: &[bool], at: usize| column.get(at).copied().unwrap_or_default();
        let traits = |at| Traits {
            listed: has(&listed, at),
            early: has(&early, at),
            pipelines: has(&pipelines, at),
            bad_helo: has(&bad_helo, at),
            no_ptr: has(&no_ptr, at),
            dynamic: has(&dynamic, at),
            spf_fail: has(&spf_fail, at),
            bad_domain: has(&bad_domain, at),
            no_retry: has(&no_retry, at),
            no_quit: has(&no_quit, at),
        };
        (0..count).map(traits).collect()
    }

    /// Dynamic addresses are listed more often than others, if the class has enough that are listed.
    fn listed(&self, kind: Kind<'_>, dynamic: &[bool], draw: &mut Draw) -> Vec<bool> {
        let row = kind.row;
        let coupled = self.scenario.other.dynamic_listed.value.max(row.listed);
        let left = 100.0 * row.listed - row.dynamic * coupled;
        let has_room = left >= 0.0 && row.dynamic < 100.0;
        if !has_room || !kind.is_unwanted() {
            return draw.quota(dynamic.len(), row.listed);
        }
        among(dynamic, coupled, left / (100.0 - row.dynamic), draw)
    }
}

/// `having` percent of those that have the other trait, and `others` percent of the rest.
fn among(other: &[bool], having: f64, others: f64, draw: &mut Draw) -> Vec<bool> {
    let count = other.iter().filter(|has| **has).count();
    let mut having = draw.quota(count, having).into_iter();
    let mut others = draw.quota(other.len() - count, others).into_iter();
    let drawn = other
        .iter()
        .map(|has| if *has { having.next() } else { others.next() });
    drawn.map(Option::unwrap_or_default).collect()
}
