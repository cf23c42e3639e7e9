//! What every step begins with: where the session stands.

use axum::extract::State;
use axum::response::Response;
use enrollment_core::secret::SessionSecret;
use enrollment_core::service::Origin;
use enrollment_core::service::enrollee::SessionState;

use super::journey::{self, DONE, Journey, Step};
use crate::client::Client;
use crate::extract::CurrentSession;
use crate::page::{Branding, see_other};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

/// Where the session stands. `None`: the enrollment is complete, and only its last page is left.
pub(super) async fn stands(
    state: &EnrollmentState,
    session: &SessionSecret,
    origin: Origin,
) -> Answer<Option<SessionState>> {
    let stands = state.service().enrollee().session(session, origin).await?;
    state.branding().seen(Branding::from(&stands.settings));
    // These pages are for people; a machine's session shows none of them.
    stands.person()?;
    Ok((!stands.completed).then_some(stands))
}

/// The page of a step: shown when the step is part of this person's way, otherwise they are led to where they stand.
pub(super) async fn page_of(
    state: &EnrollmentState,
    session: &SessionSecret,
    origin: Origin,
    step: Step,
) -> Answer<Result<(SessionState, Journey), Response>> {
    let Some(stands) = stands(state, session, origin).await? else { return Ok(Err(see_other(DONE))) };
    if !journey::has(&stands, step) {
        return Ok(Err(see_other(journey::next(&stands, None))));
    }
    let journey = Journey::new(&stands, step, state.service().now());
    Ok(Ok((stands, journey)))
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
pub(super) async fn go_on(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
) -> Answer<Response> {
    let path = match stands(&state, &session, origin).await? {
        Some(stands) => journey::next(&stands, None),
        None => DONE,
    };
    Ok(see_other(path))
}
