//! Puts the cases of a task before criterion.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use readysock_benches::fixture::{Fixture, Share};
use readysock_benches::{Cases, SIZES};

/// Some hundred cases: a second for each.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
        .configure_from_args()
}

/// A task at each size and, of these shares, with each share of the descriptors ready.
pub fn at_each_size(
    criterion: &mut Criterion,
    task: &str,
    shares: &[Share],
    cases: impl for<'a> Fn(&'a Fixture) -> Cases<'a>,
) {
    for n in SIZES {
        for &share in shares {
            // One of one is all of them.
            if n == 1 && share != Share::One {
                continue;
            }
            let group = format!("{task}, {}", share.name());
            match Fixture::new(n, share) {
                Ok(fixture) => run(criterion, &group, n, cases(&fixture)),
                Err(error) => eprintln!("skipped: {group} with {n}: {error}"),
            }
        }
    }
}

/// One task on one fixture.
pub fn run(criterion: &mut Criterion, group: &str, n: usize, cases: Cases<'_>) {
    let mut group = criterion.benchmark_group(group);
    for mut case in cases {
        let id = BenchmarkId::new(case.who, n);
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|turns| {
                let start = Instant::now();
                std::hint::black_box(case.run(turns));
                start.elapsed()
            });
        });
    }
    group.finish();
}
