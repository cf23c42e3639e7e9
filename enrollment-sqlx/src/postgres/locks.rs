//! Locks on rows that do not exist. PostgreSQL locks rows, and there is none to lock when a change checks that one is
//! absent: whoever would make it takes a lock on its number first.

use std::collections::BTreeMap;

use enrollment_core::port::{Change, Expect, Op};
use uuid::Uuid;

use super::script::Script;

/// How many rows one change makes before it locks all rows instead of each: the server's table of locks is bounded.
const MANY: usize = 64;
/// The number that stands for all rows, `enroll` in ASCII.
const ALL: i64 = 0x656e_726f_6c6c;

/// Advisory locks of one change in the order in which every change takes them, before any lock on a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Locks {
    /// Numbers, and whether the lock is exclusive. Two rows of one number wait for each other and nothing worse.
    numbers: Vec<(i64, bool)>,
    /// Whether a row is checked to be absent: what the change reads must then have been locked before.
    pub(crate) before_the_facts: bool,
}

impl Locks {
    pub(crate) fn of(change: &Change) -> Self {
        let mut numbers = BTreeMap::new();
        let mut before_the_facts = false;
        for op in &change.ops {
            match op {
                Op::Put { expect: Expect::Absent, next } => {
                    numbers.insert(number(next.key.id), true);
                }
                Op::Check { key, version: None } => {
                    numbers.entry(number(key.id)).or_insert(false);
                    before_the_facts = true;
                }
                Op::Put { expect: Expect::Version(_), .. } | Op::Check { .. } | Op::Delete { .. } => {}
            }
        }
        let many = numbers.len() > MANY;
        let all = (!numbers.is_empty()).then_some((ALL, many));
        let each = numbers.into_iter().filter(|_| !many);
        Self { numbers: all.into_iter().chain(each).collect(), before_the_facts }
    }

    /// Statements that take the locks, each in its turn.
    pub(crate) fn statements(&self) -> String {
        let lock = |(number, exclusive): &(i64, bool)| {
            let shared = if *exclusive { "" } else { "_shared" };
            format!("; select pg_advisory_xact_lock{shared}({number})")
        };
        self.numbers.iter().map(lock).collect()
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// The same as a query.
    pub(crate) fn query(&self, script: &mut Script) -> String {
        let (numbers, exclusive): (Vec<_>, Vec<_>) = self.numbers.iter().copied().unzip();
        let (numbers, exclusive) = (script.bind(numbers), script.bind(exclusive));
        format!(
            "select case when exclusive then pg_advisory_xact_lock(number) else pg_advisory_xact_lock_shared(number) end \
             from unnest({numbers}::bigint[], {exclusive}::boolean[]) as lock (number, exclusive)"
        )
    }
}

fn number(id: Uuid) -> i64 {
    let (high, low) = id.as_u64_pair();
    (high ^ low).cast_signed()
}
