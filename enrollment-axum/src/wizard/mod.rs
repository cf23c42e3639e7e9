//! The enrollee's pages: from the link in an invitation to a configuration, in a browser, with or without JavaScript.
//!
//! Every step is a page of its own. A form posts to its page, the answer leads on with 303, and whatever page is loaded
//! again says how things stand: reloading, going back, a second tab or a lost answer change nothing.

mod begin;
mod client_way;
mod device;
mod finish;
mod journey;
mod landing;
mod mfa;
mod password;
mod profile;
mod report;
#[cfg(test)]
mod samples;
mod session;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};

use crate::page::{TemplateFile, see_other};
use crate::state::EnrollmentState;
#[cfg(test)]
pub(crate) use samples::samples;

/// The pages of the public face: `/enroll` and what lies below it, and `/report/{token}`, on which the holder of an
/// invitation says that it was not meant for them.
///
/// They need [`assets_router`](crate::assets_router) beside them, and one of the layers that know how to show a refusal
/// to a person: [`public_layers`](crate::public_layers) or [`observed`](crate::observed). No GET or HEAD changes anything
/// (TOK-4).
pub fn wizard_router<S>() -> Router<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    // A page that was answered to a POST has no address of its own; whoever asks for that address is led to one.
    let only_posted = |path: &'static str| get(move || async move { see_other(path) });
    Router::new()
        .route("/enroll", get(landing::enter))
        .route("/enroll/{token}", get(landing::look))
        .route("/enroll/begin", only_posted("/enroll").post(begin::begin))
        .route(journey::CONTINUE, get(session::go_on))
        .route(journey::PROFILE, get(profile::show).post(profile::confirm))
        .route(journey::FACTOR, get(mfa::show))
        .route("/enroll/second-factor/app", only_posted(journey::FACTOR).post(mfa::offer_app))
        .route("/enroll/second-factor/app/confirm", only_posted(journey::FACTOR).post(mfa::confirm_app))
        .route("/enroll/second-factor/email", get(mfa::show_email).post(mfa::send_email))
        .route("/enroll/second-factor/email/confirm", only_posted(journey::FACTOR).post(mfa::confirm_email))
        .route("/enroll/second-factor/codes", only_posted(journey::FACTOR).post(mfa::replace_codes))
        .route(journey::PASSWORD, get(password::show).post(password::choose))
        .route(journey::DEVICE, get(device::show).post(device::add))
        .route(journey::FINISH, get(finish::show).post(finish::complete))
        .route(journey::DONE, get(finish::done))
        .route("/report/{token}", get(report::ask).merge(post(report::report)))
}

/// The templates of these pages.
pub(crate) const TEMPLATES: &[TemplateFile] = &[
    ("_wizard.html", include_str!("templates/_wizard.html")),
    ("enter.html", include_str!("templates/enter.html")),
    ("landing.html", include_str!("templates/landing.html")),
    ("profile.html", include_str!("templates/profile.html")),
    ("factor.html", include_str!("templates/factor.html")),
    ("email_code.html", include_str!("templates/email_code.html")),
    ("codes.html", include_str!("templates/codes.html")),
    ("password.html", include_str!("templates/password.html")),
    ("device.html", include_str!("templates/device.html")),
    ("finish.html", include_str!("templates/finish.html")),
    ("done.html", include_str!("templates/done.html")),
    ("report.html", include_str!("templates/report.html")),
    ("reported.html", include_str!("templates/reported.html")),
];
