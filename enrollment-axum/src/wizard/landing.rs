//! The page an invitation's link leads to. Looking is not consuming (TOK-4).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::settings::FrontEnd;
use enrollment_core::secret::Token;
use enrollment_core::service::enrollee::{Look, Welcome};
use enrollment_core::template::durations::{at, in_words};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::page::{Branding, Page, answer};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// A link or code is to be entered.
#[derive(Debug, Clone, Serialize)]
pub(super) struct EnterPage {
    pub(super) nonce: String,
    /// How long a session lasts that begins now.
    pub(super) session_words: String,
}

impl Page for EnterPage {
    const TEMPLATE: &'static str = "enter.html";
}

/// What will happen, before anything does.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LandingPage {
    /// `onboarding`, `device` or `factor`.
    pub(super) purpose: &'static str,
    pub(super) organization: String,
    /// RFC 3339, and for people.
    pub(super) expires: String,
    pub(super) expires_words: String,
    pub(super) left_words: String,
    /// How long its sessions last.
    pub(super) session_words: String,
    /// Whoever holds it, not the address of this page, begins.
    pub(super) token: String,
    pub(super) nonce: String,
    /// The invitation leads to the desktop client.
    pub(super) desktop_only: bool,
}

impl Page for LandingPage {
    const TEMPLATE: &'static str = "landing.html";
}

/// `GET /enroll`
pub(super) async fn enter(State(state): State<EnrollmentState>) -> Answer<Response> {
    let Welcome { organization, product, support_contact, session } = state.service().enrollee().welcome().await?;
    let text = |label: enrollment_core::domain::text::Label| String::from(label);
    state.branding().seen(Branding {
        organization: text(organization),
        product: text(product),
        support_contact: text(support_contact),
    });
    let page = EnterPage { nonce: nonce(&state), session_words: in_words(session.duration()) };
    Ok(answer(&state, StatusCode::OK, &page))
}

/// `GET /enroll/{token}`: looks, and changes nothing, however often. A mistyped token is refused without a read.
pub(super) async fn look(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    Path(token): Path<String>,
) -> Answer<Response> {
    state.limits().tokens.admit(origin.source)?;
    let typed = Zeroizing::new(token);
    let token = Token::parse(&typed).map_err(|_| Rejection::InvalidToken)?;
    let look = state.service().enrollee().look(&token).await?;
    let Look { purpose, organization, product, instance_url: _, support_contact, expires_at, session, front_end } =
        look;
    state.branding().seen(Branding {
        organization: organization.to_string(),
        product: product.to_string(),
        support_contact: support_contact.to_string(),
    });
    let page = LandingPage {
        purpose: purpose.as_str(),
        organization: organization.into(),
        expires: expires_at.to_string(),
        expires_words: at(expires_at),
        left_words: whole(expires_at.since(state.service().now())),
        session_words: in_words(session.duration()),
        token: token.expose().to_owned(),
        nonce: nonce(&state),
        desktop_only: front_end == FrontEnd::Desktop && purpose != Purpose::Factor,
    };
    Ok(answer(&state, StatusCode::OK, &page))
}

/// Hours when there are some, minutes otherwise, rounded down.
fn whole(left: std::time::Duration) -> String {
    let seconds = left.as_secs();
    let unit = if seconds >= 3600 { 3600 } else { 60 };
    in_words(std::time::Duration::from_secs(seconds - seconds % unit))
}

/// What makes one visit to the page one begin, however often its button is pressed: 160 random bits.
fn nonce(state: &EnrollmentState) -> String {
    let mut bytes = [0; 20];
    state.service().entropy().fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
