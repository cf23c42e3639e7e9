//! Signing in, in two steps, and out.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::{Password, RecoveryCode};
use enrollment_core::service::Failure;
use enrollment_core::service::sign_in::{FactorAnswer, SignInRequest, SignInStep};
use serde::{Deserialize, Serialize};

use super::desk::done;
use super::form::{Posted, Shown};
use super::session::{Held, browser, forget, half_way, keep, keep_half_way};
use crate::client::Client;
use crate::extract::Query;
use crate::page::{Page, answer as page, see_other};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

const CODE: &str = "/admin/sign-in/code";

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
    let typed = posted.take("password");
    let refusal = match request(&posted, typed, &headers, &state) {
        Err(refusal) => refusal.into(),
        Ok(request) => match state.service().sign_in().begin(&request, origin).await {
            Ok(SignInStep::Factor(half)) => {
                return Ok(keep_half_way(see_other(CODE), &half, state.options()));
            }
            Ok(SignInStep::Done(opened)) => return Ok(keep(see_other("/admin"), &opened, state.options())),
            Err(failure) => failure,
        },
    };
    let wait = seconds(&refusal);
    let guessed_at = wait.is_some() || matches!(refusal, Failure::Rejected(Rejection::SignInStopped));
    let problem = Problem::from(refusal);
    let status = problem.status();
    let form = Shown::typed(&["username", "password", "recovery"], &posted).refused(problem, &[])?;
    let shown = SignInPage { form, wait: wait.map(words), guessed_at, done: None };
    Ok(retry_after(page(&state, status, &shown), wait))
}

fn request(
    posted: &Posted,
    password: String,
    headers: &HeaderMap,
    state: &EnrollmentState,
) -> Result<SignInRequest, Rejection> {
    // What cannot be a password is a wrong one, and not worth a word of its own.
    let password = Password::parse(password).map_err(|_| Rejection::SignInRefused)?;
    let recovery = posted.given("recovery").map(RecoveryCode::parse).transpose();
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
            Ok(opened) => return Ok(keep(see_other("/admin"), &opened, state.options())),
            Err(failure) => failure,
        },
    };
    let wait = seconds(&refusal);
    let problem = Problem::from(refusal);
    let status = problem.status();
    if problem.document().code == "not_signed_in" {
        return Err(problem);
    }
    let form = Shown::empty(&["code"]).refused(problem, &[("sign_in_refused", "code")])?;
    Ok(retry_after(page(&state, status, &CodePage { form, wait: wait.map(words) }), wait))
}

/// `POST /admin/sign-out`
pub(super) async fn sign_out(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    Held(session): Held,
    _: Posted,
) -> Answer<Response> {
    state.service().sign_in().sign_out(&session, origin).await?;
    Ok(forget(see_other("/admin/sign-in?done=signed_out"), state.options()))
}

/// For how long to wait, where it is that.
fn seconds(failure: &Failure) -> Option<u64> {
    let Failure::Rejected(Rejection::TooMany { retry_after }) = failure else { return None };
    Some((retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0)).max(1))
}

fn words(seconds: u64) -> String {
    let (count, unit) = if seconds <= 90 { (seconds, "second") } else { (seconds.div_ceil(60), "minute") };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Says for how long to wait to programs as well (SYS-3).
fn retry_after(mut response: Response, wait: Option<u64>) -> Response {
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
