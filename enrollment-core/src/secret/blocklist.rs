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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_as_the_search_needs_it() {
        let lines: Vec<_> = LIST.lines().collect();
        assert!(lines.is_sorted_by(|one, next| one < next), "sorted, nothing twice");
        assert!(LIST.ends_with('\n') && !LIST.contains('\r'));
        for line in &lines {
            assert!(line.chars().count() >= 8, "{line}");
            assert_eq!(**line, **folded(line), "as it is compared");
        }
        assert_eq!(lines.len(), 17_950, "as blocklist/README.md says");
    }

    #[test]
    fn every_line_is_found_and_nothing_else() {
        for line in LIST.lines() {
            assert!(BundledBlocklist.contains(line), "{line}");
            assert!(!has_line(LIST, &format!("{line}\u{1}")), "just after {line}");
        }
        for absent in ["", "\n", "password\npassword1", "!", "~~~~~~~~~~~", "correct horse battery staple"] {
            assert!(!BundledBlocklist.contains(absent), "{absent:?}");
        }
    }

    #[test]
    fn case_and_width_do_not_matter() {
        for common in ["PassWord", "ＰＡＳＳＷＯＲＤ", "QWERTYUIOP"] {
            assert!(BundledBlocklist.contains(common), "{common}");
        }
    }

    #[test]
    fn a_list_may_be_tiny() {
        assert!(!has_line("", "a") && !has_line("", ""));
        assert!(has_line("a\n", "a") && !has_line("a\n", "") && !has_line("a\n", "b"));
        assert!(["a", "bb", "c"].iter().all(|line| has_line("a\nbb\nc\n", line)));
    }
}
