//! A wg-quick file in which one marked block is ours.
//!
//! Pure: from bytes to bytes. Everything outside the block, and every peer in it that is not changed, keeps its bytes.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use enrollment_core::domain::device::{InvalidPublicKey, PublicKey};
use enrollment_core::id::LocationId;
use enrollment_core::port::PeerSpec;
use ipnet::IpNet;

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
    Peer { key: PublicKey, line: usize },
    #[error("the address {address} belongs to the peer in line {line}, outside the block of enrollment")]
    Address { address: IpAddr, line: usize },
}

/// A file, taken apart.
#[derive(Debug)]
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
    index: HashMap<PublicKey, Place>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Ours(usize),
    Foreign(usize),
}

#[derive(Debug)]
struct Peer {
    key: PublicKey,
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

    fn spec(&self) -> PeerSpec {
        let address = |net: &IpNet| (net.prefix_len() == net.max_prefix_len()).then(|| net.addr());
        PeerSpec { public_key: self.key, addresses: self.allowed.iter().filter_map(address).collect() }
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

    /// Takes a file apart; as tolerant as wg-quick in spaces, comments and the case of keys.
    pub(crate) fn parse(location: LocationId, content: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader {
            file: Self { before: Vec::new(), ..Self::empty(location) },
            section: Section::None,
            position: Position::Before,
        };
        let mut last = 1;
        for (index, raw) in content.split_inclusive(|byte| *byte == b'\n').enumerate() {
            last = index + 1;
            reader.line(last, raw)?;
        }
        reader.close()?;
        if let Position::Inside { begin } = reader.position {
            return Err(malformed(last, format!("the block that begins in line {begin} has no \"{END}\"")));
        }
        Ok(reader.file)
    }

    /// Puts the peer in force with exactly these addresses. Whether that changed anything.
    pub(crate) fn ensure(&mut self, spec: &PeerSpec) -> Result<bool, Foreign> {
        if let Some(Place::Foreign(at)) = self.index.get(&spec.public_key) {
            let peer = &self.foreign[*at];
            return if peer.is_as(spec) { Ok(false) } else { Err(Foreign::Peer { key: peer.key, line: peer.line }) };
        }
        // WireGuard gives an address to one peer only, the last that asks.
        for address in &spec.addresses {
            if let Some(peer) = self.foreign.iter().find(|peer| peer.allowed.contains(&IpNet::from(*address))) {
                return Err(Foreign::Address { address: *address, line: peer.line });
            }
        }
        let peer = Peer {
            key: spec.public_key,
            allowed: spec.addresses.iter().copied().map(IpNet::from).collect(),
            line: 0,
            raw: section(spec).into_bytes(),
        };
        match self.index.get(&spec.public_key) {
            Some(Place::Ours(at)) if self.ours[*at].as_ref().is_some_and(|old| old.is_as(spec)) => return Ok(false),
            Some(Place::Ours(at)) => self.ours[*at] = Some(peer),
            _ => {
                self.index.insert(spec.public_key, Place::Ours(self.ours.len()));
                self.ours.push(Some(peer));
            }
        }
        Ok(true)
    }

    /// Takes the peer out of force. Whether that changed anything.
    pub(crate) fn remove(&mut self, key: &PublicKey) -> Result<bool, Foreign> {
        match self.index.get(key) {
            None => Ok(false),
            Some(Place::Foreign(at)) => Err(Foreign::Peer { key: *key, line: self.foreign[*at].line }),
            Some(Place::Ours(at)) => {
                self.ours[*at] = None;
                self.index.remove(key);
                Ok(true)
            }
        }
    }

    /// Every peer of the file, ours first.
    pub(crate) fn peers(&self) -> Vec<PeerSpec> {
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

enum Section {
    None,
    Interface,
    Peer { line: usize, key: Option<PublicKey>, allowed: Vec<IpNet>, raw: Vec<u8> },
}

enum Position {
    Before,
    Inside { begin: usize },
    After,
}

/// Reads line after line.
struct Reader {
    file: Configuration,
    section: Section,
    position: Position,
}

impl Reader {
    fn line(&mut self, number: usize, raw: &[u8]) -> Result<(), Malformed> {
        let text = String::from_utf8_lossy(raw);
        let text = text.trim();
        if let Some(location) = text.strip_prefix(BEGIN) {
            self.begin(number, location.trim())?;
        } else if text == END {
            self.end(number)?;
        } else {
            self.setting(number, text.split('#').next().unwrap_or_default().trim())?;
        }
        match (&self.position, &mut self.section) {
            (Position::Inside { .. }, Section::Peer { raw: lines, .. }) => lines.extend_from_slice(raw),
            (Position::After, _) => self.file.after.extend_from_slice(raw),
            _ => self.file.before.extend_from_slice(raw),
        }
        Ok(())
    }

    fn begin(&mut self, number: usize, location: &str) -> Result<(), Malformed> {
        if !matches!(self.position, Position::Before) {
            return Err(malformed(number, "a second block of enrollment; there can be one"));
        }
        if location != self.file.location.to_string() {
            let reason = format!("this block belongs to location {location}, not to {}", self.file.location);
            return Err(malformed(number, reason));
        }
        self.close()?;
        self.file.has_block = true;
        self.position = Position::Inside { begin: number };
        Ok(())
    }

    fn end(&mut self, number: usize) -> Result<(), Malformed> {
        if !matches!(self.position, Position::Inside { .. }) {
            return Err(malformed(number, format!("\"{END}\" without \"{BEGIN}\"")));
        }
        self.close()?;
        self.position = Position::After;
        Ok(())
    }

    fn setting(&mut self, number: usize, text: &str) -> Result<(), Malformed> {
        if text.is_empty() {
            return Ok(());
        }
        if text.starts_with('[') {
            self.close()?;
            self.section = if text.eq_ignore_ascii_case("[Peer]") {
                Section::Peer { line: number, key: None, allowed: Vec::new(), raw: Vec::new() }
            } else if !text.eq_ignore_ascii_case("[Interface]") {
                return Err(malformed(number, format!("{text} is neither [Interface] nor [Peer]")));
            } else if matches!(self.position, Position::Inside { .. }) {
                return Err(malformed(number, "[Interface] does not belong into the block of enrollment"));
            } else {
                Section::Interface
            };
            return Ok(());
        }
        let (name, value) = text.split_once('=').ok_or_else(|| malformed(number, "neither a section nor a setting"))?;
        let (name, value) = (name.trim(), value.trim());
        match &mut self.section {
            Section::None => Err(malformed(number, "a setting outside any section")),
            Section::Interface => Ok(()),
            Section::Peer { key, allowed, .. } => {
                if name.eq_ignore_ascii_case("PublicKey") {
                    *key = Some(value.parse().map_err(|error: InvalidPublicKey| malformed(number, error.to_string()))?);
                } else if name.eq_ignore_ascii_case("AllowedIPs") {
                    for network in value.split(',').map(str::trim).filter(|network| !network.is_empty()) {
                        allowed.push(read_network(network).map_err(|reason| malformed(number, reason))?);
                    }
                }
                Ok(())
            }
        }
    }

    /// Ends the open section.
    fn close(&mut self) -> Result<(), Malformed> {
        let Section::Peer { line, key, allowed, raw } = std::mem::replace(&mut self.section, Section::None) else {
            return Ok(());
        };
        let key = key.ok_or_else(|| malformed(line, "a peer without PublicKey"))?;
        let ours = matches!(self.position, Position::Inside { .. });
        let first = self.file.index.get(&key).map(|place| match place {
            Place::Ours(at) => (true, self.file.ours[*at].as_ref().map_or(0, |peer| peer.line)),
            Place::Foreign(at) => (false, self.file.foreign[*at].line),
        });
        match first {
            Some((first_is_ours, first)) if ours || first_is_ours => {
                return Err(malformed(line, format!("the peer {key} is already there, in line {first}")));
            }
            _ => {}
        }
        let peer = Peer { key, allowed, line, raw };
        if ours {
            self.file.index.insert(key, Place::Ours(self.file.ours.len()));
            self.file.ours.push(Some(peer));
        } else {
            self.file.index.insert(key, Place::Foreign(self.file.foreign.len()));
            self.file.foreign.push(peer);
        }
        Ok(())
    }
}

fn malformed(line: usize, reason: impl Into<String>) -> Malformed {
    Malformed { line, reason: reason.into() }
}

fn read_network(text: &str) -> Result<IpNet, String> {
    let host = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| host()).map_err(|_| format!("\"{text}\" is not an IP address or network"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn location() -> LocationId {
        LocationId::from_uuid(uuid::uuid!("0190b0f0-0000-7000-8000-0123456789ab"))
    }

    fn key(number: u8) -> PublicKey {
        let mut bytes = [9; 32];
        bytes[0] = number;
        PublicKey::from_bytes(bytes).expect("not a point of low order")
    }

    fn spec(number: u8, host: u8) -> PeerSpec {
        PeerSpec { public_key: key(number), addresses: vec![[10, 0, number, host].into()] }
    }

    /// Sections as people write them, with peers whose keys begin at `first`.
    fn by_hand(first: u8) -> impl Strategy<Value = Vec<u8>> {
        let piece = (0_u8..7, any::<bool>(), 0_u8..20).prop_map(move |(kind, carriage_return, number)| {
            let text = match kind {
                0 => "# a comment \u{17c}\n".to_owned(),
                1 => "\n  \t\n".to_owned(),
                2 => "[interface]\nPrivateKey=x\n POSTUP = a = b # c\n".to_owned(),
                _ => format!("[PEER] # p\n publickey={}\nAllowedIps =10.9.0.0/16,fd00::1\nX=y\n", key(first + number)),
            };
            if carriage_return { text.replace('\n', "\r\n").into_bytes() } else { text.into_bytes() }
        });
        let comment = prop::collection::vec(128_u8..=255, 0..4).prop_map(|bytes| [b"#", &bytes[..]].concat());
        (prop::collection::vec(piece, 0..6), comment).prop_map(|(pieces, last)| [pieces.concat(), last].concat())
    }

    fn changes() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        prop::collection::vec((2_u8..12, prop::option::of(0_u8..3)), 0..12)
    }

    fn change(file: &mut Configuration, changes: &[(u8, Option<u8>)]) {
        for (number, host) in changes {
            let change = match host {
                Some(host) => file.ensure(&spec(*number, *host)),
                None => file.remove(&key(*number)),
            };
            change.expect("these keys are ours");
        }
    }

    proptest! {
        #[test]
        fn what_is_outside_the_block_keeps_its_bytes(
            before in by_hand(100), after in by_hand(200), first in changes(), second in changes(),
        ) {
            let mut file = Configuration::parse(location(), &before).expect("understood");
            change(&mut file, &first);
            let mut written = file.to_bytes();
            written.extend_from_slice(&after);

            let mut file = Configuration::parse(location(), &written).expect("understood");
            prop_assert_eq!(file.to_bytes(), &written[..], "taken apart and put together");
            change(&mut file, &second);
            let last = file.to_bytes();
            prop_assert!(last.starts_with(&before) && last.ends_with(&after));

            let mut expected = HashMap::new();
            for (number, host) in first.iter().chain(&second) {
                match host {
                    Some(host) => expected.insert(*number, *host),
                    None => expected.remove(number),
                };
            }
            let file = Configuration::parse(location(), &last).expect("understood");
            let mut found: Vec<_> = file.ours.iter().flatten().map(Peer::spec).collect();
            let mut expected: Vec<_> = expected.into_iter().map(|(number, host)| spec(number, host)).collect();
            found.sort_by_key(|peer| peer.public_key);
            expected.sort_by_key(|peer| peer.public_key);
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_file_is_understood_or_refused(content in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(file) = Configuration::parse(location(), &content) {
                prop_assert!(file.to_bytes().starts_with(&content));
            }
        }
    }
}
