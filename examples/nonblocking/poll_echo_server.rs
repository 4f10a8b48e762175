//! The select server on poll(2): the same clients, the same lines, one list instead of three sets.
//!
//! ```text
//! cargo run --example poll_echo_server -- --listen 127.0.0.1:10001
//! cargo run --example select_echo_client -- --connect 127.0.0.1:10001     # in a second terminal
//! ```

#[path = "../common/mod.rs"]
pub mod common;
mod connection;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signalfd::SignalFd;
use readysock::{Events, PollSet, Socket};

use self::common::{Ended, Say};
use self::connection::{Accepted, Connection, accept};

fn main() -> ExitCode {
    common::server("An echo server that waits in poll(2)", serve)
}

// ANCHOR: serve
/// What the set holds. It owns the connections, so none can be closed while poll looks at it.
enum Source<'a> {
    Interrupts(&'a SignalFd),
    Listener(&'a Socket),
    Client(Connection),
}

impl AsFd for Source<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Source::Interrupts(interrupts) => interrupts.as_fd(),
            Source::Listener(listener) => listener.as_fd(),
            Source::Client(connection) => connection.socket.as_fd(),
        }
    }
}

/// Where select has three sets, poll has one mask for each descriptor.
fn interest(connection: &Connection) -> Events {
    let mut events = Events::PRI;
    events.set(Events::IN, connection.wants_input());
    events.set(Events::OUT, connection.wants_output());
    events
}

/// Echoes until nothing has happened for the `quiet` time, or Ctrl-C.
pub fn serve(
    listener: &Socket,
    interrupts: &SignalFd,
    quiet: Duration,
    say: Say,
) -> io::Result<Ended> {
    let mut set = PollSet::new();
    set.insert(Source::Interrupts(interrupts), Events::IN);
    let door = set.insert(Source::Listener(listener), Events::IN);
    loop {
        say.line("waiting for the next event")?;
        if set.wait(quiet)? == 0 {
            say.line("timed out")?;
            return Ok(Ended::Quiet);
        }
        while let Some((key, events)) = set.next_ready() {
            match set.get_mut(key) {
                Some(Source::Interrupts(_)) => return Ok(Ended::Interrupted),
                Some(Source::Listener(listener)) => match accept(listener, say)? {
                    Accepted::Client(connection) => {
                        let events = interest(&connection);
                        set.insert(Source::Client(connection), events);
                    }
                    Accepted::Nobody => {}
                    // Only the door and Ctrl-C are left: nobody can give a descriptor back.
                    Accepted::Full(error) if set.len() == 2 => return Err(error),
                    Accepted::Full(error) => {
                        say.problem(format_args!(
                            "cannot accept: {error}; waiting for a client to go"
                        ));
                        set.set_enabled(door, false);
                    }
                },
                Some(Source::Client(connection)) => {
                    // A connection that broke is told by ERR or HUP, asked for or not: the next
                    // send or recv says why.
                    let broken = events.intersects(Events::ERR | Events::HUP);
                    if broken || events.contains(Events::OUT) {
                        connection.send_next(say)?;
                    }
                    if broken || events.contains(Events::IN) {
                        connection.receive(say)?;
                    }
                    if events.contains(Events::PRI) {
                        connection.give_up("sent an out-of-band byte, which has no echo", say)?;
                    }
                    if connection.is_open() {
                        let events = interest(connection);
                        set.set_events(key, events);
                    } else {
                        set.remove(key);
                        set.set_enabled(door, true);
                    }
                }
                None => {}
            }
        }
    }
}
// ANCHOR_END: serve
