//! Servers that need a process for each case: they fork, run into limits, or have system calls that fail.
//! `cargo test --test server_isolated panics::` runs the cases of one file.

mod edges;
mod faults;
mod matrix;
mod panics;
mod processes;
mod short;
mod spins;
#[path = "../support/mod.rs"]
mod support;

fn main() {
    support::isolated::suites(&[
        ("edges", edges::CASES),
        ("faults", faults::CASES),
        ("matrix", matrix::CASES),
        ("panics", panics::CASES),
        ("processes", processes::CASES),
        ("short", short::CASES),
        ("spins", spins::CASES),
    ])
}
