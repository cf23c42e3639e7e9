//! The traits behind which the world lies, and their contracts.

mod change;
mod clock;
mod entropy;
mod lease;
mod notifier;
mod provisioner;
mod scan;
mod store;

pub use change::{Change, CommitOutcome, Expect, InvalidChange, Op};
pub use clock::Clock;
#[cfg(feature = "system")]
pub use clock::SystemClock;
pub use entropy::Entropy;
#[cfg(feature = "system")]
pub use entropy::SystemEntropy;
pub use lease::{Channel, LeaseRef, LeaseRequest, Leased, OutboxEntry, SettleOutcome, Settlement, Stream};
pub use notifier::{DeliveryError, DeliveryErrorKind, InlineImage, Message, Notifier, Receipt, Recipient};
pub use provisioner::{Observation, PeerChange, PeerProvisioner, PeerSpec, ProvisionError};
pub use scan::{Cursor, Direction, Page, Scan};
pub use store::{Retained, Store, StoreError, StoreErrorKind};
