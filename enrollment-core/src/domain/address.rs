//! Addresses: pools, what is never handed out, and how the next free ones are found.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{AttachmentId, LocationId};
use crate::secret::Digest;
use crate::time::Timestamp;

/// How long a released address rests before somebody else may get it, so that a lingering tunnel or firewall rule of
/// its last owner does not meet the next one.
pub const QUARANTINE: Duration = Duration::from_secs(24 * 3600);

/// A network from which a location's addresses come: IPv4 from /8 to /30, IPv6 from /48 to /124.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pool(IpNet);

/// The text is not a usable pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPool {
    /// Not a network.
    #[error("a pool is a network such as 10.1.0.0/16 or fd00::/64")]
    Malformed,
    /// Bits behind the prefix.
    #[error("the network starts at {0}")]
    HostBits(IpNet),
    /// Too small or too large.
    #[error("a pool is from /8 to /30 for IPv4 and from /48 to /124 for IPv6")]
    Size,
    /// Not for hosts.
    #[error("this range is not for hosts")]
    Special,
}

impl FromStr for Pool {
    type Err = InvalidPool;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let net: IpNet = text.trim().parse().map_err(|_| InvalidPool::Malformed)?;
        if net != net.trunc() {
            return Err(InvalidPool::HostBits(net.trunc()));
        }
        let sizes = match net {
            IpNet::V4(_) => 8..=30,
            IpNet::V6(_) => 48..=124,
        };
        if !sizes.contains(&net.prefix_len()) {
            return Err(InvalidPool::Size);
        }
        let special = match net.network() {
            IpAddr::V4(a) => a.is_loopback() || a.is_multicast() || a.is_unspecified() || a.octets()[0] >= 240,
            IpAddr::V6(a) => a.is_loopback() || a.is_multicast() || a.is_unspecified() || a.is_unicast_link_local(),
        };
        if special { Err(InvalidPool::Special) } else { Ok(Self(net)) }
    }
}

impl TryFrom<String> for Pool {
    type Error = InvalidPool;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Pool> for String {
    fn from(pool: Pool) -> Self {
        pool.to_string()
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Of an IPv6 subnet the highest 128 addresses are reserved for anycast (RFC 2526).
const RESERVED_ANYCAST: u128 = 128;

impl Pool {
    /// The network.
    #[must_use]
    pub const fn network(self) -> IpNet {
        self.0
    }

    /// Whether an address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    /// The gateway's own address: the first after the network's.
    #[must_use]
    pub fn gateway(self) -> IpAddr {
        self.address(self.first() - 1)
    }

    /// How many addresses devices can have.
    #[must_use]
    pub fn capacity(self) -> u128 {
        self.end() - self.first()
    }

    /// Places are counted from the network's own address, which is 0 and, in IPv6, the subnet-router anycast
    /// address; 1 is the gateway.
    const fn first(self) -> u128 {
        2
    }

    /// The place behind the last one for devices: the broadcast address, or the reserved anycast ones.
    fn end(self) -> u128 {
        match self.0 {
            IpNet::V4(net) => (1 << (32 - u32::from(net.prefix_len()))) - 1,
            IpNet::V6(net) => {
                let size = 1_u128 << (128 - u32::from(net.prefix_len()));
                if size > 2 * RESERVED_ANYCAST { size - RESERVED_ANYCAST } else { size }
            }
        }
    }

    fn address(self, place: u128) -> IpAddr {
        match self.0 {
            // A place lies inside the network, so for IPv4 it fits 32 bits.
            IpNet::V4(net) => Ipv4Addr::from_bits(net.network().to_bits() + (place as u32)).into(),
            IpNet::V6(net) => Ipv6Addr::from_bits(net.network().to_bits() + place).into(),
        }
    }

    fn place(self, address: IpAddr) -> Option<u128> {
        match (self.0, address) {
            (IpNet::V4(net), IpAddr::V4(a)) => a.to_bits().checked_sub(net.network().to_bits()).map(u128::from),
            (IpNet::V6(net), IpAddr::V6(a)) => a.to_bits().checked_sub(net.network().to_bits()),
            _ => None,
        }
    }

    /// Whether a device may have `address`: inside, and none of network, broadcast, anycast or the gateway's own.
    #[must_use]
    pub fn gives(self, address: IpAddr) -> bool {
        self.place(address).is_some_and(|place| (self.first()..self.end()).contains(&place))
    }

    /// The address a search starts at, from 16 random bytes.
    #[must_use]
    pub fn start(self, random: [u8; 16]) -> IpAddr {
        self.address(self.first() + u128::from_le_bytes(random) % self.capacity())
    }

    /// Up to `most` free addresses from `from` (inclusive) up to `until` (exclusive; `None`: the pool's end), given
    /// the taken ones of that range in order.
    #[must_use]
    pub fn gaps(self, from: IpAddr, until: Option<IpAddr>, taken: &[IpAddr], most: usize) -> Vec<IpAddr> {
        let end = until.and_then(|address| self.place(address)).unwrap_or(self.end()).min(self.end());
        let mut place = self.place(from).unwrap_or(self.first()).max(self.first());
        let mut taken = taken.iter().filter_map(|address| self.place(*address)).peekable();
        let mut free = Vec::new();
        while place < end && free.len() < most {
            while taken.next_if(|next| *next < place).is_some() {}
            if taken.next_if_eq(&place).is_none() {
                free.push(self.address(place));
            }
            place += 1;
        }
        free
    }

    /// The address behind this one, which need not be a device's; behind the pool's end it is that end.
    #[must_use]
    pub fn behind(self, address: IpAddr) -> IpAddr {
        self.address(self.place(address).map_or(self.end(), |place| (place + 1).min(self.end())))
    }

    /// The lowest address for devices.
    #[must_use]
    pub fn lowest(self) -> IpAddr {
        self.address(self.first())
    }
}

/// Text that orders like the addresses of one family.
#[must_use]
pub fn sortable(address: IpAddr) -> String {
    match address {
        IpAddr::V4(a) => format!("{:08x}", a.to_bits()),
        IpAddr::V6(a) => format!("{:032x}", a.to_bits()),
    }
}

/// An address that is in use, or rests after use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// In which location.
    pub location: LocationId,
    /// From which pool.
    pub pool: Pool,
    /// Which address.
    pub address: IpAddr,
    /// Whose it is.
    pub standing: Standing,
    /// The digest of the key of the peer that had it last, also while somebody else has it: should a worker that stalled put that peer in
    /// force once more, it is known as ours and taken out, although nothing else is left of its device. No more than a
    /// digest, since its user may have been erased (SYS-9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_key: Option<Digest>,
}

/// Whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// This attachment's.
    Held(AttachmentId),
    /// Nobody's; free at this instant and after.
    RestingUntil(Timestamp),
}

impl Assignment {
    /// The row id of an address: the same for everybody who claims it, so that two claims meet in one row.
    #[must_use]
    pub fn row_id(location: LocationId, address: IpAddr) -> Uuid {
        use sha2::{Digest as _, Sha256};
        let digest: [u8; 32] =
            Sha256::new().chain_update(location.uuid().as_bytes()).chain_update(sortable(address)).finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// Whether somebody may claim it at `now`.
    #[must_use]
    pub fn is_free(&self, now: Timestamp) -> bool {
        match self.standing {
            Standing::Held(_) => false,
            Standing::RestingUntil(until) => until <= now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(text: &str) -> Pool {
        text.parse().expect("a pool")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// DEV-2
    #[test]
    fn network_broadcast_anycast_and_gateway_are_never_given() {
        let small = pool("10.1.0.0/30");
        assert_eq!((small.gateway(), small.capacity()), (ip("10.1.0.1"), 1));
        for (address, given) in [("10.1.0.0", false), ("10.1.0.1", false), ("10.1.0.2", true), ("10.1.0.3", false)] {
            assert_eq!(small.gives(ip(address)), given, "{address}");
        }
        let six = pool("fd00::/64");
        assert_eq!(six.gateway(), ip("fd00::1"));
        for (address, given) in [
            ("fd00::", false),
            ("fd00::1", false),
            ("fd00::2", true),
            ("fd00::ffff:ffff:ffff:ff7f", true),
            ("fd00::ffff:ffff:ffff:ff80", false),
            ("fd00::ffff:ffff:ffff:ffff", false),
            ("fd00:0:0:1::2", false),
            ("10.1.0.2", false),
        ] {
            assert_eq!(six.gives(ip(address)), given, "{address}");
        }
    }

    /// DEV-2
    #[test]
    fn every_start_and_every_gap_can_be_given() {
        for text in ["10.1.0.0/30", "10.1.0.0/24", "fd00::/64", "fd00::/124", "10.0.0.0/8"] {
            let pool = pool(text);
            for random in [[0; 16], [255; 16], [7; 16]] {
                let start = pool.start(random);
                assert!(pool.gives(start), "{text} {start}");
                assert!(pool.gaps(start, None, &[], 16).into_iter().all(|a| pool.gives(a)));
            }
        }
    }

    #[test]
    fn gaps_are_what_is_not_taken() {
        let pool = pool("10.1.0.0/29");
        let taken = [ip("10.1.0.3"), ip("10.1.0.5")];
        assert_eq!(pool.gaps(pool.lowest(), None, &taken, 16), [ip("10.1.0.2"), ip("10.1.0.4"), ip("10.1.0.6")]);
        assert_eq!(pool.gaps(ip("10.1.0.3"), None, &taken, 1), [ip("10.1.0.4")]);
        assert_eq!(pool.gaps(pool.lowest(), Some(ip("10.1.0.4")), &taken, 16), [ip("10.1.0.2")]);
    }

    #[test]
    fn pools_that_cannot_serve_are_refused_with_the_reason() {
        assert_eq!("10.1.0.1/16".parse::<Pool>(), Err(InvalidPool::HostBits("10.1.0.0/16".parse().expect("a net"))));
        for (text, error) in [
            ("10.1.0.0/31", InvalidPool::Size),
            ("fd00::/125", InvalidPool::Size),
            ("0.0.0.0/0", InvalidPool::Size),
            ("127.0.0.0/8", InvalidPool::Special),
            ("ff02::/64", InvalidPool::Special),
            ("ten", InvalidPool::Malformed),
        ] {
            assert_eq!(text.parse::<Pool>(), Err(error), "{text}");
        }
    }

    #[test]
    fn sortable_text_orders_like_addresses() {
        let mut addresses = [ip("10.1.0.10"), ip("10.1.0.9"), ip("10.0.255.1")];
        addresses.sort_by_key(|a| sortable(*a));
        assert_eq!(addresses, [ip("10.0.255.1"), ip("10.1.0.9"), ip("10.1.0.10")]);
    }
}
