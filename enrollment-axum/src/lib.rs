//! HTTP over [`enrollment_core::service`]: routers for enrollees and for administrators.
//!
//! Two faces that never mix: [`enroll_router`] is for the public, [`admin_router`] for the inside. Both are returned,
//! generic over the host's state, and impose nothing; a host nests them where it likes and adds the layers it wants.
//! [`public_layers`] and [`internal_layers`] put on all that this crate offers:
//!
//! ```
//! # use axum::Router;
//! # use enrollment_axum::{EnrollmentState, enroll_router, health_router, public_layers};
//! fn public_face(state: EnrollmentState) -> Router {
//!     let routes = Router::new().merge(enroll_router()).merge(health_router());
//!     public_layers(routes.with_state(state.clone()), &state)
//! }
//! ```
//!
//! With the feature `defguard`, `defguard::router` speaks to the clients of that product.
//!
//! Every refusal is a problem document (RFC 9457): see [`ProblemDocument`].

mod admin;
mod client;
mod cookie;
#[cfg(feature = "defguard")]
pub mod defguard;
mod enroll;
mod extract;
mod headers;
mod health;
mod landing;
mod layers;
mod limits;
mod openapi;
mod problem;
mod readiness;
mod state;
mod words;

pub use admin::{admin_router, api_key_auth};
pub use enroll::enroll_router;
pub use headers::security_headers;
pub use health::health_router;
pub use layers::{REQUEST_ID, RequestId, body_limit, catch_panics, internal_layers, observed, public_layers, timeout};
pub use limits::rate_limited;
pub use openapi::{openapi, openapi_router};
pub use problem::ProblemDocument;
pub use readiness::Readiness;
pub use state::{EnrollmentState, HttpOptions, Rate, Rates};
