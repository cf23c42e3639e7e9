//! The document itself.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was refused (RFC 9457, `application/problem+json`).
///
/// `code` is stable and for programs, `detail` is for people and says what to do next. No secret comes back: of what was
/// sent, only a value outside its range is repeated, and names the sender must correct.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// A stable name of the kind of problem: `urn:enrollment:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:enrollment:problem:requirements_missing")]
    pub kind: String,
    /// The kind of problem in words.
    #[schema(value_type = String, example = "Requirements missing")]
    pub title: Cow<'static, str>,
    /// The status of the answer.
    #[schema(example = 409)]
    pub status: u16,
    /// What happened and what to do next.
    #[schema(value_type = String)]
    pub detail: Cow<'static, str>,
    /// The stable code.
    #[schema(value_type = String, example = "requirements_missing")]
    pub code: Cow<'static, str>,
    /// The request, for the operator's logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// With `requirements_missing`: what is missing, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// The field that is wrong, as a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// With `out_of_range`: the smallest value allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// With `out_of_range`: the largest value allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// With `wrong_code`: how many tries are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    /// With `invalid_template`: the line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Seconds until the same request may succeed; also the header Retry-After.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl ProblemDocument {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: Cow<'static, str>) -> Self {
        Self {
            kind: format!("urn:enrollment:problem:{code}"),
            title: Cow::Owned(title_of(code)),
            status: status.as_u16(),
            detail,
            code: Cow::Borrowed(code),
            request_id: None,
            missing: None,
            field: None,
            min: None,
            max: None,
            left: None,
            line: None,
            retry_after: None,
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        // Texts and numbers only: serializing them into memory has no way to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A kind of problem in words, from its code: `invalid_token` is "Invalid token".
fn title_of(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
