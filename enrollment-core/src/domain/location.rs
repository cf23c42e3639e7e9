//! Locations: one VPN network each.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::address::Pool;
use super::device::PublicKey;
use super::group::Access;
use super::text::LocationName;
use super::user::User;
use crate::id::{LocationId, Number};
use crate::secret::Sealed;
use crate::time::Timestamp;

/// Whether connecting to a location asks for a second factor, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MfaMode {
    /// No.
    #[default]
    Disabled,
    /// The factor set up at enrollment.
    Internal,
    /// An identity provider's; nothing is set up here.
    External,
}

/// A kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    /// One-time codes of an authenticator app (RFC 6238).
    Totp,
    /// Codes by e-mail.
    Email,
}

impl FactorKind {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Email => "email",
        }
    }
}

/// What happens to peers at the gateway that are not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// Reported, never touched.
    #[default]
    Shared,
    /// Removed, after a report.
    Exclusive,
}

/// Where clients connect to: a host name or address and a port, `vpn.example.com:51820` or `[2001:db8::1]:51820`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint(String);

/// The text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint is a host name or address and a port, such as vpn.example.com:51820 or [2001:db8::1]:51820")]
pub struct InvalidEndpoint;

/// A DNS server's address, or a search domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DnsEntry(String);

/// The text is neither an address nor a domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a DNS entry is an address such as 10.1.0.1 or a search domain such as corp.example")]
pub struct InvalidDnsEntry;

/// A host name (RFC 1123): labels of letters, digits and inner dashes.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (host, port) = text.rsplit_once(':').ok_or(InvalidEndpoint)?;
        let port: u16 = port.parse().map_err(|_| InvalidEndpoint)?;
        let host_fits = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_host_name(host),
        };
        if host_fits && port > 0 { Ok(Self(text.to_owned())) } else { Err(InvalidEndpoint) }
    }
}

impl FromStr for DnsEntry {
    type Err = InvalidDnsEntry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let fits = text.parse::<IpAddr>().is_ok() || is_host_name(text);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidDnsEntry) }
    }
}

macro_rules! plain_text {
    ($name:ident, $error:ident) => {
        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

plain_text!(Endpoint, InvalidEndpoint);
plain_text!(DnsEntry, InvalidDnsEntry);

/// One VPN network: where its gateway is, which addresses it gives, who reaches it and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Which one.
    pub id: LocationId,
    /// The same for protocols that speak int64.
    pub number: Number,
    /// Its name; unique without regard to case.
    pub name: LocationName,
    /// Where clients connect to.
    pub endpoint: Endpoint,
    /// The gateway's public key.
    pub public_key: PublicKey,
    /// The gateway's private key, when it was made here.
    pub private_key: Option<Sealed>,
    /// Where addresses come from; one address per pool. One to eight pools that do not overlap.
    pub pools: Vec<Pool>,
    /// What clients route into the tunnel.
    pub allowed_ips: Vec<IpNet>,
    /// DNS servers and search domains.
    pub dns: Vec<DnsEntry>,
    /// Seconds between keepalive packets; 0: none.
    pub keepalive: u16,
    /// Bytes; `None`: the client's choice.
    pub mtu: Option<u16>,
    /// Whether connecting asks for a second factor.
    pub mfa: MfaMode,
    /// Which factors it accepts when `mfa` is internal.
    pub factors: BTreeSet<FactorKind>,
    /// Who reaches it.
    pub access: Access,
    /// What happens to peers that are not ours.
    pub ownership: Ownership,
    /// When it was made.
    pub created: Timestamp,
}

impl Location {
    /// Whether `user` reaches it: the one answer to who reaches what (DEV-7).
    #[must_use]
    pub fn admits(&self, user: &User) -> bool {
        self.access.admits(&user.groups)
    }

    /// Whether it asks for the factor set up at enrollment.
    #[must_use]
    pub fn asks_for_our_factor(&self) -> bool {
        self.mfa == MfaMode::Internal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_and_dns_entries_that_are_none_are_refused() {
        for good in ["vpn.example.com:51820", "192.0.2.1:1", "[2001:db8::1]:51820", "gw:65535"] {
            assert!(good.parse::<Endpoint>().is_ok(), "{good}");
        }
        for bad in ["", "vpn.example.com", ":1", "a b:1", "a:0", "a:65536", "2001:db8::1:51820", "[x]:1", "a\n:1"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
        for good in ["10.1.0.1", "2001:db8::1", "corp.example"] {
            assert!(good.parse::<DnsEntry>().is_ok(), "{good}");
        }
        for bad in ["", "corp example", "-x", "a\nb", "a..b"] {
            assert!(bad.parse::<DnsEntry>().is_err(), "{bad}");
        }
    }
}
