//! To which place in the database a secret at rest belongs.

use uuid::Uuid;

/// The one place in which a sealed secret or a keyed digest is valid. Moved to another row or column, it opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The table.
    pub table: &'a str,
    /// The row.
    pub row: Uuid,
    /// The column, or the name of the field in the row's document.
    pub column: &'a str,
}

impl Binding<'_> {
    /// The binding as bytes, followed by `more`; no two different ones give the same bytes.
    pub(super) fn framed(&self, more: &[&[u8]]) -> Vec<u8> {
        let mut bytes = framed(&[self.table.as_bytes(), self.row.as_bytes(), self.column.as_bytes()]);
        bytes.extend(framed(more));
        bytes
    }
}

/// The fields one after the other, each after its length in eight bytes, so that no two different lists of the same
/// count give the same bytes.
pub(crate) fn framed(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend((field.len() as u64).to_be_bytes());
        bytes.extend(*field);
    }
    bytes
}
