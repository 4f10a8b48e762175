//! The project's own chores, started as `cargo xtask NAME`.

mod before_5_1;
mod bench;
mod book;
mod ci;
mod cross;
mod debian;
mod fuzz;
mod mutants;
mod packed;
mod readme;
mod sanitize;
mod steps;
mod suite;
mod tools;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "The project's own chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    Bench(bench::Arguments),
    Book(book::Arguments),
    Browser(book::BrowserArguments),
    /// Run what a change must pass: the same here, before a merge, and on the CI machine
    Ci(ci::Arguments),
    /// Run the tests on other machines (32-bit, big-endian), with the oldest compiler that is supported
    Cross(cross::Arguments),
    /// Run a 32-bit program as on Linux before 5.1: without the system calls with 64-bit times
    #[command(name = "before-5.1", hide = true)]
    Before51(before_5_1::Arguments),
    Fuzz(fuzz::Arguments),
    Mutants(mutants::Arguments),
    /// Draw the book's plots from their numbers
    Plots,
    Record(book::Record),
    Sanitize(sanitize::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Bench(arguments) => bench::run(&arguments, root()),
        Chore::Book(arguments) => book::run(&arguments, root()),
        Chore::Browser(arguments) => book::browser(&arguments, root()),
        Chore::Ci(arguments) => ci::run(&arguments, root()),
        Chore::Cross(arguments) => cross::run(&arguments, root()),
        Chore::Before51(arguments) => before_5_1::run(&arguments),
        Chore::Fuzz(arguments) => fuzz::run(&arguments, root()),
        Chore::Mutants(arguments) => mutants::run(&arguments, root()),
        Chore::Plots => book::plots(root()),
        Chore::Record(arguments) => book::record(&arguments, root()),
        Chore::Sanitize(arguments) => sanitize::run(&arguments, root()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace, wherever cargo was started in it.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}
