//! One's own account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::id::AdminSessionId;
use enrollment_core::service::sign_in::SignedIn;
use serde::Serialize;

use super::desk::{Desk, Me, When, done};
use super::form::{Posted, Shown};
use super::session::Held;
use super::sign_in::DoneQuery;
use crate::client::Client;
use crate::extract::{PathId, Query};
use crate::page::{Page, answer, see_other};
use crate::problem::{Answer, PageStatus, Problem};
use crate::state::EnrollmentState;

/// Password, factor, codes and sessions. Each of the three forms asks for password and code again.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AccountPage {
    pub(super) me: Me,
    pub(super) name: String,
    /// There is an authenticator app.
    pub(super) totp: bool,
    /// A code is asked for with every change.
    pub(super) factor: bool,
    pub(super) recovery_codes: usize,
    pub(super) sessions: Vec<SessionRow>,
    pub(super) password: Shown,
    pub(super) app: Shown,
    pub(super) codes: Shown,
    pub(super) done: Option<&'static str>,
}

impl Page for AccountPage {
    const TEMPLATE: &'static str = "account.html";
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct SessionRow {
    pub(super) id: String,
    pub(super) began: When,
    pub(super) used: When,
    pub(super) source: String,
    pub(super) this: bool,
}

/// `GET /admin/account`
pub(super) async fn show(
    State(state): State<EnrollmentState>,
    desk: Desk,
    Held(session): Held,
    axum::Extension(signed_in): axum::Extension<SignedIn>,
    Query(DoneQuery { done: word }): Query<DoneQuery>,
) -> Answer<Response> {
    let change = |page: &mut AccountPage| page.done = done(word.as_deref());
    shown(&state, StatusCode::OK, &desk, &session, &signed_in, change).await
}

pub(super) async fn shown(
    state: &EnrollmentState,
    status: impl Into<PageStatus> + Send,
    desk: &Desk,
    session: &enrollment_core::secret::AdminSessionSecret,
    signed_in: &SignedIn,
    change: impl FnOnce(&mut AccountPage) + Send,
) -> Answer<Response> {
    let sessions = state.service().sign_in().sessions(session).await?;
    let row = |session: enrollment_core::service::sign_in::AdminSessionView| SessionRow {
        id: session.id.to_string(),
        began: session.began.into(),
        used: session.used.into(),
        source: session.source.map(|source| source.to_string()).unwrap_or_default(),
        this: session.id == signed_in.session,
    };
    let account = &signed_in.account;
    let mut page = AccountPage {
        me: desk.me.clone(),
        name: account.name.clone(),
        totp: account.totp,
        factor: account.factor,
        recovery_codes: account.recovery_codes,
        sessions: sessions.into_iter().rev().map(row).collect(),
        password: Shown::empty(&["password", "code", "new_password", "again"]),
        app: Shown::empty(&["password", "code"]),
        codes: Shown::empty(&["password", "code"]),
        done: None,
    };
    change(&mut page);
    Ok(answer(state, status, &page))
}

/// `POST /admin/account/sessions/{id}/end`
pub(super) async fn end_session(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    Held(session): Held,
    PathId(other): PathId<AdminSessionId>,
    _: Posted,
) -> Result<Response, Problem> {
    state.service().sign_in().end_session(&session, other, origin).await?;
    Ok(see_other("/admin/account?done=ended"))
}
