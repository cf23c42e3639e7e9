//! The intention to erase, committed with the change that causes it.

use super::turn::Draft;
use super::{Failure, Service};
use crate::id::OutboxId;
use crate::port::{Channel, OutboxEntry};
use crate::record::Document;
use crate::time::Timestamp;
use crate::worker::ErasureIntent;

impl Service {
    /// Has the eraser forget something, not before `due`. The intention names ids and nothing else.
    pub(crate) fn intend_erasure(
        &self,
        draft: &mut Draft,
        intent: &ErasureIntent,
        due: Timestamp,
    ) -> Result<(), Failure> {
        let json = serde_json::to_string(intent).map_err(|error| Failure::Broken(error.into()))?;
        let id = OutboxId::new(draft.now, self.entropy());
        let body = Document { layout: 1, json };
        draft.enqueue(OutboxEntry { id, channel: Channel::Upkeep, stream: None, due, body });
        Ok(())
    }
}
