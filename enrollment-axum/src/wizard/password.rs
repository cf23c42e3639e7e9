//! Choosing a password.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::secret::{Password, SessionSecret};
use enrollment_core::service::Origin;
use enrollment_core::service::enrollee::SessionState;
use serde::{Deserialize, Serialize};

use super::journey::{self, Journey, Step};
use super::session::{elsewhere, onward, page_of};
use crate::client::Client;
use crate::extract::{CurrentSession, SecretText};
use crate::page::{Field, Form, FormProblem, Page, answer};
use crate::problem::{Answer, PageStatus, Problem};
use crate::state::EnrollmentState;

#[derive(Debug, Clone, Serialize)]
pub(super) struct PasswordPage {
    pub(super) journey: Journey,
    /// For the password manager.
    pub(super) username: String,
    /// The least length as things stand.
    pub(super) min: u32,
    /// The least length beside a second factor, where one may still be set up.
    pub(super) min_with_factor: Option<u32>,
    pub(super) max: u32,
    /// One was chosen, and is too short to stand alone.
    pub(super) too_short: bool,
    pub(super) password: Field,
    pub(super) again: Field,
    pub(super) above: Option<String>,
}

impl Page for PasswordPage {
    const TEMPLATE: &'static str = "password.html";
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    password: SecretText,
    again: SecretText,
}

/// `GET /enroll/password`
pub(super) async fn show(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
) -> Answer<Response> {
    shown(&state, &session, origin, StatusCode::OK, |_| {}).await
}

/// Nothing of what was typed is shown again.
async fn shown(
    state: &EnrollmentState,
    session: &SessionSecret,
    origin: Origin,
    status: impl Into<PageStatus> + Send,
    change: impl FnOnce(&mut PasswordPage) + Send,
) -> Answer<Response> {
    let (stands, journey) = match page_of(state, session, origin, Step::Password).await? {
        Ok(page) => page,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let rules = &state.service().policy().password;
    let with_factor = stands.mfa_verified || demands_factor(&stands);
    let may_add = !with_factor && journey::has(&stands, Step::Factor);
    let mut page = PasswordPage {
        journey,
        username: stands.person()?.username.to_string(),
        min: if with_factor { rules.min_with_mfa } else { rules.min_alone },
        min_with_factor: may_add.then_some(rules.min_with_mfa),
        max: rules.max,
        too_short: stands.missing.contains(&Requirement::PasswordLength),
        password: Field::default(),
        again: Field::default(),
        above: None,
    };
    change(&mut page);
    Ok(answer(state, status, &page))
}

fn demands_factor(stands: &SessionState) -> bool {
    journey::has(stands, Step::Factor) && !stands.optional.contains(&Requirement::Mfa)
}

/// `POST /enroll/password`
pub(super) async fn choose(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Form(form): Form<PasswordForm>,
) -> Answer<Response> {
    if form.password.expose() != form.again.expose() {
        let again = Field::default().refused("The two are not the same. Please type both again.");
        return shown(&state, &session, origin, StatusCode::UNPROCESSABLE_ENTITY, |page| page.again = again).await;
    }
    let chosen = match Password::parse(form.password.into_string()).map_err(Rejection::Password) {
        Ok(password) => {
            let chosen = state.service().enrollee().choose_password(&session, password, origin).await;
            chosen.map_err(Problem::from)
        }
        Err(rejection) => Err(rejection.into()),
    };
    let problem = match chosen {
        // Too short to stand alone: the page says what can be done about it.
        Ok(stands) if stands.missing.contains(&Requirement::PasswordLength) && !journey::has(&stands, Step::Factor) => {
            return shown(&state, &session, origin, StatusCode::UNPROCESSABLE_ENTITY, |_| {}).await;
        }
        Ok(stands) => return Ok(onward(&stands, Step::Password)),
        Err(problem) => problem,
    };
    let status = problem.page_status();
    match FormProblem::sort(problem, &[], &["passwords_exhausted", "step_not_offered"]) {
        FormProblem::Beside(_, text) => {
            let password = Field::default().refused(text);
            shown(&state, &session, origin, status, |page| page.password = password).await
        }
        FormProblem::Above(text) => shown(&state, &session, origin, status, |page| page.above = Some(text)).await,
        FormProblem::Elsewhere(problem) => elsewhere(problem),
    }
}
