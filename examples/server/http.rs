//! The two faces, which never mix (SYS-1).

use axum::Router;
use enrollment::axum::{
    EnrollmentState, HttpOptions, Readiness, admin_router, api_key_auth, enroll_router, health_router, internal_layers,
    openapi_router, public_layers,
};
use enrollment::core::service::Service;

use super::config::Config;
use super::metrics::{self, ClockOffset, Metrics, counted};

/// What both faces share.
pub(crate) fn state(config: &Config, service: &Service, readiness: Readiness) -> EnrollmentState {
    let options = HttpOptions {
        insecure_http: config.insecure_http,
        trusted_proxies: config.trusted_proxies.clone(),
        rates: config.rates,
        readiness,
        ..HttpOptions::default()
    };
    EnrollmentState::new(service.clone(), options)
}

/// Enrollees only.
pub(crate) fn public(state: &EnrollmentState, metrics: &Metrics) -> Router {
    let routes = Router::new().merge(enroll_router()).merge(health_router());
    counted(public_layers(routes.with_state(state.clone()), state), metrics, "public")
}

/// Administration and metrics only. Whoever calls the API shows an API key; metrics say nothing of anybody.
pub(crate) fn internal(state: &EnrollmentState, metrics: &Metrics, offset: ClockOffset) -> Router {
    let routes = Router::new().merge(admin_router()).merge(health_router()).merge(openapi_router());
    let routes = api_key_auth(routes.with_state(state.clone()), state);
    let routes = routes.merge(metrics::router(metrics.clone(), state.service().clone(), offset));
    counted(internal_layers(routes, state), metrics, "internal")
}
