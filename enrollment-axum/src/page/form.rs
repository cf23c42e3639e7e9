//! Forms: urlencoded, bounded in size and time, and shown again with what was typed.

use axum::extract::{FromRef, FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::extract::{demand_same_site, within_time};
use crate::problem::Problem;
use crate::state::EnrollmentState;

/// The fields of a posted form. Fields that are not known are ignored; one that is missing is for its type to judge
/// (`#[serde(default)]`), so that a person hears of it beside the field.
///
/// What a page of another site makes a browser post is refused before the form is read (SYS-5).
pub(crate) struct Form<T>(pub(crate) T);

impl<S, T> FromRequest<S> for Form<T>
where
    EnrollmentState: FromRef<S>,
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let shared = EnrollmentState::from_ref(state);
        demand_same_site(request.method(), request.headers(), &shared)?;
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        if !is_form {
            return Err(unreadable());
        }
        match within_time(&shared, axum::extract::Form::<T>::from_request(request, state)).await? {
            Ok(axum::extract::Form(form)) => Ok(Self(form)),
            // The framework's message would repeat what was typed.
            Err(rejection) => match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE)),
                _ => Err(unreadable()),
            },
        }
    }
}

fn unreadable() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_form", "The form did not arrive whole. Load the page again.")
}

/// One field of a form as it is shown: what was typed, and what is wrong with it. A password is never shown again.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Field {
    pub(crate) value: String,
    pub(crate) error: Option<String>,
}

impl Field {
    /// A field with this in it.
    pub(crate) fn with(value: impl Into<String>) -> Self {
        Self { value: value.into(), error: None }
    }

    /// The same with what is wrong with it.
    #[must_use]
    pub(crate) fn refused(self, error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..self }
    }
}

/// Where on a form a refusal belongs.
#[derive(Debug)]
pub(crate) enum FormProblem {
    /// Beside the field of this name.
    Beside(String, String),
    /// Above the whole form.
    Above(String),
    /// Nowhere: the form cannot help. It has a page of its own.
    Elsewhere(Problem),
}

impl FormProblem {
    /// Sorts a refusal. Whatever names a field goes beside it; codes in `beside` go to the field named there, and those
    /// in `above` above the form.
    pub(crate) fn sort(problem: Problem, beside: &[(&str, &str)], above: &[&str]) -> Self {
        let document = problem.document();
        let code = &*document.code;
        let text = document.detail.to_string();
        if let Some((_, field)) = beside.iter().find(|(known, _)| *known == code) {
            return Self::Beside((*field).to_owned(), sentence(strip(&text, document.field.as_deref())));
        }
        if let Some(field) = &document.field {
            return Self::Beside(field.clone(), sentence(strip(&text, Some(field))));
        }
        if above.contains(&code) { Self::Above(text) } else { Self::Elsewhere(problem) }
    }
}

/// For programs a refusal begins with the field's name; beside the field nobody needs it.
fn strip<'a>(text: &'a str, field: Option<&str>) -> &'a str {
    field.and_then(|field| text.strip_prefix(field)?.strip_prefix(": ")).unwrap_or(text)
}

/// With a capital and a full stop, as people read it.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut sentence: String =
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use enrollment_core::domain::rejection::Rejection;

    use super::*;

    fn sorted(rejection: Rejection) -> FormProblem {
        FormProblem::sort(rejection.into(), &[("wrong_code", "code")], &["no_location"])
    }

    /// SYS-3
    #[test]
    fn a_refusal_stands_where_it_can_be_put_right() {
        let FormProblem::Beside(field, text) =
            sorted(Rejection::InvalidField { field: "phone", reason: "must have digits".to_owned() })
        else {
            unreachable!("it names a field")
        };
        assert_eq!((field.as_str(), text.as_str()), ("phone", "Must have digits."));
        assert!(matches!(sorted(Rejection::WrongCode { left: 2 }), FormProblem::Beside(field, _) if field == "code"));
        assert!(matches!(sorted(Rejection::NoLocation), FormProblem::Above(_)));
        assert!(matches!(sorted(Rejection::SessionExpired), FormProblem::Elsewhere(_)));
    }
}
