//! Measures what the budgets are about, as comma-separated rows: `cargo xtask bench` starts it and prints the table.
//!
//! Criterion measures one thing after the other, and on a machine that others use too, the second may have had the worse
//! minute. Here the two sides take turns, a fraction of a millisecond each, in the order A B B A, then B A A B: what slows the machine
//! down hits both. A round gives one ratio, and the median of many rounds is the result. The clock is the thread's own
//! (CLOCK_THREAD_CPUTIME_ID): nothing here waits, and the time other programs take does not count.

use std::hint::black_box;
use std::io;
use std::mem;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use readysock_benches::fixture::{Fixture, Share};
use readysock_benches::poll::Wait;
use readysock_benches::{Case, Cases, fd_set, pair, poll, select};

/// How long one side runs before the other has its turn.
const SLICE: f64 = 200_000.0;

/// What is allowed.
#[derive(Clone, Copy)]
enum Budget {
    /// So many times what the other one takes.
    Ratio(f64),
    /// So many nanoseconds.
    Nanoseconds(f64),
    /// Anything: the row is there to know.
    None,
}

/// The CPU time this thread has had, in nanoseconds.
fn now() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the clock of this thread");
    Duration::from(time).as_secs_f64() * 1e9
}

fn time(case: &mut Case<'_>, turns: u64) -> f64 {
    let start = now();
    black_box(case.run(black_box(turns)));
    now() - start
}

/// How many turns fill a slice.
fn turns(case: &mut Case<'_>) -> u64 {
    let mut turns = 1;
    while time(case, turns) < SLICE {
        turns *= 2;
    }
    turns
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures one row and prints it: what, n, peer, our nanoseconds, theirs, ratio, budget.
fn compare(rounds: u32, what: &str, n: usize, cases: Cases<'_>, peer: &str, budget: Budget) {
    let [mut ours, mut theirs] = pair(cases, peer);
    // As many turns for both: the clock reads then weigh the same.
    let turns = turns(&mut ours).max(turns(&mut theirs));

    let mut seen = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..rounds {
        // A B B A, then B A A B: neither is always the first after the other, or after this loop's own work.
        let (mut first, mut second) = (&mut ours, &mut theirs);
        if round % 2 == 1 {
            mem::swap(&mut first, &mut second);
        }
        let mut a = time(first, turns);
        let mut b = time(second, turns) + time(second, turns);
        a += time(first, turns);
        if round % 2 == 1 {
            mem::swap(&mut a, &mut b);
        }
        let both = 2.0 * turns as f64;
        for (list, value) in seen.iter_mut().zip([a / both, b / both, a / b]) {
            list.push(value);
        }
    }
    let [ours, theirs, ratio] = seen.map(median);
    let budget = match budget {
        Budget::Ratio(ratio) => format!("{ratio:.2}"),
        Budget::Nanoseconds(ns) => format!("{ns} ns"),
        Budget::None => String::new(),
    };
    println!("{what},{n},{peer},{ours:.1},{theirs:.1},{ratio:.3},{budget}");
}

/// One processor only: moving to another one costs more than what is measured here.
fn stay() -> io::Result<()> {
    let here = Pid::from_raw(0);
    let allowed = sched_getaffinity(here)?;
    let last = (0..CpuSet::count()).rev().find(|&cpu| allowed.is_set(cpu).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(last.unwrap_or(0))?;
    Ok(sched_setaffinity(here, &one)?)
}

fn main() -> io::Result<()> {
    let rounds = std::env::args().nth(1).map_or(200, |rounds| rounds.parse().expect("a number"));
    stay()?;

    for n in [128, 480, 1000, 4000] {
        let fixture = Fixture::new(n, Share::One)?;
        for wait in Wait::EACH {
            compare(
                rounds,
                wait.name(),
                n,
                poll::call(&fixture, wait),
                "libc",
                Budget::Ratio(1.01),
            );
        }
    }

    for (n, kept, rebuilt) in [(16, 1.02, 1.06), (128, 1.00, 1.02), (480, 1.00, 1.02)] {
        let fixture = Fixture::new(n, Share::One)?;
        // The budget is against the usual loop to the end of the set; the C that counts down is there to know.
        for (peer, kept, rebuilt) in [
            ("C idiom", Budget::Ratio(kept), Budget::Ratio(rebuilt)),
            ("C idiom that counts", Budget::None, Budget::None),
        ] {
            let cases = select::kept(&fixture);
            compare(rounds, "select and walk with sets kept", n, cases, peer, kept);
            let cases = select::rebuilt(&fixture);
            compare(rounds, "select and walk with sets rebuilt", n, cases, peer, rebuilt);
        }
    }

    let fixture = Fixture::one_at(963)?;
    for peer in ["C idiom", "nix", "rustix"] {
        let cases = fd_set::walk_answer(&fixture);
        let budget = Budget::Nanoseconds(10.0);
        compare(rounds, "walk 1 ready of a set to 963", 1, cases, peer, budget);
    }
    Ok(())
}
