//! Setting up a second factor.

use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::location::FactorKind;
use enrollment_core::service::Failure;
use enrollment_core::service::enrollee::{RecoveryCodes, SessionState};
use serde::{Deserialize, Serialize};

use super::journey::{FACTOR, Journey, Step};
use super::session::{Sorted, StepPage, Visit};
use crate::extract::SecretText;
use crate::page::{Field, Form, OfferView, Page, answer, see_other};
use crate::problem::Answer;

/// The choice of a factor, the app to be scanned, or that it is done.
#[derive(Clone, Serialize)]
pub(super) struct FactorPage {
    pub(super) journey: Journey,
    pub(super) app: bool,
    /// Where codes by e-mail would go, if they count.
    pub(super) email: Option<String>,
    /// Only an app counts, because of the person's role.
    pub(super) administrator: bool,
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
const SORTED: Sorted = Sorted {
    beside: &[("wrong_code", "code"), ("code_expired", "code")],
    above: &["codes_exhausted", "email_codes_not_offered", "mfa_not_started", "mfa_not_verified", "step_not_offered"],
};

impl StepPage for FactorPage {
    const STEP: Step = Step::Factor;

    async fn make(visit: &Visit, stands: SessionState, journey: Journey) -> Answer<Result<Self, Response>> {
        let Visit { state, session, origin } = visit;
        let offer =
            if stands.mfa_verified { None } else { state.service().enrollee().offered_totp(session, *origin).await? };
        let by_email = stands.factors.contains(&FactorKind::Email);
        Ok(Ok(Self {
            journey,
            app: stands.factors.contains(&FactorKind::Totp),
            email: stands.person()?.email.clone().filter(|_| by_email).map(Into::into),
            administrator: stands.person()?.administrator && !by_email,
            offer: offer.map(OfferView::from),
            recovery_codes: state.service().policy().recovery_codes,
            code: Field::default(),
            above: None,
        }))
    }

    fn above(&mut self) -> &mut Option<String> {
        &mut self.above
    }

    fn field(&mut self, _: &str) -> &mut Field {
        &mut self.code
    }
}

impl StepPage for EmailCodePage {
    const STEP: Step = Step::Factor;

    async fn make(_: &Visit, stands: SessionState, journey: Journey) -> Answer<Result<Self, Response>> {
        let by_email = stands.factors.contains(&FactorKind::Email) && !stands.mfa_verified;
        let Some(email) = stands.person()?.email.clone().filter(|_| by_email) else {
            return Ok(Err(see_other(FACTOR)));
        };
        Ok(Ok(Self { journey, email: email.into(), code: Field::default(), above: None }))
    }

    fn above(&mut self) -> &mut Option<String> {
        &mut self.above
    }

    fn field(&mut self, _: &str) -> &mut Field {
        &mut self.code
    }
}

/// `GET /enroll/second-factor`
pub(super) async fn show(visit: Visit) -> Answer<Response> {
    visit.show::<FactorPage>().await
}

/// `POST /enroll/second-factor/app`: a secret is made, once; its page shows it.
pub(super) async fn offer_app(visit: Visit, Form(Pressed {}): Form<Pressed>) -> Answer<Response> {
    match visit.state.service().enrollee().offer_totp(&visit.session, visit.origin).await {
        Ok(_) => Ok(see_other(FACTOR)),
        Err(failure) => visit.refuse::<FactorPage>(failure, &SORTED, |_| {}).await,
    }
}

/// `POST /enroll/second-factor/app/confirm`
pub(super) async fn confirm_app(visit: Visit, Form(form): Form<CodeForm>) -> Answer<Response> {
    let enrollee = visit.state.service().enrollee();
    let confirmed = enrollee.confirm_totp(&visit.session, form.code.expose(), visit.origin).await;
    verified::<FactorPage>(&visit, confirmed).await
}

/// The recovery codes, in the answer itself: they are kept nowhere. When it is asked for again there are none to show;
/// the page of the factor says so, and offers new ones. What was refused is said on the page it was asked on.
async fn verified<P: StepPage>(visit: &Visit, confirmed: Result<RecoveryCodes, Failure>) -> Answer<Response> {
    let RecoveryCodes { codes, already_verified: _, state: stands } = match confirmed {
        Ok(codes) => codes,
        Err(failure) => return visit.refuse::<P>(failure, &SORTED, |_| {}).await,
    };
    let Some(codes) = codes else { return Ok(see_other(FACTOR)) };
    let codes: Vec<String> = codes.iter().map(|code| code.expose().to_owned()).collect();
    let page = CodesPage {
        journey: Journey::new(&stands, Step::Factor, visit.state.service().now()),
        file: format!("{} {}\n\n{}\n", stands.settings.product, stands.person()?.username, codes.join("\n")),
        codes,
    };
    Ok(answer(&visit.state, StatusCode::OK, &page))
}

/// `GET /enroll/second-factor/email`
pub(super) async fn show_email(visit: Visit) -> Answer<Response> {
    visit.show::<EmailCodePage>().await
}

/// `POST /enroll/second-factor/email`: a code is sent; asked again within moments, that one is still on its way.
pub(super) async fn send_email(visit: Visit, Form(Pressed {}): Form<Pressed>) -> Answer<Response> {
    match visit.state.service().enrollee().send_email_code(&visit.session, visit.origin).await {
        Ok(_) => Ok(see_other("/enroll/second-factor/email")),
        Err(failure) => visit.refuse::<EmailCodePage>(failure, &SORTED, |_| {}).await,
    }
}

/// `POST /enroll/second-factor/email/confirm`
pub(super) async fn confirm_email(visit: Visit, Form(form): Form<CodeForm>) -> Answer<Response> {
    let enrollee = visit.state.service().enrollee();
    let confirmed = enrollee.confirm_email_code(&visit.session, form.code.expose(), visit.origin).await;
    verified::<EmailCodePage>(&visit, confirmed).await
}

/// `POST /enroll/second-factor/codes`: new recovery codes in place of those before.
pub(super) async fn replace_codes(visit: Visit, Form(Pressed {}): Form<Pressed>) -> Answer<Response> {
    let replaced = visit.state.service().enrollee().replace_recovery_codes(&visit.session, visit.origin).await;
    verified::<FactorPage>(&visit, replaced).await
}
