//! Rows of settings and of administrators' own texts.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::codec::{Record, RecordError};
use super::key::{Kind, RowKey};
use crate::domain::settings::Settings;

impl Settings {
    /// The row of the settings.
    pub const KEY: RowKey = RowKey::new(Kind::Settings, Uuid::from_u128(1));
}

impl Record for Settings {
    const KIND: Kind = Kind::Settings;
    /// 2: `onboarding_mail` is new, 3: `downloads`; each is refused by programs of the layouts before.
    const LAYOUT: u16 = 3;

    fn row_id(&self) -> Uuid {
        Self::KEY.id
    }

    fn upcast(layout: u16, document: Value) -> Result<Value, RecordError> {
        match layout {
            1 | 2 => Ok(document),
            _ => Err(RecordError::Layout { kind: Self::KIND, layout }),
        }
    }
}

/// A text of an administrator's own, in place of the built-in one of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateText {
    /// Which text.
    pub name: String,
    /// Its source; it compiled when it was saved.
    pub source: String,
}

impl TemplateText {
    /// The row of the text of this name.
    #[must_use]
    pub fn key(name: &str) -> RowKey {
        let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        RowKey::new(Kind::Template, uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl Record for TemplateText {
    const KIND: Kind = Kind::Template;

    fn row_id(&self) -> Uuid {
        Self::key(&self.name).id
    }
}
