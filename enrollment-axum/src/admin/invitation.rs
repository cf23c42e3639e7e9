//! Starting an enrollment: what is asked, and what is shown this once.

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::service::administrator::{Issued, Link, StartEnrollment};
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
}

impl StartRequest {
    pub(super) fn read(&self) -> Result<StartEnrollment, Problem> {
        let Self { purpose, delivery, email, validity } = self;
        Ok(StartEnrollment {
            purpose: PURPOSES.read_optional("purpose", purpose.as_deref())?.unwrap_or(Purpose::Onboarding),
            delivery: DELIVERIES.read_optional("delivery", delivery.as_deref())?.unwrap_or_default(),
            email: optional("email", email.as_deref())?,
            validity: optional("validity", validity.as_deref())?,
        })
    }
}

/// An issued invitation: the only time its token is shown.
#[derive(Serialize, ToSchema)]
pub(super) struct IssuedDto {
    /// Which enrollment.
    id: Uuid,
    /// What it is for.
    purpose: &'static str,
    /// The secret of the invitation, `enr_…`.
    token: String,
    /// Where the browser goes.
    url: String,
    /// What opens the desktop client, where the settings lead to it.
    deep_link: Option<String>,
    /// The first instant at which the token opens nothing (RFC 3339, UTC).
    #[schema(format = DateTime)]
    expires_at: String,
    /// One more with every rotation.
    generation: u32,
}

impl From<Issued> for IssuedDto {
    fn from(issued: Issued) -> Self {
        let Issued { id, token, url, deep_link, expires_at, purpose, generation } = issued;
        Self {
            id: id.uuid(),
            purpose: purpose.as_str(),
            token: token.expose().to_owned(),
            url: url.expose().to_owned(),
            deep_link: deep_link.as_ref().map(Link::expose).map(str::to_owned),
            expires_at: expires_at.to_string(),
            generation,
        }
    }
}
