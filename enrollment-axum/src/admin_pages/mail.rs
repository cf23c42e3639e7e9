//! The mail queue at a glance.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::mail::{MailStanding, MailState};
use enrollment_core::id::OutboxId;
use enrollment_core::service::administrator::{MailView, PageRequest};
use serde::Serialize;

use super::desk::{Desk, Me, When, done};
use super::form::Posted;
use super::sign_in::DoneQuery;
use crate::extract::{PathId, Query};
use crate::page::{Page, answer, see_other};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// What is on its way, what failed, and what was sent last.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MailsPage {
    pub(super) me: Me,
    pub(super) configured: bool,
    /// Why the queue waits, if it does.
    pub(super) paused: Option<String>,
    pub(super) dead: Vec<MailRow>,
    pub(super) queue: Vec<MailRow>,
    pub(super) sent: Vec<MailRow>,
    pub(super) done: Option<&'static str>,
}

impl Page for MailsPage {
    const TEMPLATE: &'static str = "mails.html";
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MailRow {
    pub(super) id: String,
    pub(super) letter: String,
    pub(super) to: String,
    pub(super) at: When,
    pub(super) why: String,
}

impl From<MailView> for MailRow {
    fn from(mail: MailView) -> Self {
        let (at, why) = match mail.state {
            MailState::Queued => (mail.queued, String::new()),
            MailState::Retrying { why, at, .. } | MailState::Dead { why, at } | MailState::Obsolete { why, at } => {
                (at, why)
            }
            MailState::Sent { at, .. } => (at, String::new()),
        };
        Self {
            id: mail.id.to_string(),
            letter: mail.letter.replace('_', " "),
            to: mail.address.map_or_else(|| "the address on file".to_owned(), String::from),
            at: at.into(),
            why,
        }
    }
}

/// Of each list this many are shown.
const AT_A_GLANCE: u32 = 20;

/// `GET /admin/mail`
pub(super) async fn list(
    State(state): State<EnrollmentState>,
    desk: Desk,
    Query(DoneQuery { done: word }): Query<DoneQuery>,
) -> Answer<Response> {
    let administrator = state.service().administrator();
    let status = administrator.mail_status(&desk.by).await?;
    let first = PageRequest { cursor: None, limit: Some(AT_A_GLANCE) };
    let rows = async |standing| {
        let listing = administrator.mails(&desk.by, standing, &first).await;
        listing.map(|listing| listing.items.into_iter().map(MailRow::from).collect())
    };
    let page = MailsPage {
        configured: status.configured,
        paused: status.pause.map(|pause| pause.why),
        dead: rows(MailStanding::Dead).await?,
        queue: rows(MailStanding::Queue).await?,
        sent: rows(MailStanding::Sent).await?,
        done: done(word.as_deref()),
        me: desk.me,
    };
    Ok(answer(&state, StatusCode::OK, &page))
}

/// `POST /admin/mail/{id}/revive`
pub(super) async fn revive(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<OutboxId>,
    _: Posted,
) -> Answer<Response> {
    state.service().administrator().revive_mail(&desk.by, id).await?;
    Ok(see_other("/admin/mail?done=revived"))
}
