//! A file of our own kind, right and wrong.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shelf {
    name: String,
    books: BTreeMap<String, Book>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    pages: u32,
}

fn read(text: &str) -> Result<Shelf, Vec<String>> {
    let judge = |shelf: &Shelf| {
        let thin = shelf.books.iter().filter(|(_, book)| book.pages < 10);
        let fault = |(name, book): (&String, &Book)| Fault {
            key: vec!["books".to_owned(), name.clone(), "pages".to_owned()],
            found: format!("found {}", book.pages),
            allowed: "write 10 or more".to_owned(),
        };
        thin.map(fault).collect()
    };
    document(Path::new("shelf.toml"), text, judge)
        .map_err(|problems| problems.iter().map(Problem::to_string).collect())
}

#[test]
fn what_is_right_is_read() {
    let shelf = read("name = \"a\"\n[books.b]\npages = 12\n").unwrap();
    assert_eq!((shelf.name.as_str(), shelf.books.len()), ("a", 1));
}

#[test]
fn unknown_keys_are_told_with_their_place_and_the_right_spelling() {
    let problems = read("nam = \"a\"\n[books.b]\npagse = 12\n").unwrap_err();
    assert_eq!(
        problems,
        [
            "shelf.toml:1:1: nam: unknown key, did you mean \"name\"? allowed here: books, name",
            "shelf.toml:3:1: books.b.pagse: unknown key, did you mean \"pages\"? allowed here: pages",
        ]
    );
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    let problems = read("name = \"a\"\n[books.b]\npages = 2\n").unwrap_err();
    assert_eq!(
        problems,
        ["shelf.toml:3:1: books.b.pages: found 2; write 10 or more"]
    );
}

#[test]
fn what_is_no_toml_is_told() {
    assert_eq!(read("name = = 3").unwrap_err().len(), 1);
    let problems = read("name = 3").unwrap_err();
    assert_eq!(
        problems,
        ["shelf.toml:1:1: name: found 3; write text in quotes"]
    );
}
