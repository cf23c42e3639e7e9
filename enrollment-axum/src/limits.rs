//! How often one source may ask.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use enrollment_core::service::Service;
use enrollment_core::time::Timestamp;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::client;
use crate::problem::Problem;
use crate::state::{EnrollmentState, Rate, Rates};

/// Refuses what one source asks too often with `too_many_requests` and Retry-After ([`Rates::requests`]).
pub fn rate_limited<S: Clone + Send + Sync + 'static>(router: Router<S>, state: &EnrollmentState) -> Router<S> {
    router.layer(middleware::from_fn_with_state(state.clone(), count))
}

async fn count(State(state): State<EnrollmentState>, request: Request, next: Next) -> Response {
    let source = client::source(request.headers(), request.extensions(), state.options());
    match state.limits().requests.admit(source) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The counters.
#[derive(Debug)]
pub(crate) struct Limits {
    requests: Limiter,
    pub(crate) tokens: Limiter,
    pub(crate) api_keys: Limiter,
}

impl Limits {
    pub(crate) fn new(service: &Service, rates: Option<Rates>) -> Self {
        let limiter = |rate: fn(&Rates) -> Rate| Limiter::new(service, rates.as_ref().map(rate));
        Self {
            requests: limiter(|rates| rates.requests),
            tokens: limiter(|rates| rates.tokens),
            api_keys: limiter(|rates| rates.api_keys),
        }
    }
}

/// After so many questions the sources that have not asked for a while are forgotten, so that memory is bounded by
/// those that ask now.
const FORGET_EVERY: u32 = 4096;

/// One count per source; without a rate it admits everything.
pub(crate) struct Limiter {
    sources: Option<RateLimiter<Source, DashMapStateStore<Source>, ServiceClock, NoOpMiddleware<Duration>>>,
    clock: ServiceClock,
    asked: AtomicU32,
}

/// What counts as one source. None: not known.
type Source = Option<IpAddr>;

impl Limiter {
    fn new(service: &Service, rate: Option<Rate>) -> Self {
        let clock = ServiceClock(service.clone());
        let sources = rate.map(|rate| {
            let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
            RateLimiter::dashmap_with_clock(quota, clock.clone())
        });
        Self { sources, clock, asked: AtomicU32::new(0) }
    }

    /// Counts one request of this source, or refuses it.
    pub(crate) fn admit(&self, source: Option<IpAddr>) -> Result<(), Problem> {
        let Some(sources) = &self.sources else { return Ok(()) };
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            sources.retain_recent();
        }
        sources
            .check_key(&source.map(counted_as))
            .map_err(|until| Problem::too_many_requests(until.wait_time_from(self.clock.now())))
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").field("limits", &self.sources.is_some()).finish_non_exhaustive()
    }
}

/// Whoever has an IPv6 address has the other addresses of its /64 too.
fn counted_as(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// The service's clock, as the counters want it.
#[derive(Debug, Clone)]
struct ServiceClock(Service);

impl Clock for ServiceClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now().since(Timestamp::EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one_source() {
        let counted = |text: &str| counted_as(text.parse().expect("an address"));
        assert_eq!(counted("2001:db8::1"), counted("2001:db8::ffff:1"));
        assert_ne!(counted("2001:db8::1"), counted("2001:db8:0:1::1"));
        assert_ne!(counted("192.0.2.1"), counted("192.0.2.2"));
    }
}
