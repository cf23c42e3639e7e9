//! Locations: adding and reading them.

use std::collections::BTreeSet;

use ipnet::IpNet;
use zeroize::Zeroizing;

use super::gateway::gateway_binding;
use super::{Administrator, doer};
use crate::domain::address::Pool;
use crate::domain::device::PublicKey;
use crate::domain::event::Event;
use crate::domain::group::Access;
use crate::domain::location::{DnsEntry, Endpoint, FactorKind, Location, MfaMode, Ownership};
use crate::domain::rejection::Rejection;
use crate::domain::requirement::accepted_factors;
use crate::domain::role::Permission;
use crate::domain::text::LocationName;
use crate::id::{LocationId, Number};
use crate::record::{Guard, GuardRow, IndexName, Stored, UniqueName, Version, new_row};
use crate::secret::PrivateKey;
use crate::service::turn::{Draft, INSTANCE, TURNS, Written};
use crate::service::{Answer, Failure, Lacking, Principal, Service, operation};
use crate::time::Timestamp;

/// A location to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLocation {
    /// Its name; unique without regard to case.
    pub name: LocationName,
    /// Where clients connect to.
    pub endpoint: Endpoint,
    /// The gateway's public key; `None`: the pair is made here.
    pub public_key: Option<PublicKey>,
    /// Where addresses come from, 1 to 8, that do not overlap one another. Those of *other* locations may: many people
    /// use only one location at a time, and separate networks may have grown with the same addresses.
    pub pools: Vec<Pool>,
    /// What clients route into the tunnel, 1 to 64.
    pub allowed_ips: Vec<IpNet>,
    /// DNS servers and search domains, at most 16.
    pub dns: Vec<DnsEntry>,
    /// Seconds between keepalive packets; 0: none.
    pub keepalive: u16,
    /// Bytes, 576 to 9,216; `None`: the client's choice.
    pub mtu: Option<u16>,
    /// Whether connecting asks for a second factor.
    pub mfa: MfaMode,
    /// Which factors it accepts when `mfa` is internal; `None`: every kind.
    pub factors: Option<BTreeSet<FactorKind>>,
    /// Who reaches it.
    pub access: Access,
    /// What happens to peers that are not ours.
    pub ownership: Ownership,
}

/// A location that was added.
#[derive(Debug)]
pub struct CreatedLocation {
    /// The location.
    pub location: LocationView,
    /// The gateway's private key, when it was made here. Kept sealed, see [`Administrator::gateway_private_key`].
    pub private_key: Option<PrivateKey>,
}

/// A location as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationView {
    /// Which one.
    pub id: LocationId,
    /// The same for protocols that speak int64.
    pub number: Number,
    /// Its name.
    pub name: LocationName,
    /// Where clients connect to.
    pub endpoint: Endpoint,
    /// The gateway's public key.
    pub public_key: PublicKey,
    /// Whether the gateway's private key was made here and can be read.
    pub has_private_key: bool,
    /// Where addresses come from.
    pub pools: Vec<Pool>,
    /// What clients route into the tunnel.
    pub allowed_ips: Vec<IpNet>,
    /// DNS servers and search domains.
    pub dns: Vec<DnsEntry>,
    /// Seconds between keepalive packets; 0: none.
    pub keepalive: u16,
    /// Bytes; `None`: the client's choice.
    pub mtu: Option<u16>,
    /// Whether connecting asks for a second factor.
    pub mfa: MfaMode,
    /// Which factors it accepts when `mfa` is internal.
    pub factors: BTreeSet<FactorKind>,
    /// Who reaches it.
    pub access: Access,
    /// What happens to peers that are not ours.
    pub ownership: Ownership,
    /// When it was made.
    pub created: Timestamp,
}

impl LocationView {
    /// The gateway's own section of its wg-quick file: the addresses of the location's pools that are the gateway's, and the
    /// port of its endpoint, or 51820.
    #[must_use]
    pub fn gateway_section(&self, private_key: &str) -> Zeroizing<String> {
        let endpoint = self.endpoint.to_string();
        let port = endpoint.rsplit_once(':').map_or("51820", |(_, port)| port);
        let address = |pool: &Pool| format!("{}/{}", pool.gateway(), pool.network().prefix_len());
        let addresses: Vec<String> = self.pools.iter().map(address).collect();
        let mtu = self.mtu.map_or_else(String::new, |mtu| format!("MTU = {mtu}\n"));
        Zeroizing::new(format!(
            "[Interface]\nPrivateKey = {private_key}\nAddress = {}\nListenPort = {port}\n{mtu}",
            addresses.join(", ")
        ))
    }
}

impl Administrator<'_> {
    /// Adds a location, and queues the backfill that gives addresses there to the devices of whom it admits (DEV-7):
    /// see [`Backfiller`](crate::worker::Backfiller) and [`Administrator::location_peers`].
    ///
    /// The set of locations moves in the same change, so that no enrollment completes against the set as it was
    /// (REQ-3).
    ///
    /// # Errors
    /// [`Rejection::LocationNameTaken`]; [`Rejection::InvalidField`] for pools that overlap, a count or an MTU out of
    /// range, and when no second factor would be left that policy and all locations with internal MFA accept;
    /// [`Rejection::Forbidden`].
    pub fn create_location<'a>(&'a self, by: &'a Principal, new: NewLocation) -> Answer<'a, CreatedLocation> {
        operation("administrator.create_location", self.try_create_location(by, new))
    }

    async fn try_create_location(&self, by: &Principal, new: NewLocation) -> Result<CreatedLocation, Failure> {
        self.audited(by, "create_location", INSTANCE, async {
            by.demand(Permission::ManageLocations)?;
            check_pools(&new.pools)?;
            let (private_key, public_key) = match new.public_key {
                Some(public_key) => (None, public_key),
                None => {
                    let (private, public) =
                        PrivateKey::pair(self.service.entropy()).map_err(|error| Failure::Broken(error.into()))?;
                    (Some(private), public)
                }
            };
            for _ in 0..TURNS {
                let guard = self.locations_guard().await?;
                let now = self.service.now();
                let location = self.location_of(&new, public_key, private_key.as_ref(), now)?;
                self.check_location(&location, guard.as_ref()).await?;
                let mut draft = Draft::new(now);
                let written = new_row(&location);
                let key = written.key();
                draft.ops.push(written);
                bump(&mut draft, guard.as_ref());
                self.service.queue_backfill(&mut draft, location.id, Lacking::Anybody).await?;
                self.service.audit(&mut draft, doer(by), key, Version::FIRST, Event::LocationCreated);
                match self.write(by, draft).await? {
                    Written::Applied => return Ok(CreatedLocation { location: (&location).into(), private_key }),
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

    /// All locations, by name.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`].
    pub fn locations<'a>(&'a self, by: &'a Principal) -> Answer<'a, Vec<LocationView>> {
        operation("administrator.locations", async move {
            self.audited(by, "locations", INSTANCE, async {
                by.demand(Permission::ReadLocations)?;
                let all = self.service.all::<Location>(IndexName::LocationsByName, "").await?;
                Ok(all.iter().map(|stored| LocationView::from(&stored.record)).collect())
            })
            .await
        })
    }

    /// One location.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::Forbidden`].
    pub fn location<'a>(&'a self, by: &'a Principal, id: LocationId) -> Answer<'a, LocationView> {
        operation("administrator.location", async move {
            self.audited(by, "location", INSTANCE, async {
                by.demand(Permission::ReadLocations)?;
                match self.service.read::<Location>(id.uuid()).await? {
                    Some(stored) => Ok((&stored.record).into()),
                    None => Err(Rejection::NotFound { what: "location" }.into()),
                }
            })
            .await
        })
    }

    fn location_of(
        &self,
        new: &NewLocation,
        public_key: PublicKey,
        private_key: Option<&PrivateKey>,
        now: Timestamp,
    ) -> Result<Location, Failure> {
        let id = LocationId::new(now, self.service.entropy());
        let ring = self.service.making_ring()?;
        let seal = |key: &PrivateKey| ring.seal(&gateway_binding(id), key.expose_bytes(), self.service.entropy());
        Ok(Location {
            id,
            number: Number::new(self.service.entropy()),
            name: new.name.clone(),
            endpoint: new.endpoint.clone(),
            public_key,
            private_key: self.service.keyed(private_key.map(seal).transpose())?,
            pools: new.pools.clone(),
            allowed_ips: new.allowed_ips.clone(),
            dns: new.dns.clone(),
            keepalive: new.keepalive,
            mtu: new.mtu,
            mfa: new.mfa,
            factors: new.factors.clone().unwrap_or_else(|| BTreeSet::from([FactorKind::Totp, FactorKind::Email])),
            access: new.access.clone(),
            ownership: new.ownership,
            created: now,
        })
    }

    /// The row that stands for the set of all locations; absent before the first one.
    pub(super) async fn locations_guard(&self) -> Result<Option<Stored<GuardRow>>, Failure> {
        self.service.read(Guard::Locations.key().id).await
    }

    /// Whether a location can be, among the others as they were when their guard was read.
    pub(super) async fn check_location(
        &self,
        location: &Location,
        guard: Option<&Stored<GuardRow>>,
    ) -> Result<(), Failure> {
        check_ranges(location)?;
        let known = self.service.locations_at(guard.map(|guard| guard.version)).await?;
        check_factors(location, &known, self.service)?;
        Ok(())
    }
}

/// Moves the guard of all locations in this change: whoever depends on the set reads it again.
pub(super) fn bump(draft: &mut Draft, guard: Option<&Stored<GuardRow>>) {
    let next = GuardRow { guard: Guard::Locations, members: BTreeSet::new() };
    draft.ops.push(guard.map_or_else(|| new_row(&next), |guard| guard.put(&next)));
}

fn check_pools(pools: &[Pool]) -> Result<(), Rejection> {
    demand((1..=8).contains(&pools.len()), "pools", || "1 to 8 networks".to_owned())?;
    for (nth, pool) in pools.iter().enumerate() {
        for other in &pools[..nth] {
            demand(!pool.overlaps(*other), "pools", || format!("{other} and {pool} overlap"))?;
        }
    }
    Ok(())
}

fn check_ranges(location: &Location) -> Result<(), Rejection> {
    let Location { allowed_ips, dns, mtu, .. } = location;
    demand((1..=64).contains(&allowed_ips.len()), "allowed_ips", || "1 to 64 networks".to_owned())?;
    demand(dns.len() <= 16, "dns", || "at most 16 entries".to_owned())?;
    demand(mtu.is_none_or(|mtu| (576..=9216).contains(&mtu)), "mtu", || "576 to 9216 bytes".to_owned())
}

/// With this location, some factor must be left that can be set up here and that the policy and every location with
/// internal MFA accept. Otherwise nobody could complete an enrollment that needs one.
fn check_factors(location: &Location, known: &[Location], service: &Service) -> Result<(), Rejection> {
    let others = known.iter().filter(|other| other.id != location.id);
    let all = others.chain(std::iter::once(location));
    let accepted = accepted_factors(all, service.policy(), service.can_mail());
    demand(!location.asks_for_our_factor() || !accepted.is_empty(), "factors", || {
        "no second factor would be left that the policy and all locations with internal MFA accept; codes by e-mail \
         need mail to be configured"
            .to_owned()
    })
}

fn demand(holds: bool, field: &'static str, reason: impl FnOnce() -> String) -> Result<(), Rejection> {
    if holds { Ok(()) } else { Err(Rejection::InvalidField { field, reason: reason() }) }
}

impl From<&Location> for LocationView {
    fn from(location: &Location) -> Self {
        let location = location.clone();
        Self {
            id: location.id,
            number: location.number,
            name: location.name,
            endpoint: location.endpoint,
            public_key: location.public_key,
            has_private_key: location.private_key.is_some(),
            pools: location.pools,
            allowed_ips: location.allowed_ips,
            dns: location.dns,
            keepalive: location.keepalive,
            mtu: location.mtu,
            mfa: location.mfa,
            factors: location.factors,
            access: location.access,
            ownership: location.ownership,
            created: location.created,
        }
    }
}
