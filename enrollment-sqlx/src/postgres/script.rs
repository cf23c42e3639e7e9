//! One statement and its values. Lists travel as arrays, so the text stays the same however many rows there are, and
//! the prepared statements are found again.

use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Type};

/// SQL text and the values it refers to as `$1`, `$2`, …
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    text: String,
    values: PgArguments,
}

impl Script {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: PgArguments::default() }
    }

    /// Adds text, which never contains a value.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a value and says how the text refers to it.
    pub(crate) fn bind<'v, T: Encode<'v, Postgres> + Type<Postgres>>(&mut self, value: T) -> String {
        self.values.add(value).expect("ids, numbers and texts of bounded length have a binary form");
        format!("${}", self.values.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text so far.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The statement, ready to run.
    pub(crate) fn query(self) -> Query<'static, Postgres, PgArguments> {
        // Text is made of this crate's own words, the names of the enums and a checked schema; values are bound.
        sqlx::query_with(AssertSqlSafe(self.text), self.values)
    }
}
