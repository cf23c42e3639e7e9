//! Seeing and confirming one's own data.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::contact::Phone;
use enrollment_core::secret::SessionSecret;
use enrollment_core::service::Origin;
use serde::{Deserialize, Serialize};

use super::journey::{Journey, Step};
use super::session::{elsewhere, onward, page_of};
use crate::client::Client;
use crate::extract::{CurrentSession, optional};
use crate::page::{Field, Form, FormProblem, Page, answer};
use crate::problem::{Answer, PageStatus, Problem};
use crate::state::EnrollmentState;

#[derive(Debug, Clone, Serialize)]
pub(super) struct ProfilePage {
    pub(super) journey: Journey,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) phone: Field,
    pub(super) above: Option<String>,
}

impl Page for ProfilePage {
    const TEMPLATE: &'static str = "profile.html";
}

#[derive(Default, Deserialize)]
pub(super) struct ProfileForm {
    #[serde(default)]
    phone: String,
}

/// `GET /enroll/profile`
pub(super) async fn show(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
) -> Answer<Response> {
    shown(&state, &session, origin, StatusCode::OK, |_| {}).await
}

async fn shown(
    state: &EnrollmentState,
    session: &SessionSecret,
    origin: Origin,
    status: impl Into<PageStatus> + Send,
    change: impl FnOnce(&mut ProfilePage) + Send,
) -> Answer<Response> {
    let (stands, journey) = match page_of(state, session, origin, Step::Profile).await? {
        Ok(page) => page,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let user = stands.person()?.clone();
    let mut page = ProfilePage {
        journey,
        username: user.username.to_string(),
        name: format!("{} {}", user.first_name, user.last_name).trim().to_owned(),
        email: user.email.map(Into::into),
        phone: Field::with(user.phone.map(String::from).unwrap_or_default()),
        above: None,
    };
    change(&mut page);
    Ok(answer(state, status, &page))
}

/// `POST /enroll/profile`
pub(super) async fn confirm(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Form(form): Form<ProfileForm>,
) -> Answer<Response> {
    let typed = form.phone.trim();
    let phone: Result<Option<Phone>, Problem> = optional("phone", Some(typed).filter(|typed| !typed.is_empty()));
    let confirmed = match phone {
        Ok(phone) => {
            let confirmed = state.service().enrollee().confirm_profile(&session, phone, origin).await;
            confirmed.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    let problem = match confirmed {
        Ok(stands) => return Ok(onward(&stands, Step::Profile)),
        Err(problem) => problem,
    };
    let status = problem.page_status();
    match FormProblem::sort(problem, &[], &[]) {
        FormProblem::Beside(_, text) => {
            let phone = Field::with(form.phone).refused(text);
            shown(&state, &session, origin, status, |page| page.phone = phone).await
        }
        FormProblem::Above(text) => shown(&state, &session, origin, status, |page| page.above = Some(text)).await,
        FormProblem::Elsewhere(problem) => elsewhere(problem),
    }
}
