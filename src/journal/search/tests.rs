//! The search within its bounds, and what is kept of refusals in memory.

use super::*;
use crate::facts::{Client, Facts, Helo, Limit, Login, Logins, Stage};
use crate::facts::{Ended, Fact, Millis};
use crate::journal::record::timestamp;
use crate::journal::{Beyond, Recent, VERSION, open};
use crate::smtp::domain::HeloName;

const HOUR: Duration = Duration::from_hours(1);
const BOUNDS: Bounds = Bounds {
    octets: u64::MAX,
    time: HOUR,
    hits: 100,
    since: None,
};

/// A session that began `hours` after 2026-01-01.
fn record(id: usize, hours: u32, helo: &str, ended: Ended) -> SessionRecord {
    let new_year = humantime::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let local = "192.0.2.25:25".parse().unwrap();
    let client = format!("192.0.2.{id}:999").parse().unwrap();
    let mut client = Client::new(client, local, "mx");
    client.logins = Logins::Allowed;
    let mut facts = Facts::new(client);
    let login = Login {
        mechanism: "PLAIN".into(),
        code: 235,
        name: Some(format!("user{id}@example.com").into()),
    };
    facts.push(Stage::Helo, Millis(1), Fact::Login(Box::new(login)));
    let name = HeloName::parse(helo).unwrap();
    let extended = true;
    facts.push(
        Stage::Helo,
        Millis(1),
        Fact::Helo(Box::new(Helo { extended, name })),
    );
    SessionRecord {
        version: VERSION,
        id: format!("s{id}"),
        started: timestamp(new_year + HOUR * hours),
        duration_ms: Millis(1),
        policy: "default".to_owned(),
        facts,
        decisions: Vec::new(),
        recipients: Vec::new(),
        messages: Vec::new(),
        replies: vec!["x".repeat(1000); 30],
        ended,
        bytes_in: 1,
        bytes_out: 2,
        beyond: Beyond::default(),
    }
}

/// A journal of so many files, each with one session, an hour apart.
fn journal(files: usize) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..files {
        let (writer, keeper) = open(directory.path(), u64::MAX, HOUR * 1000);
        let hour = u32::try_from(number).unwrap();
        writer.write(record(number, hour, "A\"b<c>", Ended::Quit));
        drop(writer);
        keeper.run();
    }
    directory
}

fn found(directory: &Path, wanted: &str, bounds: Bounds) -> (Vec<String>, bool) {
    let hits = search(directory, &Wanted::new(wanted), bounds).unwrap();
    let ids = hits.digests.into_iter().map(|digest| digest.id);
    (ids.collect(), hits.cut)
}

fn ids<const N: usize>(ids: [&str; N]) -> Vec<String> {
    ids.map(str::to_owned).to_vec()
}

#[test]
fn the_newest_are_found_first_and_each_bound_is_told() {
    let journal = journal(4);
    let all = ids(["s3", "s2", "s1", "s0"]);
    let path = journal.path();
    assert_eq!(found(path, "a\"B<c", BOUNDS), (all.clone(), false));
    assert_eq!(found(path, "192.0.2.1", BOUNDS), (ids(["s1"]), false));
    assert_eq!(found(path, "S2", BOUNDS), (ids(["s2"]), false));
    assert_eq!(found(path, "user3@", BOUNDS), (ids(["s3"]), false));
    // It stands in every line, but not where somebody looks.
    assert_eq!(found(path, "default", BOUNDS), (Vec::new(), false));
    let two = Bounds { hits: 2, ..BOUNDS };
    assert_eq!(found(path, "a\"b", two), (ids(["s3", "s2"]), true));
    let none = Bounds { hits: 0, ..BOUNDS };
    assert_eq!(found(path, "a\"b", none), (Vec::new(), true));
    let size = files::list(path).unwrap()[0].size;
    let octets = size * 2 + size / 2;
    let short = Bounds { octets, ..BOUNDS };
    assert_eq!(found(path, "a\"b", short), (ids(["s3", "s2"]), true));
    let time = Duration::ZERO;
    assert_eq!(
        found(path, "a\"b", Bounds { time, ..BOUNDS }),
        (Vec::new(), true)
    );
    // Its file begins before, so its other sessions may have come later.
    let since = Some(record(2, 2, "x", Ended::Quit).started);
    let late = Bounds { since, ..BOUNDS };
    assert_eq!(found(path, "a\"b", late), (ids(["s3", "s2", "s1"]), false));
    assert!(search(Path::new("/nowhere"), &Wanted::new("x"), BOUNDS).is_err());
}

#[test]
fn a_filter_is_met_in_all_it_says() {
    let journal = journal(4);
    let filtered = |filter: Filter| {
        let hits = search(journal.path(), &Wanted::filtered(filter), BOUNDS).unwrap();
        hits.digests
            .into_iter()
            .map(|digest| digest.id)
            .collect::<Vec<_>>()
    };
    let any = Filter::default;
    let all = ids(["s3", "s2", "s1", "s0"]);
    assert_eq!(filtered(any()), all);
    let helo = Some("A\"B<".to_owned());
    assert_eq!(
        filtered(Filter {
            helo: helo.clone(),
            ..any()
        }),
        all
    );
    let client = Some("192.0.2.2/31".parse().unwrap());
    let two = ids(["s3", "s2"]);
    assert_eq!(
        filtered(Filter {
            client,
            helo,
            ..any()
        }),
        two
    );
    let at = |hours| Some(record(0, hours, "x", Ended::Quit).started);
    assert_eq!(
        filtered(Filter {
            since: at(1),
            until: at(3),
            ..any()
        }),
        ids(["s2", "s1"])
    );
    let word = |word: &str| Some(word.to_owned());
    assert_eq!(
        filtered(Filter {
            verdict: word("none"),
            listener: word("mx"),
            ..any()
        }),
        all
    );
    for nobody in [
        Filter {
            verdict: word("deny"),
            ..any()
        },
        Filter {
            listener: word("nx"),
            ..any()
        },
        Filter {
            check: word("dnsbl"),
            ..any()
        },
        Filter {
            sender: word("a@"),
            ..any()
        },
        Filter {
            recipient: word("a@"),
            ..any()
        },
    ] {
        assert!(filtered(nobody.clone()).is_empty(), "{nobody:?}");
    }
}

#[test]
fn only_refusals_are_kept_and_only_so_many() {
    let recent = Recent::default();
    recent.note(&record(1, 1, "x", Ended::Quit));
    recent.note(&record(1, 1, "x", Ended::ClientTimeout));
    assert_eq!(recent.newest(), []);
    for number in 0..600 {
        let mut refused = record(1, 1, "x", Ended::Refused(Limit::PerAddress));
        refused.id = format!("r{number}");
        recent.note(&refused);
    }
    let kept = recent.newest();
    assert_eq!(
        (kept.len(), &*kept[0].id, &*kept[499].id),
        (500, "r599", "r100")
    );
    // Long texts and lists are cut, and that is told.
    assert_eq!(
        (kept[0].replies.len(), kept[0].replies[0].chars().count()),
        (20, 302)
    );
    assert!(kept[0].cut);
}
