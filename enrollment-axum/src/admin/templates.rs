//! The texts that administrators may write themselves.

use axum::Json as Answered;
use axum::extract::State;
use enrollment_core::service::administrator::TemplateView;
use enrollment_core::template::{Rendered, TAGS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::By;
use super::list::List;
use crate::extract::{Json, OptionalJson, PathId};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// A text as it is in force.
#[derive(Serialize, ToSchema)]
pub(super) struct TemplateDto {
    /// Its name.
    name: &'static str,
    /// Markdown with tags such as `{{ first_name }}`.
    source: String,
    /// It is an administrator's own, in place of the built-in one.
    is_own: bool,
    /// The tags it may use.
    tags: Vec<&'static str>,
}

/// A text to put in force.
#[derive(Deserialize, ToSchema)]
pub(super) struct SaveTemplateRequest {
    /// Markdown with tags.
    source: String,
}

/// A text to look at.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct PreviewRequest {
    /// Markdown with tags; without it the text in force.
    source: Option<String>,
}

/// A text with sample people.
#[derive(Serialize, ToSchema)]
pub(super) struct PreviewDto {
    /// CommonMark.
    markdown: String,
    /// Sanitized HTML.
    html: String,
    /// Plain text.
    text: String,
}

/// Every text that can be written anew.
#[utoipa::path(get, path = "/templates", operation_id = "list_templates", tag = "templates", responses((status = 200, body = List<TemplateDto>)))]
pub(super) async fn list(State(state): State<EnrollmentState>, By(by): By) -> Answer<Answered<List<TemplateDto>>> {
    let templates = state.service().administrator().templates(&by).await?;
    Ok(Answered(List::whole(templates, TemplateDto::from)))
}

/// One text.
#[utoipa::path(get, path = "/templates/{name}", operation_id = "get_template", tag = "templates", params(("name" = String, Path)), responses((status = 200, body = TemplateDto)))]
pub(super) async fn get(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(name): PathId<String>,
) -> Answer<Answered<TemplateDto>> {
    Ok(Answered(state.service().administrator().template(&by, &name).await?.into()))
}

/// Puts a text in force, once it has been compiled and rendered with sample data.
#[utoipa::path(put, path = "/templates/{name}", operation_id = "save_template", tag = "templates", params(("name" = String, Path)), responses((status = 200, body = TemplateDto)))]
pub(super) async fn save(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(name): PathId<String>,
    Json(SaveTemplateRequest { source }): Json<SaveTemplateRequest>,
) -> Answer<Answered<TemplateDto>> {
    Ok(Answered(state.service().administrator().save_template(&by, &name, &source).await?.into()))
}

/// Puts the built-in text in force again.
#[utoipa::path(delete, path = "/templates/{name}", operation_id = "reset_template", tag = "templates", params(("name" = String, Path)), responses((status = 200, body = TemplateDto)))]
pub(super) async fn reset(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(name): PathId<String>,
) -> Answer<Answered<TemplateDto>> {
    Ok(Answered(state.service().administrator().reset_template(&by, &name).await?.into()))
}

/// Shows what a text would look like. Writes nothing.
#[utoipa::path(post, path = "/templates/{name}/preview", operation_id = "preview_template", tag = "templates", params(("name" = String, Path)), responses((status = 200, body = PreviewDto)))]
pub(super) async fn preview(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(name): PathId<String>,
    OptionalJson(PreviewRequest { source }): OptionalJson<PreviewRequest>,
) -> Answer<Answered<PreviewDto>> {
    let administrator = state.service().administrator();
    let source = match source {
        Some(source) => source,
        None => administrator.template(&by, &name).await?.source,
    };
    let Rendered { markdown, html, text } = administrator.preview_template(&by, &name, &source).await?;
    Ok(Answered(PreviewDto { markdown, html, text }))
}

impl From<TemplateView> for TemplateDto {
    fn from(template: TemplateView) -> Self {
        let TemplateView { name, source, is_own } = template;
        Self { name, source, is_own, tags: TAGS.to_vec() }
    }
}
