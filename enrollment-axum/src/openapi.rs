//! The description of the API, generated from the handlers.

use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, ResponseBuilder};

use crate::problem::{MEDIA_TYPE, ProblemDocument};
use crate::state::EnrollmentState;
use crate::{admin, enroll, health};

#[derive(OpenApi)]
#[openapi(
    info(title = "enrollment", description = "Lets people into a VPN: the enrollee's and the administrator's API"),
    components(schemas(ProblemDocument))
)]
struct Base;

/// `/api/openapi.json`, for the internal face.
pub fn openapi_router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/api/openapi.json", get(|| async { Json(openapi()) }))
}

/// The description of both faces, as OpenAPI 3.1. Every operation may also answer a [`ProblemDocument`].
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut api = Base::openapi();
    api.merge(with_security(enroll::documented::<EnrollmentState>().into_openapi(), &["session", "session_cookie"]));
    api.merge(with_security(admin::documented::<EnrollmentState>().into_openapi(), &["api_key"]));
    api.merge(health::documented::<EnrollmentState>().into_openapi());
    api.paths.paths.values_mut().flat_map(operations).for_each(may_be_refused);
    let schemes = &mut api.components.get_or_insert_default().security_schemes;
    let bearer = |about: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build()).into()
    };
    schemes.insert("session".to_owned(), bearer("The session token, `ens_…`"));
    schemes.insert("api_key".to_owned(), bearer("An API key, `enk_…`"));
    let cookie = ApiKeyValue::with_description("__Host-enrollment", "The session token, for browsers");
    schemes.insert("session_cookie".to_owned(), SecurityScheme::ApiKey(ApiKey::Cookie(cookie)).into());
    api
}

/// Asks one of these schemes of every operation that does not say otherwise.
fn with_security(mut api: utoipa::openapi::OpenApi, schemes: &[&str]) -> utoipa::openapi::OpenApi {
    for operation in api.paths.paths.values_mut().flat_map(operations) {
        operation.security.get_or_insert_with(|| {
            schemes.iter().map(|scheme| SecurityRequirement::new(*scheme, std::iter::empty::<String>())).collect()
        });
    }
    api
}

fn may_be_refused(operation: &mut Operation) {
    let schema = Ref::from_schema_name("ProblemDocument");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description("Why not").content(MEDIA_TYPE, content).build();
    operation.responses.responses.insert("default".to_owned(), response.into());
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = path;
    [get, put, post, delete, options, head, patch, trace].into_iter().filter_map(Option::as_mut)
}
