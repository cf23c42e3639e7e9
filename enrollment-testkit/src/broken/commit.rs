//! Faults of `commit`.

use enrollment_core::id::ChangeId;
use enrollment_core::port::{Change, CommitOutcome, Expect, Op, Settlement, Store, StoreError, StoreErrorKind};
use enrollment_core::record::{KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use enrollment_core::time::Timestamp;
use uuid::Uuid;

use super::{BrokenStore, Fault};

type Outcome = Result<CommitOutcome, StoreError>;

impl BrokenStore {
    pub(super) async fn broken_commit(&self, change: &Change) -> Outcome {
        match self.fault {
            Fault::AppliesPartly => self.step_by_step(change).await,
            Fault::CommitsInTwoHalves => self.in_two_halves(change).await,
            Fault::IgnoresExpectedVersions
            | Fault::OverwritesStandingRows
            | Fault::IgnoresVersionsOfDeletes
            | Fault::ReadsThenOverwrites => self.on_top_of_anything(change).await,
            Fault::ChecksThenWrites | Fault::ChecksAbsenceThenWrites => self.check_then_write(change).await,
            Fault::TrustsChangeIds => match self.inner().commit(change).await {
                Err(error) if error.kind() == StoreErrorKind::Misuse => Ok(CommitOutcome::Applied),
                answer => answer,
            },
            Fault::RemembersRefusedChanges => self.remember_refusal(change).await,
            Fault::KeepsKeysOfDeletedRows | Fault::KeepsKeysOfUpdatedRows => self.withhold_keys(change).await,
            Fault::ChecksKeysStepByStep | Fault::SaysTakenBeforeStale => self.look_at_keys_first(change).await,
            Fault::RefusesARowsOwnKeys | Fault::MixesNames => self.take_too_much_for_taken(change).await,
            Fault::RemembersDeletedRows | Fault::MixesKinds => self.take_too_much_for_stale(change).await,
            Fault::SaysStaleForTaken => match self.inner().commit(change).await? {
                CommitOutcome::Taken(_) => Ok(CommitOutcome::Stale),
                answer => Ok(answer),
            },
            Fault::NamesTheWrongKey => match self.inner().commit(change).await? {
                CommitOutcome::Taken(key) => Ok(CommitOutcome::Taken(other_key(change, &key).unwrap_or(key))),
                answer => Ok(answer),
            },
            Fault::SaysErrorForStale => match self.inner().commit(change).await? {
                CommitOutcome::Stale => Err(StoreError::new(StoreErrorKind::Corrupt, "conflict")),
                answer => Ok(answer),
            },
            Fault::ForgetsKey(name) => match self.inner().commit(change).await? {
                CommitOutcome::Taken(key) if key.name == name => self.without_key(change, &key).await,
                answer => Ok(answer),
            },
            Fault::AppliesUnderLostLeases => match self.inner().commit(change).await? {
                CommitOutcome::LeaseLost => self.inner().commit(&Change { settle: Vec::new(), ..change.clone() }).await,
                answer => Ok(answer),
            },
            Fault::SettlesForRefusedChanges => self.settle_anyway(change).await,
            Fault::PassesOverLostLeases => self.without_lost_leases(change).await,
            Fault::SkipsKnownEntries => match self.inner().commit(change).await {
                Err(_) => self.inner().commit(&Change { enqueue: Vec::new(), ..change.clone() }).await,
                answer => answer,
            },
            _ => self.inner().commit(&self.spoilt(change).await?).await,
        }
    }

    /// The faults that lose or alter a part of the change before it is committed.
    async fn spoilt(&self, change: &Change) -> Result<Change, StoreError> {
        let mut change = change.clone();
        match self.fault {
            Fault::LosesOutboxEntries => change.enqueue.clear(),
            Fault::CutsLargeChanges => change.ops.truncate(500),
            Fault::IgnoresChecks => change.ops.retain(|op| !matches!(op, Op::Check { .. })),
            Fault::IgnoresChecksOfAbsence => change.ops.retain(|op| !matches!(op, Op::Check { version: None, .. })),
            Fault::ForgetsChangeIds => change.id = self.fresh(),
            // Each handle's ids are other ids to the store.
            Fault::RemembersChangeIdsPerHandle => {
                change.id = ChangeId::from_uuid(Uuid::from_u128(change.id.uuid().as_u128() ^ (self.handle << 100)));
            }
            Fault::IgnoresSettleOfChanges => change.settle.clear(),
            Fault::SettlesOneOfManyLeases => change.settle.truncate(1),
            Fault::NeverRaisesFences => {
                change.settle.iter_mut().for_each(|lease| *lease = self.true_lease(*lease));
            }
            Fault::IgnoresDueTimes => {
                change.enqueue.iter_mut().for_each(|entry| entry.due = Timestamp::from_micros(i64::MIN));
            }
            Fault::IgnoresStreams | Fault::LetsStreamsOvertake | Fault::OrdersStreamsPerChannel => {
                self.hide_streams(&mut change);
            }
            _ => {
                for next in change.ops.iter_mut().filter_map(next_mut) {
                    self.spoil_row(next).await?;
                }
            }
        }
        Ok(change)
    }

    async fn spoil_row(&self, row: &mut Row) -> Result<(), StoreError> {
        match self.fault {
            Fault::KeepsOneOfManyKeys => row.unique.dedup_by_key(|key| key.name),
            Fault::KeepsOldIndexKeys => {
                if let [Some(before)] = self.inner().get(&[row.key]).await?.as_slice() {
                    let dropped = |name| row.index.iter().all(|key| key.name != name);
                    let kept: Vec<_> = before.index.iter().filter(|key| dropped(key.name)).cloned().collect();
                    row.index.extend(kept);
                }
            }
            Fault::FoldsCaseOfParts => row.index.iter_mut().for_each(|key| key.within = key.within.to_lowercase()),
            Fault::CutsDocuments if row.body.json.len() > 64 * 1024 => row.body.json = "{}".to_owned(),
            Fault::FoldsCase => {
                for key in &mut row.unique {
                    if let KeyValue::Text(text) = &mut key.value {
                        *text = text.to_lowercase();
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A change of its own for every step, and one for the rest.
    async fn step_by_step(&self, change: &Change) -> Outcome {
        for op in &change.ops {
            let step =
                Change { id: self.fresh(), ops: vec![op.clone()], enqueue: Vec::new(), settle: Vec::new(), ..*change };
            match self.inner().commit(&step).await? {
                CommitOutcome::Applied => {}
                refusal => return Ok(refusal),
            }
        }
        self.inner().commit(&Change { ops: Vec::new(), ..change.clone() }).await
    }

    /// The first half, if the whole would be applied, a pause, and the second.
    async fn in_two_halves(&self, change: &Change) -> Outcome {
        let (first, second) = change.ops.split_at(change.ops.len() / 2);
        let half = Change { ops: first.to_vec(), enqueue: Vec::new(), settle: Vec::new(), ..change.clone() };
        match self.inner().commit(&half).await? {
            CommitOutcome::Applied => {}
            refusal => return Ok(refusal),
        }
        self.dawdle().await;
        let half = Change { id: self.twin(change.id), ops: second.to_vec(), ..change.clone() };
        self.inner().commit(&half).await
    }

    /// Expects whatever stands there, as far as the fault goes.
    async fn on_top_of_anything(&self, change: &Change) -> Outcome {
        let keys: Vec<RowKey> = change.ops.iter().map(Op::key).collect();
        let rows = self.inner().get(&keys).await?;
        if self.is(Fault::ReadsThenOverwrites) {
            if !change.ops.iter().zip(&rows).all(|(op, row)| holds(op, row.as_ref())) {
                return Ok(CommitOutcome::Stale);
            }
            self.dawdle().await;
        }
        let standing = self.inner().get(&keys).await?;
        let mut change = change.clone();
        for (op, row) in change.ops.iter_mut().zip(&standing) {
            let version = row.as_ref().map(|row| row.version);
            let all = matches!(self.fault, Fault::IgnoresExpectedVersions | Fault::ReadsThenOverwrites);
            match op {
                Op::Put { expect, next }
                    if all || (self.is(Fault::OverwritesStandingRows) && *expect == Expect::Absent) =>
                {
                    *expect = version.map_or(Expect::Absent, Expect::Version);
                    next.version = version.map_or(Version::FIRST, Version::next);
                }
                Op::Delete { version: expected, .. } if self.is(Fault::IgnoresVersionsOfDeletes) => {
                    *expected = version.unwrap_or(*expected);
                }
                _ => {}
            }
        }
        self.inner().commit(&change).await
    }

    /// Holds the checks to be true for as long as it takes to write.
    async fn check_then_write(&self, change: &Change) -> Outcome {
        let absence = self.is(Fault::ChecksAbsenceThenWrites);
        let mut unlocked = change.clone();
        unlocked.ops.retain(|op| !matches!(op, Op::Check { version, .. } if version.is_none() == absence));
        let keys: Vec<RowKey> = change.ops.iter().map(Op::key).collect();
        let rows = self.inner().get(&keys).await?;
        let checks = change.ops.iter().zip(&rows).filter(|(op, _)| matches!(op, Op::Check { .. }));
        if checks.into_iter().any(|(op, row)| !holds(op, row.as_ref())) {
            return self.inner().commit(change).await;
        }
        self.dawdle().await;
        self.inner().commit(&unlocked).await
    }

    async fn remember_refusal(&self, change: &Change) -> Outcome {
        if self.data.notes().refused.contains(&change.id) {
            return Ok(CommitOutcome::Applied);
        }
        let outcome = self.inner().commit(change).await?;
        if outcome != CommitOutcome::Applied {
            self.data.notes().refused.insert(change.id);
        }
        Ok(outcome)
    }

    /// Keys that a row gave up stay taken.
    async fn withhold_keys(&self, change: &Change) -> Outcome {
        let withheld = self.data.notes().withheld.clone();
        let rows = change.ops.iter().filter_map(next);
        if let Some(key) = rows.flat_map(|row| &row.unique).find(|key| withheld.contains(key)) {
            return Ok(CommitOutcome::Taken(key.clone()));
        }
        let keys: Vec<RowKey> = change.ops.iter().map(Op::key).collect();
        let before = self.inner().get(&keys).await?;
        let outcome = self.inner().commit(change).await?;
        if outcome == CommitOutcome::Applied {
            for (op, row) in change.ops.iter().zip(before) {
                let gives_up = match op {
                    Op::Delete { .. } => self.is(Fault::KeepsKeysOfDeletedRows),
                    Op::Put { .. } => self.is(Fault::KeepsKeysOfUpdatedRows),
                    Op::Check { .. } => false,
                };
                let kept = next(op).map(|row| row.unique.clone()).unwrap_or_default();
                let given_up = row.into_iter().filter(|_| gives_up).flat_map(|row| row.unique);
                self.data.notes().withheld.extend(given_up.filter(|key| !kept.contains(key)));
            }
        }
        Ok(outcome)
    }

    /// Compares each row's keys with those held before the change, unless the holder's step came earlier.
    async fn look_at_keys_first(&self, change: &Change) -> Outcome {
        for (place, row) in change.ops.iter().enumerate().filter_map(|(place, op)| Some((place, next(op)?))) {
            for key in &row.unique {
                if let Some(holder) = self.inner().find(key).await? {
                    let is_past = change.ops[..=place].iter().any(|op| op.key() == holder.key);
                    if !is_past {
                        return Ok(CommitOutcome::Taken(key.clone()));
                    }
                }
            }
        }
        self.inner().commit(change).await
    }

    async fn take_too_much_for_taken(&self, change: &Change) -> Outcome {
        for row in change.ops.iter().filter_map(next) {
            for key in &row.unique {
                let alike =
                    |name: &&UniqueName| name.kind() == key.name.kind() && name.value_type() == key.name.value_type();
                let own = self.is(Fault::RefusesARowsOwnKeys);
                for name in UniqueName::ALL.iter().filter(alike).filter(|name| !own || **name == key.name) {
                    let holder = self.inner().find(&UniqueKey { name: *name, ..key.clone() }).await?;
                    if holder.is_some_and(|holder| (holder.key == row.key) == own) {
                        return Ok(CommitOutcome::Taken(key.clone()));
                    }
                }
            }
        }
        self.inner().commit(change).await
    }

    async fn take_too_much_for_stale(&self, change: &Change) -> Outcome {
        for row in change.ops.iter().filter_map(next) {
            let others = Kind::ALL.iter().filter(|kind| **kind != row.key.kind);
            let twins: Vec<RowKey> = others.map(|kind| RowKey::new(*kind, row.key.id)).collect();
            let has_twin = self.inner().get(&twins).await?.iter().any(Option::is_some);
            let was_deleted = self.data.notes().deleted.contains(&row.key);
            if if self.is(Fault::MixesKinds) { has_twin } else { was_deleted } {
                return Ok(CommitOutcome::Stale);
            }
        }
        let deletes = change.ops.iter().filter(|op| matches!(op, Op::Delete { .. }));
        self.data.notes().deleted.extend(deletes.map(Op::key));
        self.inner().commit(change).await
    }

    async fn without_key(&self, change: &Change, key: &UniqueKey) -> Outcome {
        let mut change = change.clone();
        for row in change.ops.iter_mut().filter_map(next_mut) {
            row.unique.retain(|held| held != key);
        }
        self.inner().commit(&change).await
    }

    async fn settle_anyway(&self, change: &Change) -> Outcome {
        let outcome = self.inner().commit(change).await?;
        if outcome != CommitOutcome::Applied {
            let settle = Change { id: self.fresh(), ops: Vec::new(), enqueue: Vec::new(), ..change.clone() };
            let _answer = self.inner().commit(&settle).await?;
        }
        Ok(outcome)
    }

    /// The leases one by one, and the change whatever became of them, unless it has but one.
    async fn without_lost_leases(&self, change: &Change) -> Outcome {
        let outcome = self.inner().commit(change).await?;
        if outcome != CommitOutcome::LeaseLost || change.settle.len() < 2 {
            return Ok(outcome);
        }
        for lease in &change.settle {
            let _answer = self.inner().settle(lease, &Settlement::Done, change.at).await?;
        }
        self.inner().commit(&Change { settle: Vec::new(), ..change.clone() }).await
    }

    fn fresh(&self) -> ChangeId {
        ChangeId::from_uuid(Uuid::from_u128(self.data.next()))
    }

    /// The id of a change's second half: the same every time.
    fn twin(&self, id: ChangeId) -> ChangeId {
        ChangeId::from_uuid(Uuid::from_u128(!id.uuid().as_u128()))
    }
}

fn next(op: &Op) -> Option<&Row> {
    match op {
        Op::Put { next, .. } => Some(next),
        Op::Check { .. } | Op::Delete { .. } => None,
    }
}

fn next_mut(op: &mut Op) -> Option<&mut Row> {
    match op {
        Op::Put { next, .. } => Some(next),
        Op::Check { .. } | Op::Delete { .. } => None,
    }
}

fn holds(op: &Op, row: Option<&Row>) -> bool {
    let standing = row.map(|row| row.version);
    match op {
        Op::Put { expect: Expect::Absent, .. } => standing.is_none(),
        Op::Put { expect: Expect::Version(version), .. } | Op::Delete { version, .. } => standing == Some(*version),
        Op::Check { version, .. } => standing == *version,
    }
}

/// Another key that the change claims.
fn other_key(change: &Change, key: &UniqueKey) -> Option<UniqueKey> {
    change.ops.iter().filter_map(next).flat_map(|row| &row.unique).find(|other| *other != key).cloned()
}
