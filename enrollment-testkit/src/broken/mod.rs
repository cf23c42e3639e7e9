//! Deliberately broken stores, provisioners and notifiers: each breaks one promise, and its conformance suite must
//! notice.
//!
//! They prove the suites, and they show what the cases are for: `caught_by` names the case.

mod commit;
mod lease;
mod notifier;
mod provisioner;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Retained, Scan, SettleOutcome, Settlement, Store,
    StoreError, Stream,
};
use enrollment_core::record::{IndexName, Row, RowKey, UniqueKey, UniqueName};
use enrollment_core::time::Timestamp;

pub use self::notifier::{BrokenNotifier, BrokenNotifierFactory, NotifierFault};
pub use self::provisioner::{BrokenProvisioner, BrokenProvisionerFactory, ProvisionerFault};
use crate::store::{BoxError, StoreFactory};

macro_rules! faults {
    ($($(#[$doc:meta])+ $name:ident => $case:literal,)*) => {
        /// How a store is broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault {
            $($(#[$doc])+ $name,)*
            /// One unique name is not enforced.
            ForgetsKey(UniqueName),
            /// One index has no rows.
            ForgetsIndex(IndexName),
        }

        impl Fault {
            /// Every fault.
            #[must_use]
            pub fn all() -> Vec<Self> {
                let mut all = vec![$(Self::$name,)*];
                all.extend(UniqueName::ALL.iter().copied().map(Self::ForgetsKey));
                all.extend(IndexName::ALL.iter().copied().map(Self::ForgetsIndex));
                all
            }

            /// The case of the suite that is there for it; others may fail too.
            #[must_use]
            pub const fn caught_by(self) -> &'static str {
                match self {
                    $(Self::$name => $case,)*
                    Self::ForgetsKey(_) => "g4_every_unique_name_is_unique",
                    Self::ForgetsIndex(_) => "g9_every_index_is_scanned",
                }
            }
        }
    };
}

faults! {
    /// Commits step by step: what comes before the first conflict stays.
    AppliesPartly => "g1_a_change_is_all_or_nothing",
    /// Writes the rows in one transaction and the outbox in another.
    LosesOutboxEntries => "g1_a_change_applies_every_part",
    /// Splits large changes.
    CutsLargeChanges => "g1_a_change_of_a_thousand_rows_is_applied",
    /// Commits in two halves, so that a caller who goes away leaves the first.
    CommitsInTwoHalves => "g1_a_dropped_commit_is_whole_or_nothing",
    /// Overwrites whatever stands there.
    IgnoresExpectedVersions => "g2_a_put_expects_its_version",
    /// Overwrites a row that should have been absent.
    OverwritesStandingRows => "g2_a_put_expects_absence",
    /// Deletes whatever version stands there.
    IgnoresVersionsOfDeletes => "g2_a_delete_expects_its_version",
    /// Skips checks.
    IgnoresChecks => "g2_a_check_holds_a_version",
    /// Skips checks of rows that should be absent: there is nothing to lock.
    IgnoresChecksOfAbsence => "g2_a_check_of_an_absent_row_refuses_a_phantom",
    /// Looks at the checked rows first and writes afterwards.
    ChecksThenWrites => "g2_write_skew_is_refused",
    /// Looks at rows that should be absent first and writes afterwards.
    ChecksAbsenceThenWrites => "g2_a_phantom_is_refused_under_parallel_writers",
    /// Looks at the versions to be overwritten first and writes afterwards.
    ReadsThenOverwrites => "g2_one_of_many_parallel_writers_wins",
    /// Holds that a row was deleted against a new one.
    RemembersDeletedRows => "g2_a_row_may_come_again_after_its_delete",
    /// Remembers no change.
    ForgetsChangeIds => "g3_a_repeated_change_id_applies_nothing_twice",
    /// Every handle remembers only its own changes.
    RemembersChangeIdsPerHandle => "g3_a_repeated_change_id_is_known_on_every_handle",
    /// Says `Applied` to a known id without looking at the content.
    TrustsChangeIds => "g3_a_change_id_with_other_content_is_misuse",
    /// Takes a refused change for an applied one when it comes again.
    RemembersRefusedChanges => "g3_a_refused_change_is_not_remembered",
    /// Keeps one value of a name that may have several.
    KeepsOneOfManyKeys => "g4_every_value_of_a_many_valued_name_is_unique",
    /// A deleted row's keys stay taken.
    KeepsKeysOfDeletedRows => "g4_a_delete_frees_its_keys",
    /// A key that an update drops stays taken.
    KeepsKeysOfUpdatedRows => "g4_an_update_frees_the_keys_it_drops",
    /// Compares keys after every step instead of at the end.
    ChecksKeysStepByStep => "g4_a_key_moves_between_rows_in_one_change",
    /// Refuses a row its own keys.
    RefusesARowsOwnKeys => "g4_a_row_keeps_its_own_keys",
    /// Takes one value under two names for one key.
    MixesNames => "g4_one_value_under_two_names_is_two_keys",
    /// Compares texts without regard to case.
    FoldsCase => "g4_keys_compare_exactly",
    /// Answers a taken key with `Stale`.
    SaysStaleForTaken => "g4_parallel_claims_have_one_winner",
    /// Names some key of the row instead of the one taken.
    NamesTheWrongKey => "g4_a_refusal_names_the_key_that_is_taken",
    /// Answers a conflict with an error.
    SaysErrorForStale => "g2_a_check_holds_a_version",
    /// Holds everything in the handle.
    ForgetsWhenReopened => "g5_rows_survive_reopening",
    /// Answers from a cache that other handles do not know of.
    CachesReads => "g6_a_second_handle_reads_a_commit_at_once",
    /// Reads row by row, without a transaction.
    ReadsRowByRow => "g6_get_is_one_snapshot",
    /// Reads keys and document of a row at different times.
    TearsRows => "g6_a_row_is_never_torn",
    /// Leaves absent rows out of the answer.
    LeavesOutAbsentRows => "rows_are_answered_in_the_order_asked",
    /// Identifies a row by its id alone.
    MixesKinds => "rows_of_two_kinds_may_share_an_id",
    /// Leaves the index keys of the version before.
    KeepsOldIndexKeys => "rows_are_replaced_whole",
    /// Cuts documents off.
    CutsDocuments => "rows_keep_documents_of_200_kib",
    /// Gives an entry to everybody who asks.
    LeasesToEverybody => "g7_a_lease_excludes_others_until_its_time",
    /// Never takes a lease back.
    LeasesForEver => "g7_a_lease_excludes_others_until_its_time",
    /// Looks for free entries first and takes them afterwards.
    LooksThenLeases => "g7_parallel_workers_share_no_entry",
    /// Gives every lease of an entry the same fence.
    NeverRaisesFences => "g7_fences_only_rise",
    /// Settles by entry and does not look at the fence.
    SettlesLostLeases => "g7_a_superseded_lease_is_lost",
    /// Fences a lease as soon as its time is over, though nobody took it.
    LosesOverdueLeases => "g7_an_overdue_lease_nobody_took_can_be_settled",
    /// Leases whatever the channel.
    IgnoresChannels => "g7_only_named_channels_are_leased",
    /// Leases what is not yet due.
    IgnoresDueTimes => "g7_an_entry_is_leased_only_when_due",
    /// Leases more than was asked for.
    IgnoresLeaseLimits => "g7_a_lease_takes_the_longest_due_up_to_its_limit",
    /// Takes entries of a stream for independent.
    IgnoresStreams => "g7_a_stream_is_leased_one_at_a_time_in_its_order",
    /// Orders a stream within each channel only.
    OrdersStreamsPerChannel => "g7_a_stream_spans_channels",
    /// Holds a stream up behind a dead entry for ever.
    StopsStreamsAtDeadEntries => "g7_a_dead_or_obsolete_entry_lets_its_stream_go_on",
    /// Lets later entries of a stream pass one that is not yet due.
    LetsStreamsOvertake => "g7_a_waiting_entry_holds_up_its_stream",
    /// Offers dead entries again.
    RevivesDeadEntries => "g7_an_ended_entry_is_never_leased_again",
    /// Counts a released try.
    CountsReleases => "g7_a_release_waits_and_does_not_count",
    /// Offers a retry at once.
    IgnoresRetryTimes => "g7_a_retry_waits_and_counts",
    /// Says that an extension was made and does nothing.
    IgnoresExtensions => "g7_an_extended_lease_lasts_longer",
    /// Applies a change and leaves its lease.
    IgnoresSettleOfChanges => "g7_a_change_settles_its_lease",
    /// Settles one lease of a change that has several.
    SettlesOneOfManyLeases => "g7_a_change_settles_all_its_leases",
    /// Applies a change that has several leases though one of them is lost.
    PassesOverLostLeases => "g7_one_lost_lease_refuses_the_whole_change",
    /// Applies a change though its lease is lost.
    AppliesUnderLostLeases => "g7_a_change_under_a_lost_lease_applies_nothing",
    /// Settles the lease of a change that it refuses.
    SettlesForRefusedChanges => "g7_a_refused_change_leaves_its_lease",
    /// Asks its own clock what is due.
    LeasesByItsOwnClock => "g8_leases_know_only_the_time_they_are_given",
    /// Asks its own clock what is old.
    PrunesByItsOwnClock => "g8_prune_knows_only_the_time_it_is_given",
    /// Prunes without regard to the limit.
    IgnoresPruneLimits => "g7_prune_removes_what_ended_before",
    /// A range has its end.
    IncludesTheEnd => "g9_a_range_has_its_first_and_not_its_last_place",
    /// Goes on behind the place of the cursor instead of behind its row.
    SkipsEqualPlaces => "g9_pages_visit_every_row_once",
    /// Counts rows to find the next page.
    PagesByOffset => "g9_a_cursor_survives_inserts_and_deletes",
    /// Looks for the cursor's row, and starts again when it is gone.
    NeedsTheCursorsRow => "g9_a_cursor_survives_inserts_and_deletes",
    /// Orders texts as people would.
    OrdersByCollation => "g9_texts_are_in_the_order_of_their_bytes",
    /// Orders integers by their digits.
    OrdersIntegersAsTexts => "g9_integers_are_in_order_both_ways",
    /// Says after every full page that there is another.
    AlwaysPromisesMore => "g9_the_last_page_says_so",
    /// Compares the names of parts without regard to case.
    FoldsCaseOfParts => "g9_a_scan_stays_within_its_part",
    /// Cuts a page that is too large instead of refusing it.
    ClampsLimits => "g10_misuse_is_classified",
    /// Takes an entry whose id is known for the earlier one.
    SkipsKnownEntries => "g10_a_reused_outbox_id_is_misuse",
    /// Looks at keys before rows.
    SaysTakenBeforeStale => "g10_the_first_reason_is_answered",
}

/// What handles onto one broken store share.
#[derive(Debug, Default)]
pub struct BrokenData {
    store: MemoryStore,
    notes: Mutex<Notes>,
    calls: AtomicU64,
}

/// What some faults remember.
#[derive(Debug, Default)]
struct Notes {
    /// Keys that should be free.
    withheld: BTreeSet<UniqueKey>,
    /// Streams that the inner store does not know of.
    streams: BTreeMap<OutboxId, Stream>,
    /// The newest fence of every entry.
    fences: BTreeMap<OutboxId, u64>,
    /// The ends of leases.
    ends: BTreeMap<OutboxId, Timestamp>,
    /// Rows that were deleted.
    deleted: BTreeSet<RowKey>,
    /// Changes that were refused.
    refused: BTreeSet<ChangeId>,
    /// Handles so far, and identifiers made up so far.
    count: u128,
}

impl BrokenData {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> u128 {
        let mut notes = self.notes();
        notes.count += 1;
        notes.count
    }
}

/// A [`MemoryStore`] that breaks one promise.
#[derive(Debug)]
pub struct BrokenStore {
    fault: Fault,
    data: Arc<BrokenData>,
    /// Which handle this is.
    handle: u128,
    /// Rows this handle has read.
    cache: Mutex<BTreeMap<RowKey, Row>>,
}

impl BrokenStore {
    /// A handle onto `data`, broken by `fault`.
    #[must_use]
    pub fn new(fault: Fault, data: Arc<BrokenData>) -> Self {
        let handle = data.next();
        Self { fault, data, handle, cache: Mutex::default() }
    }

    fn inner(&self) -> &MemoryStore {
        self.data.calls.fetch_add(1, Ordering::Relaxed);
        &self.data.store
    }

    /// Waits for another call to come between, for a while: the moment in which a race is lost.
    async fn dawdle(&self) {
        let before = self.data.calls.load(Ordering::Relaxed);
        for _ in 0..200 {
            tokio::task::yield_now().await;
            if self.data.calls.load(Ordering::Relaxed) != before {
                break;
            }
        }
        tokio::task::yield_now().await;
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

/// Makes stores that are broken by one fault.
#[derive(Debug, Clone, Copy)]
pub struct BrokenFactory(pub Fault);

#[async_trait]
impl StoreFactory for BrokenFactory {
    type Data = Arc<BrokenData>;

    async fn create(&self) -> Result<Self::Data, BoxError> {
        Ok(Arc::default())
    }

    async fn open(&self, data: &Self::Data) -> Result<Arc<dyn Store>, BoxError> {
        let data = if self.0 == Fault::ForgetsWhenReopened { Arc::default() } else { Arc::clone(data) };
        Ok(Arc::new(BrokenStore::new(self.0, data)))
    }
}

#[async_trait]
impl Store for BrokenStore {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        self.broken_get(keys).await
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        self.broken_find(by).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.broken_scan(scan).await
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        // What this handle writes it also forgets to have read: only other handles are misled.
        self.forget_reads();
        self.broken_commit(change).await
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        self.broken_lease(request).await
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        self.broken_settle(lease, how, now).await
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.broken_prune(what, before, limit).await
    }
}
