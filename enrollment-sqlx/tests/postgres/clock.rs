//! The database's clock.

use std::time::Duration;

use enrollment_core::port::{Clock, SystemClock};
use enrollment_core::time::Timestamp;

use crate::support::Place;

/// A clock that is wrong by some seconds.
#[derive(Debug)]
struct Wrong(i64);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().micros() + self.0 * 1_000_000)
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_seen_to_be() {
    let store = Place::new().open().await;
    // The cluster runs on this machine, by the same clock.
    for wrong in [0, 60, -60] {
        let offset = store.clock_offset(&Wrong(wrong)).await.expect("an answer").expect("a server");
        let error = Duration::from_micros((offset.micros + wrong * 1_000_000).unsigned_abs());
        assert!(error <= offset.uncertainty + Duration::from_millis(1), "{offset:?} of a clock wrong by {wrong} s");
        assert_eq!(offset.at_least() > Duration::from_secs(50), wrong != 0, "{offset:?}");
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_file_has_no_clock() {
    use enrollment_sqlx::{SqliteOptions, SqlxStore};

    let folder = tempfile::tempdir().expect("a folder");
    let store = SqlxStore::open_sqlite(folder.path().join("enrollment.db"), SqliteOptions::default()).await;
    assert_eq!(store.expect("a store").clock_offset(&SystemClock).await.expect("an answer"), None);
}
