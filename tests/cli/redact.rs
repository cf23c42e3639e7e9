//! What changes from run to run.

use std::path::Path;

/// The same text with ids, numbers, times, secrets and the folder replaced. Columns keep their order, not their width.
pub(crate) fn redacted(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "DATA");
    let mut out = String::new();
    for part in text.split_inclusive(|c: char| !is_part_of_a_word(c)) {
        let end = part.chars().next_back().filter(|c| !is_part_of_a_word(*c));
        let word = &part[..part.len() - end.map_or(0, char::len_utf8)];
        out += match word {
            word if is_uuid(word) => "ID",
            word if is_time(word) => "TIME",
            word if word.starts_with("enr_") => "TOKEN",
            word if word.starts_with("enk_") => "KEY",
            word if is_gateway(word) => "GATEWAY",
            word if word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit()) => "DIGEST",
            word if word.len() > 9 && word.chars().all(|c| c.is_ascii_digit()) => "NUMBER",
            word => word,
        };
        out.extend(end);
    }
    out.lines().map(line).collect()
}

/// How wide a column is depends on what was replaced; a key may have been made.
fn line(line: &str) -> String {
    if line.starts_with("public_key ") {
        return "public_key  PUBLIC KEY\n".to_owned();
    }
    let cells: Vec<&str> = line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect();
    cells.join("  ") + "\n"
}

fn is_part_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.')
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word
            .chars()
            .enumerate()
            .all(|(at, c)| if [8, 13, 18, 23].contains(&at) { c == '-' } else { c.is_ascii_hexdigit() })
}

/// RFC 3339, as `Timestamp` prints it.
fn is_time(word: &str) -> bool {
    word.len() >= 20 && word.as_bytes()[4] == b'-' && word.as_bytes()[10] == b'T' && word.ends_with('Z')
}

/// The name of a gateway's file has a part of the location's id.
fn is_gateway(word: &str) -> bool {
    word.starts_with("wg-") && word.ends_with(".conf")
}
