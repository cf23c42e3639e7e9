//! What every step has in common: whose visit it is, where the session stands, and its page, shown again until the step
//! is done.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use enrollment_core::secret::SessionSecret;
use enrollment_core::service::Origin;
use enrollment_core::service::enrollee::SessionState;

use super::journey::{self, DONE, Journey, Step};
use crate::client::Client;
use crate::extract::CurrentSession;
use crate::page::{Branding, Field, FormProblem, Page, answer, see_other};
use crate::problem::{Answer, PageStatus, Problem};
use crate::state::EnrollmentState;

/// A person who comes with a session, as an extractor.
pub(super) struct Visit {
    pub(super) state: EnrollmentState,
    pub(super) session: SessionSecret,
    pub(super) origin: Origin,
}

impl<S> FromRequestParts<S> for Visit
where
    EnrollmentState: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Client(origin)) = Client::from_request_parts(parts, state).await;
        let CurrentSession(session) = CurrentSession::from_request_parts(parts, state).await?;
        Ok(Self { state: EnrollmentState::from_ref(state), session, origin })
    }
}

/// The page of a step, with a form that is shown again with what is wrong in it.
pub(super) trait StepPage: Page + Send + Sized {
    /// The step.
    const STEP: Step;

    /// The page as the session stands; where there is nothing to show, where to go.
    fn make(
        visit: &Visit,
        stands: SessionState,
        journey: Journey,
    ) -> impl Future<Output = Answer<Result<Self, Response>>> + Send;

    /// What stands above the form.
    fn above(&mut self) -> &mut Option<String>;

    /// The field of this name. A refusal that names none of the page's stands beside its main one.
    fn field(&mut self, name: &str) -> &mut Field;
}

/// What of a step's refusals can be put right on its page, by their codes: beside a field, or above the form. What names a
/// field goes beside it. All else leads elsewhere.
pub(super) struct Sorted {
    pub(super) beside: &'static [(&'static str, &'static str)],
    pub(super) above: &'static [&'static str],
}

impl Visit {
    /// The page of a step.
    pub(super) async fn show<P: StepPage>(&self) -> Answer<Response> {
        self.show_again::<P>(StatusCode::OK, |_| {}).await
    }

    /// The page of a step with another status, and with something in it changed.
    pub(super) async fn show_again<P: StepPage>(
        &self,
        status: impl Into<PageStatus> + Send,
        change: impl FnOnce(&mut P) + Send,
    ) -> Answer<Response> {
        let (stands, journey) = match self.step(P::STEP).await? {
            Ok(page) => page,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let mut page = match P::make(self, stands, journey).await? {
            Ok(page) => page,
            Err(elsewhere) => return Ok(elsewhere),
        };
        change(&mut page);
        Ok(answer(&self.state, status, &page))
    }

    /// The page of a step with what was typed, and what is wrong with it; or where it belongs instead.
    pub(super) async fn refuse<P: StepPage>(
        &self,
        problem: impl Into<Problem> + Send,
        sorted: &Sorted,
        typed: impl FnOnce(&mut P) + Send,
    ) -> Answer<Response> {
        let problem = problem.into();
        let status = problem.page_status();
        match FormProblem::sort(problem, sorted.beside, sorted.above) {
            FormProblem::Beside(name, text) => {
                let beside = |page: &mut P| {
                    typed(page);
                    let field = page.field(&name);
                    *field = std::mem::take(field).refused(text);
                };
                self.show_again(status, beside).await
            }
            FormProblem::Above(text) => {
                let above = |page: &mut P| {
                    typed(page);
                    *page.above() = Some(text);
                };
                self.show_again(status, above).await
            }
            FormProblem::Elsewhere(problem) => elsewhere(problem),
        }
    }

    /// Where the session stands at a step: shown when the step is part of this person's way, otherwise they are led to
    /// where they stand.
    pub(super) async fn step(&self, step: Step) -> Answer<Result<(SessionState, Journey), Response>> {
        let Some(stands) = self.stands().await? else { return Ok(Err(see_other(DONE))) };
        if !journey::has(&stands, step) {
            return Ok(Err(see_other(journey::next(&stands, None))));
        }
        let journey = Journey::new(&stands, step, self.state.service().now());
        Ok(Ok((stands, journey)))
    }

    /// Where the session stands. `None`: the enrollment is complete, and only its last page is left.
    pub(super) async fn stands(&self) -> Answer<Option<SessionState>> {
        let stands = self.state.service().enrollee().session(&self.session, self.origin).await?;
        self.state.branding().seen(Branding::from(&stands.settings));
        // These pages are for people; a machine's session shows none of them.
        stands.person()?;
        Ok((!stands.completed).then_some(stands))
    }
}

/// On to the next page, once a step is done.
pub(super) fn onward(stands: &SessionState, step: Step) -> Response {
    see_other(journey::next(stands, Some(step)))
}

/// A refusal that no form can put right. Whoever comes too late to a completed enrollment sees how it ended.
pub(super) fn elsewhere(problem: Problem) -> Answer<Response> {
    match &*problem.document().code {
        "already_completed" => Ok(see_other(DONE)),
        _ => Err(problem),
    }
}

/// `GET /enroll/continue`: to where the person stands.
pub(super) async fn go_on(visit: Visit) -> Answer<Response> {
    let path = match visit.stands().await? {
        Some(stands) => journey::next(&stands, None),
        None => DONE,
    };
    Ok(see_other(path))
}
