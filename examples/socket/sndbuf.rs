//! SO_SNDBUF: what is asked for against what is got, over a range of sizes.
//!
//! ```text
//! cargo run --example sndbuf
//! cargo run --example sndbuf -- --csv
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use readysock::sockopt::{self, SndBuf};
use readysock::{Domain, Socket, Type};

use self::common::{Say, explain};

/// What the kernel makes of a size for the send buffer
#[derive(Parser)]
struct Arguments {
    /// Numbers only, for a plot: asked,got
    #[arg(long)]
    csv: bool,
}

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

// ANCHOR: ask
fn ask(size: usize) -> io::Result<usize> {
    let socket = Socket::new(Domain::INET, Type::STREAM, None)?;
    sockopt::set(&socket, SndBuf, size)?;
    sockopt::get(&socket, SndBuf)
}
// ANCHOR_END: ask

fn run(arguments: &Arguments) -> io::Result<()> {
    let say = Say::plain();
    let path = "/proc/sys/net/core/wmem_max";
    let limit = fs::read_to_string(path).map_err(|error| explain(path, &error, ""))?;
    let limit: usize = limit.trim().parse().map_err(io::Error::other)?;

    say.line(if arguments.csv { "asked,got" } else { "     asked         got  what happened" })?;
    // The notes' 65535 among powers of two, up to beyond the limit.
    let powers = (6..25).map(|power| 1 << power);
    let mut sizes: Vec<usize> = powers.chain([0, 65_535, limit, limit + 1]).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for asked in sizes {
        let got = ask(asked)?;
        let what = match asked {
            _ if got == asked * 2 => "doubled",
            _ if got > asked * 2 => "raised to the least there is",
            _ => "cut to the limit, and doubled",
        };
        if arguments.csv {
            say.line(format_args!("{asked},{got}"))?;
        } else {
            say.line(format_args!("{asked:10}  {got:10}  {what}"))?;
        }
    }
    if !arguments.csv {
        say.line(format_args!("look: never what was asked; the limit, {limit}, is {path}"))?;
    }
    Ok(())
}
