//! The suite proves itself: every broken store fails the case that is there for its fault, and every case is failed by
//! some broken store.

use enrollment_testkit::broken::{BrokenFactory, Fault};
use enrollment_testkit::store::{CASES, judge, run_case};

#[test]
fn every_broken_store_fails_the_case_that_is_there_for_it() {
    let unnoticed: Vec<_> =
        Fault::all().into_iter().filter(|fault| run_case(BrokenFactory(*fault), fault.caught_by()).is_ok()).collect();
    assert!(unnoticed.is_empty(), "passed the case that is there for them: {unnoticed:?}");
}

#[test]
fn every_case_is_failed_by_some_broken_store() {
    // These lose everything there is, so that almost any case fails: no proof of what a case is for.
    let blunt = [Fault::ForgetsWhenReopened, Fault::LosesOutboxEntries];
    let mut faults: Vec<_> = Fault::all().into_iter().filter(|fault| !blunt.contains(fault)).collect();
    let idle: Vec<_> = CASES
        .iter()
        .filter(|case| {
            // The faults that the case is there for come first.
            faults.sort_by_key(|fault| fault.caught_by() != case.name);
            faults.iter().all(|fault| run_case(BrokenFactory(*fault), case.name).is_ok())
        })
        .collect();
    assert!(idle.is_empty(), "cases that no broken store fails: {idle:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_report_has_every_case_and_tells_failed_from_passed() {
    let fault = Fault::AlwaysPromisesMore;
    let report = judge(BrokenFactory(fault)).await;
    let names: Vec<_> = report.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, CASES.iter().map(|case| case.name).collect::<Vec<_>>());
    let failed: Vec<_> = report.iter().filter(|(_, verdict)| verdict.is_err()).map(|(name, _)| *name).collect();
    assert_eq!(failed, [fault.caught_by()]);
}
