//! The administrator's API, `/api/admin/v1`.
#![allow(unused_qualifications, reason = "what utoipa makes of a handler that takes a query")]

mod api_keys;
mod audit;
mod auth;
mod change_location;
mod devices;
mod downloads;
mod enrollments;
mod invitation;
mod list;
mod locations;
mod machines;
mod mail;
mod patch;
mod peers;
mod settings;
mod templates;
mod users;

use axum::Router;
use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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
    let api = OpenApiRouter::default()
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::get, users::change))
        .routes(routes!(users::erase))
        .routes(routes!(enrollments::start))
        .routes(routes!(devices::of_user))
        .routes(routes!(devices::remove))
        .routes(routes!(enrollments::list))
        .routes(routes!(enrollments::get, enrollments::revoke))
        .routes(routes!(enrollments::resend_all))
        .routes(routes!(enrollments::resend))
        .routes(routes!(mail::list))
        .routes(routes!(mail::status))
        .routes(routes!(mail::test))
        .routes(routes!(mail::retry))
        .routes(routes!(mail::remove))
        .routes(routes!(locations::list, locations::create))
        .routes(routes!(locations::get, change_location::change))
        .routes(routes!(peers::of_location))
        .routes(routes!(machines::list, machines::create))
        .routes(routes!(machines::get, machines::remove))
        .routes(routes!(machines::reissue))
        .routes(routes!(settings::get, settings::change))
        .routes(routes!(templates::list))
        .routes(routes!(templates::get, templates::save, templates::reset))
        .routes(routes!(templates::preview))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(audit::verify))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke));
    OpenApiRouter::default().nest(BASE, api)
}
