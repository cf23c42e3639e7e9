//! Reading what decisions are judged against, in as few round trips as possible.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{Failure, Service};
use crate::domain::enrollment::Enrollment;
use crate::domain::location::Location;
use crate::domain::rejection::Rejection;
use crate::domain::requirement::Circumstances;
use crate::domain::settings::Settings;
use crate::domain::user::User;
use crate::id::UserId;
use crate::port::{Op, Scan};
use crate::record::{Guard, IndexName, Kind, Record, Row, RowKey, Stored, UniqueKey, Version};

/// Rows by their keys, those that exist.
pub(crate) type Rows = HashMap<RowKey, Row>;

/// A record among these rows, if it is there.
pub(crate) fn record<R: Record>(rows: &Rows, id: Uuid) -> Result<Option<R>, Failure> {
    let row = rows.get(&RowKey::new(R::KIND, id));
    Ok(row.map(Stored::read).transpose()?.map(|stored| stored.record))
}

/// What one snapshot said of a user, the settings and the locations.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) user: Stored<User>,
    pub(crate) settings: Settings,
    settings_version: Option<Version>,
    pub(crate) locations: Arc<[Location]>,
    locations_version: Option<Version>,
    /// The administrator who started the enrollment, as they are now.
    pub(crate) initiator: Option<User>,
    /// Further rows that were asked for, those that exist.
    more: Vec<Row>,
}

/// The part of a world that is the same for all users.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) settings: Settings,
    settings_version: Option<Version>,
    locations: Arc<[Location]>,
    locations_version: Option<Version>,
}

impl World {
    /// The world of the user and the initiator in these rows.
    pub(crate) fn of(user: &Row, initiator: Option<&Row>, common: Common, more: Vec<Row>) -> Result<Self, Failure> {
        let Common { settings, settings_version, locations, locations_version } = common;
        let initiator = initiator.map(Stored::read).transpose()?.map(|stored| stored.record);
        let user = Stored::read(user)?;
        Ok(Self { user, settings, settings_version, locations, locations_version, initiator, more })
    }

    pub(crate) fn circumstances<'a>(&'a self, service: &'a Service) -> Circumstances<'a> {
        Circumstances {
            user: &self.user.record,
            locations: &self.locations,
            settings: &self.settings,
            policy: service.policy(),
            mail: service.can_mail(),
        }
    }

    /// One of the further rows that were asked for, if it exists.
    pub(crate) fn row(&self, key: RowKey) -> Option<&Row> {
        self.more.iter().find(|row| row.key == key)
    }

    /// The steps that hold settings and locations as they were read.
    pub(crate) fn holds(&self) -> [Op; 2] {
        [
            Op::Check { key: Settings::KEY, version: self.settings_version },
            Op::Check { key: Guard::Locations.key(), version: self.locations_version },
        ]
    }
}

impl Service {
    /// The world of a person's enrollment, of one snapshot; `gone` when its user was erased, and the enrollment is about
    /// to be. That of a machine's is a [`MachineWorld`](super::machine_world::MachineWorld).
    pub(crate) async fn world(
        &self,
        enrollment: &Enrollment,
        more: &[RowKey],
        gone: Rejection,
    ) -> Result<World, Failure> {
        let user = enrollment.user().ok_or(Rejection::ForMachine)?;
        Ok(self.world_of(user, enrollment.initiator, more).await?.ok_or(gone)?)
    }

    /// The world of a user, if there is such a user.
    pub(crate) async fn world_of(
        &self,
        user: UserId,
        initiator: Option<UserId>,
        more: &[RowKey],
    ) -> Result<Option<World>, Failure> {
        let mut keys = vec![
            RowKey::new(Kind::User, user.uuid()),
            Settings::KEY,
            Guard::Locations.key(),
            RowKey::new(Kind::User, initiator.unwrap_or(user).uuid()),
        ];
        keys.extend(more);
        let mut rows = self.store().get(&keys).await?.into_iter();
        let mut next = || rows.next().flatten();
        let Some(user) = next() else { return Ok(None) };
        let common = self.common_of(next(), next()).await?;
        let initiator = next().filter(|_| initiator.is_some());
        let more = rows.flatten().collect();
        Ok(Some(World::of(&user, initiator.as_ref(), common, more)?))
    }

    /// What holds for all users alike, from the rows of the settings and of the locations' guard.
    pub(crate) async fn common_of(&self, settings: Option<Row>, guard: Option<Row>) -> Result<Common, Failure> {
        let (settings, settings_version) = self.settings_of(settings)?;
        let locations_version = guard.map(|row| row.version);
        let locations = self.locations_at(locations_version).await?;
        Ok(Common { settings, settings_version, locations, locations_version })
    }

    /// The settings in force.
    pub(crate) async fn settings(&self) -> Result<Settings, Failure> {
        let row = self.store().get(&[Settings::KEY]).await?.pop().flatten();
        Ok(self.settings_of(row)?.0)
    }

    /// Settings from their row; the policy's defaults where nobody has saved any.
    pub(crate) fn settings_of(&self, row: Option<Row>) -> Result<(Settings, Option<Version>), Failure> {
        match row {
            None => Ok((Settings::defaults(self.policy()), None)),
            Some(row) => {
                let stored = Stored::<Settings>::read(&row)?;
                Ok((stored.record, Some(stored.version)))
            }
        }
    }

    /// All locations. Read again only when their guard moved; whoever depends on them holds the guard at `version`.
    pub(crate) async fn locations_at(&self, version: Option<Version>) -> Result<Arc<[Location]>, Failure> {
        if let Some((known, locations)) = &*self.known_locations()
            && *known == version
        {
            return Ok(Arc::clone(locations));
        }
        let locations: Arc<[Location]> =
            self.all::<Location>(IndexName::LocationsByName, "").await?.into_iter().map(|s| s.record).collect();
        // The scan may have seen a later state than `version`. Kept only if the guard still stands there, since the
        // guard moves in every change to a location.
        let now = self.store().get(&[Guard::Locations.key()]).await?.pop().flatten().map(|row| row.version);
        if now == version {
            *self.known_locations() = Some((version, Arc::clone(&locations)));
        }
        Ok(locations)
    }

    /// Every record in one part of an index.
    pub(crate) async fn all<R: Record>(
        &self,
        index: IndexName,
        within: impl Into<String>,
    ) -> Result<Vec<Stored<R>>, Failure> {
        let mut scan = Scan::all(index, within, 1000);
        let mut all = Vec::new();
        loop {
            let page = self.store().scan(&scan).await?;
            for row in &page.rows {
                all.push(Stored::read(row)?);
            }
            match page.next {
                Some(cursor) => scan.after = Some(cursor),
                None => return Ok(all),
            }
        }
    }

    /// The rows of these keys, of one snapshot.
    pub(crate) async fn rows(&self, keys: impl IntoIterator<Item = RowKey>) -> Result<Rows, Failure> {
        let keys: Vec<RowKey> = keys.into_iter().collect();
        if keys.is_empty() {
            return Ok(Rows::new());
        }
        let rows = self.store().get(&keys).await?;
        Ok(rows.into_iter().flatten().map(|row| (row.key, row)).collect())
    }

    /// One record by its id.
    pub(crate) async fn read<R: Record>(&self, id: Uuid) -> Result<Option<Stored<R>>, Failure> {
        let row = self.store().get(&[RowKey::new(R::KIND, id)]).await?.pop().flatten();
        Ok(row.as_ref().map(Stored::read).transpose()?)
    }

    /// One record by a unique key.
    pub(crate) async fn find<R: Record>(&self, key: &UniqueKey) -> Result<Option<Stored<R>>, Failure> {
        let row = self.store().find(key).await?;
        Ok(row.as_ref().map(Stored::read).transpose()?)
    }
}
