//! What the handlers share.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use enrollment_core::service::Service;
use ipnet::IpNet;

use crate::limits::Limits;
use crate::page::KnownBranding;
use crate::readiness::Readiness;

/// What the handlers share: the service, the options and the counters of the rate limits. Cheap to clone.
///
/// A host's own state offers it by `impl FromRef<HostState> for EnrollmentState`.
#[derive(Debug, Clone)]
pub struct EnrollmentState {
    service: Service,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: HttpOptions,
    limits: Limits,
    branding: KnownBranding,
}

impl EnrollmentState {
    /// A state with fresh counters.
    #[must_use]
    pub fn new(service: Service, options: HttpOptions) -> Self {
        let limits = Limits::new(&service, options.rates);
        Self { service, shared: Arc::new(Shared { options, limits, branding: KnownBranding::default() }) }
    }

    /// The use cases.
    #[must_use]
    pub const fn service(&self) -> &Service {
        &self.service
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &HttpOptions {
        &self.shared.options
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(crate) fn branding(&self) -> &KnownBranding {
        &self.shared.branding
    }

    /// Whether people reach the public face over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.service.instance().url.starts_with("https://")
    }
}

/// How the routers speak HTTP. Where people reach them is the service's
/// [`Instance::url`](enrollment_core::service::Instance::url), never a header of a request.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The public face is reached over plain HTTP on something else than localhost: the cookie loses its `__Host-`
    /// prefix and `Secure`, without which browsers would not keep it, and every page says so. Default: off.
    pub insecure_http: bool,
    /// Proxies whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Bytes of a body at the public face. Default: 16 KiB.
    pub public_body: usize,
    /// Bytes of a body at the internal face. Default: 1 MiB.
    pub internal_body: usize,
    /// How long a request may take before it is answered with `outcome_unknown`. Default: 30 s.
    pub timeout: Duration,
    /// How long a body may take to arrive. Default: 10 s.
    pub body_timeout: Duration,
    /// How often one source may ask; `None`: as often as it likes. Default: [`Rates::default`].
    pub rates: Option<Rates>,
    /// Whether the host holds this process back. Default: it does not.
    pub readiness: Readiness,
}

/// How often one source may ask. A source is an IPv4 address or the /64 network of an IPv6 address; all requests
/// whose source is not known share one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Requests of every kind to the public face. Default: 1,000 at once, then 200 a second.
    pub requests: Rate,
    /// Tokens shown (`inspect`, `sessions`). Default: 600 at once, then 50 a second. A token has 160 random bits, so
    /// this bounds load, not luck; it leaves room for an office behind one address.
    pub tokens: Rate,
}

/// So many at once, then so many a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many may come at once.
    pub burst: NonZeroU32,
    /// How many more may come each second.
    pub per_second: NonZeroU32,
}

impl Rate {
    const fn new(burst: u32, per_second: u32) -> Self {
        let not_zero = "the constants below are not zero";
        Self {
            burst: NonZeroU32::new(burst).expect(not_zero),
            per_second: NonZeroU32::new(per_second).expect(not_zero),
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self { requests: Rate::new(1000, 200), tokens: Rate::new(600, 50) }
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            insecure_http: false,
            trusted_proxies: Vec::new(),
            public_body: 16 * 1024,
            internal_body: 1024 * 1024,
            timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            rates: Some(Rates::default()),
            readiness: Readiness::default(),
        }
    }
}
