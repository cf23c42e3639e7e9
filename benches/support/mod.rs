//! What all benches share: how long they measure, and how a pair of them is named.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, Criterion};

/// Short enough for all benches together to take less than four minutes. Criterion's own options still apply.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
        .configure_from_args()
}

/// Measures what the library does and, right after it, the bare primitive it stands on. `benches/ratios` finds the two
/// by the names given here.
pub(crate) fn pair(
    mut group: BenchmarkGroup<'_, WallTime>,
    ours: impl FnMut(&mut Bencher),
    bare: impl FnMut(&mut Bencher),
) {
    group.bench_function("ours", ours);
    group.bench_function("bare", bare);
    group.finish();
}
