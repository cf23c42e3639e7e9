//! `/metrics`: what was counted, and how it stands at this moment. Nobody asks the database while nobody asks for metrics;
//! whoever does costs three scans of bounded length and one read.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use enrollment::core::domain::location::Location;
use enrollment::core::domain::mail::{MailStanding, Pause};
use enrollment::core::domain::upkeep::Watch;
use enrollment::core::port::{Channel, Scan, StoreError};
use enrollment::core::record::{IndexName, Stored};
use enrollment::core::service::Service;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Mails are counted up to here, locations shown up to here: the most rows that one scan reads.
const MOST: u32 = 1_000;

/// By how much this machine's clock and the database's differ at least, as last measured. Clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClockOffset(Arc<AtomicU64>);

impl ClockOffset {
    pub(crate) fn set(&self, apart: Duration) {
        self.0.store(u64::try_from(apart.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn seconds(&self) -> f64 {
        Duration::from_micros(self.0.load(Ordering::Relaxed)).as_secs_f64()
    }
}

#[derive(Debug, Clone)]
struct Sources {
    metrics: Metrics,
    service: Service,
    offset: ClockOffset,
}

/// `/metrics`, for the internal face. It asks for no key: what it says is about nobody.
pub(crate) fn router(metrics: Metrics, service: Service, offset: ClockOffset) -> Router {
    Router::new().route("/metrics", get(answer)).with_state(Sources { metrics, service, offset })
}

async fn answer(State(sources): State<Sources>) -> impl IntoResponse {
    let text = match text(&sources).await {
        Ok(text) => text,
        // Writing to a String cannot fail. Said all the same, instead of an answer that is cut off.
        Err(error) => format!("# {error}\n# EOF\n"),
    };
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text)
}

async fn text(sources: &Sources) -> Result<String, std::fmt::Error> {
    let mut text = sources.metrics.counted()?;
    let mut registry = Registry::with_prefix("enrollment");
    of_the_process(&mut registry, sources);
    // While the database does not answer, what is counted here is what tells why.
    let reached = of_the_database(&mut registry, &sources.service).await.is_ok();
    set(&mut registry, "store_reached", "1: the database answered for these metrics", i64::from(reached));
    let mut now = String::new();
    encode(&mut now, &registry)?;
    write!(text, "{now}")?;
    Ok(text)
}

fn set(registry: &mut Registry, name: &str, help: &str, value: i64) {
    let gauge = Gauge::<i64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn seconds(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn of_the_process(registry: &mut Registry, sources: &Sources) {
    let load = sources.service.hashing_load();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    set(registry, "password_hashes_running", "Password hashes being made", count(load.running));
    set(registry, "password_hashes_running_limit", "Password hashes made at once, at most", count(load.threads));
    set(registry, "password_hashes_waiting", "Password hashes that wait", count(load.waiting));
    set(registry, "password_hashes_waiting_limit", "Password hashes that wait, at most", count(load.queue));
    let offset = sources.offset.seconds();
    seconds(registry, "database_clock_offset_seconds", "How far the database's clock is, at least", offset);
    if let Some(bytes) = resident() {
        set(registry, "resident_memory_bytes", "Memory of this process", bytes);
    }
}

/// The resident memory of this process, where the system tells (Linux: proc(5)).
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct At {
    location: String,
}

async fn of_the_database(registry: &mut Registry, service: &Service) -> Result<(), StoreError> {
    let store = service.store();
    let mails = [
        ("mails_queued", "Mails on their way, counted up to 1000", MailStanding::Queue),
        ("mails_dead", "Mails that could not be delivered, counted up to 1000", MailStanding::Dead),
    ];
    for (name, help, standing) in mails {
        let page = store.scan(&Scan::all(IndexName::MailsByState, standing.as_str(), MOST)).await?;
        set(registry, name, help, i64::try_from(page.rows.len()).unwrap_or(i64::MAX));
    }
    let locations = store.scan(&Scan::all(IndexName::LocationsByName, "", MOST)).await?;
    let locations: Vec<_> = locations.rows.iter().filter_map(|row| Stored::<Location>::read(row).ok()).collect();
    let mut keys: Vec<_> = locations.iter().map(|location| Watch::key(location.record.id)).collect();
    keys.push(Pause::key(Channel::Email));
    let mut rows = store.get(&keys).await?;
    let paused = rows.pop().flatten().is_some();
    set(registry, "mail_paused", "1: the relay refuses this server, and mail waits", i64::from(paused));

    let (trouble, strays) = (Family::<At, Gauge>::default(), Family::<At, Gauge>::default());
    registry.register("gateway_trouble", "1: the gateway could not be compared", trouble.clone());
    registry.register("gateway_unknown_peers", "Peers in force that nobody intends", strays.clone());
    let watches = rows.iter().flatten().filter_map(|row| Stored::<Watch>::read(row).ok());
    for Watch { location, trouble: why, strays: listed, more, .. } in watches.map(|stored| stored.record) {
        let at = At { location: location.to_string() };
        trouble.get_or_create(&at).set(i64::from(why.is_some()));
        let unknown = i64::try_from(listed.len() as u64 + more).unwrap_or(i64::MAX);
        strays.get_or_create(&at).set(unknown);
    }
    Ok(())
}
