//! Answers in words, aligned: tables, and all that one thing has. Its tests run with those of the commands, `tests/cli`.

use serde_json::Value;

/// A column of a table: its title, and what of an item stands in it.
pub(crate) type Column = (&'static str, fn(&Value) -> String);

/// Aligned columns. The first page decides how wide they are; what is longer later moves its own row only.
pub(crate) struct Table<'a> {
    columns: &'a [Column],
    widths: Vec<usize>,
}

impl<'a> Table<'a> {
    pub(crate) const fn new(columns: &'a [Column]) -> Self {
        Self { columns, widths: Vec::new() }
    }

    /// These items as rows; below their titles, where they are the first.
    pub(crate) fn text(&mut self, items: &[Value]) -> String {
        let rows: Vec<Vec<String>> =
            items.iter().map(|item| self.columns.iter().map(|(_, cell)| visible(&cell(item))).collect()).collect();
        let mut text = String::new();
        if self.widths.is_empty() {
            let titles: Vec<String> = self.columns.iter().map(|(title, _)| (*title).to_owned()).collect();
            self.widths = vec![0; titles.len()];
            for row in rows.iter().chain([&titles]) {
                for (width, cell) in self.widths.iter_mut().zip(row) {
                    *width = (*width).max(cell.chars().count());
                }
            }
            self.write(&mut text, &titles);
        }
        for row in &rows {
            self.write(&mut text, row);
        }
        text
    }

    fn write(&self, text: &mut String, row: &[String]) {
        let start = text.len();
        for (cell, width) in row.iter().zip(&self.widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
}

/// One item with all its members, a line each.
pub(crate) fn details(item: &Value) -> String {
    let mut lines = Vec::new();
    collect("", item, &mut lines);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines.into_iter().map(|(name, value)| format!("{name:<width$}  {value}").trim_end().to_owned() + "\n").collect()
}

fn collect(name: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let inner = |member: &str| if name.is_empty() { member.to_owned() } else { format!("{name}.{member}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(member, value)| collect(&inner(member), value, lines)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().for_each(|(at, item)| collect(&inner(&(at + 1).to_string()), item, lines));
        }
        value => lines.push((name.to_owned(), visible(&plain(value)))),
    }
}

/// A value in words.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A text that stays in its line and moves no cursor: names and answers of relays are other people's.
fn visible(text: &str) -> String {
    let inert = |c: char| {
        !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if inert(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[("NAME", |item| plain(&item["name"])), ("GROUPS", |item| plain(&item["groups"]))];

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let items = [json!({"name": "Zoë", "groups": ["a", "b"]}), json!({"name": "Konstanze", "groups": []})];
        assert_eq!(Table::new(COLUMNS).text(&items), "NAME       GROUPS\nZoë        a, b\nKonstanze\n");
    }

    #[test]
    fn titles_stand_above_the_first_page_only() {
        let mut table = Table::new(COLUMNS);
        assert_eq!(table.text(&[]), "NAME  GROUPS\n");
        assert_eq!(table.text(&[json!({"name": "Konstanze"})]), "Konstanze\n");
    }

    #[test]
    fn details_have_a_line_for_every_member() {
        let item = json!({"a": {"b": 1, "c": null}, "d": [{"e": true}]});
        assert_eq!(details(&item), "a.b    1\na.c\nd.1.e  yes\n");
    }

    #[test]
    fn what_would_move_the_cursor_is_not_shown() {
        assert_eq!(visible("a\x1b[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    }
}
