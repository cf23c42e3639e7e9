//! The pages of the administration, for people with a browser; with or without JavaScript.
//!
//! What each page does is done by the same use cases as the API's, under the same permission table: a page shows what its
//! reader may do and nothing else, and what they may not is refused by the use case whatever a page shows.

mod account;
mod credentials;
mod desk;
mod form;
mod invitation;
mod locations;
mod mail;
mod pending;
mod person;
#[cfg(test)]
mod samples;
mod session;
mod settings;
mod sign_in;
mod users;

use axum::Router;
use axum::extract::FromRef;
use axum::response::Response;
use axum::routing::{get, post};

use crate::page::{TemplateFile, see_other};
use crate::state::EnrollmentState;
use desk::Desk;
#[cfg(test)]
pub(crate) use samples::samples;
pub use session::session_auth;

/// `/admin`: people, invitations, locations, mail and settings, for whoever the host says is asking: the
/// [`Principal`](enrollment_core::service::Principal) among the request's extensions, as for
/// [`admin_router`](crate::admin_router). [`session_auth`] puts one there for whoever signed in at [`sign_in_router`].
///
/// Needs [`assets_router`](crate::assets_router) beside it, and [`internal_layers`](crate::internal_layers) or
/// [`observed`](crate::observed) around it, which show refusals to a person.
pub fn admin_pages_router<S>() -> Router<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/admin", get(start))
        .route("/admin/users", get(users::list).post(users::add))
        .route("/admin/users/new", get(users::new))
        .route("/admin/users/{id}", get(person::show))
        .route("/admin/users/{id}/invite", post(invitation::start))
        .route("/admin/users/{id}/status", post(person::set_status))
        .route("/admin/users/{id}/role", post(person::set_role))
        .route("/admin/pending", get(pending::list))
        .route("/admin/pending/{id}/resend", post(pending::resend))
        .route("/admin/pending/{id}/rotate", post(pending::rotate))
        .route("/admin/pending/{id}/delete", post(pending::delete))
        .route("/admin/locations", get(locations::list).post(locations::add))
        .route("/admin/locations/new", get(locations::new))
        .route("/admin/locations/{id}", get(locations::show).post(locations::change))
        .route("/admin/mail", get(mail::list))
        .route("/admin/mail/{id}/revive", post(mail::revive))
        .route("/admin/settings", get(settings::show).post(settings::change))
}

/// `/admin/sign-in`, `/admin/sign-out` and `/admin/account`: this library's own way of signing in, by the password and the
/// second factor that a user set up when they enrolled. A host with a way of its own leaves it out.
pub fn sign_in_router<S>() -> Router<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/admin/sign-in", get(sign_in::show).post(sign_in::begin))
        .route("/admin/sign-in/code", get(sign_in::show_code).post(sign_in::answer))
        .route("/admin/sign-out", post(sign_in::sign_out))
        .route("/admin/account", get(account::show))
        .route("/admin/account/sessions/{id}/end", post(account::end_session))
        .route("/admin/account/password", post(credentials::change_password))
        .route("/admin/account/app", post(credentials::offer_app))
        .route("/admin/account/app/confirm", post(credentials::confirm_app))
        .route("/admin/account/app/cancel", post(credentials::cancel_app))
        .route("/admin/account/codes", post(credentials::replace_codes))
}

/// `GET /admin`: wherever there is something for this person.
async fn start(desk: Desk) -> Response {
    see_other(desk.me.home())
}

/// The templates of these pages.
pub(crate) const TEMPLATES: &[TemplateFile] = &[
    ("_admin.html", include_str!("templates/_admin.html")),
    ("sign_in.html", include_str!("templates/sign_in.html")),
    ("sign_in_code.html", include_str!("templates/sign_in_code.html")),
    ("account.html", include_str!("templates/account.html")),
    ("account_app.html", include_str!("templates/account_app.html")),
    ("account_codes.html", include_str!("templates/account_codes.html")),
    ("users.html", include_str!("templates/users.html")),
    ("user_new.html", include_str!("templates/user_new.html")),
    ("user.html", include_str!("templates/user.html")),
    ("issued.html", include_str!("templates/issued.html")),
    ("pending.html", include_str!("templates/pending.html")),
    ("locations.html", include_str!("templates/locations.html")),
    ("location.html", include_str!("templates/location.html")),
    ("location_key.html", include_str!("templates/location_key.html")),
    ("mails.html", include_str!("templates/mails.html")),
    ("settings.html", include_str!("templates/settings.html")),
];
