//! Starting an enrollment, and the page that shows its link this once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::id::UserId;
use enrollment_core::secret::qr_svg;
use enrollment_core::service::administrator::{Delivery, Issued, Link, StartEnrollment, UserView};
use serde::Serialize;

use super::desk::{Desk, Me, When};
use super::form::Posted;
use crate::extract::{PathId, optional};
use crate::page::{Page, answer};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;
use crate::words::{DELIVERIES, PURPOSES};

/// An invitation that was just issued. Its secret is shown here and nowhere else.
#[derive(Debug, Clone, Serialize)]
pub(super) struct IssuedPage {
    pub(super) me: Me,
    pub(super) user_id: String,
    pub(super) name: String,
    pub(super) purpose: &'static str,
    pub(super) expires: When,
    /// It goes by mail.
    pub(super) mailed: bool,
    /// What is handed over, where somebody does.
    pub(super) shown: Option<ShownLink>,
}

/// What is handed over.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ShownLink {
    pub(super) url: String,
    pub(super) token: String,
    pub(super) deep_link: Option<String>,
    pub(super) qr_svg: Option<String>,
}

impl Page for IssuedPage {
    const TEMPLATE: &'static str = "issued.html";
}

/// `POST /admin/users/{id}/invite`
pub(super) async fn start(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<UserId>,
    posted: Posted,
) -> Answer<Response> {
    let start = StartEnrollment {
        purpose: PURPOSES.read_optional("purpose", posted.given("purpose"))?.unwrap_or(Purpose::Onboarding),
        delivery: DELIVERIES.read_optional("delivery", posted.given("delivery"))?.unwrap_or_default(),
        email: optional("email", posted.given("email"))?,
        validity: optional("validity", posted.given("validity"))?,
        wording: None,
    };
    let administrator = state.service().administrator();
    // Before: a read that fails once the link is made would lose it.
    let user = administrator.user(&desk.by, id).await?;
    let issued = administrator.start(&desk.by, id, start).await?;
    issued_page(&state, desk.me, &user, &issued).await
}

/// The page of an invitation. What goes by mail alone is seen by its recipient alone.
pub(super) async fn issued_page(
    state: &EnrollmentState,
    me: Me,
    user: &UserView,
    issued: &Issued,
) -> Result<Response, Problem> {
    let name = format!("{} {}", user.first_name, user.last_name).trim().to_owned();
    let shown = (issued.delivery != Delivery::Email).then(|| ShownLink {
        url: issued.url.expose().to_owned(),
        token: issued.token.expose().to_owned(),
        deep_link: issued.deep_link.as_ref().map(|link| Link::expose(link).to_owned()),
        // Too long for a code: the link alone is shown.
        qr_svg: qr_svg(issued.url.expose()).ok(),
    });
    let page = IssuedPage {
        me,
        user_id: user.id.to_string(),
        name: if name.is_empty() { user.username.to_string() } else { name },
        purpose: issued.purpose.as_str(),
        expires: issued.expires_at.into(),
        mailed: issued.delivery.mails(),
        shown,
    };
    Ok(answer(state, StatusCode::CREATED, &page))
}
