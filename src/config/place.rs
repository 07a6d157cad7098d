//! Where a value of the configuration is written: file with line and column, environment, argument, or nowhere.
//!
//! figment knows the layer of a value but no line; this file finds it with `toml_edit` in the same text. The layers have
//! a fixed precedence (argument over environment over file), so the first that names a key has set it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use toml_edit::{ImDocument, Item, TableLike, Value};

/// Where something is written. Ordered as problems are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file; line and column count from 1, columns in characters; `None` when the file as a whole is meant.
    File(PathBuf, Option<(usize, usize)>),
    /// In this variable of the environment.
    Environment(String),
    /// In the argument that sets this key.
    Argument(String),
    /// Nowhere: the default.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, Some((line, column))) => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Argument(key) => write!(f, "argument {key}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A key as the path of its parts; parts of lists are decimal numbers.
pub(in crate::config) type Key = Vec<String>;

/// A key from its parts.
pub(in crate::config) fn key(parts: &[&str]) -> Key {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

/// A key as one writes it: `listen.mx.address[1]`, parts that are not bare keys of TOML in quotes.
pub(in crate::config) fn key_text(key: &[String]) -> String {
    let mut text = String::new();
    for (index, part) in key.iter().enumerate() {
        let bare = !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if index > 0 && part.bytes().all(|b| b.is_ascii_digit()) && bare {
            text.push_str(&format!("[{part}]"));
            continue;
        }
        if index > 0 {
            text.push('.');
        }
        match bare {
            true => text.push_str(part),
            false => text.push_str(&crate::config::found::quoted(part)),
        }
    }
    text
}

/// A key from its text: dots part tables, `[1]` parts lists.
pub(in crate::config) fn key_from_text(text: &str) -> Key {
    text.split(['.', '[', ']'])
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The key as it is written of what is at `key` after the elements of lists named in `left_out` were
/// taken out.
pub(in crate::config) fn original(key: &[String], left_out: &BTreeSet<Key>) -> Key {
    let mut written = Key::new();
    for part in key {
        let siblings = left_out.iter().filter_map(|key| match key.split_last() {
            Some((last, parent)) if parent == written => last.parse::<usize>().ok(),
            _ => None,
        });
        let siblings: BTreeSet<usize> = siblings.collect();
        let shifted = part
            .parse::<usize>()
            .ok()
            .filter(|_| !siblings.is_empty())
            .map(|index| {
                siblings.iter().fold(index, |index, gone| {
                    index.saturating_add(usize::from(*gone <= index))
                })
            });
        written.push(shifted.map_or_else(|| part.clone(), |index| index.to_string()));
    }
    written
}

/// Everything needed to find where a key is written.
#[derive(Debug)]
pub(in crate::config) struct Places<'a> {
    file: Option<(&'a Path, &'a str)>,
    document: Option<ImDocument<&'a str>>,
    /// Key and variable.
    environment: Vec<(Key, String)>,
    arguments: Vec<Key>,
}

impl<'a> Places<'a> {
    /// Reads the file's text for its places. The error is a fault of syntax and where it is.
    pub(in crate::config) fn new(
        file: Option<(&'a Path, &'a str)>,
        environment: Vec<(Key, String)>,
        arguments: Vec<Key>,
    ) -> Result<Self, (Place, String)> {
        let document = match file {
            Some((path, text)) => Some(ImDocument::parse(text).map_err(|error| {
                let position = error.span().map(|span| position(text, span.start));
                (
                    Place::File(path.to_owned(), position),
                    error.message().to_owned(),
                )
            })?),
            None => None,
        };
        Ok(Self {
            file,
            document,
            environment,
            arguments,
        })
    }

    /// Who set this very key.
    pub(in crate::config) fn origin(&self, key: &[String]) -> Place {
        if let Some(set) = self.arguments.iter().find(|set| key.starts_with(set)) {
            return Place::Argument(key_text(set));
        }
        if let Some((_, variable)) = self
            .environment
            .iter()
            .find(|(set, _)| key.starts_with(set))
        {
            return Place::Environment(variable.clone());
        }
        match self.in_file(key) {
            Some((depth, place)) if depth == key.len() => place,
            _ => Place::Default,
        }
    }

    /// The best place to look at for this key: where it is set, else the table it belongs in.
    pub(in crate::config) fn place(&self, key: &[String]) -> Place {
        let origin = self.origin(key);
        if origin != Place::Default {
            return origin;
        }
        if let Some((_, place)) = self.in_file(key) {
            return place;
        }
        let near = key.get(..2).unwrap_or(key);
        if let Some((_, variable)) = self
            .environment
            .iter()
            .find(|(set, _)| set.starts_with(near))
        {
            return Place::Environment(variable.clone());
        }
        if let Some(set) = self.arguments.iter().find(|set| set.starts_with(near)) {
            return Place::Argument(key_text(set));
        }
        self.file.map_or(Place::Default, |(path, _)| {
            Place::File(path.to_owned(), None)
        })
    }

    /// How deep the file has this key, at least one part, and the place of the deepest part.
    fn in_file(&self, key: &[String]) -> Option<(usize, Place)> {
        let (path, text) = self.file?;
        let mut node = Node::Table(self.document.as_ref()?.as_table());
        let (mut depth, mut start) = (0, None);
        for part in key {
            let Some((next, at)) = node.child(part) else {
                break;
            };
            (node, depth) = (next, depth + 1);
            start = at.or(start);
        }
        (depth > 0).then(|| {
            (
                depth,
                Place::File(path.to_owned(), start.map(|at| position(text, at))),
            )
        })
    }
}

/// Something in the document that can hold others.
enum Node<'d> {
    Table(&'d dyn TableLike),
    Item(&'d Item),
    Value(&'d Value),
}

impl<'d> Node<'d> {
    /// The part of this name or number, and where it begins.
    fn child(&self, part: &str) -> Option<(Self, Option<usize>)> {
        let table = match self {
            Self::Table(table) => Some(*table),
            Self::Item(item) => item.as_table_like(),
            Self::Value(value) => value.as_inline_table().map(|table| table as &dyn TableLike),
        };
        if let Some(table) = table {
            let (key, item) = table.get_key_value(part)?;
            return Some((
                Self::Item(item),
                key.span().or_else(|| item.span()).map(|span| span.start),
            ));
        }
        let index: usize = part.parse().ok()?;
        if let Self::Item(Item::ArrayOfTables(tables)) = self {
            let table = tables.get(index)?;
            return Some((Self::Table(table), table.span().map(|span| span.start)));
        }
        let array = match self {
            Self::Item(item) => item.as_array(),
            Self::Value(value) => value.as_array(),
            Self::Table(_) => None,
        };
        let value = array?.get(index)?;
        Some((Self::Value(value), value.span().map(|span| span.start)))
    }
}

/// Line and column of an offset, both from 1.
pub(in crate::config) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests;
