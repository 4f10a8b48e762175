//! The fourth argument of select: no time at all, some time, and none given.
//!
//! ```text
//! cargo run --example select_timeout
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use readysock::{Domain, FdSet, Socket, Timeout, Type, select};

use self::common::Say;

/// How long select waits: with a time of zero, with some time, and without one
#[derive(Parser)]
struct Arguments {}

fn main() -> ExitCode {
    let Arguments {} = common::arguments();
    common::finish(run())
}

fn run() -> io::Result<()> {
    // ANCHOR: times
    let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    wait("zero", &near, Duration::ZERO)?;
    wait("50 ms", &near, Duration::from_millis(50))?;

    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            thread::sleep(Duration::from_millis(50));
            far.send_all(b"hello")
        });
        wait("20 s", &near, Duration::from_secs(20))?; // but hello comes first
        wait("none", &near, None)?; // and is not read: it still waits there
        sender.join().expect("a send does not panic")
    })
    // ANCHOR_END: times
}

fn wait(name: &str, socket: &Socket, timeout: impl Into<Timeout>) -> io::Result<()> {
    let (inputs, none) = (FdSet::from_iter([socket.as_fd()]), FdSet::new());
    let start = Instant::now();
    let ready = select(&inputs, &none, &none, timeout)?;
    let elapsed = start.elapsed().as_secs_f64() * 1000.0;
    Say::plain()
        .line(format_args!("timeout {name}: {} ready, after {elapsed:.1} ms", ready.count()))
}
