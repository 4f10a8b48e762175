//! Runs each task under callgrind, which counts the instructions: `cargo xtask bench --instructions` starts it.
//!
//! Callgrind collects in `readysock_measured` only and writes a dump at each return from it. Each task runs there twice,
//! with few and with many turns: the difference is what the turns cost, without getting there and back. Standard output
//! says which task the dumps belong to, in their order.

#[cfg(target_env = "gnu")]
use std::ffi::CStr;
use std::hint::black_box;
use std::io;

use readysock_benches::fixture::{Fixture, Share};
use readysock_benches::poll::Wait;
use readysock_benches::{Case, Cases, fd_set, pair, poll, poll_set, select};

/// Few and many turns. `cargo xtask bench` reads them from the first line of output.
const TURNS: [u64; 2] = [10, 110];

/// Callgrind finds it by name, so it has one that no compiler changes, and is never part of its caller.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn readysock_measured(case: &mut Case<'_>, turns: u64) -> u64 {
    black_box(case.run(black_box(turns)))
}

fn measure(task: &str, n: usize, cases: Cases<'_>, peer: &str) {
    // Both have run by then: symbols are bound and memory is there before it counts.
    for mut case in pair(cases, peer) {
        for turns in TURNS {
            readysock_measured(&mut case, turns);
        }
    }
    println!("{task},{n},{peer}");
}

/// The C library, whose instructions count too.
#[cfg(target_env = "gnu")]
fn library() -> String {
    // SAFETY: it may be called at any time.
    let version = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: what it returned is a string with its NUL, and stays as long as the program.
    let version = unsafe { CStr::from_ptr(version) };
    format!("glibc {}", version.to_string_lossy())
}

#[cfg(not(target_env = "gnu"))]
fn library() -> String {
    "another C library".to_owned()
}

fn main() -> io::Result<()> {
    println!("{},{},{}", TURNS[0], TURNS[1], library());
    for n in [1, 128, 1000] {
        let fixture = Fixture::new(n, Share::One)?;
        for wait in Wait::EACH {
            let task = wait.name();
            measure(task, n, poll::call(&fixture, wait), "libc");
            let task = format!("{task} not inlined");
            measure(&task, n, poll::call_not_inlined(&fixture, wait), "libc");
        }
        measure("poll and walk: 1 ready", n, poll::walk(&fixture), "C idiom");
        measure("PollSet: 1 ready", n, poll_set::wait(&fixture), "C idiom");
    }
    for n in [16, 128, 480] {
        for share in [Share::One, Share::Half] {
            let fixture = Fixture::new(n, share)?;
            let task = format!("select and walk with sets kept: {}", share.name());
            measure(&task, n, select::kept(&fixture), "C idiom");
            let task = format!("select and walk with sets rebuilt: {}", share.name());
            measure(&task, n, select::rebuilt(&fixture), "C idiom");
        }
        let fixture = Fixture::new(n, Share::One)?;
        let task = "select with an answer each: 1 ready";
        measure(task, n, select::own_answer(&fixture), "C idiom");
        measure("FdSet: insert all", n, fd_set::insert(&fixture), "C idiom");
        measure("FdSet: walk all", n, fd_set::iterate(&fixture), "C idiom");
    }
    let fixture = Fixture::one_at(963)?;
    measure("walk 1 ready at 963", 1, fd_set::walk_answer(&fixture), "C idiom");
    Ok(())
}
