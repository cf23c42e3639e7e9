//! Base32 as Douglas Crockford wrote it down for people: no I, L, O or U, and what is easily mistaken is read right.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use zeroize::Zeroizing;

/// The encoding; its output is upper case. When decoding, lower case is upper case, `O` is `0`, `I` and `L` are `1`.
pub(super) static CROCKFORD: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    specification.translate.from.push_str("abcdefghjkmnpqrstvwxyzoOiIlL");
    specification.translate.to.push_str("ABCDEFGHJKMNPQRSTVWXYZ001111");
    specification.encoding().expect("32 different symbols, each translated once")
});

/// `text` without what mail programs, messengers and people put between characters: spaces and line breaks, dashes,
/// and characters that nobody sees.
pub(super) fn without_separators(text: &str) -> Zeroizing<String> {
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    kept.extend(text.chars().filter(|c| !is_separator(*c)));
    kept
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
        // soft hyphen, zero-width space, non-joiner and joiner, word joiner, byte order mark
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
}
