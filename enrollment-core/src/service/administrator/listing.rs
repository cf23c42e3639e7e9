//! Lists, page by page.

use data_encoding::BASE64URL_NOPAD;

use crate::domain::policy::Bounds;
use crate::domain::rejection::Rejection;
use crate::port::{Cursor, Scan};
use crate::record::{IndexName, KeyValue};

/// Which page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Where to go on: [`Listing::next`] of the page before. `None`: the first page.
    pub cursor: Option<String>,
    /// At most this many items, 1 to 500; 50 when nobody chose.
    pub limit: Option<u32>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    /// The items in order.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last one. Opaque.
    pub next: Option<String>,
}

const LIMIT: Bounds<u32> = Bounds { min: 1, default: 50, max: 500 };
/// A place has at most 1,024 bytes, each of which JSON may write as six characters.
const LONGEST_CURSOR: usize = 10_000;

impl PageRequest {
    /// The scan of one part of an index that reads this page.
    pub(super) fn scan(&self, index: IndexName, within: impl Into<String>) -> Result<Scan, Rejection> {
        let limit = LIMIT
            .check(self.limit.unwrap_or(LIMIT.default))
            .map_err(|reason| Rejection::OutOfRange { field: "limit", reason })?;
        let mut scan = Scan::all(index, within, limit);
        scan.after = self.cursor.as_deref().map(|text| parse(text, index)).transpose()?;
        Ok(scan)
    }
}

/// Narrows a scan of an index of texts to those that begin with `prefix`.
pub(super) fn beginning_with(scan: &mut Scan, prefix: &str) {
    scan.from = Some(KeyValue::from(prefix));
    // The highest code point: behind every text of letters that begins so, in the order of UTF-8 bytes.
    scan.to = Some(KeyValue::from(format!("{prefix}{}", char::MAX)));
}

/// The text of a place. The place itself is no secret, but nobody should build on its form.
pub(super) fn text(cursor: &Cursor) -> Option<String> {
    serde_json::to_vec(cursor).ok().map(|json| BASE64URL_NOPAD.encode(&json))
}

fn parse(given: &str, index: IndexName) -> Result<Cursor, Rejection> {
    let invalid = || Rejection::InvalidField { field: "cursor", reason: "not a cursor of this list".to_owned() };
    if given.len() > LONGEST_CURSOR {
        return Err(invalid());
    }
    let json = BASE64URL_NOPAD.decode(given.as_bytes()).map_err(|_| invalid())?;
    let cursor: Cursor = serde_json::from_slice(&json).map_err(|_| invalid())?;
    let fits = cursor.at.value_type() == index.value_type()
        // Only what was handed out: no other spelling, no further fields.
        && text(&cursor).as_deref() == Some(given)
        && !matches!(&cursor.at, KeyValue::Text(place) if place.len() > 1024 || place.contains('\0'));
    if fits { Ok(cursor) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(at: impl Into<KeyValue>) -> Cursor {
        Cursor { at: at.into(), id: uuid::Uuid::from_u128(7) }
    }

    #[test]
    fn a_cursor_is_read_back_by_the_list_it_came_from() {
        let cursor = place("alice");
        let text = text(&cursor).expect("a cursor has a text");
        assert_eq!(parse(&text, IndexName::UsersByUsername), Ok(cursor));
        assert!(parse(&text, IndexName::EnrollmentsByCreated).is_err(), "a place of another type");
    }

    #[test]
    fn anything_else_is_no_cursor() {
        let valid = text(&place("alice")).expect("a cursor has a text");
        let foreign = BASE64URL_NOPAD.encode(br#"{"at":"alice","id":"00000000-0000-0000-0000-000000000007" }"#);
        let nul = text(&place("a\0b")).expect("a cursor has a text");
        for wrong in ["", "x", "e30", &format!("{valid}="), &foreign, &nul, &"A".repeat(20_000)] {
            assert!(parse(wrong, IndexName::UsersByUsername).is_err(), "{wrong:.60}");
        }
    }

    #[test]
    fn a_page_has_1_to_500_items() {
        let scan =
            |limit| PageRequest { cursor: None, limit }.scan(IndexName::UsersByUsername, "").map(|scan| scan.limit);
        assert_eq!((scan(None), scan(Some(500))), (Ok(50), Ok(500)));
        for limit in [0, 501] {
            assert_eq!(scan(Some(limit)).map_err(|rejection| rejection.code()), Err("out_of_range"));
        }
    }
}
