//! Stand-ins for the world, for tests only.

mod clock;
mod entropy;
mod faulty;
mod notifier;
mod provisioner;
mod raced;
mod tracing;

pub use clock::ManualClock;
pub use entropy::SeededEntropy;
pub use faulty::{FaultyStore, Moment, Trouble};
pub use notifier::{Mishap, Recorded, RecordingNotifier};
pub use provisioner::{FakeProvisioner, Outage};
pub use raced::RacedStore;
pub use tracing::{Call, TracingStore};
