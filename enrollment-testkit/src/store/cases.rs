//! The list of cases: the one place that names them all.

use super::{Case, g1_atomic, g2_conditions, g2_parallel, g3_repeats, g4_unique, g5_durable, g6_reads, g7_changes};
use super::{g7_leases, g7_settlements, g7_streams, g8_clock, g9_pages, g9_scans, g10_errors, oracle, rows};

/// Hands the names of all cases to another macro, so that tests and table cannot differ.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_cases {
    ([$($apply:tt)*] ($($with:tt)*)) => {
        $($apply)*! {
            ($($with)*)
            rows {
                rows_of_every_kind_read_back_as_written
                rows_keep_unicode
                rows_keep_documents_of_200_kib
                rows_are_replaced_whole
                rows_of_two_kinds_may_share_an_id
                rows_are_answered_in_the_order_asked
            }
            g1_atomic {
                g1_a_change_applies_every_part
                g1_a_change_is_all_or_nothing
                g1_a_taken_key_applies_nothing
                g1_a_change_of_a_thousand_rows_is_applied
                g1_a_dropped_commit_is_whole_or_nothing
            }
            g2_conditions {
                g2_a_put_expects_its_version
                g2_a_put_expects_absence
                g2_a_delete_expects_its_version
                g2_a_check_holds_a_version
                g2_a_check_of_an_absent_row_refuses_a_phantom
                g2_a_row_may_come_again_after_its_delete
            }
            g2_parallel {
                g2_one_of_many_parallel_writers_wins
                g2_no_parallel_update_is_lost
                g2_write_skew_is_refused
                g2_a_phantom_is_refused_under_parallel_writers
                g2_checks_hold_under_parallel_writers
                g2_opposite_orders_do_not_deadlock
            }
            g3_repeats {
                g3_a_repeated_change_id_applies_nothing_twice
                g3_a_repeated_change_id_is_known_on_every_handle
                g3_a_repeated_change_id_comes_before_every_refusal
                g3_a_change_id_with_other_content_is_misuse
                g3_a_refused_change_is_not_remembered
                g3_parallel_repetitions_apply_once
                g3_change_ids_are_kept_until_they_are_pruned
            }
            g4_unique {
                g4_every_unique_name_is_unique
                g4_every_value_of_a_many_valued_name_is_unique
                g4_a_refusal_names_the_key_that_is_taken
                g4_one_value_under_two_names_is_two_keys
                g4_keys_compare_exactly
                g4_a_row_keeps_its_own_keys
                g4_an_update_frees_the_keys_it_drops
                g4_a_delete_frees_its_keys
                g4_a_key_moves_between_rows_in_one_change
                g4_two_rows_of_one_change_cannot_share_a_key
                g4_parallel_claims_have_one_winner
            }
            g5_durable {
                g5_rows_survive_reopening
                g5_the_outbox_survives_reopening
                g5_change_ids_survive_reopening
            }
            g6_reads {
                g6_a_second_handle_reads_a_commit_at_once
                g6_a_second_handle_sees_leases_at_once
                g6_get_is_one_snapshot
                g6_a_row_is_never_torn
            }
            g7_leases {
                g7_a_lease_excludes_others_until_its_time
                g7_parallel_workers_share_no_entry
                g7_an_entry_is_leased_only_when_due
                g7_only_named_channels_are_leased
                g7_a_lease_takes_the_longest_due_up_to_its_limit
                g7_an_entry_is_leased_as_it_was_enqueued
                g7_a_superseded_lease_is_lost
                g7_a_settled_lease_is_lost
                g7_an_unknown_lease_is_lost
                g7_an_overdue_lease_nobody_took_can_be_settled
            }
            g7_settlements {
                g7_an_ended_entry_is_never_leased_again
                g7_a_retry_waits_and_counts
                g7_a_release_waits_and_does_not_count
                g7_an_extended_lease_lasts_longer
                g7_fences_only_rise
                g7_prune_removes_what_ended_before
            }
            g7_streams {
                g7_a_stream_is_leased_one_at_a_time_in_its_order
                g7_a_waiting_entry_holds_up_its_stream
                g7_a_late_entry_waits_for_the_one_under_lease
                g7_a_dead_or_obsolete_entry_lets_its_stream_go_on
                g7_a_stream_spans_channels
                g7_streams_and_independent_entries_do_not_wait_for_each_other
                g7_parallel_workers_never_share_a_stream
            }
            g7_changes {
                g7_a_change_settles_its_lease
                g7_a_change_settles_all_its_leases
                g7_one_lost_lease_refuses_the_whole_change
                g7_a_change_under_a_lost_lease_applies_nothing
                g7_a_refused_change_leaves_its_lease
                g7_a_lease_is_used_up_by_one_of_two_parallel_changes
            }
            g8_clock {
                g8_changes_take_any_time
                g8_leases_know_only_the_time_they_are_given
                g8_prune_knows_only_the_time_it_is_given
            }
            g9_scans {
                g9_every_index_is_scanned
                g9_integers_are_in_order_both_ways
                g9_texts_are_in_the_order_of_their_bytes
                g9_equal_places_are_in_the_order_of_row_ids
                g9_a_scan_stays_within_its_part
                g9_a_range_has_its_first_and_not_its_last_place
                g9_a_row_is_found_where_it_stands_now
            }
            g9_pages {
                g9_pages_visit_every_row_once
                g9_pages_keep_inside_their_range
                g9_the_last_page_says_so
                g9_a_cursor_survives_inserts_and_deletes
                g9_a_scan_under_parallel_writers_visits_every_standing_row_once
            }
            g10_errors {
                g10_misuse_is_classified
                g10_a_reused_outbox_id_is_misuse
                g10_the_first_reason_is_answered
            }
            oracle {
                oracle_random_calls_are_answered_as_by_the_reference_store
            }
        }
    };
}

/// One test for every case of the suite: `store_conformance!(factory)`, where `factory` is an expression that makes a
/// [`StoreFactory`](crate::store::StoreFactory). Stands in a module of tests.
#[macro_export]
macro_rules! store_conformance {
    ($factory:expr) => {
        $crate::__store_cases! { [$crate::__store_tests] ($factory) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    (($factory:expr) $($module:ident { $($case:ident)* })*) => {
        $($(
            #[test]
            fn $case() -> Result<(), $crate::store::Failure> {
                $crate::store::run_case($factory, stringify!($case))
            }
        )*)*
    };
}

macro_rules! table {
    (() $($module:ident { $($case:ident)* })*) => {
        /// Every case, in the order of the guarantees.
        pub const CASES: &[Case] = &[
            $($(
                Case { name: stringify!($case), run: |bed| Box::pin(async move { $module::$case(&bed).await }) },
            )*)*
        ];
    };
}

crate::__store_cases! { [table] () }
