//! The notes' select server: one thread serves many clients and waits for all of them at once.
//!
//! ```text
//! cargo run --example select_echo_server -- --listen 127.0.0.1:10001
//! cargo run --example select_echo_client -- --connect 127.0.0.1:10001     # in a second terminal
//! ```

#[path = "../common/mod.rs"]
pub mod common;
mod connection;

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signalfd::SignalFd;
use readysock::{FdSet, Socket, select};

use self::common::{Ended, Say};
use self::connection::{Accepted, Connection, accept};

fn main() -> ExitCode {
    common::server("An echo server that waits in select(2)", serve)
}

// ANCHOR: serve
/// Echoes until nothing has happened for the `quiet` time, or Ctrl-C.
pub fn serve(
    listener: &Socket,
    interrupts: &SignalFd,
    quiet: Duration,
    say: Say,
) -> io::Result<Ended> {
    let mut connections: Vec<Connection> = Vec::new();
    let mut full = false;
    loop {
        say.line("waiting for the next event")?;
        // The three sets are made anew for each turn: they say what is of interest now.
        let mut inputs = FdSet::from_iter([interrupts.as_fd()]);
        let mut outputs = FdSet::new();
        let mut exceptions = FdSet::new();
        if !full {
            inputs.insert(listener.as_fd());
        }
        for connection in &connections {
            if connection.wants_input() {
                inputs.insert(connection.socket.as_fd());
            }
            if connection.wants_output() {
                outputs.insert(connection.socket.as_fd());
            }
            exceptions.insert(connection.socket.as_fd());
        }
        let ready = select(&inputs, &outputs, &exceptions, quiet)?;

        if ready.count() == 0 {
            say.line("timed out")?;
            return Ok(Ended::Quiet);
        }
        if ready.readable().contains(interrupts) {
            return Ok(Ended::Interrupted);
        }
        for connection in &mut connections {
            // Output first, so that "queue empty" is said before the next message is queued.
            if ready.writable().contains(&connection.socket) {
                connection.send_next(say)?;
            }
            if ready.readable().contains(&connection.socket) {
                connection.receive(say)?;
            }
            if ready.exceptional().contains(&connection.socket) {
                connection.give_up("sent an out-of-band byte, which has no echo", say)?;
            }
        }
        let before = connections.len();
        connections.retain(Connection::is_open);
        // Out of descriptors, the server listens again when a client has given one back.
        full &= connections.len() == before;

        if ready.readable().contains(listener) {
            match accept(listener, say)? {
                Accepted::Client(connection) => connections.push(connection),
                Accepted::Nobody => {}
                Accepted::Full(error) if connections.is_empty() => return Err(error),
                Accepted::Full(error) => {
                    say.problem(format_args!("cannot accept: {error}; waiting for a client to go"));
                    full = true;
                }
            }
        }
    }
}
// ANCHOR_END: serve
