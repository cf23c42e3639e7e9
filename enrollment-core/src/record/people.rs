//! Rows of users and API keys.

use uuid::Uuid;

use super::codec::Record;
use super::key::{IndexKey, IndexName, Kind, UniqueKey, UniqueName};
use crate::domain::api_key::ApiKey;
use crate::domain::user::User;

impl Record for User {
    const KIND: Kind = Kind::User;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn unique(&self) -> Vec<UniqueKey> {
        vec![
            UniqueKey::new(UniqueName::Username, self.username.as_str()),
            UniqueKey::new(UniqueName::UserNumber, self.number.get()),
        ]
    }

    fn index(&self) -> Vec<IndexKey> {
        vec![IndexKey::new(IndexName::UsersByUsername, "", self.username.as_str())]
    }
}

impl Record for ApiKey {
    const KIND: Kind = Kind::ApiKey;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn unique(&self) -> Vec<UniqueKey> {
        vec![UniqueKey::new(UniqueName::ApiKeyDigest, self.digest)]
    }

    fn index(&self) -> Vec<IndexKey> {
        vec![IndexKey::new(IndexName::ApiKeysByCreated, "", self.created.micros())]
    }
}
