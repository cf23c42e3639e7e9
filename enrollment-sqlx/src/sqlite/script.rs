//! Statements that go to the database in one piece.
//!
//! The driver hands every piece to the database's own thread and back, which costs more than most statements do. So a
//! group of changes is a few pieces, and what they are about travels as JSON lists: the text stays the same however
//! many rows there are, and the prepared statements are found again.

use serde::Serialize;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite};

/// SQL text, the documents it refers to as parts of `$1`, and the JSON lists it refers to as `$2`, `$3`, …
#[derive(Debug, Default)]
pub(crate) struct Script {
    text: String,
    documents: Vec<u8>,
    lists: Vec<String>,
}

/// Where a document lies among a script's: its first byte, counted from 1, and its length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) from: usize,
    pub(crate) length: usize,
}

impl Script {
    /// Adds a list and says its number.
    pub(crate) fn list<T: Serialize>(&mut self, lines: &[T]) -> usize {
        let json = serde_json::to_string(lines).expect("ids, keys and texts have JSON forms");
        self.lists.push(json);
        1 + self.lists.len()
    }

    /// Adds a document and says where it lies.
    pub(crate) fn document(&mut self, text: &str) -> Place {
        let from = 1 + self.documents.len();
        self.documents.extend_from_slice(text.as_bytes());
        Place { from, length: text.len() }
    }

    /// Adds a statement about a list, given the list's number, unless the list is empty.
    pub(crate) fn add<T: Serialize>(&mut self, lines: &[T], statement: impl FnOnce(usize) -> String) {
        if !lines.is_empty() {
            let n = self.list(lines);
            self.push(&statement(n));
        }
    }

    /// Adds text, which never contains a value.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text so far.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The script, ready to run.
    pub(crate) fn query(self) -> Query<'static, Sqlite, SqliteArguments> {
        // Text is made of this crate's own words and the names of the enums; values are bound.
        let query = sqlx::query(AssertSqlSafe(self.text)).bind(self.documents);
        self.lists.into_iter().fold(query, Query::bind)
    }
}
