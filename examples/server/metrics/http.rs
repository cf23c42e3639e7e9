//! Requests, by route and status, and refusals by their codes.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use enrollment::axum::problem_code;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::{Metrics, SECONDS};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    face: &'static str,
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    face: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    face: &'static str,
    code: String,
}

#[derive(Debug, Clone)]
pub(super) struct HttpMetrics {
    requests: Family<Answered, Counter>,
    took: Family<Asked, Histogram, fn() -> Histogram>,
    refusals: Family<Refused, Counter>,
}

impl HttpMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let new = Self {
            requests: Family::default(),
            took: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            refusals: Family::default(),
        };
        registry.register("http_requests", "Requests answered", new.requests.clone());
        registry.register("http_request_duration_seconds", "How long an answer took", new.took.clone());
        registry.register("refusals", "Requests refused, by the code of the problem", new.refusals.clone());
        new
    }
}

/// Counts the requests of a face, after all other layers.
pub(crate) fn counted(router: Router, metrics: &Metrics, face: &'static str) -> Router {
    router.layer(middleware::from_fn_with_state((metrics.http.clone(), face), count))
}

async fn count(State((metrics, face)): State<(HttpMetrics, &'static str)>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    // The template, never the path, in which tokens stand.
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let method = method_name(request.method());
    let response = next.run(request).await;
    if let Some(code) = problem_code(&response) {
        metrics.refusals.get_or_create(&Refused { face, code: code.to_owned() }).inc();
    }
    let status = response.status().as_u16();
    metrics.requests.get_or_create(&Answered { face, method, route: route.clone(), status }).inc();
    metrics.took.get_or_create(&Asked { face, route }).observe(started.elapsed().as_secs_f64());
    response
}

/// A client can invent methods: those have no name here.
const fn method_name(method: &axum::http::Method) -> &'static str {
    use axum::http::Method as M;
    match *method {
        M::GET => "GET",
        M::HEAD => "HEAD",
        M::POST => "POST",
        M::PUT => "PUT",
        M::PATCH => "PATCH",
        M::DELETE => "DELETE",
        M::OPTIONS => "OPTIONS",
        _ => "-",
    }
}
