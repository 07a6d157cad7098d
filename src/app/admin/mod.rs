//! The admin address: a status page, metrics, health and state over HTTP, to read and never to change.
//!
//! | path | what |
//! |---|---|
//! | `/` | the status page |
//! | `/metrics` | metrics for Prometheus (`docs/metrics.md`) |
//! | `/healthz` | 200 while the process answers at all |
//! | `/readyz` | 200 while it accepts mail, 503 while it drains |
//! | `/api/status` | what `gatepost status --json` says |
//! | `/api/history` | counts of the last hour |
//! | `/api/sessions` | sessions under way |
//! | `/api/recent` | sessions in which something was refused, of late |
//! | `/api/search?q=` | sessions of the last day, by address, name, sender, recipient or id |
//! | `/api/session/ID` | one session |
//!
//! A reader may be a browser that a stranger's page uses (DNS rebinding), so the name it asks for must be an address, this
//! host's, or `localhost`. Each connection has a deadline, and there are only so many.

mod gate;
mod gauges;
mod history;
mod look;
mod page;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::app::control::Desk;
use crate::app::tasks::Tasks;
use crate::telemetry::metrics::Format;
use gauges::Gauges;
use history::{History, Sample};

pub(in crate::app) use gate::Gate;

/// Connections at one time; more wait.
const AT_A_TIME: usize = 32;
/// The longest a connection may last.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest wait for the head of a request.
const HEAD: Duration = Duration::from_secs(5);
/// Octets of a request's head.
const HEAD_OCTETS: usize = 16 * 1024;
/// The pause when nobody can be accepted for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What readers are answered from.
struct Office {
    desk: Arc<Desk>,
    history: History,
    searches: Arc<Semaphore>,
}

/// Begins to answer on `sockets`, until the process drains.
pub(in crate::app) fn begin(
    tasks: &Tasks,
    sockets: Vec<(SocketAddr, TcpListener)>,
    gate: Gate,
    desk: &Arc<Desk>,
) {
    if sockets.is_empty() {
        return;
    }
    let office = Arc::new(Office {
        desk: Arc::clone(desk),
        history: History::default(),
        searches: look::places(),
    });
    let (keeper, draining) = (Arc::clone(&office), desk.draining());
    tasks.spawn(async move {
        let shared = keeper.desk.shared();
        let keeping = keeper.history.keep(&shared.tally);
        let _ = draining.run_until_cancelled(keeping).await;
    });
    let router = router(gate, office);
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    for (address, socket) in sockets {
        tracing::info!(%address, "metrics and state can be read");
        let (router, places) = (router.clone(), Arc::clone(&places));
        let (desk, tasks) = (Arc::clone(desk), tasks.clone());
        tasks.clone().spawn(async move {
            let draining = desk.draining();
            let serving = serve(&socket, &router, &places, &tasks);
            let _ = draining.run_until_cancelled(serving).await;
        });
    }
}

/// Everything that can be read, behind the gate.
fn router(gate: Gate, office: Arc<Office>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/readyz", get(ready))
        .route("/", get(page::page))
        .route("/api/status", get(status))
        .route("/api/history", get(history))
        .route("/api/sessions", get(look::sessions))
        .route("/api/recent", get(look::recent))
        .route("/api/search", get(look::search))
        .route("/api/session/{id}", get(look::session))
        .with_state(office)
        .layer(middleware::from_fn_with_state(Arc::new(gate), gate::pass))
        // Who watches over the process need not know the token.
        .route("/healthz", get(|| async { "ok\n" }))
}

async fn serve(socket: &TcpListener, router: &Router, places: &Arc<Semaphore>, tasks: &Tasks) {
    while let Ok(place) = Arc::clone(places).acquire_owned().await {
        let Ok((stream, _)) = socket.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let router = router.clone();
        tasks.spawn(async move {
            // Whoever is too slow, or has gone, has asked for nothing.
            let _ = timeout(PATIENCE, converse(stream, router)).await;
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, router: Router) -> Result<(), hyper::Error> {
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_OCTETS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await
}

async fn metrics(State(office): State<Arc<Office>>, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT);
    let accepts = accepts.and_then(|accepts| accepts.to_str().ok());
    let format = match accepts.is_some_and(|kinds| kinds.contains("application/openmetrics-text")) {
        true => Format::OpenMetrics,
        false => Format::Text,
    };
    let gauges = Box::new(Gauges::new(office.desk.status()));
    match office.desk.metrics().text(format, gauges) {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn ready(State(office): State<Arc<Office>>) -> (StatusCode, &'static str) {
    match office.desk.draining().is_cancelled() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        false => (StatusCode::OK, "ready\n"),
    }
}

async fn status(State(office): State<Arc<Office>>) -> Response {
    Json(office.desk.status()).into_response()
}

async fn history(State(office): State<Arc<Office>>) -> Json<Vec<Sample>> {
    Json(office.history.samples(&office.desk.shared().tally))
}
