//! HTTP over [`enrollment_core::service`]: routers for enrollees and for administrators.
//!
//! Two faces that never mix: [`enroll_router`] and, for people with a browser, [`wizard_router`] are for the public,
//! [`admin_router`] is for the inside. All are returned, generic over the host's state, and impose nothing; a host nests
//! them where it likes and adds the layers it wants.
//! [`public_layers`] and [`internal_layers`] put on all that this crate offers:
//!
//! ```
//! # use axum::Router;
//! # use enrollment_axum::{EnrollmentState, assets_router, enroll_router, health_router};
//! # use enrollment_axum::{public_layers, wizard_router};
//! fn public_face(state: EnrollmentState) -> Router {
//!     let pages = Router::new().merge(wizard_router()).merge(assets_router());
//!     let routes = Router::new().merge(enroll_router()).merge(pages).merge(health_router());
//!     public_layers(routes.with_state(state.clone()), &state)
//! }
//! ```
//!
//! With the feature `defguard`, `defguard::router` speaks to the clients of that product.
//!
//! Every refusal is a problem document (RFC 9457): see [`ProblemDocument`]; a browser that asked for a page gets it as one.

mod admin;
mod admin_pages;
mod client;
mod cookie;
#[cfg(feature = "defguard")]
pub mod defguard;
mod downloads;
mod enroll;
mod extract;
mod headers;
mod health;
mod layers;
mod limits;
mod openapi;
mod page;
mod problem;
mod readiness;
mod state;
mod wizard;
mod words;

pub use admin::{admin_router, api_key_auth};
pub use admin_pages::{admin_pages_router, session_auth, sign_in_router};
pub use enroll::enroll_router;
pub use headers::security_headers;
pub use health::health_router;
pub use layers::{REQUEST_ID, RequestId, body_limit, catch_panics, internal_layers, observed, public_layers, timeout};
pub use limits::rate_limited;
pub use openapi::{openapi, openapi_router};
pub use page::assets_router;
pub use problem::{ProblemDocument, problem_code};
pub use readiness::Readiness;
pub use state::{EnrollmentState, HttpOptions, Rate, Rates};
pub use wizard::wizard_router;
