//! The two faces, which never mix (SYS-1).

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use enrollment::axum::{
    EnrollmentState, HttpOptions, Readiness, admin_pages_router, admin_router, api_key_auth, assets_router, defguard,
    enroll_router, health_router, internal_layers, openapi_router, public_layers, session_auth, sign_in_router,
    wizard_router,
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
    let routes = Router::new()
        .merge(enroll_router())
        .merge(wizard_router())
        .merge(defguard::router())
        .merge(assets_router())
        .merge(health_router())
        .route("/", get(Redirect::to("/enroll")));
    counted(public_layers(routes.with_state(state.clone()), state), metrics, "public")
}

/// Administration and metrics only. Programs show an API key, people sign in; metrics say nothing of anybody.
pub(crate) fn internal(state: &EnrollmentState, metrics: &Metrics, offset: ClockOffset) -> Router {
    let programs = api_key_auth(admin_router().with_state(state.clone()), state);
    let pages = Router::new().merge(admin_pages_router()).merge(sign_in_router());
    let people = session_auth(pages.with_state(state.clone()), state);
    let rest = Router::new().merge(assets_router()).merge(health_router()).merge(openapi_router());
    let rest = rest.route("/", get(Redirect::to("/admin")));
    let measured = metrics::router(metrics.clone(), state.service().clone(), offset);
    let routes = programs.merge(people).merge(rest.with_state(state.clone())).merge(measured);
    counted(internal_layers(routes, state), metrics, "internal")
}
