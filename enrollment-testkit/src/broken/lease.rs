//! Faults of `lease`, `settle` and `prune`.

use enrollment_core::port::{
    Change, Channel, Clock, LeaseRef, LeaseRequest, Leased, Retained, SettleOutcome, Settlement, Store, StoreError,
    SystemClock,
};
use enrollment_core::time::Timestamp;

use super::{BrokenStore, Fault};

const LONG_AGO: Timestamp = Timestamp::from_micros(i64::MIN);
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

impl BrokenStore {
    pub(super) async fn broken_lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        let mut asked = request.clone();
        match self.fault {
            Fault::LeasesToEverybody | Fault::LooksThenLeases => asked.until = asked.now,
            Fault::LeasesForEver => asked.until = NEVER,
            Fault::IgnoresChannels => asked.channels = Channel::ALL.to_vec(),
            Fault::IgnoresLeaseLimits => asked.limit += 1,
            Fault::LeasesByItsOwnClock => {
                asked.now = SystemClock.now();
                asked.until = asked.now.plus(request.until.since(request.now));
            }
            _ => {}
        }
        let mut leased = self.inner().lease(&asked).await?;
        if self.is(Fault::LooksThenLeases) {
            self.dawdle().await;
            for leased in &leased {
                // Whether it is still this caller's is what this fault does not ask.
                let take = Settlement::Extend { until: request.until };
                let _answer = self.inner().settle(&leased.lease, &take, request.now).await?;
            }
        }
        let mut notes = self.data.notes();
        for leased in &mut leased {
            let id = leased.entry.id;
            notes.fences.insert(id, leased.lease.fence);
            notes.ends.insert(id, asked.until);
            if self.is(Fault::NeverRaisesFences) {
                leased.lease.fence = 1;
            }
            if let Some(stream) = notes.streams.get(&id) {
                leased.entry.stream = Some(stream.clone());
            }
        }
        Ok(leased)
    }

    pub(super) async fn broken_settle(
        &self,
        lease: &LeaseRef,
        how: &Settlement,
        now: Timestamp,
    ) -> Result<SettleOutcome, StoreError> {
        let end = self.data.notes().ends.get(&lease.entry).copied().unwrap_or(NEVER);
        if self.is(Fault::LosesOverdueLeases) && end <= now {
            return Ok(SettleOutcome::LeaseLost);
        }
        let how = match (self.fault, how.clone()) {
            (Fault::StopsStreamsAtDeadEntries, Settlement::Dead { why }) => Settlement::Retry { at: NEVER, why },
            (Fault::RevivesDeadEntries, Settlement::Dead { why }) => Settlement::Retry { at: now, why },
            (Fault::CountsReleases, Settlement::Release { at }) => Settlement::Retry { at, why: String::new() },
            (Fault::IgnoresRetryTimes, Settlement::Retry { why, .. }) => Settlement::Retry { at: LONG_AGO, why },
            (Fault::IgnoresExtensions, Settlement::Extend { .. }) => Settlement::Extend { until: end },
            (_, how) => how,
        };
        let lease = if self.is(Fault::SettlesLostLeases) { self.newest(*lease) } else { self.true_lease(*lease) };
        let outcome = self.inner().settle(&lease, &how, now).await?;
        if let (SettleOutcome::Settled, Settlement::Extend { until }) = (outcome, how) {
            self.data.notes().ends.insert(lease.entry, until);
        }
        Ok(outcome)
    }

    pub(super) async fn broken_prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let before = if self.is(Fault::PrunesByItsOwnClock) { SystemClock.now() } else { before };
        let limit = if self.is(Fault::IgnoresPruneLimits) { u32::MAX } else { limit };
        self.inner().prune(what, before, limit).await
    }

    /// Takes streams, or what the fault does not understand of them, from entries; leasing gives them back.
    pub(super) fn hide_streams(&self, change: &mut Change) {
        for entry in &mut change.enqueue {
            let Some(stream) = entry.stream.take() else { continue };
            entry.stream = match self.fault {
                Fault::OrdersStreamsPerChannel => {
                    let mut narrowed = stream.clone();
                    narrowed.key = format!("{} {}", entry.channel, stream.key);
                    Some(narrowed)
                }
                Fault::LetsStreamsOvertake if entry.due <= change.at => Some(stream.clone()),
                _ => None,
            };
            self.data.notes().streams.insert(entry.id, stream);
        }
    }

    /// The lease as the inner store knows it.
    pub(super) fn true_lease(&self, lease: LeaseRef) -> LeaseRef {
        if self.is(Fault::NeverRaisesFences) && lease.fence == 1 { self.newest(lease) } else { lease }
    }

    fn newest(&self, lease: LeaseRef) -> LeaseRef {
        let fence = self.data.notes().fences.get(&lease.entry).copied().unwrap_or(lease.fence);
        LeaseRef { fence, ..lease }
    }
}
