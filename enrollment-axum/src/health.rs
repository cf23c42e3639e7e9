//! Whether the process lives, and whether it can serve.

use axum::Json;
use axum::extract::{FromRef, State};
use enrollment_core::domain::settings::Settings;
use enrollment_core::port::{StoreError, StoreErrorKind};
use enrollment_core::service::Failure;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Answer;
use crate::state::EnrollmentState;

/// `/health/live` and `/health/ready`, for both faces.
pub fn health_router<S>() -> axum::Router<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    documented().into()
}

pub(crate) fn documented<S>() -> OpenApiRouter<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::default().routes(routes!(live)).routes(routes!(ready))
}

/// A healthy answer.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`; anything else is a problem.
    status: &'static str,
}

/// The process answers.
#[utoipa::path(get, path = "/health/live", tag = "health", security(()), responses((status = 200, body = Health)))]
async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The store answers too, and the host does not hold the process back.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()), responses((status = 200, body = Health)))]
async fn ready(State(state): State<EnrollmentState>) -> Answer<Json<Health>> {
    if state.options().readiness.is_held_back() {
        let held_back = StoreError::new(StoreErrorKind::Unavailable, "the host holds this process back");
        return Err(Failure::Unavailable(held_back).into());
    }
    state.service().store().get(&[Settings::KEY]).await.map_err(Failure::from)?;
    Ok(Json(Health { status: "ok" }))
}
