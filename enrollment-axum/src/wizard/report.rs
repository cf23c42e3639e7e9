//! The page behind "this wasn't me" in an invitation (TOK-10).

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::Token;
use enrollment_core::service::Failure;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::extract::demand_same_site;
use crate::page::{Page, answer};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// The same for every token.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ReportPage {}

impl Page for ReportPage {
    const TEMPLATE: &'static str = "report.html";
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ReportedPage {
    /// There was something to withdraw.
    pub(super) withdrawn: bool,
}

impl Page for ReportedPage {
    const TEMPLATE: &'static str = "reported.html";
}

/// `GET /report/{token}`: looks at no token and asks no store (TOK-4); only its button, a POST, changes anything.
pub(super) async fn ask(State(state): State<EnrollmentState>) -> Response {
    answer(&state, StatusCode::OK, &ReportPage {})
}

/// `POST /report/{token}`. The token in the address is all the right there is: no cookie is involved that a page of
/// another site could borrow; whoever knows the token could post it themselves. It is refused from there all the same.
pub(super) async fn report(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    method: Method,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Answer<Response> {
    demand_same_site(&method, &headers, &state)?;
    state.limits().tokens.admit(origin.source)?;
    let token = Zeroizing::new(token);
    let token = Token::parse(&token).map_err(|_| Rejection::InvalidToken)?;
    match state.service().enrollee().report(&token, origin).await {
        Ok(()) => Ok(answer(&state, StatusCode::OK, &ReportedPage { withdrawn: true })),
        Err(Failure::Rejected(_)) => Ok(answer(&state, StatusCode::GONE, &ReportedPage { withdrawn: false })),
        Err(failure) => Err(failure.into()),
    }
}
