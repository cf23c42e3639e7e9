//! To which place in the database a secret at rest belongs.

use uuid::Uuid;
use zeroize::Zeroizing;

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
    /// The binding and `more` as bytes; see [`framed`].
    pub(super) fn framed(&self, more: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        let place = [self.table.as_bytes(), self.row.as_bytes(), self.column.as_bytes()];
        framed(&[&place, more].concat())
    }
}

/// The fields one after the other, each after its length in eight bytes, so that no two different lists give the same
/// bytes.
pub(crate) fn framed(fields: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    // Reserved at once: bytes that grow leave copies behind, and a field may be a code.
    let length = fields.iter().map(|field| 8 + field.len()).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    for field in fields {
        bytes.extend((field.len() as u64).to_be_bytes());
        bytes.extend(*field);
    }
    bytes
}
