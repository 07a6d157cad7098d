//! Sessions to look at: those under way, those refused of late, and those that somebody looks for.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::app::admin::Office;
use crate::app::{clock, tasks};
use crate::journal::{self, Bounds, Digest, Hits, Wanted};
use crate::session::live::Sight;

/// Sessions under way that are shown.
const SIGHTS: usize = 1000;
/// Sessions found that are shown.
const HITS: usize = 100;
/// Searches in files at one time.
pub(super) const SEARCHES: usize = 2;
/// Octets of files that one search looks at.
const OCTETS: u64 = 512 * 1024 * 1024;
/// The longest that one search takes.
const PATIENCE: Duration = Duration::from_secs(3);
/// How far back a search goes.
const BACK: Duration = Duration::from_secs(24 * 60 * 60);
/// Characters that are looked for.
const WANTED: std::ops::RangeInclusive<usize> = 2..=300;

/// Who is here now.
#[derive(Debug, Serialize)]
pub(super) struct Here {
    open: u64,
    sessions: Vec<Sight>,
}

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(super) struct Looking {
    q: String,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Found {
    found: Vec<Arc<Digest>>,
    /// Whether there may be more.
    cut: bool,
    /// Why the journal could not be looked at.
    trouble: Option<String>,
}

/// `/api/sessions`
pub(super) async fn sessions(State(office): State<Arc<Office>>) -> Json<Here> {
    let shared = office.desk.shared();
    Json(Here {
        open: shared.tally.open(),
        sessions: shared.live.sights(SIGHTS),
    })
}

/// `/api/recent`
pub(super) async fn recent(State(office): State<Arc<Office>>) -> Json<Vec<Arc<Digest>>> {
    Json(office.desk.shared().recent.newest())
}

/// `/api/search?q=`
pub(super) async fn search(
    State(office): State<Arc<Office>>,
    Query(looking): Query<Looking>,
) -> Response {
    if !WANTED.contains(&looking.q.trim().chars().count()) {
        let wanted = "write at least two characters of an address, a sender, a recipient or a session id, and at most 300\n";
        return (StatusCode::BAD_REQUEST, wanted).into_response();
    }
    let now = clock::now();
    let since = now.checked_sub(BACK).map(journal::timestamp);
    let wanted = Wanted::new(&looking.q);
    match find(&office, wanted, since).await {
        Some(found) => Json(found).into_response(),
        None => busy(),
    }
}

/// `/api/session/ID`
pub(super) async fn session(State(office): State<Arc<Office>>, Path(id): Path<String>) -> Response {
    let live = office.desk.shared().live.sights(usize::MAX);
    if let Some(sight) = live.into_iter().find(|sight| sight.id == id) {
        return Json(sight).into_response();
    }
    let is_id = id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    if !is_id || !WANTED.contains(&id.len()) {
        return (StatusCode::NOT_FOUND, "this is no session id\n").into_response();
    }
    let Some(found) = find(&office, Wanted::new(&id), None).await else {
        return busy();
    };
    match (found.found.iter().find(|one| one.id == id), found.cut) {
        (Some(digest), _) => Json(digest).into_response(),
        (None, true) => (
            StatusCode::NOT_FOUND,
            "not among those that could be looked at\n",
        )
            .into_response(),
        (None, false) => (StatusCode::NOT_FOUND, "nothing is known of it\n").into_response(),
    }
}

fn busy() -> Response {
    let again = "others are searching; try again\n";
    (StatusCode::SERVICE_UNAVAILABLE, again).into_response()
}

/// What is kept in memory and in the journal; nothing where too many search.
async fn find(office: &Office, wanted: Wanted, since: Option<journal::Timestamp>) -> Option<Found> {
    let shared = office.desk.shared();
    let kept = shared.recent.newest().into_iter();
    let mut found: Vec<Arc<Digest>> = kept
        .filter(|digest| wanted.is_in(digest) && since.is_none_or(|since| digest.time >= since))
        .collect();
    let mut told = Found::default();
    if let Some(writer) = &shared.journal {
        let place = Arc::clone(&office.searches).try_acquire_owned().ok()?;
        let bounds = Bounds {
            octets: OCTETS,
            time: PATIENCE,
            hits: HITS,
            since,
        };
        let directory: PathBuf = writer.directory().to_owned();
        let hits = tasks::on_a_thread(move || {
            let hits = journal::search(&directory, &wanted, bounds);
            drop(place);
            hits
        });
        match hits.await {
            Some(Ok(Hits { digests, cut })) => {
                found.extend(digests.into_iter().map(Arc::new));
                told.cut = cut;
            }
            // Before the first record there is nothing to look at.
            Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Some(Err(error)) => {
                told.trouble = Some(format!("The records can not be read: {error}."));
            }
            None => told.trouble = Some("The records could not be looked at.".to_owned()),
        }
    }
    let mut seen = HashSet::new();
    found.retain(|digest| seen.insert(digest.id.clone()));
    found.sort_by_key(|digest| std::cmp::Reverse(digest.time));
    told.cut |= found.len() > HITS;
    found.truncate(HITS);
    told.found = found;
    Some(told)
}

/// Places for searches.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(SEARCHES))
}
