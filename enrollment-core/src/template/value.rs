//! What a person's data looks like once it stands in a text.

/// The longest value, in bytes of UTF-8; a longer one is cut. Names, addresses and URLs are far shorter.
pub(super) const MAX_VALUE: usize = 512;

/// The text on one line: white space and control characters become single spaces, none at the ends, and what would
/// turn the reading direction of the text around it is left out. At most `max` bytes.
pub(super) fn single_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    for character in text.chars() {
        if is_direction_override(character) {
            continue;
        }
        if character.is_whitespace() || character.is_control() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if line.len() + character.len_utf8() > max {
            break;
        } else {
            line.push(character);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX 9): the characters behind
/// "Trojan Source". Names in right-to-left scripts do not need them.
const fn is_direction_override(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_line_without_control_characters() {
        assert_eq!(single_line(" a\r\nBcc: b\u{0}\u{2028}c\u{202e}d\t ", 100), "a Bcc: b cd");
        assert_eq!(single_line("żółć", 5), "żó");
        assert_eq!(single_line("\u{7f}\n", 5), "");
    }
}
