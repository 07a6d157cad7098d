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
            false => text.push_str(&crate::config::problem::quoted(part)),
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

/// The key in the file of what is at `key` after the elements of lists named in `left_out` were taken out.
pub(in crate::config) fn original(key: &[String], left_out: &BTreeSet<Key>) -> Key {
    let mut found = Key::new();
    for part in key {
        let Ok(mut remaining) = part.parse::<usize>() else {
            found.push(part.clone());
            continue;
        };
        let mut index = 0_usize;
        found.push(index.to_string());
        loop {
            let present = !left_out.contains(&found);
            if present && remaining == 0 {
                break;
            }
            remaining -= usize::from(present);
            index += 1;
            if let Some(last) = found.last_mut() {
                *last = index.to_string();
            }
        }
    }
    found
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
mod tests {
    use super::*;

    const TEXT: &str = "hostname = \"é\"; x\n";

    #[test]
    fn places_are_found_in_every_shape_of_table() {
        let text = "\
[listen.mx]
  address = [\"a\", \"b\"]
[[tls.certificates]]
chain = 1
[[tls.certificates]]
  key = 2
[policy]
a.checks.dnsbl = { zones = [{ zone = 1 }, { zone = 2 }] }
";
        let places =
            Places::new(Some((Path::new("g.toml"), text)), Vec::new(), Vec::new()).unwrap();
        for (key, place) in [
            ("listen.mx", "g.toml:1:9"),
            ("listen.mx.address", "g.toml:2:3"),
            ("listen.mx.address[1]", "g.toml:2:19"),
            ("listen.mx.backend", "g.toml:1:9"),
            ("tls.certificates[1].key", "g.toml:6:3"),
            ("tls.certificates[0].key", "g.toml:3:1"),
            ("policy.a.checks.dnsbl.zones[1].zone", "g.toml:8:45"),
            ("limits.connections", "g.toml"),
        ] {
            assert_eq!(
                places.place(&key_from_text(key)).to_string(),
                place,
                "{key}"
            );
        }
        assert_eq!(
            places.origin(&key_from_text("listen.mx.backend")),
            Place::Default
        );
    }

    #[test]
    fn arguments_hide_the_environment_and_that_hides_the_file() {
        let text = "[store]\ndirectory = \"/a\"\n";
        let set = key(&["store", "directory"]);
        let variable = "GATEPOST_STORE__DIRECTORY".to_owned();
        let file = Some((Path::new("g.toml"), text));
        let places = Places::new(file, vec![(set.clone(), variable.clone())], Vec::new()).unwrap();
        assert_eq!(
            places.place(&set).to_string(),
            "environment GATEPOST_STORE__DIRECTORY"
        );
        let places = Places::new(file, vec![(set.clone(), variable)], vec![set.clone()]).unwrap();
        assert_eq!(places.place(&set).to_string(), "argument store.directory");
    }

    #[test]
    fn columns_count_characters_and_syntax_faults_have_a_place() {
        assert_eq!(position(TEXT, TEXT.find('x').unwrap()), (1, 17));
        let (place, message) =
            Places::new(Some((Path::new("g.toml"), TEXT)), Vec::new(), Vec::new()).unwrap_err();
        assert_eq!(place.to_string(), "g.toml:1:15");
        assert!(!message.is_empty());
    }

    #[test]
    fn left_out_elements_do_not_shift_the_others() {
        let left_out = ["a[0]", "a[2]", "b.c[0]"]
            .map(key_from_text)
            .into_iter()
            .collect();
        for (key, expected) in [
            ("a[0]", "a[1]"),
            ("a[1]", "a[3]"),
            ("b.c[0].d", "b.c[1].d"),
            ("b[0]", "b[0]"),
        ] {
            assert_eq!(
                key_text(&original(&key_from_text(key), &left_out)),
                expected,
                "{key}"
            );
        }
    }

    #[test]
    fn keys_are_written_as_in_toml() {
        for text in [
            "listen.mx.address[1]",
            "hostname",
            "policy.a-b.checks.dnsbl.zones[0].zone",
        ] {
            assert_eq!(key_text(&key_from_text(text)), text);
        }
        assert_eq!(key_text(&key(&["listen", "a b"])), "listen.\"a b\"");
    }
}
