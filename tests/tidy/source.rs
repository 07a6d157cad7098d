//! A source file as tokens: without comments, without what stands in literals, without test modules.
//!
//! Not a parser of Rust; just enough to tell names from text, and to resolve the groups of a `use`.

/// One file of `src/`.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path below `src/`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
    /// Its code.
    pub(crate) tokens: Vec<Token>,
}

/// A word, `::`, or a single other character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its line, from 1.
    pub(crate) line: usize,
    /// The token itself.
    pub(crate) text: String,
}

/// A path as written (`crate::facts::Facts`) or as a group of `use` makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The line of its last part.
    pub(crate) line: usize,
    /// Its parts. A `use` of everything ends in `*`; names given by `as` are left out.
    pub(crate) parts: Vec<String>,
}

impl Source {
    /// Cuts `text` into tokens. A file of tests has none.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let tokens = if is_test {
            Vec::new()
        } else {
            without_tests(&tokens(text))
        };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
        }
    }

    /// The module of the house it belongs to; `None` for `lib.rs` and `main.rs`.
    pub(crate) fn module(&self) -> Option<&str> {
        match self.path.as_str() {
            "lib.rs" | "main.rs" => None,
            path => path
                .split('/')
                .next()
                .map(|name| name.trim_end_matches(".rs")),
        }
    }

    /// Whether it is the file of a module of the house itself, where `super` is the whole crate.
    pub(crate) fn is_head(&self) -> bool {
        !self.path.contains('/')
            || self.path.matches('/').count() == 1 && self.path.ends_with("/mod.rs")
    }

    /// Every path in its code.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            at = match token.text.as_str() {
                "use" => tree(&self.tokens, at + 1, &[], &mut found),
                // `pub(crate)` uses nothing.
                "crate" | "super" | "self"
                    if self.before(at) == "(" && self.follows(at, 1) == ")" =>
                {
                    at + 1
                }
                _ if token.is_word() && !self.continues(at) => chain(&self.tokens, at, &mut found),
                _ => at + 1,
            };
        }
        found
    }

    /// The text `ahead` tokens behind the one at `at`.
    pub(crate) fn follows(&self, at: usize, ahead: usize) -> &str {
        self.tokens.get(at + ahead).map_or("", |token| &token.text)
    }

    /// The text of the token before the one at `at`.
    pub(crate) fn before(&self, at: usize) -> &str {
        at.checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or("", |token| &token.text)
    }

    /// Whether the word at `at` continues a path: `net` in `crate::net`, but not `tokio` in `::tokio`.
    fn continues(&self, at: usize) -> bool {
        let joined = self.before(at) == "::";
        joined
            && at
                .checked_sub(2)
                .and_then(|at| self.tokens.get(at))
                .is_some_and(Token::is_word)
    }
}

impl Token {
    /// Whether it is a name, a keyword or a number.
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(is_word)
    }
}

/// Reads `a::b::c`, and returns where it ends.
fn chain(tokens: &[Token], start: usize, found: &mut Vec<Path>) -> usize {
    let mut parts = Vec::new();
    let mut at = start;
    let mut line = 0;
    while let Some(token) = tokens.get(at).filter(|token| token.is_word()) {
        parts.push(token.text.clone());
        line = token.line;
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
    }
    found.push(Path { line, parts });
    at
}

/// Reads one tree of a `use`, groups and all, and returns where the `,`, `}` or `;` behind it stands.
fn tree(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut parts = prefix.to_vec();
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "{" => return group(tokens, at + 1, &parts, found),
            // `{self}` names the group itself.
            "self" if !prefix.is_empty() => at += 1,
            text if text != "as" && token.is_word() || text == "*" => {
                parts.push(text.to_owned());
                at += 1;
            }
            _ => break,
        }
    }
    let line = tokens.get(at.max(1) - 1).map_or(1, |token| token.line);
    found.push(Path { line, parts });
    match tokens.get(at) {
        Some(token) if token.text == "as" => at + 2,
        _ => at,
    }
}

/// Reads the trees of a group, and returns where the group ends.
fn group(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        at = match token.text.as_str() {
            "}" => return at + 1,
            "," => at + 1,
            _ => tree(tokens, at, prefix, found).max(at + 1),
        };
    }
    at
}

/// Cuts code into tokens. Comments are left out; a literal is the token `"`.
fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => block_comment(rest),
            _ if literal(rest).is_some() => {
                found.push(Token {
                    line,
                    text: "\"".to_owned(),
                });
                literal(rest).unwrap_or(1)
            }
            _ if is_word(first) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                found.push(Token {
                    line,
                    text: rest[..end].to_owned(),
                });
                end
            }
            _ if rest.starts_with("::") => {
                found.push(Token {
                    line,
                    text: "::".to_owned(),
                });
                2
            }
            _ if first.is_whitespace() => first.len_utf8(),
            _ => {
                found.push(Token {
                    line,
                    text: first.to_string(),
                });
                first.len_utf8()
            }
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of the string or character literal that begins here.
fn literal(text: &str) -> Option<usize> {
    let unprefixed = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - unprefixed.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = unprefixed.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let body = raw[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let end = body
            .find(&close)
            .map_or(body.len(), |end| end + close.len());
        return Some(text.len() - body.len() + end);
    }
    if let Some(body) = unprefixed.strip_prefix('"') {
        return Some(prefix + 1 + quoted(body, '"'));
    }
    let body = unprefixed.strip_prefix('\'')?;
    let mut characters = body.chars();
    let is_character = match characters.next()? {
        '\\' => true,
        // Otherwise it is a lifetime.
        _ => characters.next() == Some('\''),
    };
    is_character.then(|| prefix + 1 + quoted(body, '\''))
}

/// The length up to and with the closing `quote`.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Leaves out each item that stands behind `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let here = tokens[at..].iter().map(|token| token.text.as_str());
        if here.take(MARK.len()).eq(MARK) {
            at = end_of_item(tokens, at + MARK.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the item ends that begins at `at`: behind its `;`, or behind the brace that closes its body.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.text.as_str() {
            ";" if depth == 0 => break,
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
    }
    at
}
