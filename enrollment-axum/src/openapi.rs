//! The description of the API, generated from the handlers.

use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, ResponseBuilder};

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

/// Every operation may answer a problem document.
fn may_be_refused(operation: &mut Operation) {
    let schema = Ref::from_schema_name("ProblemDocument");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description("Why not").content(MEDIA_TYPE, content).build();
    let responses = &mut operation.responses.responses;
    responses.insert("default".to_owned(), response.into());
    for response in responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            // OpenAPI demands one of every response.
            response.description = "Done".to_owned();
        }
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = path;
    [get, put, post, delete, options, head, patch, trace].into_iter().filter_map(Option::as_mut)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// One name for two types would describe one of them as the other.
    #[test]
    fn no_two_parts_give_one_name_to_their_schemas() {
        let mut names = BTreeSet::new();
        for part in [
            enroll::documented::<EnrollmentState>().into_openapi(),
            admin::documented::<EnrollmentState>().into_openapi(),
            health::documented::<EnrollmentState>().into_openapi(),
            Base::openapi(),
        ] {
            for name in part.components.unwrap_or_default().schemas.into_keys() {
                assert!(names.insert(name.clone()), "{name}");
            }
        }
    }

    /// Generators of clients name functions by it.
    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for operation in openapi().paths.paths.values_mut().flat_map(operations) {
            let name = operation.operation_id.clone().expect("a name");
            assert!(names.insert(name.clone()), "{name}");
        }
    }
}
