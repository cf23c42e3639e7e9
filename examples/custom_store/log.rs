//! The file: one line for every write, whole or not at all (G1), on the disk before anybody hears of it (G5).
//!
//! A line is the start of the SHA-256 of its facts in hexadecimal, a space, and the facts as JSON. When the machine
//! loses power during a write, the last line is cut off or garbled; nobody was told that it was written, so the next
//! opening drops it. A broken line before the last means that the file was damaged.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use data_encoding::HEXLOWER;
use enrollment_core::port::{StoreError, StoreErrorKind};
use sha2::{Digest, Sha256};

use crate::state::Fact;

/// An open file, locked against other processes.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// The length of what is known to be whole.
    length: u64,
    /// Whether the file may hold a write that the memory does not.
    in_doubt: bool,
}

impl Log {
    /// Opens the file, or makes it, and reads every write in it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Vec<Fact>>), StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| unavailable("the file cannot be opened", error))?;
        file.try_lock().map_err(|error| unavailable("another process has the file", error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| unavailable("the file cannot be read", error))?;
        let mut length = 0;
        let mut writes = Vec::new();
        while length < bytes.len() {
            let rest = &bytes[length..];
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |newline| newline + 1);
            match parse(&rest[..end]) {
                Some(facts) => writes.push(facts),
                None if end == rest.len() => break,
                None => {
                    return Err(StoreError::new(StoreErrorKind::Corrupt, format!("a broken line at byte {length}")));
                }
            }
            length += end;
        }
        let mut log = Self { file, length: length as u64, in_doubt: false };
        log.cut().map_err(|error| unavailable("a line that was not finished cannot be dropped", error))?;
        sync_folder(path).map_err(|error| unavailable("the folder cannot be synced", error))?;
        Ok((log, writes))
    }

    /// Writes one line and waits until it is on the disk.
    pub(crate) fn append(&mut self, facts: &[Fact]) -> Result<(), StoreError> {
        let line = line(facts)?;
        if let Err(error) = self.file.write_all(&line) {
            // What was written is cut off again; if that fails too, nobody knows what the file holds.
            self.in_doubt = self.cut().is_err();
            let kind = if self.in_doubt { StoreErrorKind::Unknown } else { StoreErrorKind::Unavailable };
            return Err(StoreError::with_source(kind, "the file cannot be written", error));
        }
        if let Err(error) = self.file.sync_data() {
            // After a failed sync the system may have dropped the data or kept it (G10: unknown, never `Stale`).
            self.in_doubt = true;
            return Err(StoreError::with_source(StoreErrorKind::Unknown, "the file cannot be synced", error));
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Fails once the file may hold what the memory does not: only opening it anew tells.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.in_doubt {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "a write failed: open the store again"));
        }
        Ok(())
    }

    /// Drops everything behind what is known to be whole.
    fn cut(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.sync_all()
    }
}

fn line(facts: &[Fact]) -> Result<Vec<u8>, StoreError> {
    let facts = serde_json::to_string(facts)
        .map_err(|error| StoreError::with_source(StoreErrorKind::Misuse, "this cannot be written as JSON", error))?;
    Ok(format!("{} {facts}\n", checksum(facts.as_bytes())).into_bytes())
}

/// The facts of a line, if it is whole.
fn parse(line: &[u8]) -> Option<Vec<Fact>> {
    let (sum, facts) = std::str::from_utf8(line).ok()?.strip_suffix('\n')?.split_once(' ')?;
    if sum == checksum(facts.as_bytes()) { serde_json::from_str(facts).ok() } else { None }
}

fn checksum(facts: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(facts)[..8])
}

/// Makes a new file's name survive a loss of power.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn unavailable(message: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Unavailable, message, source)
}

#[cfg(test)]
mod tests {
    use enrollment_core::id::ChangeId;
    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;

    fn fact(n: u128) -> Vec<Fact> {
        vec![Fact::NoChange(ChangeId::from_uuid(Uuid::from_u128(n)))]
    }

    #[test]
    fn a_line_that_was_not_finished_is_dropped_and_the_next_is_written_in_its_place() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("log");
        let whole = line(&fact(1)).expect("a line");
        let garbled = [&b"0000000000000000"[..], &line(&fact(2)).expect("a line")[16..]].concat();
        for cut in [&whole[..1], &whole[..whole.len() - 1], &garbled] {
            std::fs::write(&path, [&whole, cut].concat()).expect("a file");
            let (mut log, writes) = Log::open(&path).expect("a log whose last line is not whole");
            assert_eq!(writes, [fact(1)]);
            log.append(&fact(3)).expect("a write");
            drop(log);
            let (_, writes) = Log::open(&path).expect("a log");
            assert_eq!(writes, [fact(1), fact(3)]);
        }
    }

    #[test]
    fn a_broken_line_before_the_last_is_damage() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("log");
        let whole = line(&fact(1)).expect("a line");
        std::fs::write(&path, [&whole[1..], &whole].concat()).expect("a file");
        assert_eq!(Log::open(&path).expect_err("damage").kind(), StoreErrorKind::Corrupt);
    }

    #[test]
    fn the_file_has_one_owner_at_a_time() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("log");
        let first = Log::open(&path).expect("a log");
        assert!(Log::open(&path).expect_err("it is open").is_retryable());
        drop(first);
        Log::open(&path).expect("it is free");
    }
}
