//! Enrollments that are not finished.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::id::EnrollmentId;
use enrollment_core::service::administrator::{
    Delivery, EnrollmentFilter, EnrollmentView, Issued, Listing, Stage, Standing, WhoseView,
};
use serde::Serialize;

use super::desk::{Desk, Me, When, done};
use super::form::Posted;
use super::invitation::issued_page;
use super::users::ListQuery;
use crate::extract::{PathId, Query};
use crate::page::{Page, answer, see_other};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// The list.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PendingPage {
    pub(super) me: Me,
    pub(super) rows: Vec<PendingRow>,
    pub(super) search: String,
    pub(super) next: Option<String>,
    pub(super) further: bool,
    pub(super) can_mail: bool,
    pub(super) done: Option<&'static str>,
}

impl Page for PendingPage {
    const TEMPLATE: &'static str = "pending.html";
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PendingRow {
    pub(super) id: String,
    /// `None`: it is for a machine.
    pub(super) user_id: Option<String>,
    /// The username, or the machine's name.
    pub(super) username: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) purpose: &'static str,
    pub(super) expires: When,
    pub(super) expired: bool,
    /// How far it is, in words.
    pub(super) progress: String,
    /// How it was delivered, in words.
    pub(super) delivery: String,
    pub(super) mail_failed: bool,
    pub(super) refusal: Option<String>,
    pub(super) takeovers: u32,
    /// Whether any mail with the link was asked for (ADM-4).
    pub(super) sent_before: bool,
}

impl From<EnrollmentView> for PendingRow {
    fn from(view: EnrollmentView) -> Self {
        let done = [
            (view.progress.profile, "profile"),
            (view.progress.password, "password"),
            (view.progress.mfa, "second factor"),
            (view.progress.device, "device"),
        ];
        let done: Vec<_> = done.into_iter().filter(|(done, _)| *done).map(|(_, step)| step).collect();
        let progress = match (view.progress.stage, done.is_empty()) {
            (Stage::Invited, true) => "Not begun".to_owned(),
            (_, true) => "Link opened".to_owned(),
            (_, false) => format!("Done: {}", done.join(", ")),
        };
        let mail = view.mail.as_ref().map(|mail| mail.as_str());
        let delivery = match (view.delivery, mail) {
            (Delivery::Manual, None) => "By hand".to_owned(),
            (_, Some("dead")) => "E-mail failed".to_owned(),
            (_, Some(state)) => format!("E-mail {state}"),
            (_, None) => "E-mail".to_owned(),
        };
        let (user_id, username, name) = match view.whose {
            WhoseView::Person(person) => {
                let name = format!("{} {}", person.first_name, person.last_name).trim().to_owned();
                (Some(person.id.to_string()), person.username.to_string(), name)
            }
            WhoseView::Machine { id: _, name } => (None, name.to_string(), "a machine".to_owned()),
        };
        Self {
            id: view.id.to_string(),
            user_id,
            username,
            name,
            email: view.email.map(String::from).unwrap_or_default(),
            purpose: view.purpose.as_str(),
            expires: view.expires_at.into(),
            expired: view.expired,
            progress,
            delivery,
            mail_failed: mail == Some("dead"),
            refusal: view.last_refusal.map(|refusal| refusal.missing.join(", ")),
            takeovers: view.takeovers,
            sent_before: mail.is_some(),
        }
    }
}

/// `GET /admin/pending`
pub(super) async fn list(
    State(state): State<EnrollmentState>,
    desk: Desk,
    Query(query): Query<ListQuery>,
) -> Answer<Response> {
    let filter = EnrollmentFilter { standing: Standing::Open, prefix: query.search().map(str::to_owned) };
    let Listing { items, next } = state.service().administrator().enrollments(&desk.by, &filter, &query.page()).await?;
    let page = PendingPage {
        me: desk.me,
        rows: items.into_iter().map(PendingRow::from).collect(),
        search: query.search().unwrap_or_default().to_owned(),
        next,
        further: query.cursor.is_some(),
        can_mail: state.service().can_mail(),
        done: done(query.done.as_deref()),
    };
    Ok(answer(&state, StatusCode::OK, &page))
}

/// `POST /admin/pending/{id}/resend`: the same link by e-mail.
pub(super) async fn resend(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<EnrollmentId>,
    _: Posted,
) -> Answer<Response> {
    state.service().administrator().resend(&desk.by, id, None).await?;
    Ok(see_other("/admin/pending?done=sent"))
}

/// `POST /admin/pending/{id}/rotate`: a new link in place of the old one, shown here.
pub(super) async fn rotate(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<EnrollmentId>,
    _: Posted,
) -> Answer<Response> {
    let administrator = state.service().administrator();
    // Before: a read that fails once the link is made would lose it.
    let user = administrator.enrollment(&desk.by, id).await?.person().ok_or(Rejection::ForMachine)?.id;
    let user = administrator.user(&desk.by, user).await?;
    let issued = administrator.rotate(&desk.by, id).await?;
    issued_page(&state, desk.me, &user, &Issued { delivery: Delivery::Manual, ..issued }).await
}

/// `POST /admin/pending/{id}/delete`
pub(super) async fn delete(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<EnrollmentId>,
    _: Posted,
) -> Answer<Response> {
    state.service().administrator().revoke(&desk.by, id).await?;
    Ok(see_other("/admin/pending?done=deleted"))
}
