//! Changing one's own credentials. Each change asks for password and code again.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::Password;
use enrollment_core::service::sign_in::{FactorAnswer, NewRecoveryCodes, Proof, SignedIn};
use serde::Serialize;

use super::account::shown;
use super::desk::{Desk, Me};
use super::form::{Posted, Shown};
use super::session::Held;
use crate::client::Client;
use crate::page::{OfferView, Page, answer, see_other};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

/// An app that is being set up.
#[derive(Clone, Serialize)]
pub(super) struct AppPage {
    pub(super) me: Me,
    /// What the app is set up with. It is shown once, behind the proof: with it whoever has nothing but the session would
    /// put their own app in the place of the user's.
    pub(super) app: Option<OfferView>,
    pub(super) form: Shown,
}

impl Page for AppPage {
    const TEMPLATE: &'static str = "account_app.html";
}

/// Recovery codes, shown this once.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CodesPage {
    pub(super) me: Me,
    pub(super) codes: Vec<String>,
    /// With a new app.
    pub(super) with_app: bool,
}

impl Page for CodesPage {
    const TEMPLATE: &'static str = "account_codes.html";
}

const START_AGAIN: &str = "Too much time went by, or the code was wrong too often. Nothing changed; start again.";
const WRONG_PROOF: &str = "The password or the code is not right, or the code was used before.";

/// A form that asks for password and code again, with what is wrong. Which of the two it is, is not told.
fn refused(names: &[&'static str], problem: Problem) -> Answer<Shown> {
    let form = Shown::empty(names);
    match &*problem.document().code {
        "sign_in_refused" => Ok(form.wrong("password", WRONG_PROOF)),
        _ => form.refused(problem, &[]),
    }
}

fn proof(posted: &mut Posted) -> Result<Proof, Rejection> {
    let password = Password::parse(posted.take("password")).map_err(|_| Rejection::SignInRefused)?;
    Ok(Proof { password, factor: posted.given("code").map(FactorAnswer::parse).transpose()? })
}

fn new_password(posted: &mut Posted) -> Result<Password, Problem> {
    let (new, again) = (posted.take("new_password"), posted.take("again"));
    if new != again {
        return Err(Problem::invalid_field("again", "this is not the same"));
    }
    Password::parse(new).map_err(|reason| Problem::invalid_field("new_password", reason))
}

/// What a refused password is beside: the new one.
fn beside_new(problem: Problem) -> Problem {
    if problem.document().field.as_deref() == Some("password") {
        return Problem::invalid_field("new_password", problem.document().detail.to_string());
    }
    problem
}

/// `POST /admin/account/password`
pub(super) async fn change_password(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    desk: Desk,
    Held(session): Held,
    Extension(signed_in): Extension<SignedIn>,
    mut posted: Posted,
) -> Answer<Response> {
    let changed: Result<(), Problem> = async {
        let new = new_password(&mut posted)?;
        let proof = proof(&mut posted)?;
        let changed = state.service().sign_in().change_password(&session, &proof, new, origin).await;
        changed.map_err(|failure| beside_new(failure.into()))
    }
    .await;
    let Err(problem) = changed else { return Ok(see_other("/admin/account?done=password")) };
    let status = problem.page_status();
    let form = refused(&["password", "code", "new_password", "again"], problem)?;
    shown(&state, status, &desk, &session, &signed_in, |page| page.password = form).await
}

/// `POST /admin/account/app`
pub(super) async fn offer_app(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    desk: Desk,
    Held(session): Held,
    Extension(signed_in): Extension<SignedIn>,
    mut posted: Posted,
) -> Answer<Response> {
    let offered: Result<_, Problem> = async {
        let proof = proof(&mut posted)?;
        Ok(state.service().sign_in().offer_totp(&session, &proof, origin).await?)
    }
    .await;
    match offered {
        Ok(offer) => {
            let page = AppPage { me: desk.me, app: Some(OfferView::from(offer)), form: Shown::empty(&["code"]) };
            Ok(answer(&state, StatusCode::OK, &page))
        }
        Err(problem) => {
            let status = problem.page_status();
            let form = refused(&["password", "code"], problem)?;
            shown(&state, status, &desk, &session, &signed_in, |page| page.app = form).await
        }
    }
}

/// `POST /admin/account/app/confirm`
pub(super) async fn confirm_app(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    desk: Desk,
    Held(session): Held,
    Extension(signed_in): Extension<SignedIn>,
    posted: Posted,
) -> Answer<Response> {
    let confirmed = state.service().sign_in().confirm_totp(&session, posted.get("code"), origin).await;
    match confirmed.map_err(Problem::from) {
        Ok(codes) => Ok(codes_page(&state, desk.me, &codes, true)),
        Err(problem) if problem.document().code == "mfa_not_started" => {
            let form = Shown::empty(&["password", "code"]).saying(START_AGAIN);
            shown(&state, problem.page_status(), &desk, &session, &signed_in, |page| page.app = form).await
        }
        Err(problem) => {
            let status = problem.page_status();
            let form = Shown::empty(&["code"]).refused(problem, &[])?;
            Ok(answer(&state, status, &AppPage { me: desk.me, app: None, form }))
        }
    }
}

/// `POST /admin/account/app/cancel`
pub(super) async fn cancel_app(
    State(state): State<EnrollmentState>,
    Held(session): Held,
    _: Posted,
) -> Answer<Response> {
    state.service().sign_in().drop_offered_totp(&session).await?;
    Ok(see_other("/admin/account"))
}

/// `POST /admin/account/codes`
pub(super) async fn replace_codes(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    desk: Desk,
    Held(session): Held,
    Extension(signed_in): Extension<SignedIn>,
    mut posted: Posted,
) -> Answer<Response> {
    let replaced: Result<_, Problem> = async {
        let proof = proof(&mut posted)?;
        Ok(state.service().sign_in().replace_recovery_codes(&session, &proof, origin).await?)
    }
    .await;
    match replaced {
        Ok(codes) => Ok(codes_page(&state, desk.me, &codes, false)),
        Err(problem) => {
            let status = problem.page_status();
            let form = refused(&["password", "code"], problem)?;
            shown(&state, status, &desk, &session, &signed_in, |page| page.codes = form).await
        }
    }
}

fn codes_page(state: &EnrollmentState, me: Me, codes: &NewRecoveryCodes, with_app: bool) -> Response {
    let codes = codes.0.iter().map(|code| code.expose().to_owned()).collect();
    answer(state, StatusCode::OK, &CodesPage { me, codes, with_app })
}
