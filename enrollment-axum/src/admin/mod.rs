//! The administrator's API, `/api/admin/v1`.

mod auth;

use axum::Router;
use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;

pub use auth::api_key_auth;

use crate::state::EnrollmentState;

/// Where the administrator's API lies.
pub(crate) const BASE: &str = "/api/admin/v1";

/// The routes of the internal face: `/api/admin/v1/…`.
///
/// Every one of them asks for a [`Principal`](enrollment_core::service::Principal) among the request's extensions,
/// which the host puts there by a layer of its own or by [`api_key_auth`]; without one the answer is `unauthorized`.
/// What a principal may do is judged by the core.
pub fn admin_router<S>() -> Router<S>
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
    OpenApiRouter::default()
}
