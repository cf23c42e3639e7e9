//! The administrator's API, `/api/admin/v1`.

use axum::Router;
use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;

use crate::state::EnrollmentState;

pub(crate) fn documented<S>() -> OpenApiRouter<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::default()
}

/// x
pub fn admin_router<S>() -> Router<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    documented().into()
}
/// x
pub fn api_key_auth() {}
