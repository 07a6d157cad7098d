//! The status page: one file, without anything from elsewhere, that asks the other paths.
//!
//! What may run and what may be shown is named by its hash (CSP Level 3 §8.3), so that no word of a client can ever become
//! a script, whatever a mistake in the page.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const PAGE: &str = include_str!("page.html");

static SECURITY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        hash("script"),
        hash("style")
    )
});

/// The page.
pub(super) async fn page() -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, SECURITY.as_str()),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (headers, Html(PAGE)).into_response()
}

/// The hash of what stands in the only element of this name.
fn hash(element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let inner = PAGE
        .split_once(&open)
        .and_then(|(_, rest)| rest.split_once(&close))
        .map_or("", |(inner, _)| inner);
    let hash = digest(&SHA256, inner.as_bytes());
    format!("sha256-{}", STANDARD.encode(hash.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_script_one_style_and_nothing_from_elsewhere() {
        for once in ["<script>", "</script>", "<style>", "</style>"] {
            assert_eq!(PAGE.matches(once).count(), 1, "{once}");
        }
        for never in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "style=\"",
            "onclick",
            "src=",
            "@import",
            "url(",
        ] {
            assert!(!PAGE.contains(never), "{never}");
        }
        let addresses: Vec<_> = PAGE
            .match_indices("http")
            .map(|(at, _)| &PAGE[at..])
            .collect();
        assert!(
            addresses
                .iter()
                .all(|one| one.starts_with("http://www.w3.org/2000/svg"))
        );
    }
}
