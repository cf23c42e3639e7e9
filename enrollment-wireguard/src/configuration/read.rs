//! From the bytes of a file to its parts.

use std::net::IpAddr;

use enrollment_core::domain::device::InvalidPublicKey;
use enrollment_core::id::LocationId;
use ipnet::IpNet;

use super::{BEGIN, Configuration, END, Malformed, Peer, Place, malformed};

impl Configuration {
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
}

enum Section {
    None,
    Interface,
    Peer { line: usize, key: Option<String>, allowed: Vec<IpNet>, raw: Vec<u8> },
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
                    if !looks_like_key(value) {
                        return Err(malformed(number, InvalidPublicKey::Malformed.to_string()));
                    }
                    *key = Some(value.to_owned());
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
            self.file.index.insert(peer.key.clone(), Place::Ours(self.file.ours.len()));
            self.file.ours.push(Some(peer));
        } else {
            self.file.index.insert(peer.key.clone(), Place::Foreign(self.file.foreign.len()));
            self.file.foreign.push(peer);
        }
        Ok(())
    }
}

/// Base64 of 32 bytes.
fn looks_like_key(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.len() == 44 && text.strip_suffix('=').is_some_and(|digits| digits.bytes().all(is_digit))
}

fn read_network(text: &str) -> Result<IpNet, String> {
    let host = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| host()).map_err(|_| format!("\"{text}\" is not an IP address or network"))
}
