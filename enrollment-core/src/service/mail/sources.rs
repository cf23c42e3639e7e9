//! Reading what mails are made from: for some of them together, since sending many mails is mostly reading.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::domain::enrollment::Enrollment;
use crate::domain::mail::{Addressee, Letter, Mail};
use crate::domain::settings::Settings;
use crate::id::UserId;
use crate::record::{Guard, Kind, Record, RowKey, Stored};
use crate::service::circumstances::{Common, Rows, World, record};
use crate::service::{Failure, Service};

/// What some mails are made from, as it stood when it was read.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(super) rows: Rows,
    pub(super) common: Common,
}

impl Sources {
    /// A record, if it exists.
    pub(super) fn record<R: Record>(&self, id: Uuid) -> Result<Option<R>, Failure> {
        record(&self.rows, id)
    }

    /// The world of a user, if there is such a user.
    pub(super) fn world(&self, user: UserId, initiator: Option<UserId>) -> Result<Option<World>, Failure> {
        let Some(row) = self.rows.get(&of_user(user)) else { return Ok(None) };
        let initiator = initiator.and_then(|initiator| self.rows.get(&of_user(initiator)));
        World::of(row, initiator, self.common.clone(), Vec::new()).map(Some)
    }
}

impl Service {
    /// Reads what these mails are made from, all of it at this instant and in two calls however many mails there are.
    pub(crate) async fn sources(&self, mails: &[&Mail]) -> Result<Sources, Failure> {
        let mut keys: BTreeSet<RowKey> = mails.iter().flat_map(|mail| keys_of(mail)).collect();
        keys.extend([Settings::KEY, Guard::Locations.key()]);
        let mut rows = self.rows(keys.iter().copied()).await?;
        // One that cannot be read has no initiator here, and is told of when its mail is made.
        let initiators = rows.values().filter(|row| row.key.kind == Kind::Enrollment).filter_map(|row| {
            let enrollment = Stored::<Enrollment>::read(row).ok()?.record;
            enrollment.initiator.map(of_user)
        });
        let more: BTreeSet<RowKey> = initiators.filter(|key| !keys.contains(key)).collect();
        rows.extend(self.rows(more).await?);
        let common = self.common_of(rows.remove(&Settings::KEY), rows.remove(&Guard::Locations.key())).await?;
        Ok(Sources { rows, common })
    }
}

/// What is known to be needed before anything was read.
fn keys_of(mail: &Mail) -> impl Iterator<Item = RowKey> {
    let about = mail.enrollment.map(|id| RowKey::new(Kind::Enrollment, id.uuid()));
    let to = match mail.to {
        Addressee::CurrentAddressOf(user) => Some(of_user(user)),
        Addressee::Explicit(_) => None,
    };
    let device = match mail.letter {
        Letter::DeviceAdded { device } => Some(RowKey::new(Kind::Device, device.uuid())),
        _ => None,
    };
    let texts = Service::keys_of_texts(mail.letter.as_str());
    texts.into_iter().chain(about).chain(mail.user.map(of_user)).chain(to).chain(device)
}

fn of_user(id: UserId) -> RowKey {
    RowKey::new(Kind::User, id.uuid())
}
