//! The rules of the house, one function each.

use std::fmt;

use crate::source::{Path, Source};

/// The longest file, in lines, that one still reads at a sitting.
pub(crate) const LONGEST: usize = 550;

/// The floor of each module (DESIGN, "The house"). Modules of one floor are neighbours and do not know each other.
const FLOORS: &[(&str, u8)] = &[
    ("cli", 9),
    ("app", 8),
    ("session", 7),
    ("doctor", 7),
    ("gather", 6),
    ("measure", 6),
    ("store", 5),
    ("journal", 5),
    ("net", 5),
    ("telemetry", 4),
    ("config", 3),
    ("checks", 2),
    ("facts", 1),
    ("smtp", 0),
];

/// Floors up to this one touch nothing.
const HIGHEST_PURE: u8 = 2;

/// Names that mean time, sockets, files, environment, randomness or logging wherever they stand.
const IMPURE_NAMES: &[&str] = &[
    "async",
    "await",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "ToSocketAddrs",
    "Instant",
    "SystemTime",
    "stdin",
    "stdout",
    "stderr",
    "println",
    "eprintln",
    "print",
    "eprint",
    "dbg",
];

/// Crates, and modules of the standard library, that a pure floor does not name.
const IMPURE_ROOTS: &[&[&str]] = &[
    &["tokio"],
    &["tokio_util"],
    &["tokio_rustls"],
    &["futures_util"],
    &["socket2"],
    &["nix"],
    &["libc"],
    &["rustls"],
    &["hickory_resolver"],
    &["hickory_server"],
    &["rand"],
    &["fastrand"],
    &["getrandom"],
    &["quanta"],
    &["governor"],
    &["tracing"],
    &["tracing_subscriber"],
    &["log"],
    &["tempfile"],
    &["figment"],
    &["std", "fs"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "os"],
    &["std", "*"],
];

/// The only file that starts tasks and threads.
const SPAWNER: &str = "app/tasks.rs";

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A module uses floors below it.
    Floors,
    /// Floors 0 to 2 touch nothing.
    Purity,
    /// One file spawns; floors below `app` do not even ask it to.
    Spawn,
    /// `cli` alone prints and exits.
    Print,
    /// A file says at its head what it is.
    Head,
    /// Nothing is left for later.
    Unfinished,
    /// A file can be read at a sitting.
    Length,
}

/// A rule that is broken, and where.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) rule: Rule,
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "src/{}:{}: {:?}: {}",
            self.path, self.line, self.rule, self.what
        )
    }
}

/// Everything that is wrong with a file.
pub(crate) fn breaches(source: &Source) -> Vec<Breach> {
    let mut found = Vec::new();
    for (rule, look) in RULES {
        let breach = |(line, what)| Breach {
            rule: *rule,
            path: source.path.clone(),
            line,
            what,
        };
        found.extend(look(source).into_iter().map(breach));
    }
    found
}

/// What a rule finds: line and complaint.
type Found = Vec<(usize, String)>;

/// Looks for breaches of one rule.
type Look = fn(&Source) -> Found;

const RULES: &[(Rule, Look)] = &[
    (Rule::Floors, floors),
    (Rule::Purity, purity),
    (Rule::Spawn, spawn),
    (Rule::Print, print),
    (Rule::Head, head),
    (Rule::Unfinished, unfinished),
    (Rule::Length, length),
];

fn floor(module: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, floor)| *floor)
}

fn floors(source: &Source) -> Found {
    let Some(module) = source.module() else {
        return Vec::new();
    };
    let Some(own) = floor(module) else {
        return vec![(1, format!("`{module}` stands on no floor"))];
    };
    let mut found = Vec::new();
    for path in source.paths() {
        let parts: Vec<&str> = path.parts.iter().map(String::as_str).collect();
        let supers = parts.iter().filter(|part| **part == "super").count();
        if supers > 1 || supers == 1 && source.is_head() {
            found.push((
                path.line,
                format!("`{}` leaves the module", parts.join("::")),
            ));
        }
        let Some(("crate" | "gatepost", rest)) =
            parts.split_first().map(|(root, rest)| (*root, rest))
        else {
            continue;
        };
        let wrong = match rest.first() {
            None => Some("takes the whole house".to_owned()),
            Some(used) if *used == module => None,
            Some(used) => match floor(used) {
                Some(below) if below < own => None,
                Some(same) if same == own => {
                    Some(format!("`{module}` and `{used}` are neighbours"))
                }
                Some(above) => Some(format!("`{module}` is on floor {own}, `{used}` on {above}")),
                None => Some(format!("`{used}` stands on no floor")),
            },
        };
        found.extend(wrong.map(|wrong| (path.line, format!("`{}`: {wrong}", parts.join("::")))));
    }
    found
}

fn purity(source: &Source) -> Found {
    if source
        .module()
        .and_then(floor)
        .is_none_or(|floor| floor > HIGHEST_PURE)
    {
        return Vec::new();
    }
    let impure = |path: &Path| {
        let parts: Vec<&str> = path.parts.iter().map(String::as_str).collect();
        let whole = parts == ["std"];
        let root = IMPURE_ROOTS.iter().any(|root| parts.starts_with(root));
        let name = parts.iter().any(|part| IMPURE_NAMES.contains(part));
        (whole || root || name)
            .then(|| (path.line, format!("`{}` on a pure floor", parts.join("::"))))
    };
    source.paths().iter().filter_map(impure).collect()
}

fn spawn(source: &Source) -> Found {
    if source.path == SPAWNER {
        return Vec::new();
    }
    let spawns = |name: &str| name == "spawn" || name.starts_with("spawn_");
    let may_ask = matches!(source.module(), Some("app" | "cli"));
    let mut found = Vec::new();
    for path in source.paths() {
        let spawner =
            |part: &String| matches!(part.as_str(), "TaskTracker" | "JoinSet" | "LocalSet");
        let called = path.parts.len() > 1 && path.parts.last().is_some_and(|last| spawns(last));
        if called || path.parts.iter().any(spawner) {
            found.push((
                path.line,
                format!("`{}` belongs in {SPAWNER}", path.parts.join("::")),
            ));
        }
    }
    for (at, token) in source.tokens.iter().enumerate() {
        let called =
            spawns(&token.text) && source.before(at) == "." && source.follows(at, 1) == "(";
        if called && !may_ask {
            found.push((token.line, format!("`.{}()` below `app`", token.text)));
        }
    }
    found
}

fn print(source: &Source) -> Found {
    if matches!(source.module(), Some("cli")) || source.path == "main.rs" {
        return Vec::new();
    }
    // A pure floor that prints is told so by `purity`.
    let pure = source
        .module()
        .and_then(floor)
        .is_some_and(|floor| floor <= HIGHEST_PURE);
    let mut found = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        let prints = matches!(
            token.text.as_str(),
            "println" | "eprintln" | "print" | "eprint" | "dbg"
        );
        if prints && source.follows(at, 1) == "!" && !pure {
            found.push((token.line, format!("`{}!` outside `cli`", token.text)));
        }
    }
    for path in source.paths() {
        let mut pairs = path.parts.windows(2);
        if pairs.any(|pair| pair[0] == "process" && matches!(pair[1].as_str(), "exit" | "abort")) {
            found.push((
                path.line,
                format!("`{}` outside `cli`", path.parts.join("::")),
            ));
        }
    }
    found
}

fn head(source: &Source) -> Found {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![(1, "does not begin with `//!` and what it is".to_owned())]
}

fn unfinished(source: &Source) -> Found {
    // In parts, so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
        "todo!",
        "unimplemented!",
    ];
    let mut found = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '!');
        let mark = words.into_iter().find(|word| marks.contains(word));
        found.extend(mark.map(|mark| (number + 1, format!("`{mark}`"))));
    }
    found
}

fn length(source: &Source) -> Found {
    let lines = source.text.lines().count();
    if lines <= LONGEST {
        return Vec::new();
    }
    vec![(LONGEST, format!("{lines} lines, more than {LONGEST}"))]
}
