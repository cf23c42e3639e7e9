//! Spans for whoever collects traces, over OTLP; nowhere until an endpoint is configured.
//!
//! Spans of this program go, events stay: what is logged may quote a relay or a database. No request's `traceparent` is
//! read, so every request begins a trace of its own, and its chance to be exported is this server's choice alone.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Uri;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry::trace::{SpanKind, TracerProvider as _};
use opentelemetry::{KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{RetryPolicy, SpanExporter as Otlp, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use utoipa::ToSchema;

use super::Error;

/// Whose spans go: those of requests, use cases and workers' rounds.
const OURS: [&str; 2] = ["enrollment_core", "enrollment_axum"];
/// How long a collector may take for a batch, which is not sent again.
const BATCH: Duration = Duration::from_secs(5);
/// How long the last batch may keep the server from stopping.
const LAST: Duration = Duration::from_secs(3);
/// More than any collector has to say to a batch.
const MOST_ANSWER: usize = 64 * 1024;

/// Where spans go, for whoever collects traces; nowhere without an endpoint.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TracingTable {
    /// A collector that takes OTLP over HTTP: `http://127.0.0.1:4318`. Default: none.
    endpoint: Option<String>,
    /// Which share of all traces goes there, 0 to 1. Default: 1.
    share: Option<f64>,
}

/// A collector, and what goes there.
#[derive(Debug)]
pub(crate) struct Collector {
    endpoint: String,
    share: f64,
}

impl TracingTable {
    /// The collector, where one is configured.
    pub(crate) fn read(self, endpoint: Option<String>) -> Result<Option<Collector>, Error> {
        let share = self.share.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("tracing.share: {share} is not between 0 and 1").into());
        }
        let Some(endpoint) = endpoint.or(self.endpoint) else { return Ok(None) };
        if !is_plain(&endpoint) {
            // Not repeated: it may hold a password.
            return Err(
                "tracing.endpoint: give http://HOST:PORT; a collector elsewhere is reached through one beside \
                        the server, which sends on by TLS"
                    .into(),
            );
        }
        Ok(Some(Collector { endpoint: endpoint.trim_end_matches('/').to_owned(), share }))
    }
}

/// Whether it is plain http to a host, and nothing else.
fn is_plain(endpoint: &str) -> bool {
    let Ok(uri) = endpoint.parse::<Uri>() else { return false };
    let host = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    uri.scheme_str() == Some("http") && host && uri.path() == "/" && uri.query().is_none()
}

/// Spans on their way.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Spans are queued where they end, and sent every five seconds by a thread of their own. What has no room in the
    /// queue, and what nobody takes, is dropped.
    pub(crate) fn start(collector: &Collector) -> Result<Self, Error> {
        let otlp = Otlp::builder()
            .with_http()
            .with_http_client(Poster(Handle::current()))
            .with_endpoint(format!("{}/v1/traces", collector.endpoint))
            .with_timeout(BATCH)
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        let resource = Resource::builder()
            .with_service_name("enrollment")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Sender { otlp, lost: AtomicU64::new(0) })
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(collector.share))))
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    /// What turns spans into those of OpenTelemetry.
    pub(crate) fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(&self) -> impl Layer<S> + use<S> {
        let ours =
            filter_fn(|metadata| metadata.is_span() && OURS.iter().any(|ours| metadata.target().starts_with(ours)));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("enrollment"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::DEBUG))
    }

    /// Sends what is left, as far as somebody takes it soon.
    pub(crate) async fn stop(self) {
        // It blocks until then.
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::warn!("the last traces were not taken in time");
        }
    }
}

/// Sends what is worth it, and says once when nobody takes it.
#[derive(Debug)]
struct Sender {
    otlp: Otlp,
    /// Spans dropped since a batch was taken.
    lost: AtomicU64,
}

impl SpanExporter for Sender {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.retain(|span| !is_idle(span));
        batch.iter_mut().for_each(tidy);
        let Ok(spans @ 1..) = u64::try_from(batch.len()) else { return Ok(()) };
        match self.otlp.export(batch).await {
            Ok(()) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::info!(lost, "traces are taken again");
                }
            }
            Err(error) => {
                if self.lost.fetch_add(spans, Ordering::Relaxed) == 0 {
                    tracing::warn!(%error, "traces are not taken: they are dropped until they are");
                }
            }
        }
        // Told already.
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "traces were dropped");
        }
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}

/// A worker looked, and there was nothing to do: some of them look every second.
fn is_idle(span: &SpanData) -> bool {
    let none = |what| span.attributes.iter().any(|field| field.key.as_str() == what && field.value == Value::I64(0));
    none("done") && none("changes")
}

/// A field that was told twice counts once, as it was told last. Requests are where a service begins, and are named by
/// what they ask for.
fn tidy(span: &mut SpanData) {
    let mut seen = HashSet::new();
    span.attributes.reverse();
    span.attributes.retain(|field| seen.insert(field.key.clone()));
    let field = |name| span.attributes.iter().find(|field| field.key.as_str() == name).map(|field| &field.value);
    if let (Some(method), Some(route)) = (field("method"), field("route")) {
        span.name = format!("{method} {route}").into();
        span.span_kind = SpanKind::Server;
    }
}

/// Sends batches from the exporter's thread, on the server's runtime.
#[derive(Debug)]
struct Poster(Handle);

#[async_trait]
impl HttpClient for Poster {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.0.spawn(async move { tokio::time::timeout(BATCH, post(request)).await? }).await?
    }
}

/// One request on a connection of its own, in the form a server is asked.
async fn post(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().ok_or("an endpoint has a host")?.clone();
    let port = if authority.port().is_some() { "" } else { ":80" };
    let stream = TcpStream::connect(format!("{authority}{port}")).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    head.uri = Uri::from(head.uri.path_and_query().ok_or("an endpoint has a path")?.clone());
    head.headers.insert("host", authority.as_str().parse()?);
    let answer = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(head, Limited::new(body, MOST_ANSWER).collect().await?.to_bytes()))
}
