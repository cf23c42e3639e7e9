//! The page an invitation's link leads to. Looking is not consuming (TOK-4).

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::Token;
use enrollment_core::service::enrollee::{Look, Welcome};
use enrollment_core::template::durations::{at, in_words};
use serde::Serialize;
use zeroize::Zeroizing;

use super::client_way::{ClientWay, Leads};
use super::journey::roughly;
use crate::client::Client;
use crate::page::{Branding, Page, answer};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// A link or code is to be entered.
#[derive(Debug, Clone, Serialize)]
pub(super) struct EnterPage {
    pub(super) nonce: String,
    /// How long a session lasts.
    pub(super) session_words: String,
}

impl Page for EnterPage {
    const TEMPLATE: &'static str = "enter.html";
}

/// What will happen, before anything does.
#[derive(Clone, Serialize)]
pub(super) struct LandingPage {
    /// `onboarding`, `device`, `factor` or `network_device`.
    pub(super) purpose: &'static str,
    pub(super) organization: String,
    /// RFC 3339, and for people.
    pub(super) expires: String,
    pub(super) expires_words: String,
    pub(super) left_words: String,
    /// How long a session lasts.
    pub(super) session_words: String,
    /// Whoever holds it, not the address of this page, begins.
    pub(super) token: String,
    pub(super) nonce: String,
    pub(super) leads: Leads,
    /// What to run on the machine, where the invitation is for one: nobody begins here then.
    pub(super) command: Option<String>,
}

impl Page for LandingPage {
    const TEMPLATE: &'static str = "landing.html";
}

/// `GET /enroll`
pub(super) async fn enter(State(state): State<EnrollmentState>) -> Answer<Response> {
    let Welcome { organization, product, support_contact, session_validity } =
        state.service().enrollee().welcome().await?;
    let text = |label: enrollment_core::domain::text::Label| String::from(label);
    state.branding().seen(Branding {
        organization: text(organization),
        product: text(product),
        support_contact: text(support_contact),
    });
    Ok(answer(
        &state,
        StatusCode::OK,
        &EnterPage { nonce: nonce(&state), session_words: in_words(session_validity.duration()) },
    ))
}

/// `GET /enroll/{token}`: looks, and changes nothing, however often. A mistyped token is refused without a read.
pub(super) async fn look(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Answer<Response> {
    state.limits().tokens.admit(origin.source)?;
    let typed = Zeroizing::new(token);
    let token = Token::parse(&typed).map_err(|_| Rejection::InvalidToken)?;
    let look = state.service().enrollee().look(&token).await?;
    let Look {
        purpose,
        organization,
        product,
        instance_url: _,
        support_contact,
        expires_at,
        front_end,
        downloads,
        session_validity,
    } = look;
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    state.branding().seen(Branding {
        organization: organization.to_string(),
        product: product.to_string(),
        support_contact: support_contact.to_string(),
    });
    let instance = state.service().instance();
    let of_a_person = purpose != Purpose::NetworkDevice;
    let page = LandingPage {
        purpose: purpose.as_str(),
        organization: organization.into(),
        expires: expires_at.to_string(),
        expires_words: at(expires_at),
        left_words: roughly(expires_at.since(state.service().now())),
        session_words: in_words(session_validity.duration()),
        token: token.expose().to_owned(),
        nonce: nonce(&state),
        leads: Leads::new(front_end, || ClientWay::new(instance, &token, downloads, user_agent)),
        command: (!of_a_person).then(|| instance.machine_command(&token).expose().to_owned()),
    };
    Ok(answer(&state, StatusCode::OK, &page))
}

/// What makes one visit to the page one begin, however often its button is pressed: 160 random bits.
fn nonce(state: &EnrollmentState) -> String {
    let mut bytes = [0; 20];
    state.service().entropy().fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
