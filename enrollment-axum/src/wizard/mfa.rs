//! Setting up a second factor.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::location::FactorKind;
use enrollment_core::secret::SessionSecret;
use enrollment_core::service::enrollee::RecoveryCodes;
use enrollment_core::service::{Failure, Origin};
use serde::{Deserialize, Serialize};

use super::journey::{FACTOR, Journey, Step};
use super::session::{elsewhere, page_of};
use crate::client::Client;
use crate::extract::{CurrentSession, SecretText};
use crate::page::{Field, Form, FormProblem, OfferView, Page, answer, see_other};
use crate::problem::{Answer, PageStatus, Problem};
use crate::state::EnrollmentState;

/// The choice of a factor, the app to be scanned, or that it is done.
#[derive(Clone, Serialize)]
pub(super) struct FactorPage {
    pub(super) journey: Journey,
    pub(super) app: bool,
    /// Where codes by e-mail would go, if they count.
    pub(super) email: Option<String>,
    pub(super) offer: Option<OfferView>,
    /// How many recovery codes come with a factor.
    pub(super) recovery_codes: u32,
    pub(super) code: Field,
    pub(super) above: Option<String>,
}

impl Page for FactorPage {
    const TEMPLATE: &'static str = "factor.html";
}

/// A code that was sent is to be typed.
#[derive(Clone, Serialize)]
pub(super) struct EmailCodePage {
    pub(super) journey: Journey,
    pub(super) email: String,
    pub(super) code: Field,
    pub(super) above: Option<String>,
}

impl Page for EmailCodePage {
    const TEMPLATE: &'static str = "email_code.html";
}

/// Recovery codes, shown here only.
#[derive(Clone, Serialize)]
pub(super) struct CodesPage {
    pub(super) journey: Journey,
    pub(super) codes: Vec<String>,
    /// The same as a file.
    pub(super) file: String,
}

impl Page for CodesPage {
    const TEMPLATE: &'static str = "codes.html";
}

#[derive(Deserialize)]
pub(super) struct CodeForm {
    code: SecretText,
}

/// Nothing but a button.
#[derive(Deserialize)]
pub(super) struct Pressed {}

/// What is refused here and still can be put right here.
const ABOVE: &[&str] =
    &["codes_exhausted", "email_codes_not_offered", "mfa_not_started", "mfa_not_verified", "step_not_offered"];
const BESIDE: &[(&str, &str)] = &[("wrong_code", "code"), ("code_expired", "code")];

/// `GET /enroll/second-factor`
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
    change: impl FnOnce(&mut FactorPage) + Send,
) -> Answer<Response> {
    let (stands, journey) = match page_of(state, session, origin, Step::Factor).await? {
        Ok(page) => page,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let offer =
        if stands.mfa_verified { None } else { state.service().enrollee().offered_totp(session, origin).await? };
    let by_email = stands.factors.contains(&FactorKind::Email);
    let mut page = FactorPage {
        journey,
        app: stands.factors.contains(&FactorKind::Totp),
        email: stands.person()?.email.clone().filter(|_| by_email).map(Into::into),
        offer: offer.map(OfferView::from),
        recovery_codes: state.service().policy().recovery_codes,
        code: Field::default(),
        above: None,
    };
    change(&mut page);
    Ok(answer(state, status, &page))
}

/// `POST /enroll/second-factor/app`: a secret is made, once; its page shows it.
pub(super) async fn offer_app(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Form(Pressed {}): Form<Pressed>,
) -> Answer<Response> {
    match state.service().enrollee().offer_totp(&session, origin).await {
        Ok(_) => Ok(see_other(FACTOR)),
        Err(failure) => refused(&state, &session, origin, failure).await,
    }
}

/// `POST /enroll/second-factor/app/confirm`
pub(super) async fn confirm_app(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Form(form): Form<CodeForm>,
) -> Answer<Response> {
    match state.service().enrollee().confirm_totp(&session, form.code.expose(), origin).await {
        Ok(codes) => verified(&state, codes),
        Err(failure) => refused(&state, &session, origin, failure).await,
    }
}

async fn refused(
    state: &EnrollmentState,
    session: &SessionSecret,
    origin: Origin,
    failure: Failure,
) -> Answer<Response> {
    let problem = Problem::from(failure);
    let status = problem.page_status();
    match FormProblem::sort(problem, BESIDE, ABOVE) {
        FormProblem::Beside(_, text) => {
            shown(state, session, origin, status, |page| page.code = Field::default().refused(text)).await
        }
        FormProblem::Above(text) => shown(state, session, origin, status, |page| page.above = Some(text)).await,
        FormProblem::Elsewhere(problem) => elsewhere(problem),
    }
}

/// The recovery codes, in the answer itself: they are kept nowhere. When it is asked for again there are none to show;
/// the page of the factor says so, and offers new ones.
fn verified(state: &EnrollmentState, codes: RecoveryCodes) -> Answer<Response> {
    let RecoveryCodes { codes, already_verified: _, state: stands } = codes;
    let Some(codes) = codes else { return Ok(see_other(FACTOR)) };
    let codes: Vec<String> = codes.iter().map(|code| code.expose().to_owned()).collect();
    let page = CodesPage {
        journey: Journey::new(&stands, Step::Factor, state.service().now()),
        file: format!("{} {}\n\n{}\n", stands.settings.product, stands.person()?.username, codes.join("\n")),
        codes,
    };
    Ok(answer(state, StatusCode::OK, &page))
}

/// `GET /enroll/second-factor/email`
pub(super) async fn show_email(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
) -> Answer<Response> {
    shown_email(&state, &session, origin, StatusCode::OK, |_| {}).await
}

async fn shown_email(
    state: &EnrollmentState,
    session: &SessionSecret,
    origin: Origin,
    status: impl Into<PageStatus> + Send,
    change: impl FnOnce(&mut EmailCodePage) + Send,
) -> Answer<Response> {
    let (stands, journey) = match page_of(state, session, origin, Step::Factor).await? {
        Ok(page) => page,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let by_email = stands.factors.contains(&FactorKind::Email) && !stands.mfa_verified;
    let Some(email) = stands.person()?.email.clone().filter(|_| by_email) else { return Ok(see_other(FACTOR)) };
    let mut page = EmailCodePage { journey, email: email.into(), code: Field::default(), above: None };
    change(&mut page);
    Ok(answer(state, status, &page))
}

/// `POST /enroll/second-factor/email`: a code is sent; asked again within moments, that one is still on its way.
pub(super) async fn send_email(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Form(Pressed {}): Form<Pressed>,
) -> Answer<Response> {
    match state.service().enrollee().send_email_code(&session, origin).await {
        Ok(_) => Ok(see_other("/enroll/second-factor/email")),
        Err(failure) => refused_email(&state, &session, origin, failure).await,
    }
}

/// `POST /enroll/second-factor/email/confirm`
pub(super) async fn confirm_email(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Form(form): Form<CodeForm>,
) -> Answer<Response> {
    match state.service().enrollee().confirm_email_code(&session, form.code.expose(), origin).await {
        Ok(codes) => verified(&state, codes),
        Err(failure) => refused_email(&state, &session, origin, failure).await,
    }
}

async fn refused_email(
    state: &EnrollmentState,
    session: &SessionSecret,
    origin: Origin,
    failure: Failure,
) -> Answer<Response> {
    let problem = Problem::from(failure);
    let status = problem.page_status();
    match FormProblem::sort(problem, BESIDE, ABOVE) {
        FormProblem::Beside(_, text) => {
            shown_email(state, session, origin, status, |page| page.code = Field::default().refused(text)).await
        }
        FormProblem::Above(text) => shown_email(state, session, origin, status, |page| page.above = Some(text)).await,
        FormProblem::Elsewhere(problem) => elsewhere(problem),
    }
}

/// `POST /enroll/second-factor/codes`: new recovery codes in place of those before.
pub(super) async fn replace_codes(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Form(Pressed {}): Form<Pressed>,
) -> Answer<Response> {
    match state.service().enrollee().replace_recovery_codes(&session, origin).await {
        Ok(codes) => verified(&state, codes),
        Err(failure) => refused(&state, &session, origin, failure).await,
    }
}
