//! From the bytes of a file to its parts.

use std::net::IpAddr;
use std::str;

use enrollment_core::domain::device::InvalidPublicKey;
use enrollment_core::id::LocationId;
use ipnet::IpNet;

use super::{BEGIN, Configuration, END, Malformed, Peer, Place, malformed};

/// A public key as it is written: 32 bytes in Base64.
pub(super) type KeyText = [u8; 44];

impl<'a> Configuration<'a> {
    /// Takes a file apart; as tolerant as wg-quick in spaces, comments and the case of keys.
    pub(crate) fn parse(location: LocationId, content: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader {
            content,
            file: Self::without_block(location, content),
            section: Section::None,
            position: Position::Before,
        };
        let (mut last, mut at) = (0, 0);
        while at < content.len() {
            let rest = &content[at..];
            if let (Position::Inside { .. }, Some((key, length))) = (&reader.position, as_we_write(rest)) {
                reader.close(at)?;
                reader.section = Section::Peer { line: last + 1, from: at, key: Some(key) };
                last += LINES_AS_WE_WRITE;
                at += length;
                continue;
            }
            last += 1;
            let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
            reader.line(last, at, &rest[..length])?;
            at += length;
        }
        reader.close(at)?;
        if let Position::Inside { begin } = reader.position {
            return Err(malformed(last, format!("the block that begins in line {begin} has no \"{END}\"")));
        }
        Ok(reader.file)
    }
}

/// The key and the length of a peer that begins here, if it stands as [`super::section`] writes it: nearly all of a large
/// file, which is then read three times as fast as line by line.
fn as_we_write(content: &[u8]) -> Option<(KeyText, usize)> {
    let rest = content.strip_prefix(b"[Peer]\nPublicKey = ")?;
    let (key, rest) = rest.split_at_checked(size_of::<KeyText>())?;
    let key = key_text(str::from_utf8(key).ok()?)?;
    let rest = rest.strip_prefix(b"\nAllowedIPs = ")?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let mut allowed = networks(str::from_utf8(&rest[..end]).ok()?);
    if !allowed.all(|network| network.is_ok()) {
        return None;
    }
    Some((key, content.len() - rest[end..].strip_prefix(b"\n\n")?.len()))
}

/// With the empty one at its end.
const LINES_AS_WE_WRITE: usize = 4;

/// The networks a peer with these lines is allowed; what is none is left out.
pub(super) fn allowed_ips(lines: &[u8]) -> impl Iterator<Item = IpNet> {
    lines.split(|byte| *byte == b'\n').flat_map(|line| {
        let text = String::from_utf8_lossy(line);
        match setting(uncommented(&text)) {
            Some((name, value)) if name.eq_ignore_ascii_case(ALLOWED_IPS) => networks(value).flatten().collect(),
            _ => Vec::new(),
        }
    })
}

const ALLOWED_IPS: &str = "AllowedIPs";

fn uncommented(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

/// Its name and its value.
fn setting(text: &str) -> Option<(&str, &str)> {
    text.split_once('=').map(|(name, value)| (name.trim(), value.trim()))
}

fn networks(value: &str) -> impl Iterator<Item = Result<IpNet, String>> {
    value.split(',').map(str::trim).filter(|network| !network.is_empty()).map(read_network)
}

enum Section {
    None,
    Interface,
    /// A peer whose first byte is at `from`.
    Peer {
        line: usize,
        from: usize,
        key: Option<KeyText>,
    },
}

enum Position {
    Before,
    Inside { begin: usize },
    After,
}

/// Reads line after line.
struct Reader<'a> {
    content: &'a [u8],
    file: Configuration<'a>,
    section: Section,
    position: Position,
}

impl Reader<'_> {
    /// The line of this number, whose first byte is at `at`.
    fn line(&mut self, number: usize, at: usize, raw: &[u8]) -> Result<(), Malformed> {
        let text = String::from_utf8_lossy(raw);
        let text = text.trim();
        if let Some(location) = text.strip_prefix(BEGIN) {
            self.begin(number, at, location.trim())
        } else if text == END {
            self.end(number, at)
        } else {
            self.setting(number, at, uncommented(text))
        }
    }

    fn begin(&mut self, number: usize, at: usize, location: &str) -> Result<(), Malformed> {
        if !matches!(self.position, Position::Before) {
            return Err(malformed(number, "a second block of enrollment; there can be one"));
        }
        if location != self.file.location.to_string() {
            let reason = format!("this block belongs to location {location}, not to {}", self.file.location);
            return Err(malformed(number, reason));
        }
        self.close(at)?;
        self.file.has_block = true;
        self.position = Position::Inside { begin: number };
        Ok(())
    }

    fn end(&mut self, number: usize, at: usize) -> Result<(), Malformed> {
        if !matches!(self.position, Position::Inside { .. }) {
            return Err(malformed(number, format!("\"{END}\" without \"{BEGIN}\"")));
        }
        self.close(at)?;
        self.position = Position::After;
        if self.file.ours.is_empty() {
            self.file.before = &self.content[..at];
        }
        self.file.after = &self.content[at..];
        Ok(())
    }

    fn setting(&mut self, number: usize, at: usize, text: &str) -> Result<(), Malformed> {
        if text.is_empty() {
            return Ok(());
        }
        if text.starts_with('[') {
            self.close(at)?;
            self.section = if text.eq_ignore_ascii_case("[Peer]") {
                Section::Peer { line: number, from: at, key: None }
            } else if !text.eq_ignore_ascii_case("[Interface]") {
                return Err(malformed(number, format!("{text} is neither [Interface] nor [Peer]")));
            } else if matches!(self.position, Position::Inside { .. }) {
                return Err(malformed(number, "[Interface] does not belong into the block of enrollment"));
            } else {
                Section::Interface
            };
            return Ok(());
        }
        let (name, value) = setting(text).ok_or_else(|| malformed(number, "neither a section nor a setting"))?;
        match &mut self.section {
            Section::None => Err(malformed(number, "a setting outside any section")),
            Section::Interface => Ok(()),
            Section::Peer { line, key, .. } => {
                if name.eq_ignore_ascii_case("PublicKey") {
                    let written = key_text(value);
                    let written = written.ok_or_else(|| malformed(number, InvalidPublicKey::Malformed.to_string()))?;
                    *key = Some(written);
                } else if name.eq_ignore_ascii_case(ALLOWED_IPS) {
                    for network in networks(value) {
                        let network = network.map_err(|reason| malformed(number, reason))?;
                        if !matches!(self.position, Position::Inside { .. }) {
                            self.file.taken.entry(network).or_insert(*line);
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// Ends the open section, before the byte at `at`.
    fn close(&mut self, at: usize) -> Result<(), Malformed> {
        let Section::Peer { line, from, key } = std::mem::replace(&mut self.section, Section::None) else {
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
                let key = String::from_utf8_lossy(&key);
                return Err(malformed(line, format!("the peer {key} is already there, in line {first}")));
            }
            _ => {}
        }
        let peer = Peer { key, line, raw: self.content[from..at].into() };
        if ours {
            if self.file.ours.is_empty() {
                self.file.before = &self.content[..from];
            }
            self.file.index.insert(key, Place::Ours(self.file.ours.len()));
            self.file.ours.push(Some(peer));
        } else {
            self.file.index.insert(key, Place::Foreign(self.file.foreign.len()));
            self.file.foreign.push(peer);
        }
        Ok(())
    }
}

/// What looks like Base64 of 32 bytes.
fn key_text(text: &str) -> Option<KeyText> {
    let key: KeyText = text.as_bytes().try_into().ok()?;
    let (end, digits) = key.split_last()?;
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    (*end == b'=' && digits.iter().all(is_digit)).then_some(key)
}

fn read_network(text: &str) -> Result<IpNet, String> {
    let host = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| host()).map_err(|_| format!("\"{text}\" is not an IP address or network"))
}
