//! Queueing a backfill: the row that says what is left is the queue.

use super::turn::Draft;
use super::{Failure, Service};
use crate::domain::upkeep::Backfill;
use crate::id::{LocationId, UserId};
use crate::record::new_row;

/// Whose devices may lack addresses at a location.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lacking {
    /// Those of anybody whom it admits.
    Anybody,
    /// This user's.
    User(UserId),
}

impl Service {
    /// Adds to a draft that devices get what they lack at a location, on top of what is queued there already.
    pub(crate) async fn queue_backfill(
        &self,
        draft: &mut Draft,
        location: LocationId,
        lacking: Lacking,
    ) -> Result<(), Failure> {
        let stored = self.read::<Backfill>(Backfill::key(location).id).await?;
        let before = stored.as_ref().map(|stored| &stored.record);
        let next = match lacking {
            Lacking::Anybody => Backfill::of_everyone(location, before, draft.now),
            Lacking::User(user) => Backfill::of_user(location, before, user, draft.now),
        };
        draft.ops.push(stored.as_ref().map_or_else(|| new_row(&next), |stored| stored.put(&next)));
        Ok(())
    }
}
