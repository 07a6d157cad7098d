//! Mail data on its way: passed in place as long as nothing in it is rewritten, in a copy from then on. Not what is
//! rewritten and why: that is `body.rs` and `chunk.rs`.

use std::borrow::Cow;

/// What is passed on: a piece of the input as long as nothing was rewritten, a copy from then on.
#[derive(Debug)]
pub(in crate::smtp) struct Rewrite<'a> {
    input: &'a [u8],
    /// Octets of the input that are in `owned` already.
    copied: usize,
    owned: Vec<u8>,
}

impl<'a> Rewrite<'a> {
    /// Nothing is rewritten yet.
    pub(in crate::smtp) const fn of(input: &'a [u8]) -> Self {
        Self {
            input,
            copied: 0,
            owned: Vec::new(),
        }
    }

    /// Writes the LF at `at` as CRLF.
    pub(in crate::smtp) fn line_end(&mut self, at: usize) {
        self.copy_to(at);
        self.owned.extend_from_slice(b"\r\n");
        self.copied = at + 1;
    }

    /// Puts a dot in front of the one at `at`.
    pub(in crate::smtp) fn stuff(&mut self, at: usize) {
        self.insert(at, b".");
    }

    /// Puts `octets`, which are not of the input, before the octet at `at`.
    pub(in crate::smtp) fn insert(&mut self, at: usize, octets: &[u8]) {
        self.copy_to(at);
        self.owned.extend_from_slice(octets);
    }

    fn copy_to(&mut self, end: usize) {
        self.owned
            .extend_from_slice(self.input.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }

    /// What is passed on of the input up to `end`.
    pub(in crate::smtp) fn finish(mut self, end: usize) -> Cow<'a, [u8]> {
        if self.owned.is_empty() {
            return Cow::Borrowed(self.input.get(..end).unwrap_or_default());
        }
        self.copy_to(end);
        Cow::Owned(self.owned)
    }
}
