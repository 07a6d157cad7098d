//! Collects problems and notes while a configuration is judged, and keeps one mistake from being told twice.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::config::place::{Key, Place, Places, key_text, original};
use crate::config::problem::{Complaint, Problem};

/// What was found so far.
#[derive(Debug)]
pub(in crate::config) struct Report<'a> {
    places: &'a Places<'a>,
    problems: Vec<Problem>,
    notes: Vec<Problem>,
    /// Keys whose values are not to be believed, because they could not be read.
    spoiled: Vec<Key>,
    /// Those among them that were elements of lists: the others have moved up.
    left_out: BTreeSet<Key>,
}

impl<'a> Report<'a> {
    pub(in crate::config) fn new(places: &'a Places<'a>) -> Self {
        Self {
            places,
            problems: Vec::new(),
            notes: Vec::new(),
            spoiled: Vec::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// Something could not be read: what stands at `key`, perhaps an element of a list, is left out
    /// from here on.
    pub(in crate::config) fn unreadable(&mut self, key: &Key, element: bool, complaint: Complaint) {
        let key = original(key, &self.left_out);
        self.refused(&key, complaint);
        if element {
            self.left_out.insert(key);
        }
    }

    /// The same for a check's settings, with the key as it is written.
    pub(in crate::config) fn refused(&mut self, key: &Key, complaint: Complaint) {
        if let (Some(nearest), Some((_, parent))) = (&complaint.nearest, key.split_last()) {
            // A misspelt key: what was meant to be set must not be reported as missing.
            self.spoiled
                .push([parent, std::slice::from_ref(nearest)].concat());
        }
        let problem = self.problem(key, complaint);
        self.spoiled.push(key.clone());
        self.push(problem);
    }

    /// Something was read, but does not make sense.
    pub(in crate::config) fn wrong(&mut self, key: &Key, complaint: Complaint) {
        let key = original(key, &self.left_out);
        if self.is_spoiled(&key) {
            return;
        }
        let problem = self.problem(&key, complaint);
        self.push(problem);
    }

    /// The same, in two words.
    pub(in crate::config) fn complain(
        &mut self,
        key: &Key,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.wrong(key, Complaint::new(found, allowed));
    }

    /// Something that works and is worth knowing.
    pub(in crate::config) fn note(
        &mut self,
        key: &Key,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) {
        if !self.is_spoiled(key) {
            self.notes
                .push(self.problem(key, Complaint::new(found, advice)));
        }
    }

    /// Complains unless `value` is in `range`; `text` writes a value as the file does.
    pub(in crate::config) fn range<T: PartialOrd>(
        &mut self,
        key: &Key,
        value: &T,
        range: &RangeInclusive<T>,
        text: impl Fn(&T) -> String,
    ) {
        if !range.contains(value) {
            let allowed = format!("allowed: {} to {}", text(range.start()), text(range.end()));
            self.complain(key, format!("found {}", text(value)), allowed);
        }
    }

    /// The same for a number.
    pub(in crate::config) fn number<T: PartialOrd + Display>(
        &mut self,
        key: &Key,
        value: &T,
        range: &RangeInclusive<T>,
    ) {
        self.range(key, value, range, T::to_string);
    }

    /// A key as it is written, for a message about another.
    pub(in crate::config) fn written(&self, key: &Key) -> String {
        key_text(&original(key, &self.left_out))
    }

    /// Whether this key, something in it or something around it could not be read.
    pub(in crate::config) fn is_spoiled(&self, key: &[String]) -> bool {
        self.spoiled
            .iter()
            .any(|spoiled| spoiled.starts_with(key) || key.starts_with(spoiled))
    }

    /// Problems and notes, in the order of their places.
    pub(in crate::config) fn finish(mut self) -> (Vec<Problem>, Vec<Problem>) {
        // What the file lacks as a whole comes after what stands in it.
        let order = |problem: &Problem| {
            (
                matches!(problem.source, Place::File(_, None)),
                problem.source.clone(),
            )
        };
        self.problems.sort_by_cached_key(order);
        self.notes.sort_by_cached_key(order);
        (self.problems, self.notes)
    }

    fn problem(&self, key: &Key, complaint: Complaint) -> Problem {
        let Complaint {
            found,
            allowed,
            nearest,
        } = complaint;
        Problem {
            source: self.places.place(key),
            key: key_text(key),
            found,
            allowed,
            nearest,
        }
    }

    fn push(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}
