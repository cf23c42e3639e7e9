//! A wg-quick file in which one marked block is ours.
//!
//! Pure: from bytes to bytes. Everything outside the block, and every peer in it that is not changed, keeps its bytes.
//! These are not copied: a file may have a hundred thousand peers, of which a change is about some.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::net::IpAddr;
use std::str;

use enrollment_core::domain::device::{InvalidPublicKey, PublicKey};
use enrollment_core::id::LocationId;
use enrollment_core::port::PeerSpec;
use ipnet::IpNet;

use read::{KeyText, allowed_ips};

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
pub(crate) struct Configuration<'a> {
    location: LocationId,
    /// Up to the first peer of our block; all of it when there is no block.
    before: &'a [u8],
    /// The peers of our block; none where one was removed.
    ours: Vec<Option<Peer<'a>>>,
    /// From the end of our block.
    after: &'a [u8],
    foreign: Vec<Peer<'a>>,
    /// What foreign peers are allowed, each with the line of the first of them.
    taken: HashMap<IpNet, usize>,
    has_block: bool,
    index: HashMap<KeyText, Place>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Ours(usize),
    Foreign(usize),
}

struct Peer<'a> {
    /// As it is written. To see whether it is a safe one costs a scalar multiplication, too much for every peer at
    /// every change.
    key: KeyText,
    /// Where it begins, from 1.
    line: usize,
    /// Its lines.
    raw: Cow<'a, [u8]>,
}

impl Peer<'_> {
    fn is_as(&self, spec: &PeerSpec) -> bool {
        let wanted: BTreeSet<IpNet> = spec.addresses.iter().copied().map(IpNet::from).collect();
        allowed_ips(&self.raw).collect::<BTreeSet<_>>() == wanted
    }

    fn spec(&self) -> Result<PeerSpec, Malformed> {
        let key =
            str::from_utf8(&self.key).map_err(|_| malformed(self.line, InvalidPublicKey::Malformed.to_string()))?;
        let public_key = key.parse().map_err(|error: InvalidPublicKey| malformed(self.line, error.to_string()))?;
        let address = |net: IpNet| (net.prefix_len() == net.max_prefix_len()).then(|| net.addr());
        Ok(PeerSpec { public_key, addresses: allowed_ips(&self.raw).filter_map(address).collect() })
    }
}

impl<'a> Configuration<'a> {
    /// A file that does not exist yet.
    pub(crate) fn empty(location: LocationId) -> Self {
        Self::without_block(location, INTRODUCTION.as_bytes())
    }

    fn without_block(location: LocationId, content: &'a [u8]) -> Self {
        Self {
            location,
            before: content,
            ours: Vec::new(),
            after: &[],
            foreign: Vec::new(),
            taken: HashMap::new(),
            has_block: false,
            index: HashMap::new(),
        }
    }

    /// Puts the peer in force with exactly these addresses. Whether that changed anything.
    pub(crate) fn ensure(&mut self, spec: &PeerSpec) -> Result<bool, Foreign> {
        let key = key_text(&spec.public_key);
        if let Some(Place::Foreign(at)) = self.index.get(&key) {
            let peer = &self.foreign[*at];
            let foreign = || Foreign::Peer { key: spec.public_key.to_string(), line: peer.line };
            return if peer.is_as(spec) { Ok(false) } else { Err(foreign()) };
        }
        // WireGuard gives an address to one peer only, the last that asks.
        for address in &spec.addresses {
            if let Some(line) = self.taken.get(&IpNet::from(*address)) {
                return Err(Foreign::Address { address: *address, line: *line });
            }
        }
        let peer = Peer { key, line: 0, raw: section(spec).into_bytes().into() };
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
        let text = key_text(key);
        match self.index.get(&text) {
            None => Ok(false),
            Some(Place::Foreign(at)) => Err(Foreign::Peer { key: key.to_string(), line: self.foreign[*at].line }),
            Some(Place::Ours(at)) => {
                self.ours[*at] = None;
                self.index.remove(&text);
                Ok(true)
            }
        }
    }

    /// Every peer of the file, ours first; an error when a key is no key.
    pub(crate) fn peers(&self) -> Result<Vec<PeerSpec>, Malformed> {
        self.ours.iter().flatten().chain(&self.foreign).map(Peer::spec).collect()
    }

    /// Writes the file put together again, in many small pieces.
    pub(crate) fn write_to(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(self.before)?;
        if !self.has_block {
            if !self.before.is_empty() && !self.before.ends_with(b"\n") {
                to.write_all(b"\n")?;
            }
            writeln!(to, "{BEGIN} {}", self.location)?;
            to.write_all(b"# Kept by enrollment: a change by hand may be lost.\n")?;
        }
        for peer in self.ours.iter().flatten() {
            to.write_all(&peer.raw)?;
        }
        if !self.has_block {
            writeln!(to, "{END}")?;
        }
        to.write_all(self.after)
    }
}

fn key_text(key: &PublicKey) -> KeyText {
    let mut text = [b'='; size_of::<KeyText>()];
    text.iter_mut().zip(key.to_string().bytes()).for_each(|(to, from)| *to = from);
    text
}

fn section(spec: &PeerSpec) -> String {
    let allowed: Vec<String> = spec.addresses.iter().map(|address| IpNet::from(*address).to_string()).collect();
    let allowed = if allowed.is_empty() { String::new() } else { format!("AllowedIPs = {}\n", allowed.join(", ")) };
    format!("[Peer]\nPublicKey = {}\n{allowed}\n", spec.public_key)
}

fn malformed(line: usize, reason: impl Into<String>) -> Malformed {
    Malformed { line, reason: reason.into() }
}
