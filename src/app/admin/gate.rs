//! Who may read: whoever asks this host by a name of its own, and shows the token if there is one.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What is asked of a reader.
#[derive(Debug)]
pub(in crate::app) struct Gate {
    /// Our name.
    pub(in crate::app) hostname: Box<str>,
    /// The token; empty if none is asked for.
    pub(in crate::app) token: Box<str>,
}

/// Lets a request through, or says why not.
pub(super) async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            "nothing can be changed here\n",
        )
            .into_response();
    }
    if !gate.is_asked_for(request.headers()) {
        return (
            StatusCode::FORBIDDEN,
            "ask by address, or by this host's name\n",
        )
            .into_response();
    }
    if !gate.is_shown(request.headers()) {
        let challenge = (header::WWW_AUTHENTICATE, "Basic realm=\"gatepost\"");
        return (StatusCode::UNAUTHORIZED, [challenge], "a token is needed\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

impl Gate {
    /// Whether the request names this host: a page of a stranger whose name points here would name its own.
    fn is_asked_for(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
        else {
            return false;
        };
        let name = match host.strip_prefix('[') {
            Some(literal) => literal.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || name.eq_ignore_ascii_case(&self.hostname)
    }

    /// Whether the request shows the token, as a bearer or as the password of any user (RFC 6750, RFC 7617).
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        if self.token.is_empty() {
            return true;
        }
        let shown = headers
            .get(header::AUTHORIZATION)
            .and_then(|shown| shown.to_str().ok());
        let Some((scheme, shown)) = shown.and_then(|shown| shown.split_once(' ')) else {
            return false;
        };
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is_token(shown.trim().as_bytes());
        }
        let Ok(pair) = STANDARD.decode(shown.trim()) else {
            return false;
        };
        let password = pair.splitn(2, |octet| *octet == b':').nth(1);
        scheme.eq_ignore_ascii_case("basic") && password.is_some_and(|word| self.is_token(word))
    }

    fn is_token(&self, shown: &[u8]) -> bool {
        verify_slices_are_equal(shown, self.token.as_bytes()).is_ok()
    }
}
