//! The kit that all pages are made of: templates with typed contexts, one look, forms, and a page for every refusal.
//!
//! A page is a [`Page`]: a serializable context and the template that shows it. [`answer`] renders it inside the layout
//! and puts on the policy under which it may do nothing but show itself, post to its own origin and run our own script
//! (SYS-5). Every page works without JavaScript and asks no other host for anything.
//!
//! One strict test renders every page with every one of its samples, so no page fails when a person opens it.

mod assets;
mod branding;
mod engine;
mod form;
mod frame;
mod offer;
mod problem;
#[cfg(test)]
mod tests;

pub use assets::assets_router;

pub(crate) use branding::{Branding, KnownBranding};
pub(crate) use engine::{Page, TemplateFile, answer};
pub(crate) use form::{Field, Form, FormProblem};
pub(crate) use offer::OfferView;
pub(crate) use problem::{Asker, as_page, asker};
#[cfg(test)]
pub(crate) use tests::{HOSTILE, Sample};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Leads to another of our pages after a form was posted: the browser asks for it with a GET, so that reloading and going
/// back post nothing again (RFC 9110, section 15.4.4).
///
/// `path` begins with a slash and is one of ours. A browser puts scheme and host before it that it has, so no header of a
/// request is believed for that.
pub(crate) fn see_other(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}
