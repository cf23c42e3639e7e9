//! The enrollee's API, `/api/enroll/v1`, and the pages an invitation leads to.

mod begin;
mod complete;
mod device;
mod inspect;
mod mfa;
mod report;
mod report_page;
mod steps;
mod view;

use axum::Router;
use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::landing;
use crate::state::EnrollmentState;

/// Where the enrollee's API lies.
pub(crate) const BASE: &str = "/api/enroll/v1";

/// The routes of the public face: `/api/enroll/v1/…`, the page at `/enroll` and `/enroll/{token}`, and the one at
/// `/report/{token}` on which its holder says that an invitation was not meant for them.
///
/// A session is shown as `Authorization: Bearer ens_…` or as the cookie that `POST sessions` sets. No GET or HEAD
/// changes an enrollment (TOK-4).
pub fn enroll_router<S>() -> Router<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().merge(documented()).merge(landing::router()).merge(report_page::router())
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
