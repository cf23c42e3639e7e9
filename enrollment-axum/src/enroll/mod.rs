//! The enrollee's API, `/api/enroll/v1`.

mod begin;
mod complete;
mod device;
mod inspect;
mod mfa;
mod report;
mod steps;
mod view;

use axum::Router;
use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::EnrollmentState;

/// Where the enrollee's API lies.
pub(crate) const BASE: &str = "/api/enroll/v1";

/// The API of the public face: `/api/enroll/v1/…`. The pages are in [`wizard_router`](crate::wizard_router).
///
/// A session is shown as `Authorization: Bearer ens_…` or as the cookie that `POST sessions` sets. No GET or HEAD
/// changes an enrollment (TOK-4).
pub fn enroll_router<S>() -> Router<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    documented().into()
}

/// The API with its documentation.
pub(crate) fn documented<S>() -> OpenApiRouter<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    let api = OpenApiRouter::default()
        .routes(routes!(inspect::inspect))
        .routes(routes!(report::report))
        .routes(routes!(begin::begin))
        .routes(routes!(steps::session))
        .routes(routes!(steps::profile))
        .routes(routes!(steps::password))
        .routes(routes!(mfa::totp))
        .routes(routes!(mfa::totp_confirm))
        .routes(routes!(mfa::email))
        .routes(routes!(mfa::email_confirm))
        .routes(routes!(mfa::recovery_codes))
        .routes(routes!(device::device))
        .routes(routes!(complete::complete));
    OpenApiRouter::default().nest(BASE, api)
}
