//! The gateway's private key, for whoever sets the gateway up.

use super::{Administrator, doer};
use crate::domain::event::Event;
use crate::domain::location::Location;
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::id::LocationId;
use crate::record::{Kind, RowKey};
use crate::secret::{Binding, PrivateKey};
use crate::service::turn::{Draft, Written};
use crate::service::{Answer, Failure, Principal, operation};

/// Where a gateway's private key is sealed to.
pub(crate) fn gateway_binding(location: LocationId) -> Binding<'static> {
    Binding { table: "locations", row: location.uuid(), column: "private_key" }
}

impl Administrator<'_> {
    /// The private key of a location's gateway, if it was made here. That it was read is written down before it is
    /// given out.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] for an unknown location and for one whose key was made elsewhere;
    /// [`Rejection::Forbidden`]. [`Failure::UnknownKey`] when its key is not known here yet.
    pub fn gateway_private_key<'a>(&'a self, by: &'a Principal, id: LocationId) -> Answer<'a, PrivateKey> {
        operation("administrator.gateway_private_key", self.try_gateway_private_key(by, id))
    }

    async fn try_gateway_private_key(&self, by: &Principal, id: LocationId) -> Result<PrivateKey, Failure> {
        self.audited(by, "gateway_private_key", RowKey::new(Kind::Location, id.uuid()), async {
            by.demand(Permission::ManageLocations)?;
            let Some(stored) = self.service.read::<Location>(id.uuid()).await? else {
                return Err(Rejection::NotFound { what: "location" }.into());
            };
            let Some(sealed) = &stored.record.private_key else {
                return Err(Rejection::NotFound { what: "private key on this server: it was made elsewhere" }.into());
            };
            let bytes = self.service.keyed(self.service.ring().open(&gateway_binding(id), sealed))?;
            let bytes: [u8; 32] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| Failure::Broken("a sealed private key of another length".into()))?;
            let key = PrivateKey::from_bytes(bytes);
            let mut draft = Draft::new(self.service.now());
            self.service.audit(&mut draft, doer(by), stored.key(), stored.version, Event::GatewayKeyRead);
            match self.write(by, draft).await? {
                Written::Applied => Ok(key),
                Written::Stale | Written::Taken(_) | Written::LeaseLost => Err(Failure::Busy),
            }
        })
        .await
    }
}
