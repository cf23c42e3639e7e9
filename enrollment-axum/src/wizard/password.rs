//! Choosing a password.

use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::secret::Password;
use enrollment_core::service::enrollee::SessionState;
use serde::{Deserialize, Serialize};

use super::journey::{self, Journey, Step};
use super::session::{Sorted, StepPage, Visit, onward};
use crate::extract::SecretText;
use crate::page::{Field, Form, Page};
use crate::problem::{Answer, Problem};

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

/// Nothing of what was typed is shown again.
impl StepPage for PasswordPage {
    const STEP: Step = Step::Password;

    async fn make(visit: &Visit, stands: SessionState, journey: Journey) -> Answer<Result<Self, Response>> {
        let rules = &visit.state.service().policy().password;
        let with_factor = stands.mfa_verified || demands_factor(&stands);
        let may_add = !with_factor && journey::has(&stands, Step::Factor);
        Ok(Ok(Self {
            journey,
            username: stands.person()?.username.to_string(),
            min: if with_factor { rules.min_with_mfa } else { rules.min_alone },
            min_with_factor: may_add.then_some(rules.min_with_mfa),
            max: rules.max,
            too_short: stands.missing.contains(&Requirement::PasswordLength),
            password: Field::default(),
            again: Field::default(),
            above: None,
        }))
    }

    fn above(&mut self) -> &mut Option<String> {
        &mut self.above
    }

    fn field(&mut self, _: &str) -> &mut Field {
        &mut self.password
    }
}

/// `GET /enroll/password`
pub(super) async fn show(visit: Visit) -> Answer<Response> {
    visit.show::<PasswordPage>().await
}

fn demands_factor(stands: &SessionState) -> bool {
    journey::has(stands, Step::Factor) && !stands.optional.contains(&Requirement::Mfa)
}

/// `POST /enroll/password`
pub(super) async fn choose(visit: Visit, Form(form): Form<PasswordForm>) -> Answer<Response> {
    if form.password.expose() != form.again.expose() {
        let again = Field::default().refused("The two are not the same. Please type both again.");
        let with_again = |page: &mut PasswordPage| page.again = again;
        return visit.show_again(StatusCode::UNPROCESSABLE_ENTITY, with_again).await;
    }
    let chosen = match Password::parse(form.password.into_string()).map_err(Rejection::Password) {
        Ok(password) => {
            let enrollee = visit.state.service().enrollee();
            let chosen = enrollee.choose_password(&visit.session, password, visit.origin).await;
            chosen.map_err(Problem::from)
        }
        Err(rejection) => Err(rejection.into()),
    };
    match chosen {
        // Too short to stand alone: the page says what can be done about it.
        Ok(stands) if stands.missing.contains(&Requirement::PasswordLength) && !journey::has(&stands, Step::Factor) => {
            visit.show_again::<PasswordPage>(StatusCode::UNPROCESSABLE_ENTITY, |_| {}).await
        }
        Ok(stands) => Ok(onward(&stands, Step::Password)),
        Err(problem) => {
            let sorted = Sorted { beside: &[], above: &["passwords_exhausted", "step_not_offered"] };
            visit.refuse::<PasswordPage>(problem, &sorted, |_| {}).await
        }
    }
}
