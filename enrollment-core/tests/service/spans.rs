//! Use cases and rounds say what they did to whoever collects spans (SYS-6).

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use enrollment_core::domain::location::MfaMode;
use enrollment_core::service::enrollee::BeginRequest;
use tracing::field::{Empty, Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Instrument as _, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use super::stage::{HERE, Stage};

/// Spans that have ended, in that order.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Ended>>>);

#[derive(Debug, Clone)]
struct Ended {
    name: &'static str,
    fields: BTreeMap<&'static str, String>,
}

impl Spans {
    /// Collects the spans of this thread, as long as the guard lives.
    fn collect() -> (Self, DefaultGuard) {
        let spans = Self::default();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
        (spans, guard)
    }

    /// Those that have ended since this was last asked.
    fn take(&self) -> Vec<Ended> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics"))
    }
}

impl Ended {
    fn is(&self, name: &str, fields: &[(&str, &str)]) -> bool {
        self.name == name && fields.iter().all(|(field, value)| self.fields.get(field).is_some_and(|is| is == value))
    }
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        context.span(id).expect("a new span").extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).expect("a span");
        values.record(span.extensions_mut().get_mut::<Fields>().expect("made with the span"));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).expect("a span");
        let Fields(fields) = span.extensions_mut().remove().expect("made with the span");
        self.0.lock().expect("nobody panics").push(Ended { name: span.name(), fields });
    }
}

/// SYS-6: what was done, for which enrollment, and what came of it; the span of the request hears which enrollment.
#[tokio::test]
async fn a_use_case_says_what_it_did_and_for_which_enrollment() {
    let stage = Stage::new();
    stage.location("Berlin", MfaMode::Disabled).await;
    let (_, issued) = stage.invite("alex").await;
    let id = issued.id.to_string();
    let (spans, _collecting) = Spans::collect();

    let request = || tracing::info_span!("request", enrollment = Empty);
    let begun = stage.begin(&issued.token, None, None).instrument(request()).await.expect("begun");
    let [commit, begin, asked] = spans.take().try_into().expect("three spans");
    assert!(commit.is("commit", &[("outcome", "applied")]), "{commit:?}");
    let done = [("otel.name", "enrollee.begin"), ("enrollment", &id), ("stale", "0"), ("outcome", "done")];
    assert!(begin.is("operation", &done), "{begin:?}");
    assert!(asked.is("request", &[("enrollment", &id)]), "{asked:?}");

    let completed = stage.service.enrollee().complete(&begun, HERE).instrument(request()).await;
    assert_eq!(completed.expect_err("nothing was chosen").code(), "requirements_missing");
    let told = spans.take();
    let refused = [("otel.name", "enrollee.complete"), ("enrollment", &id), ("outcome", "requirements_missing")];
    assert!(told.iter().any(|span| span.is("operation", &refused)), "{told:?}");

    let elsewhere = Stage::new();
    elsewhere.invite("kim").await;
    let (_, theirs) = elsewhere.invite("sam").await;
    spans.take();
    stage.begin(&theirs.token, None, None).instrument(request()).await.expect_err("nobody's");
    let [begin, asked] = spans.take().try_into().expect("two spans");
    assert!(begin.is("operation", &[("outcome", "invalid_token")]), "{begin:?}");
    assert!(!begin.fields.contains_key("enrollment") && asked.fields.is_empty(), "{begin:?} {asked:?}");
}

/// SYS-6: an operation of several parts tells of each, and which enrollment it was all the way up.
#[tokio::test]
async fn a_use_case_within_another_has_a_span_within_its_span() {
    let stage = Stage::new();
    stage.location("Berlin", MfaMode::Disabled).await;
    let (_, issued) = stage.invite("alex").await;
    let id = issued.id.to_string();
    let (spans, _collecting) = Spans::collect();
    let request = tracing::info_span!("request", enrollment = Empty);
    let asks = BeginRequest { token: issued.token, nonce: None, resume: None };
    stage.service.enrollee().begin_client(&asks, HERE).instrument(request).await.expect("begun");
    let told = spans.take();
    let named: Vec<_> = told.iter().filter_map(|span| span.fields.get("otel.name").map(String::as_str)).collect();
    assert_eq!(named, ["enrollee.begin", "enrollee.client_view", "enrollee.begin_client"]);
    let silent: Vec<_> =
        told.iter().filter(|span| span.name != "commit" && !span.is(span.name, &[("enrollment", &id)])).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

/// SYS-6: two on one thread, in each other's way: whoever came too late says so, and nobody else.
#[tokio::test]
async fn who_decides_anew_says_how_often() {
    let stage = Stage::new();
    stage.location("Berlin", MfaMode::Internal).await;
    let (_, issued) = stage.invite("alex").await;
    let session = stage.begin(&issued.token, None, None).await.expect("begun");
    let enrollee = stage.service.enrollee();
    let (spans, _collecting) = Spans::collect();
    let (profile, totp) =
        tokio::join!(enrollee.confirm_profile(&session, None, HERE), enrollee.offer_totp(&session, HERE));
    assert!(profile.is_ok() && totp.is_ok(), "{profile:?} {totp:?}");
    let told = spans.take();
    let stale =
        |times| told.iter().filter(|span| span.is("operation", &[("stale", times), ("outcome", "done")])).count();
    assert_eq!((stale("0"), stale("1")), (1, 1), "{told:?}");
    let commits = |outcome| told.iter().filter(|span| span.is("commit", &[("outcome", outcome)])).count();
    assert_eq!((commits("applied"), commits("stale")), (2, 1), "{told:?}");
}

/// SYS-6: when nobody waits for the end any more, the span says that.
#[tokio::test]
async fn what_was_dropped_says_so() {
    let stage = Stage::new();
    stage.location("Berlin", MfaMode::Disabled).await;
    let (_, issued) = stage.invite("alex").await;
    let session = stage.begin(&issued.token, None, None).await.expect("begun");
    let (spans, _collecting) = Spans::collect();
    let enrollee = stage.service.enrollee();
    let mut answer = enrollee.confirm_profile(&session, None, HERE);
    let waits = std::future::poll_fn(|context| Poll::Ready(answer.as_mut().poll(context).is_pending())).await;
    assert!(waits, "the store lets others go first");
    drop(answer);
    let [dropped] = spans.take().try_into().expect("one span");
    assert!(dropped.is("operation", &[("outcome", "dropped")]), "{dropped:?}");
}

/// SYS-6: a round of a worker says how much it did.
#[tokio::test]
async fn a_round_says_how_much_it_did() {
    let stage = Stage::new();
    stage.invite("alex").await;
    let (_, _, sealer) = stage.workers();
    let (spans, _collecting) = Spans::collect();
    let sealed = sealer.run_once().await.expect("sealed");
    assert!(sealed > 0, "there was something to seal");
    let [commit, round] = spans.take().try_into().expect("two spans");
    assert!(commit.is("commit", &[("outcome", "applied")]), "{commit:?}");
    let done = [("otel.name", "sealer"), ("done", &*sealed.to_string()), ("stale", "0"), ("outcome", "done")];
    assert!(round.is("round", &done), "{round:?}");
    assert_eq!(sealer.run_once().await.expect("nothing to do"), 0);
    let [round] = spans.take().try_into().expect("one span");
    assert!(round.is("round", &[("done", "0")]), "{round:?}");
}

/// SYS-6: no use case is forgotten, and each has its own name.
#[test]
fn every_use_case_has_a_span_of_its_own_name() {
    let mut seen = 0;
    for actor in ["administrator", "enrollee", "sign_in"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service").join(actor);
        for file in fs::read_dir(folder).expect("the use cases") {
            let source = fs::read_to_string(file.expect("a file").path()).expect("a source");
            for method in source.split("\n    pub fn ").skip(1) {
                let (signature, body) = method.split_once(" {\n").expect("a body");
                if !signature.contains("Answer<") {
                    continue;
                }
                let name = signature.split(['(', '<']).next().expect("a name");
                let begins: String = body.chars().filter(|letter| !letter.is_whitespace()).take(100).collect();
                let operation = format!("operation(\"{actor}.{name}\",");
                assert!(begins.starts_with(&operation), "{actor}.{name}: {begins}");
                seen += 1;
            }
        }
    }
    assert!(seen > 80, "only {seen} use cases were found");
}
