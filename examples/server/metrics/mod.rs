//! Metrics in the text format of OpenMetrics, for the internal face (SYS-6). Every name stands in
//! `docs/operations/metrics.md`, and a test holds the two together.
//!
//! Nothing here is global: the registry is made at start-up and passed to what counts. A label is a word of this
//! program or a location's id; never a name, an address, a path or a token.

mod http;
mod now;
mod peers;
mod store;

use std::sync::Arc;

use enrollment::core::port::Store;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub(crate) use self::http::counted;
pub(crate) use self::now::{ClockOffset, router};
pub(crate) use self::peers::CountedPeers;

use self::http::HttpMetrics;
use self::peers::PeerMetrics;
use self::store::{CountedStore, StoreMetrics};

/// What this process counts. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    http: HttpMetrics,
    store: StoreMetrics,
    pub(crate) peers: PeerMetrics,
}

/// Bounds of what takes time, in seconds: from a row read to the longest that a request may take.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Metrics {
    /// Everything at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("enrollment");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which program this is", build);
        let http = HttpMetrics::registered(&mut registry);
        let store = StoreMetrics::registered(&mut registry);
        let peers = PeerMetrics::registered(&mut registry);
        Self { registry: Arc::new(registry), http, store, peers }
    }

    /// A store that counts what is asked of it and what it is told.
    pub(crate) fn store(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(CountedStore::new(store, self.store.clone()))
    }

    /// What was counted, as text; without the line that ends it.
    fn counted(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text.trim_end_matches("# EOF\n").to_owned())
    }
}
