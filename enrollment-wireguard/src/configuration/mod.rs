//! A wg-quick file in which one marked block is ours.
//!
//! Pure: from bytes to bytes. Everything outside the block, and every peer in it that is not changed, keeps its bytes.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use enrollment_core::domain::device::{InvalidPublicKey, PublicKey};
use enrollment_core::id::LocationId;
use enrollment_core::port::PeerSpec;
use ipnet::IpNet;

mod read;
#[cfg(test)]
mod tests;

const BEGIN: &str = "# BEGIN enrollment";
const END: &str = "# END enrollment";

/// What stands at the head of a file that we begin.
const INTRODUCTION: &str = "\
# Put the [Interface] section of this gateway here, with its PrivateKey. What stands outside the marked block is yours
# and is never changed.

";

/// A file that cannot be understood; it must not be changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct Malformed {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// A change that would need one outside our block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Foreign {
    #[error("the peer {key} in line {line} stands outside the block of enrollment; change or remove it by hand")]
    Peer { key: String, line: usize },
    #[error("the address {address} belongs to the peer in line {line}, outside the block of enrollment")]
    Address { address: IpAddr, line: usize },
}

/// A file, taken apart. No `Debug`: the private key of the gateway is in it.
pub(crate) struct Configuration {
    location: LocationId,
    /// Up to the first peer of our block; all of it when there is no block.
    before: Vec<u8>,
    /// The peers of our block; none where one was removed.
    ours: Vec<Option<Peer>>,
    /// From the end of our block.
    after: Vec<u8>,
    foreign: Vec<Peer>,
    has_block: bool,
    index: HashMap<String, Place>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Ours(usize),
    Foreign(usize),
}

struct Peer {
    /// As it is written. To see whether it is a safe one costs a scalar multiplication, too much for every peer at
    /// every change.
    key: String,
    allowed: Vec<IpNet>,
    /// Where it begins, from 1.
    line: usize,
    /// Its lines; empty for a foreign one, whose lines are in `before` or `after`.
    raw: Vec<u8>,
}

impl Peer {
    fn is_as(&self, spec: &PeerSpec) -> bool {
        let wanted: BTreeSet<IpNet> = spec.addresses.iter().copied().map(IpNet::from).collect();
        self.allowed.iter().copied().collect::<BTreeSet<_>>() == wanted
    }

    fn spec(&self) -> Result<PeerSpec, Malformed> {
        let public_key = self.key.parse().map_err(|error: InvalidPublicKey| malformed(self.line, error.to_string()))?;
        let address = |net: &IpNet| (net.prefix_len() == net.max_prefix_len()).then(|| net.addr());
        Ok(PeerSpec { public_key, addresses: self.allowed.iter().filter_map(address).collect() })
    }
}

impl Configuration {
    /// A file that does not exist yet.
    pub(crate) fn empty(location: LocationId) -> Self {
        Self {
            location,
            before: INTRODUCTION.into(),
            ours: Vec::new(),
            after: Vec::new(),
            foreign: Vec::new(),
            has_block: false,
            index: HashMap::new(),
        }
    }

    /// Puts the peer in force with exactly these addresses. Whether that changed anything.
    pub(crate) fn ensure(&mut self, spec: &PeerSpec) -> Result<bool, Foreign> {
        let key = spec.public_key.to_string();
        if let Some(Place::Foreign(at)) = self.index.get(&key) {
            let peer = &self.foreign[*at];
            return if peer.is_as(spec) { Ok(false) } else { Err(Foreign::Peer { key, line: peer.line }) };
        }
        // WireGuard gives an address to one peer only, the last that asks.
        for address in &spec.addresses {
            if let Some(peer) = self.foreign.iter().find(|peer| peer.allowed.contains(&IpNet::from(*address))) {
                return Err(Foreign::Address { address: *address, line: peer.line });
            }
        }
        let peer = Peer {
            key: key.clone(),
            allowed: spec.addresses.iter().copied().map(IpNet::from).collect(),
            line: 0,
            raw: section(spec).into_bytes(),
        };
        match self.index.get(&key) {
            Some(Place::Ours(at)) if self.ours[*at].as_ref().is_some_and(|old| old.is_as(spec)) => return Ok(false),
            Some(Place::Ours(at)) => self.ours[*at] = Some(peer),
            _ => {
                self.index.insert(key, Place::Ours(self.ours.len()));
                self.ours.push(Some(peer));
            }
        }
        Ok(true)
    }

    /// Takes the peer out of force. Whether that changed anything.
    pub(crate) fn remove(&mut self, key: &PublicKey) -> Result<bool, Foreign> {
        let key = key.to_string();
        match self.index.get(&key) {
            None => Ok(false),
            Some(Place::Foreign(at)) => Err(Foreign::Peer { key, line: self.foreign[*at].line }),
            Some(Place::Ours(at)) => {
                self.ours[*at] = None;
                self.index.remove(&key);
                Ok(true)
            }
        }
    }

    /// Every peer of the file, ours first; an error when a key is no key.
    pub(crate) fn peers(&self) -> Result<Vec<PeerSpec>, Malformed> {
        self.ours.iter().flatten().chain(&self.foreign).map(Peer::spec).collect()
    }

    /// The file put together again.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.before.clone();
        if !self.has_block {
            if !bytes.is_empty() && !bytes.ends_with(b"\n") {
                bytes.push(b'\n');
            }
            bytes.extend_from_slice(format!("{BEGIN} {}\n", self.location).as_bytes());
            bytes.extend_from_slice(b"# Kept by enrollment: a change by hand may be lost.\n");
        }
        for peer in self.ours.iter().flatten() {
            bytes.extend_from_slice(&peer.raw);
        }
        if !self.has_block {
            bytes.extend_from_slice(format!("{END}\n").as_bytes());
        }
        bytes.extend_from_slice(&self.after);
        bytes
    }
}

fn section(spec: &PeerSpec) -> String {
    let allowed: Vec<String> = spec.addresses.iter().map(|address| IpNet::from(*address).to_string()).collect();
    let allowed = if allowed.is_empty() { String::new() } else { format!("AllowedIPs = {}\n", allowed.join(", ")) };
    format!("[Peer]\nPublicKey = {}\n{allowed}\n", spec.public_key)
}

fn malformed(line: usize, reason: impl Into<String>) -> Malformed {
    Malformed { line, reason: reason.into() }
}
