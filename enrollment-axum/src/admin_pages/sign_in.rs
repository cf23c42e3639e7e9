//! Signing in, in two steps, and out.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::{AdminSessionSecret, Password, RecoveryCode};
use enrollment_core::service::sign_in::{FactorAnswer, SignInRequest, SignInStep};
use enrollment_core::service::{Failure, Origin};
use serde::{Deserialize, Serialize};

use super::desk::done;
use super::form::{Posted, Shown};
use super::session::{Held, browser, forget, half_way, keep, keep_half_way, session};
use crate::client::Client;
use crate::extract::Query;
use crate::page::{Page, answer as page, see_other};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

const CODE: &str = "/admin/sign-in/code";
/// Said as well to whoever was disabled since the first step.
const WRONG_CODE: &str = "This is not right, or was used before.";

/// The first step.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SignInPage {
    pub(super) form: Shown,
    /// How long to wait, in words.
    pub(super) wait: Option<String>,
    /// A recovery code may tell the user from those who guess.
    pub(super) guessed_at: bool,
    pub(super) done: Option<&'static str>,
}

impl Page for SignInPage {
    const TEMPLATE: &'static str = "sign_in.html";
}

/// The second step.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CodePage {
    pub(super) form: Shown,
    pub(super) wait: Option<String>,
}

impl Page for CodePage {
    const TEMPLATE: &'static str = "sign_in_code.html";
}

#[derive(Deserialize)]
pub(super) struct DoneQuery {
    pub(super) done: Option<String>,
}

/// `GET /admin/sign-in`
pub(super) async fn show(
    State(state): State<EnrollmentState>,
    Query(DoneQuery { done: word }): Query<DoneQuery>,
) -> Response {
    let form = Shown::empty(&["username", "password", "recovery"]);
    let shown = SignInPage { form, wait: None, guessed_at: false, done: done(word.as_deref()) };
    page(&state, StatusCode::OK, &shown)
}

/// `POST /admin/sign-in`
pub(super) async fn begin(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    headers: HeaderMap,
    mut posted: Posted,
) -> Answer<Response> {
    state.limits().tokens.admit(origin.source)?;
    // Neither is shown again.
    let (typed, recovery) = (posted.take("password"), posted.take("recovery"));
    let refusal = match request(&posted, typed, &recovery, &headers, &state) {
        Err(refusal) => refusal.into(),
        Ok(request) => match state.service().sign_in().begin(&request, origin).await {
            Ok(SignInStep::Factor(half)) => {
                end(&state, half_way(&headers, state.options()), origin).await;
                return Ok(keep_half_way(see_other(CODE), &half, state.options()));
            }
            Ok(SignInStep::Done(opened)) => {
                end(&state, half_way(&headers, state.options()), origin).await;
                end(&state, session(&headers, state.options()), origin).await;
                return Ok(keep(see_other("/admin"), &opened, state.options()));
            }
            Err(failure) => failure,
        },
    };
    let wait = wait(&refusal);
    let guessed_at = wait.is_some() || matches!(refusal, Failure::Rejected(Rejection::SignInStopped));
    let problem = Problem::from(refusal);
    let status = problem.page_status();
    let form = Shown::typed(&["username", "password", "recovery"], &posted).refused(problem, &[])?;
    Ok(page(&state, status, &SignInPage { form, wait, guessed_at, done: None }))
}

fn request(
    posted: &Posted,
    password: String,
    recovery: &str,
    headers: &HeaderMap,
    state: &EnrollmentState,
) -> Result<SignInRequest, Rejection> {
    // What cannot be a password is a wrong one, and not worth a word of its own.
    let password = Password::parse(password).map_err(|_| Rejection::SignInRefused)?;
    let recovery = Some(recovery.trim()).filter(|text| !text.is_empty()).map(RecoveryCode::parse).transpose();
    let reason = "sixteen letters and digits, as XXXX-XXXX-XXXX-XXXX".to_owned();
    Ok(SignInRequest {
        username: posted.get("username").trim().to_owned(),
        password,
        browser: browser(headers, state.options()),
        recovery: recovery.map_err(|_| Rejection::InvalidField { field: "recovery", reason })?,
    })
}

/// `GET /admin/sign-in/code`
pub(super) async fn show_code(State(state): State<EnrollmentState>, headers: HeaderMap) -> Response {
    if half_way(&headers, state.options()).is_none() {
        return see_other("/admin/sign-in");
    }
    page(&state, StatusCode::OK, &CodePage { form: Shown::empty(&["code"]), wait: None })
}

/// `POST /admin/sign-in/code`
pub(super) async fn answer(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    headers: HeaderMap,
    posted: Posted,
) -> Answer<Response> {
    let Some(half) = half_way(&headers, state.options()) else { return Ok(see_other("/admin/sign-in")) };
    state.limits().tokens.admit(origin.source)?;
    let refusal = match FactorAnswer::parse(posted.get("code")) {
        Err(refusal) => refusal.into(),
        Ok(code) => match state.service().sign_in().answer(&half, &code, origin).await {
            Ok(opened) => {
                end(&state, session(&headers, state.options()), origin).await;
                return Ok(keep(see_other("/admin"), &opened, state.options()));
            }
            Err(failure) => failure,
        },
    };
    let wait = wait(&refusal);
    let problem = Problem::from(refusal);
    let status = problem.page_status();
    if problem.document().code == "not_signed_in" {
        return Err(problem);
    }
    let form = Shown::empty(&["code"]);
    let form = match &*problem.document().code {
        "sign_in_refused" => form.wrong("code", WRONG_CODE),
        _ => form.refused(problem, &[])?,
    };
    Ok(page(&state, status, &CodePage { form, wait }))
}

/// `POST /admin/sign-out`
pub(super) async fn sign_out(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    headers: HeaderMap,
    Held(session): Held,
    _: Posted,
) -> Answer<Response> {
    state.service().sign_in().sign_out(&session, origin).await?;
    end(&state, half_way(&headers, state.options()), origin).await;
    Ok(forget(see_other("/admin/sign-in?done=signed_out"), state.options()))
}

/// Ends what the browser held and holds no longer. Where the store cannot do it now, that is no reason to refuse a sign-in
/// that has succeeded: it ends by itself.
async fn end(state: &EnrollmentState, replaced: Option<AdminSessionSecret>, origin: Origin) {
    let Some(replaced) = replaced else { return };
    if let Err(error) = state.service().sign_in().sign_out(&replaced, origin).await {
        tracing::warn!(%error, "a session that was replaced could not be ended");
    }
}

/// For how long to wait, in words, where it is that.
fn wait(failure: &Failure) -> Option<String> {
    let Failure::Rejected(Rejection::TooMany { retry_after }) = failure else { return None };
    let seconds = (retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0)).max(1);
    let (count, unit) = if seconds <= 90 { (seconds, "second") } else { (seconds.div_ceil(60), "minute") };
    Some(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
}
