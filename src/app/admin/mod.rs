//! The admin address: metrics, health and state over HTTP, to read and never to change.
//!
//! | path | what |
//! |---|---|
//! | `/metrics` | metrics for Prometheus (`docs/metrics.md`) |
//! | `/healthz` | 200 while the process answers at all |
//! | `/readyz` | 200 while it accepts mail, 503 while it drains |
//! | `/api/status` | what `gatepost status --json` says |
//!
//! A reader may be a browser that a stranger's page uses (DNS rebinding), so the name it asks for must be an address, this
//! host's, or `localhost`. Each connection has a deadline, and there are only so many.

mod gate;
mod gauges;

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

/// Begins to answer on `sockets`, until the process drains.
pub(in crate::app) fn begin(
    tasks: &Tasks,
    sockets: Vec<(SocketAddr, TcpListener)>,
    gate: Gate,
    desk: &Arc<Desk>,
) {
    let router = router(gate, Arc::clone(desk));
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
fn router(gate: Gate, desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/readyz", get(ready))
        .route("/api/status", get(status))
        .with_state(desk)
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

async fn metrics(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT);
    let accepts = accepts.and_then(|accepts| accepts.to_str().ok());
    let format = match accepts.is_some_and(|kinds| kinds.contains("application/openmetrics-text")) {
        true => Format::OpenMetrics,
        false => Format::Text,
    };
    let gauges = Box::new(Gauges::new(desk.status()));
    match desk.metrics().text(format, gauges) {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn ready(State(desk): State<Arc<Desk>>) -> (StatusCode, &'static str) {
    match desk.draining().is_cancelled() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        false => (StatusCode::OK, "ready\n"),
    }
}

async fn status(State(desk): State<Arc<Desk>>) -> Response {
    Json(desk.status()).into_response()
}
