//! Passwords that many people use.

use std::cmp::Ordering;
use std::fmt::Debug;

use super::password::folded;

/// A list of passwords that are guessed first; behind a trait so that a breach service can be plugged in.
pub trait Blocklist: Debug + Send + Sync {
    /// Whether the whole password is on the list. Called with what the user typed, after NFKC, in its own case.
    fn contains(&self, password: &str) -> bool;
}

/// The bundled list: common passwords of eight and more code points, in any case. Origin and license stand in
/// `blocklist/README.md`.
///
/// Nothing is built at start: the look-up is a binary search in the text of the list.
#[derive(Debug, Clone, Copy, Default)]
pub struct BundledBlocklist;

/// One password per line, after NFKC in lower case, sorted by bytes, every line ended.
static LIST: &str = include_str!("blocklist/common.txt");

impl Blocklist for BundledBlocklist {
    fn contains(&self, password: &str) -> bool {
        has_line(LIST, &folded(password))
    }
}

/// Whether one line of the sorted `list` is `wanted`.
fn has_line(list: &str, wanted: &str) -> bool {
    let list = list.as_bytes();
    // Both always stand at the start of a line, or at the end.
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = list[low..middle].iter().rposition(|byte| *byte == b'\n').map_or(low, |at| low + at + 1);
        let end = list[start..high].iter().position(|byte| *byte == b'\n').map_or(high, |at| start + at);
        match list[start..end].cmp(wanted.as_bytes()) {
            Ordering::Equal => return true,
            Ordering::Less => low = high.min(end + 1),
            Ordering::Greater => high = start,
        }
    }
    false
}
