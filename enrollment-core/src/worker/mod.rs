//! What follows from committed intentions: leased, idempotent, as often as needed. Each worker has one `run_once`, which
//! a host calls when the bell rings and at its own interval; none has a timer or a runtime.

use crate::domain::audit::Actor;
use crate::service::turn::Doer;
use crate::service::{Failure, Origin};

mod backfill;
mod backoff;
mod erasure;
mod outbox;
mod peers;
mod reconcile;
mod resealer;
mod retention;
mod sealer;
mod sweep;

pub use backfill::Backfiller;
pub(crate) use erasure::SETTLED;
pub use erasure::{Eraser, ErasureIntent, Source, TraceList};
pub use outbox::{MailIntent, OutboxWorker};
pub use peers::{PeerIntent, PeerWorker};
pub use reconcile::Reconciler;
pub use resealer::Resealer;
pub use retention::Pruner;
pub use sealer::Sealer;
pub use sweep::Sweeper;

/// Who does what nobody asked for just now.
const SYSTEM: Doer = Doer { actor: Actor::System, origin: Origin { source: None } };

/// `None`: something among what was read is broken, and which it is shows when each is read alone.
fn unless_broken<T>(read: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match read {
        Err(Failure::Broken(_)) => Ok(None),
        other => other.map(Some),
    }
}
