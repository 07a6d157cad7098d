//! The page that figures stand on: one HTML file with all that it needs in it, for a browser, a mail or an archive.
//!
//! No script, nothing from elsewhere, and a policy in the page that forbids both (CSP Level 3 §3.3), so that no word of a
//! client can become more than text, whatever a mistake. All text is escaped by the library; plots are put in as they are,
//! see [`crate::measure::plot`]. Readable on a telephone, in light and dark, and on paper.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page/page.css");

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What it is of, in a few words.
    pub title: String,
    /// What must be known before a figure is read: time, source, limits. One line each.
    pub about: Vec<String>,
    /// What stands on it.
    pub sections: Vec<Section>,
}

/// A part of a page under a heading.
#[derive(Clone, Debug)]
pub struct Section {
    heading: String,
    body: Markup,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Words, set to the left.
    Text(String),
    /// A number, set to the right.
    Number(String),
    /// A result that is as it should be.
    Good(String),
    /// One that is not.
    Bad(String),
}

impl Section {
    /// An empty one.
    #[must_use]
    pub fn new(heading: &str) -> Self {
        Self {
            heading: heading.to_owned(),
            body: html! {},
        }
    }

    /// With a paragraph more.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.with(&html! { p { (text) } })
    }

    /// With a remark more, smaller than what it is about.
    #[must_use]
    pub fn note(self, text: &str) -> Self {
        self.with(&html! { p.note { (text) } })
    }

    /// With figures in large letters more, each with what it says.
    #[must_use]
    pub fn figures(self, figures: &[(String, String)]) -> Self {
        self.with(&html! {
            dl.figures {
                @for (figure, says) in figures {
                    div { dt { (says) } dd { (figure) } }
                }
            }
        })
    }

    /// With a table more.
    #[must_use]
    pub fn table(self, head: &[&str], rows: &[Vec<Cell>]) -> Self {
        let first = rows.first();
        let is_number =
            |at: usize| matches!(first.and_then(|row| row.get(at)), Some(Cell::Number(_)));
        self.with(&html! {
            div.wide {
                table {
                    thead { tr {
                        @for (at, name) in head.iter().enumerate() {
                            th.n[is_number(at)] scope="col" { (name) }
                        }
                    } }
                    tbody { @for row in rows { tr { @for one in row { (cell(one)) } } } }
                }
            }
        })
    }

    /// With a plot more; `says` tells what it shows to who can not see it.
    #[must_use]
    pub fn plot(self, svg: &str, says: &str) -> Self {
        self.with(&html! {
            figure role="img" aria-label=(says) { (PreEscaped(svg)) figcaption { (says) } }
        })
    }

    /// With a command more that the reader can type.
    #[must_use]
    pub fn command(self, command: &str) -> Self {
        self.with(&html! { pre { code { (command) } } })
    }

    fn with(mut self, more: &Markup) -> Self {
        self.body.0.push_str(&more.0);
        self
    }
}

fn cell(cell: &Cell) -> Markup {
    match cell {
        Cell::Text(text) => html! { td { (text) } },
        Cell::Number(text) => html! { td.n { (text) } },
        Cell::Good(text) => html! { td.good { (text) } },
        Cell::Bad(text) => html! { td.bad { (text) } },
    }
}

impl Page {
    /// The whole file.
    #[must_use]
    pub fn html(&self) -> String {
        let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
        );
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="referrer" content="no-referrer";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { (self.title) }
                        @for line in &self.about { p { (line) } }
                    }
                    main {
                        @for section in &self.sections {
                            section { h2 { (section.heading) } (section.body) }
                        }
                    }
                }
            }
        };
        page.into_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</style><script>alert(1)</script><img src=x onerror='a'>\"&";

    fn page() -> String {
        let row = |text: &str| vec![Cell::Text(text.to_owned()), Cell::Number("1".to_owned())];
        let section = Section::new(HOSTILE)
            .text(HOSTILE)
            .note(HOSTILE)
            .command(HOSTILE)
            .figures(&[(HOSTILE.to_owned(), HOSTILE.to_owned())])
            .table(&[HOSTILE, "n"], &[row(HOSTILE), row("b")])
            .plot("<svg></svg>", HOSTILE);
        let page = Page {
            title: HOSTILE.to_owned(),
            about: vec![HOSTILE.to_owned()],
            sections: vec![section],
        };
        page.html()
    }

    #[test]
    fn what_a_client_said_stays_text() {
        let page = page();
        for never in ["<script", "<img", "href=", "url(", "@import"] {
            assert!(!page.contains(never), "{never}");
        }
        assert_eq!(page.matches("</style>").count(), 1);
        assert_eq!(page.matches("&lt;script&gt;").count(), 13);
        // Within an attribute, too.
        assert!(page.contains("onerror='a'&gt;&quot;&amp;\""));
    }

    #[test]
    fn the_policy_names_the_one_style_by_its_hash() {
        let page = page();
        let (_, rest) = page.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()).as_ref());
        assert!(page.contains(&format!("style-src 'sha256-{hash}'")));
        assert!(page.contains("default-src 'none'"));
        assert!(!page.contains("style=\""));
    }

    #[test]
    fn columns_of_numbers_are_set_to_the_right() {
        let page = page();
        assert!(page.contains("<th class=\"n\" scope=\"col\">n</th>"));
        assert!(page.contains("<td class=\"n\">1</td>"));
    }
}
