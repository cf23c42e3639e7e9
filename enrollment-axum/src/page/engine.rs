//! Templates, rendered.

use std::sync::LazyLock;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::assets;
use super::frame::Frame;
use crate::problem::{PageStatus, Problem};
use crate::state::EnrollmentState;

/// A page: its content, and the template that shows it as `page`, with `frame` around it.
///
/// Each one has samples, with which the strict test renders it.
pub(crate) trait Page: Serialize {
    /// The template's name, which ends in `.html`.
    const TEMPLATE: &'static str;
}

/// A template: its name and its text. Names that begin with `_` are parts of others.
pub(crate) type TemplateFile = (&'static str, &'static str);

/// The templates of the kit itself.
const KIT: &[TemplateFile] = &[
    ("_layout.html", include_str!("templates/_layout.html")),
    ("_field.html", include_str!("templates/_field.html")),
    ("problem.html", include_str!("templates/problem.html")),
];

/// All templates. Each face adds a line.
pub(super) const TEMPLATES: &[&[TemplateFile]] = &[KIT, crate::wizard::TEMPLATES, crate::admin_pages::TEMPLATES];

/// The engine: everything escaped, nothing undefined.
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::Html);
    engine.add_function("asset", |name: &str| {
        assets::path(name)
            .map(Value::from_safe_string)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "there is no such file"))
    });
    for (name, source) in TEMPLATES.iter().copied().flatten() {
        // A template that does not compile is missing then, and the strict test says why.
        if let Err(error) = engine.add_template(name, source) {
            tracing::error!(%error, name, "a template does not compile");
        }
    }
    engine
});

/// A page, on its way to a browser.
///
/// `status` is what the page says: a form with a mistake is no success. Of a refusal it is the problem's
/// [`page_status`](Problem::page_status), so that programs, metrics and logs read what the page says in words.
pub(crate) fn answer<P: Page>(state: &EnrollmentState, status: impl Into<PageStatus>, page: &P) -> Response {
    match render(&Frame::of(state), page) {
        Ok(html) => status.into().onto(html_response(StatusCode::OK, html)),
        Err(error) => {
            tracing::error!(error = %error, template = P::TEMPLATE, "a page could not be rendered");
            Problem::from_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
    }
}

pub(super) fn render<P: Page>(frame: &Frame, page: &P) -> Result<String, Error> {
    ENGINE
        .get_template(P::TEMPLATE)?
        .render(context! { frame => Value::from(Serde(frame)), page => Value::from(Serde(page)) })
}

/// What a page may do: show itself with our style sheet, run our own script files, post to its own origin. Scripts can't
/// turn text into markup (Trusted Types), nobody frames it, nothing is asked of another host.
pub(super) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

pub(super) fn html_response(status: StatusCode, html: String) -> Response {
    let html_type = HeaderValue::from_static("text/html; charset=utf-8");
    let headers = [
        (header::CONTENT_TYPE, html_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // Also where a host leaves the layers out: what stands on a page is for one person, once.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, html).into_response()
}
