//! Standard input, Ctrl-C and the clock, waited for in one call.
//!
//! ```text
//! cargo run --example select_stdin
//! ```
//!
//! Type some lines. Ctrl-D ends it; so does Ctrl-C, and so do twenty quiet seconds.

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use nix::unistd;
use readysock::{FdSet, select};

use self::common::{Say, Text, seconds};

/// Echoes what is typed, and waits for it in select(2)
#[derive(Parser)]
struct Arguments {
    /// Quiet time after which it ends
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Duration,
}

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let say = Say::plain();
    // ANCHOR: wait
    let interrupts = common::interrupts()?; // Ctrl-C, as one more descriptor
    let typed = io::stdin();
    let inputs = FdSet::from_iter([typed.as_fd(), interrupts.as_fd()]);
    let none = FdSet::new();
    loop {
        say.line("waiting")?;
        let ready = select(&inputs, &none, &none, arguments.timeout)?;
        if ready.count() == 0 {
            return say.line("timed out");
        }
        if ready.readable().contains(&interrupts) {
            return say.line("interrupted");
        }
        // One read(2): `typed.read_line` might take two lines, and keep the second to itself.
        let mut buffer = [0; 1024];
        match unistd::read(&typed, &mut buffer)? {
            0 => return say.line("end of input"),
            length => say.line(format_args!("read {length} bytes: {}", Text(&buffer[..length])))?,
        }
    }
    // ANCHOR_END: wait
}
