//! What a command answers: text for people, or the API's documents for programs.

use std::io::{self, Write};

use serde_json::Value;

use super::api::{Api, List};
use super::table::{Column, Table};
use crate::Error;

/// Standard output, in the form that was asked for.
pub(crate) struct Screen {
    json: bool,
    out: Box<dyn Write + Send>,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, out: Box::new(io::BufWriter::new(io::stdout())) }
    }

    /// Shows an answer: as it is, or what `text` makes of it. Nothing is shown of an answer without content.
    pub(crate) fn answer(&mut self, answer: &Value, text: impl FnOnce(&Value) -> String) -> Result<(), Error> {
        match (self.json, answer) {
            (true, Value::Null) => Ok(()),
            (true, answer) => self.raw(&format!("{answer}\n")),
            (false, answer) => {
                let text = text(answer);
                self.raw(&text)
            }
        }
    }

    /// Shows a whole list, page by page.
    pub(crate) async fn list(&mut self, api: &Api, list: &List<'_>, columns: &[Column]) -> Result<(), Error> {
        let mut table = Table::new(columns);
        let mut cursor: Option<String> = None;
        let mut first = true;
        if self.json {
            self.raw("{\"items\":[")?;
        }
        loop {
            let (items, next) = api.page(list, cursor.as_deref()).await?;
            if self.json {
                for item in &items {
                    self.raw(&format!("{}{item}", if first { "\n" } else { ",\n" }))?;
                    first = false;
                }
            } else {
                let text = table.text(&items);
                self.raw(&text)?;
            }
            cursor = match next {
                Some(next) => Some(next),
                None if self.json => return self.raw("\n],\"next\":null}\n"),
                None => return Ok(()),
            };
        }
    }

    /// Writes what needs no form: a link, a key, a stream.
    pub(crate) fn raw(&mut self, text: &str) -> Result<(), Error> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Whatever was shown has arrived when this returns.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        Ok(self.out.flush()?)
    }
}
