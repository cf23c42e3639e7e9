//! Who asks.

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use enrollment_core::secret::ApiKeySecret;
use enrollment_core::service::{Origin, Principal};

use crate::client;
use crate::extract::bearer;
use crate::problem::Problem;
use crate::state::EnrollmentState;

/// The administrator who asks: the [`Principal`] that the host put among the request's extensions. Without one the
/// answer is `unauthorized`; there is no default.
pub(crate) struct By(pub(crate) Principal);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Principal>().copied().map(Self).ok_or_else(Problem::unauthorized)
    }
}

/// Authenticates `Authorization: Bearer enk_…`: whoever shows a key in force becomes the request's [`Principal`], and
/// whoever shows one that is not is refused with `unauthorized`.
///
/// A request without such a header passes as it is, so that a host can put its own ways of signing in beside this one.
pub fn api_key_auth<S: Clone + Send + Sync + 'static>(router: Router<S>, state: &EnrollmentState) -> Router<S> {
    router.layer(middleware::from_fn_with_state(state.clone(), authenticate))
}

async fn authenticate(State(state): State<EnrollmentState>, mut request: Request, next: Next) -> Response {
    let key = bearer(request.headers()).map(ApiKeySecret::parse);
    if let Some(Ok(key)) = key {
        let source = client::source(request.headers(), request.extensions(), state.options());
        match state.service().administrator().authenticate(&key, Origin { source }).await {
            Ok(principal) => request.extensions_mut().insert(principal),
            Err(failure) => return Problem::from(failure).into_response(),
        };
    }
    next.run(request).await
}
