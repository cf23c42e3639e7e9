//! Rows of administrators' sessions, and of the places from which answers came.

use uuid::Uuid;

use super::codec::Record;
use super::key::{IndexKey, IndexName, Kind, UniqueKey, UniqueName};
use crate::domain::sign_in::{AdminSession, Place};

impl Record for AdminSession {
    const KIND: Kind = Kind::AdminSession;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn unique(&self) -> Vec<UniqueKey> {
        vec![UniqueKey::new(UniqueName::AdminSessionDigest, self.digest)]
    }

    fn index(&self) -> Vec<IndexKey> {
        vec![
            IndexKey::new(IndexName::AdminSessionsByUser, self.user.to_string(), self.began.micros()),
            IndexKey::new(IndexName::AdminSessionsByEnd, "", self.latest_end().micros()),
        ]
    }
}

impl Record for Place {
    const KIND: Kind = Kind::Place;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn index(&self) -> Vec<IndexKey> {
        let of =
            self.user.map(|user| IndexKey::new(IndexName::SignInPlacesByUser, user.to_string(), self.touched.micros()));
        let passing = self.passes().then(|| IndexKey::new(IndexName::SignInPlacesPassing, "", self.touched.micros()));
        of.into_iter().chain(passing).collect()
    }
}
