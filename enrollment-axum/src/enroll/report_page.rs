//! The page behind "this wasn't me" in an invitation (TOK-10). It works without JavaScript.

use axum::Router;
use axum::extract::{FromRef, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::Token;
use enrollment_core::service::Failure;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::problem::Problem;
use crate::state::EnrollmentState;

/// The page may post to itself, and nothing else.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");

/// `GET` shows a page that is the same for every token, looks at none and asks no store (TOK-4); only its button, a
/// `POST`, changes anything. The token in the address is all the right there is: no cookie is involved that a page of
/// another site could borrow.
pub(super) fn router<S>() -> Router<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/report/{token}", get(ask).post(report))
}

async fn ask() -> Response {
    page(StatusCode::OK, include_str!("report.html"))
}

async fn report(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    state.limits().tokens.admit(origin.source)?;
    let token = Zeroizing::new(token);
    let token = Token::parse(&token).map_err(|_| Rejection::InvalidToken)?;
    match state.service().enrollee().report(&token, origin).await {
        Ok(()) => Ok(page(StatusCode::OK, include_str!("reported.html"))),
        Err(Failure::Rejected(_)) => Ok(page(StatusCode::GONE, include_str!("nothing_to_report.html"))),
        Err(failure) => Err(failure.into()),
    }
}

fn page(status: StatusCode, html: &'static str) -> Response {
    let html_type = HeaderValue::from_static("text/html; charset=utf-8");
    (status, [(header::CONTENT_TYPE, html_type), (header::CONTENT_SECURITY_POLICY, POLICY)], html).into_response()
}
