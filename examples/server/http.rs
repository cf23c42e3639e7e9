//! The two faces, which never mix (SYS-1).

use axum::Router;
use enrollment::axum::{
    EnrollmentState, HttpOptions, Readiness, admin_router, api_key_auth, defguard, enroll_router, health_router,
    internal_layers, openapi_router, public_layers,
};
use enrollment::core::service::Service;

use super::config::Config;

/// What both faces share.
pub(crate) fn state(config: &Config, service: &Service, readiness: Readiness) -> EnrollmentState {
    let mut options = HttpOptions {
        insecure_http: config.insecure_http,
        trusted_proxies: config.trusted_proxies.clone(),
        readiness,
        ..HttpOptions::default()
    };
    if !config.rate_limits {
        options.rates = None;
    }
    EnrollmentState::new(service.clone(), options)
}

/// Enrollees only.
pub(crate) fn public(state: &EnrollmentState) -> Router {
    let routes = Router::new().merge(enroll_router()).merge(defguard::router()).merge(health_router());
    public_layers(routes.with_state(state.clone()), state)
}

/// Administration only. Whoever calls it shows an API key.
pub(crate) fn internal(state: &EnrollmentState) -> Router {
    let routes = Router::new().merge(admin_router()).merge(health_router()).merge(openapi_router());
    internal_layers(api_key_auth(routes.with_state(state.clone()), state), state)
}
