//! The project's own chores, started as `cargo xtask NAME`.

mod ci;
mod mutants;
mod readme;
mod steps;

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
    /// Run what a change must pass: the same here, before a merge, and on the CI machine
    Ci(ci::Arguments),
    Mutants(mutants::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Ci(arguments) => ci::run(&arguments, root()),
        Chore::Mutants(arguments) => mutants::run(&arguments, root()),
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
