//! The page an invitation's link leads to.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

/// `/enroll` and `/enroll/{token}`: one constant page. It does not look at the token, starts no clock and asks no
/// store, so that a mail scanner that opens links, however often, does no harm (TOK-4).
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/enroll", get(page)).route("/enroll/{token}", get(page))
}

async fn page() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], include_str!("landing.html"))
}
