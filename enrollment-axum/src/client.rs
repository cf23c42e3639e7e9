//! Where a request came from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use enrollment_core::service::Origin;

use crate::state::{EnrollmentState, HttpOptions};

/// The address of the client: the peer of the connection, or, when that is one of the configured proxies, the
/// rightmost address of `X-Forwarded-For` that is none of them. What stands further left was written by a stranger.
///
/// `None` where the host serves without `ConnectInfo<SocketAddr>`.
pub(crate) fn source(headers: &HeaderMap, extensions: &Extensions, options: &HttpOptions) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    let trusted = |address: &IpAddr| options.trusted_proxies.iter().any(|proxy| proxy.contains(address));
    let mut client = peer.ip().to_canonical();
    if !trusted(&client) {
        return Some(client);
    }
    let mut lines = headers.get_all("x-forwarded-for").iter().rev();
    while let Some(Ok(line)) = lines.next().map(|line| line.to_str()) {
        for hop in line.rsplit(',') {
            // What a trusted proxy wrote and cannot be read ends the trail at that proxy.
            let Some(address) = address(hop.trim()) else { return Some(client) };
            client = address;
            if !trusted(&client) {
                return Some(client);
            }
        }
    }
    Some(client)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Where the request came from, as an extractor.
pub(crate) struct Client(pub(crate) Origin);

impl<S> FromRequestParts<S> for Client
where
    EnrollmentState: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let state = EnrollmentState::from_ref(state);
        Ok(Self(Origin { source: source(&parts.headers, &parts.extensions, state.options()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let options = HttpOptions {
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("a network")],
            ..HttpOptions::default()
        };
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().expect("a header"));
        }
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo::<SocketAddr>(peer.parse().expect("a peer")));
        source(&headers, &extensions, &options).expect("a source").to_string()
    }

    /// SYS-5
    #[test]
    fn forwarded_headers_are_believed_only_from_configured_proxies() {
        assert_eq!(seen("192.0.2.1:9", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(seen("10.1.1.1:9", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("[::1]:9", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(seen("[::ffff:10.1.1.1]:9", &["198.51.100.7:4711"]), "198.51.100.7");
    }

    /// SYS-5
    #[test]
    fn only_the_rightmost_hop_that_is_no_proxy_counts() {
        assert_eq!(seen("10.1.1.1:9", &["203.0.113.9, 198.51.100.7, 10.2.2.2"]), "198.51.100.7");
        assert_eq!(seen("10.1.1.1:9", &["203.0.113.9", "198.51.100.7,10.2.2.2"]), "198.51.100.7");
        assert_eq!(seen("10.1.1.1:9", &["203.0.113.9, unknown"]), "10.1.1.1");
        assert_eq!(seen("10.1.1.1:9", &["203.0.113.9, junk, 10.2.2.2"]), "10.2.2.2");
        assert_eq!(seen("10.1.1.1:9", &[]), "10.1.1.1");
    }
}
