//! Changing a location.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::locations::{LocationView, bump};
use super::patch::Changed;
use super::{Administrator, doer};
use crate::domain::event::Event;
use crate::domain::group::Access;
use crate::domain::location::{DnsEntry, Endpoint, FactorKind, Location, MfaMode, Ownership};
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::domain::text::LocationName;
use crate::id::LocationId;
use crate::record::{Kind, RowKey, UniqueName};
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Lacking, Principal, operation};

/// New values for some fields of a location; `None` leaves one as it is.
///
/// Pools and the gateway's key are not among them: devices have addresses of the pools, and the key stands in every
/// configuration that was handed out. Changing one in place would cut all of them off without a word; whoever needs
/// another adds a location.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocationPatch {
    /// Its name; unique without regard to case.
    pub name: Option<LocationName>,
    /// Where clients connect to.
    pub endpoint: Option<Endpoint>,
    /// What clients route into the tunnel, 1 to 64.
    pub allowed_ips: Option<Vec<IpNet>>,
    /// DNS servers and search domains, at most 16.
    pub dns: Option<Vec<DnsEntry>>,
    /// Seconds between keepalive packets; 0: none.
    pub keepalive: Option<u16>,
    /// Bytes, 576 to 9,216; `Some(None)`: the client's choice.
    pub mtu: Option<Option<u16>>,
    /// Whether connecting asks for a second factor.
    pub mfa: Option<MfaMode>,
    /// Which factors it accepts when `mfa` is internal.
    pub factors: Option<BTreeSet<FactorKind>>,
    /// Who reaches it.
    pub access: Option<Access>,
    /// What happens to peers that are not ours.
    pub ownership: Option<Ownership>,
}

impl Administrator<'_> {
    /// Changes some fields of a location, all of them or none. A patch that changes nothing writes nothing.
    ///
    /// The set of locations moves in the same change: an enrollment that completes at the same instant is judged
    /// against the location as it is then (REQ-3). Enrollments under way and configurations made from now on follow the
    /// new values. Devices that exist keep their addresses. With a new `access`, the peers of people whom it no longer
    /// admits go out of force, and those it admits again come back; whoever it admits now and never had an address here
    /// gets one by a backfill that is queued in the same change (DEV-7). Saying the same `access` again completes what
    /// was interrupted.
    ///
    /// # Errors
    /// As [`Administrator::create_location`], [`Rejection::NotFound`], [`Rejection::MachinesPresent`] when a second factor
    /// would be asked for where there are machines, and [`Rejection::InvalidField`] when more peers
    /// would move than fit into one change. [`Failure::OutcomeUnknown`] also when the location has changed and some
    /// peers that came meanwhile are not aligned yet: the same request again goes on.
    pub fn change_location<'a>(
        &'a self,
        by: &'a Principal,
        id: LocationId,
        patch: LocationPatch,
    ) -> Answer<'a, LocationView> {
        operation("administrator.change_location", self.try_change_location(by, id, patch))
    }

    async fn try_change_location(
        &self,
        by: &Principal,
        id: LocationId,
        patch: LocationPatch,
    ) -> Result<LocationView, Failure> {
        self.audited(by, "change_location", RowKey::new(Kind::Location, id.uuid()), async {
            by.demand(Permission::ManageLocations)?;
            let aligns = patch.access.is_some();
            for _ in 0..TURNS {
                let guard = self.locations_guard().await?;
                let Some(stored) = self.service.read::<Location>(id.uuid()).await? else {
                    return Err(Rejection::NotFound { what: "location" }.into());
                };
                let mut next = stored.record.clone();
                let changed = patch.clone().apply(&mut next);
                if changed.is_empty() {
                    if aligns {
                        self.align_rest(id).await?;
                    }
                    return Ok((&next).into());
                }
                self.check_location(&next, guard.as_ref()).await?;
                if stored.record.takes_machines() && !next.takes_machines() {
                    self.demand_no_machines(id).await?;
                }
                let mut draft = Draft::new(self.service.now());
                draft.ops.push(stored.put(&next));
                bump(&mut draft, guard.as_ref());
                if aligns {
                    self.align_location(&mut draft, &next).await?;
                }
                if next.access.widens(&stored.record.access) {
                    self.service.queue_backfill(&mut draft, id, Lacking::Anybody).await?;
                }
                let event = Event::LocationChanged { fields: changed.0 };
                self.service.audit(&mut draft, doer(by), stored.key(), stored.version, event);
                match self.write(by, draft).await? {
                    Written::Applied => {
                        if aligns {
                            self.align_rest(id).await.map_err(Failure::after_the_change)?;
                        }
                        return Ok((&next).into());
                    }
                    Written::Taken(key) if key.name == UniqueName::LocationName => {
                        return Err(Rejection::LocationNameTaken.into());
                    }
                    Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
                }
            }
            Err(Failure::Busy)
        })
        .await
    }
}

impl LocationPatch {
    fn apply(self, to: &mut Location) -> Changed {
        // No `..`: a new field cannot be forgotten.
        let Self { name, endpoint, allowed_ips, dns, keepalive, mtu, mfa, factors, access, ownership } = self;
        let mut changed = Changed::default();
        changed.set(&mut to.name, name, "name");
        changed.set(&mut to.endpoint, endpoint, "endpoint");
        changed.set(&mut to.allowed_ips, allowed_ips, "allowed_ips");
        changed.set(&mut to.dns, dns, "dns");
        changed.set(&mut to.keepalive, keepalive, "keepalive");
        changed.set(&mut to.mtu, mtu, "mtu");
        changed.set(&mut to.mfa, mfa, "mfa");
        changed.set(&mut to.factors, factors, "factors");
        changed.set(&mut to.access, access, "access");
        changed.set(&mut to.ownership, ownership, "ownership");
        changed
    }
}
