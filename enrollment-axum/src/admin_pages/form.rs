//! Forms of the administration.

use std::collections::BTreeMap;
use std::fmt;

use axum::extract::{FromRef, FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Serialize;

use crate::extract::within_time;
use crate::page::{Field, FormProblem};
use crate::problem::Problem;
use crate::state::EnrollmentState;

/// What a form of one of our own pages holds, passwords and codes among it. A field that is not there is empty.
pub(super) struct Posted(BTreeMap<String, String>);

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Posted({} fields)", self.0.len())
    }
}

impl Posted {
    /// What was typed.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// What was typed, without spaces around it; `None` when nothing was.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|text| !text.is_empty())
    }

    /// Whether a box was ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// One or more values, with commas, spaces or line breaks between them.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let parts = self.get(name).split(|c: char| c == ',' || c.is_whitespace());
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// Takes a secret out: it is not shown again.
    pub(super) fn take(&mut self, name: &str) -> String {
        self.0.remove(name).unwrap_or_default()
    }
}

impl<S> FromRequest<S> for Posted
where
    EnrollmentState: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let shared = EnrollmentState::from_ref(state);
        demand_own_page(request.headers(), shared.options().insecure_http)?;
        let read = axum::extract::Form::<BTreeMap<String, String>>::from_request(request, state);
        match within_time(&shared, read).await? {
            Ok(axum::extract::Form(fields)) => Ok(Self(fields)),
            // The framework's message would repeat what was typed.
            Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_form", UNREADABLE)),
        }
    }
}

const UNREADABLE: &str = "The form did not arrive whole. Load the page again.";

/// Refuses what a page of another site makes a browser post (OWASP CSRF cheat sheet: fetch metadata, then the origin).
/// The internal face has no configured address, so the origin is held against the host that the browser asked; for a page
/// of another site the two differ. Cookies are `SameSite=Strict` besides.
///
/// Over plain HTTP the second is all there is: our own pages, too, then send no fetch metadata and `Origin: null`, as
/// [`demand_same_site`](crate::extract::demand_same_site) says.
fn demand_own_page(headers: &HeaderMap, insecure_http: bool) -> Result<(), Problem> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = match (value("sec-fetch-site"), value(header::ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some("null")) => insecure_http,
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == value(header::HOST.as_str())
        }
        (None, None) => false,
    };
    let refusal = "This came from another site. Use the administration's own page.";
    if own { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", refusal)) }
}

/// A form as it is shown: what was typed, what is wrong with it, and what is wrong with the whole.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    fields: BTreeMap<&'static str, Field>,
    above: Option<String>,
}

impl Shown {
    /// A form with this in it.
    pub(super) fn of(fields: &[(&'static str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| (*name, Field::with(*value))).collect();
        Self { fields, above: None }
    }

    /// An empty form.
    pub(super) fn empty(names: &[&'static str]) -> Self {
        Self { fields: names.iter().map(|name| (*name, Field::default())).collect(), above: None }
    }

    /// What was typed into these fields.
    pub(super) fn typed(names: &[&'static str], posted: &Posted) -> Self {
        Self { fields: names.iter().map(|name| (*name, Field::with(posted.get(name)))).collect(), above: None }
    }

    /// The same with this above all.
    pub(super) fn saying(mut self, text: &str) -> Self {
        self.above = Some(text.to_owned());
        self
    }

    /// The same with this beside one of its fields.
    pub(super) fn wrong(mut self, field: &str, text: &str) -> Self {
        if let Some(shown) = self.fields.get_mut(field) {
            shown.error = Some(text.to_owned());
        }
        self
    }

    /// The same with a refusal where it belongs: beside its field, or above all.
    ///
    /// # Errors
    /// With what nobody puts right in a form: it has a page of its own.
    pub(super) fn refused(mut self, problem: Problem, beside: &[(&str, &str)]) -> Result<Self, Problem> {
        if problem.status().is_server_error() || problem.status() == StatusCode::NOT_FOUND {
            return Err(problem);
        }
        let code = problem.document().code.to_string();
        match FormProblem::sort(problem, beside, &[&code]) {
            FormProblem::Beside(field, text) => match self.fields.get_mut(field.as_str()) {
                Some(shown) => shown.error = Some(text),
                None => self.above = Some(text),
            },
            FormProblem::Above(text) => self.above = Some(text),
            FormProblem::Elsewhere(problem) => return Err(problem),
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(insecure_http: bool, pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header"));
        }
        demand_own_page(&headers, insecure_http).is_ok()
    }

    /// A password in a form is in no log, whoever writes the form there; nor are names of fields, which are a client's, too.
    #[test]
    fn what_was_typed_is_not_shown() {
        let posted = Posted(BTreeMap::from([("password".to_owned(), "hunter2".to_owned())]));
        assert_eq!(format!("{posted:?}"), "Posted(1 fields)");
    }

    /// SYS-5
    #[test]
    fn only_our_own_pages_post() {
        for insecure_http in [false, true] {
            let judged = |pairs| judged(insecure_http, pairs);
            assert!(judged(&[("sec-fetch-site", "same-origin"), ("origin", "null"), ("host", "vpn-admin.lan")]));
            // A browser that knows no fetch metadata, and not yet that our policy hides the origin.
            assert!(judged(&[("origin", "https://vpn-admin.lan"), ("host", "vpn-admin.lan")]));
            for other in [
                &[("sec-fetch-site", "cross-site"), ("origin", "null")][..],
                &[("sec-fetch-site", "same-site"), ("origin", "null")],
                &[("origin", "http://evil.example"), ("host", "10.0.0.5:8081")],
                &[("host", "10.0.0.5:8081")],
            ] {
                assert!(!judged(other), "{other:?}");
            }
        }
        // What a browser sends from our own page over plain HTTP.
        let plain = &[("origin", "null"), ("host", "10.0.0.5:8081")];
        assert!(judged(true, plain) && !judged(false, plain));
    }
}
