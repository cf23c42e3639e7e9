//! Starting an enrollment: what is asked, and what is shown this once.

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::id::OutboxId;
use enrollment_core::secret::qr_svg;
use enrollment_core::service::administrator::{Delivery, Issued, Link, Resent, StartEnrollment, Wording};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::extract::optional;
use crate::problem::Problem;
use crate::words::{DELIVERIES, PURPOSES};

/// An enrollment to start.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct StartRequest {
    /// `onboarding` (default), `device` or `factor`.
    purpose: Option<String>,
    /// How the link gets to the person: `manual` (default), `email` or `both`.
    delivery: Option<String>,
    /// Where mail goes, in place of the address on file; the account keeps its own.
    email: Option<String>,
    /// How long the token is valid, such as `24h`. Default: as the settings say.
    validity: Option<String>,
    /// The subject of its mails in place of the saved one: one line with tags, as in `{name}_subject` of the templates.
    subject: Option<String>,
    /// The body of its mails in place of the saved one: Markdown with tags. Header, link and validity stay.
    body: Option<String>,
}

impl StartRequest {
    pub(super) fn read(self) -> Result<StartEnrollment, Problem> {
        let Self { purpose, delivery, email, validity, subject, body } = self;
        Ok(StartEnrollment {
            purpose: PURPOSES.read_optional("purpose", purpose.as_deref())?.unwrap_or(Purpose::Onboarding),
            delivery: DELIVERIES.read_optional("delivery", delivery.as_deref())?.unwrap_or_default(),
            email: optional("email", email.as_deref())?,
            validity: optional("validity", validity.as_deref())?,
            wording: wording(subject, body),
        })
    }
}

/// Words of the administrator's own, where there are any.
pub(super) fn wording(subject: Option<String>, body: Option<String>) -> Option<Wording> {
    Some(Wording { subject, body }).filter(|wording| !wording.is_empty())
}

/// An issued invitation: the only time its token is shown, and only where it is handed over (`manual`, `both`).
#[derive(Serialize, ToSchema)]
pub(super) struct IssuedDto {
    /// Which enrollment.
    id: Uuid,
    /// What it is for.
    purpose: &'static str,
    /// The secret of the invitation, `enr_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Where the browser goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// What opens the desktop client, where the settings lead to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    deep_link: Option<String>,
    /// What a phone's client scans, where the settings lead to a client: Base64 of `{"url": …, "token": …}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_code: Option<String>,
    /// The same as a QR code (SVG).
    #[serde(skip_serializing_if = "Option::is_none")]
    client_qr_svg: Option<String>,
    /// What to run on the machine, where the enrollment is for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// The mail with the link, where one is sent: see `GET mail`.
    mail: Option<Uuid>,
    /// The first instant at which the token opens nothing (RFC 3339, UTC).
    #[schema(format = DateTime)]
    expires_at: String,
    /// One more with every rotation.
    generation: u32,
}

impl From<Issued> for IssuedDto {
    fn from(issued: Issued) -> Self {
        let Issued { id, token, url, deep_link, client_code, command, expires_at, delivery, mail, purpose, generation } =
            issued;
        // What goes by mail alone is seen by its recipient alone.
        let shown = |secret: &str| (delivery != Delivery::Email).then(|| secret.to_owned());
        let client_code = client_code.as_ref().map(Link::expose).and_then(shown);
        Self {
            id: id.uuid(),
            purpose: purpose.as_str(),
            token: shown(token.expose()),
            url: shown(url.expose()),
            deep_link: deep_link.as_ref().map(Link::expose).and_then(shown),
            client_qr_svg: client_code.as_ref().and_then(|code| qr_svg(code).ok()),
            client_code,
            command: command.as_ref().map(Link::expose).and_then(shown),
            mail: mail.map(OutboxId::uuid),
            expires_at: expires_at.to_string(),
            generation,
        }
    }
}

impl From<Resent> for IssuedDto {
    fn from(resent: Resent) -> Self {
        let Resent { id, purpose, mail, expires_at, generation } = resent;
        Self {
            id: id.uuid(),
            purpose: purpose.as_str(),
            token: None,
            url: None,
            deep_link: None,
            client_code: None,
            client_qr_svg: None,
            command: None,
            mail: Some(mail.uuid()),
            expires_at: expires_at.to_string(),
            generation,
        }
    }
}
