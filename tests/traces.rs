//! The spans that the reference server exports are what its documentation says (SYS-6).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use serde_json::json;
use ureq::http::Method;

#[allow(dead_code, reason = "shared with another test")]
#[path = "common/client.rs"]
mod client;
#[path = "common/collector.rs"]
mod collector;
#[allow(dead_code, reason = "shared with another test")]
#[path = "common/server.rs"]
mod server;

use client::{ADMIN, Client, ENROLL, text};
use collector::{Collector, table};
use server::{Server, command, refused};

/// What a stranger would like their request to be part of.
const STRANGERS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A server that sends its spans to this collector, or tries to.
fn traced(folder: &Path, tracing: &str) -> Server {
    fs::write(folder.join("server.toml"), tracing).expect("the configuration");
    Server::start(folder, "info")
}

/// Somebody begins, confirms who they are, completes too early and chooses a password. Returns their enrollment's id.
fn journey(data: &Path, server: &Server) -> String {
    let (public, internal) = (Client::new(server.public), Client::new(server.internal));
    command(data, &["user", "add", "anna"]);
    let (link, _) = command(data, &["invite", "anna"]);
    let token = link.rsplit('/').next().expect("a token");
    let begun = public.post(&format!("{ENROLL}/sessions"), "", &json!({"token": token})).ok();
    let session = text(&begun, "session_token");
    public.put(&format!("{ENROLL}/session/profile"), session, &json!({})).ok();
    let parent = format!("00-{STRANGERS}-00f067aa0ba902b7-01");
    let bearer = format!("Bearer {session}");
    let headers = [("content-type", "application/json"), ("authorization", &bearer), ("traceparent", &parent)];
    public
        .send(Method::POST, &format!("{ENROLL}/session/complete"), &headers, Some("{}"))
        .refused(409, "requirements_missing");
    let password = json!({"password": "quiet lanterns over the harbor"});
    public.put(&format!("{ENROLL}/session/password"), session, &password).ok();
    let (key, _) = command(data, &["api-key", "create", "--role", "owner"]);
    let pending = internal.get(&format!("{ADMIN}/enrollments?q=anna"), &key).ok();
    text(&pending["items"][0], "id").to_owned()
}

/// All spans of these batches, whose resource must be this program.
fn spans(batches: &[Vec<u8>]) -> Vec<Span> {
    let mut spans = Vec::new();
    for batch in batches {
        let batch = ExportTraceServiceRequest::decode(&**batch).expect("protobuf");
        for of in batch.resource_spans {
            let resource = of.resource.expect("a resource").attributes;
            assert_eq!(word(&resource, "service.name").as_deref(), Some("enrollment"));
            assert_eq!(word(&resource, "service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
            spans.extend(of.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans
}

/// A field, as text.
fn word(fields: &[KeyValue], name: &str) -> Option<String> {
    let found = fields.iter().find(|field| field.key == name)?;
    match found.value.as_ref() {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text.clone()),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

/// The one span of this name within `parent`, which has these fields.
fn child<'s>(spans: &'s [Span], parent: Option<&Span>, name: &str, fields: &[(&str, &str)]) -> &'s Span {
    let within = parent.map(|parent| parent.span_id.clone()).unwrap_or_default();
    let fits = |span: &&Span| {
        let told = |(field, value): &(&str, &str)| word(&span.attributes, field).as_deref() == Some(*value);
        span.name == name && span.parent_span_id == within && fields.iter().all(told)
    };
    let found: Vec<&Span> = spans.iter().filter(fits).collect();
    assert_eq!(found.len(), 1, "{name} with {fields:?} among {spans:#?}");
    let one = found[0];
    assert!(parent.is_none_or(|parent| parent.trace_id == one.trace_id), "{one:?}");
    one
}

/// SYS-6
#[test]
fn a_request_is_traced_down_to_what_it_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start();
    let server = traced(folder.path(), &collector.table());
    let id = journey(folder.path(), &server);
    server.stop();
    let spans = spans(&collector.taken());

    let route = "/api/enroll/v1/session/password";
    let fields = [("method", "PUT"), ("route", route), ("enrollment", &*id), ("status", "200")];
    let request = child(&spans, None, &format!("PUT {route}"), &fields);
    assert_eq!(request.kind(), SpanKind::Server);
    let done = [("enrollment", &*id), ("stale", "0"), ("outcome", "done")];
    let chosen = child(&spans, Some(request), "enrollee.choose_password", &done);
    child(&spans, Some(chosen), "password", &[]);
    child(&spans, Some(chosen), "commit", &[("outcome", "applied")]);

    let route = "/api/enroll/v1/session/complete";
    let fields = [("enrollment", &*id), ("status", "409"), ("code", "requirements_missing")];
    let request = child(&spans, None, &format!("POST {route}"), &fields);
    let refused = [("enrollment", &*id), ("outcome", "requirements_missing")];
    child(&spans, Some(request), "enrollee.complete", &refused);
    let stranger = data_encoding::HEXLOWER.decode(STRANGERS.as_bytes()).expect("hexadecimal");
    assert!(spans.iter().all(|span| span.trace_id != stranger), "a stranger decided whose trace it is");
    assert!(spans.iter().all(|span| span.events.is_empty()), "what is logged stays in the log");
}

/// What the documentation says of each span: its kind, and its fields.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = include_str!("../docs/operations/metrics.md");
    let (_, traces) = page.split_once("## Traces").expect("traces are documented");
    let rows = traces.lines().filter(|line| line.starts_with("| `"));
    let named = |row: &str| {
        let mut cells = row.trim_matches('|').split(" | ");
        let name = cells.next().expect("a name").trim().trim_matches('`').to_owned();
        let fields = cells.next().expect("fields").split('`').skip(1).step_by(2);
        (name, fields.map(ToOwned::to_owned).collect())
    };
    rows.map(named).collect()
}

/// Which of the documented spans it is.
fn kind(span: &Span) -> &str {
    let has = |name: &str| span.attributes.iter().any(|field| field.key == name);
    match &*span.name {
        "commit" | "password" => &span.name,
        _ if has("route") => "request",
        _ if has("done") => "round",
        _ => "operation",
    }
}

/// SYS-6
#[test]
fn every_span_and_field_is_documented_and_every_documented_one_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start();
    let server = traced(folder.path(), &collector.table());
    journey(folder.path(), &server);
    collector.wait_until(|taken| spans(taken).iter().any(|span| span.name == "sealer"));
    server.stop();
    let mut shown = BTreeMap::<String, BTreeSet<String>>::new();
    let spans = spans(&collector.taken());
    let ids: BTreeSet<&[u8]> = spans.iter().map(|span| &*span.span_id).collect();
    for span in &spans {
        assert!(
            span.parent_span_id.is_empty() || ids.contains(&*span.parent_span_id),
            "its parent is missing: {span:?}"
        );
        let names: Vec<String> = span.attributes.iter().map(|field| field.key.clone()).collect();
        let fields = shown.entry(kind(span).to_owned()).or_default();
        fields.extend(names.iter().cloned());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a field twice: {span:?}");
        let none = |what| word(&span.attributes, what).as_deref() == Some("0");
        assert!(!(none("done") && none("changes")), "a worker had nothing to do: {span:?}");
    }
    assert_eq!(shown, documented());
}

/// SYS-6: whatever becomes of the collector, people are answered, the server stops, and the log tells of it once.
#[test]
fn a_collector_that_is_away_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let away = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("just bound");
    let server = traced(folder.path(), &table(away));
    server.has_said("traces are not taken");
    journey(folder.path(), &server);
    let said = String::from_utf8(server.stop()).expect("text");
    assert_eq!(said.matches("traces are not taken").count(), 1, "{said}");
    assert!(said.contains("traces were dropped lost="), "{said}");
}

/// SYS-6: the same of one that takes connections and says nothing.
#[test]
fn a_collector_that_is_silent_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = traced(folder.path(), &table(silent.local_addr().expect("just bound")));
    let _unanswered = silent.accept().expect("a batch is on its way");
    journey(folder.path(), &server);
    server.stop();
}

/// SYS-6: a share of none exports nothing; what cannot be meant is refused at the start.
#[test]
fn what_is_exported_is_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start();
    let server = traced(folder.path(), &format!("{}share = 0.0\n", collector.table()));
    journey(folder.path(), &server);
    server.stop();
    assert_eq!(collector.taken().len(), 0);

    for wrong in ["https://collector.example.com", "http://user:secret@localhost:4318", "http://localhost/v1/traces"] {
        let said = refused(folder.path(), &["--tracing-endpoint", wrong, "serve"]);
        assert!(said.contains("tracing.endpoint: give http://HOST:PORT") && !said.contains(wrong), "{said}");
    }
    fs::write(folder.path().join("server.toml"), "[tracing]\nshare = 2.0\n").expect("the configuration");
    let said = refused(folder.path(), &["serve"]);
    assert!(said.contains("tracing.share: 2 is not between 0 and 1"), "{said}");
}
