//! The echo server on epoll(7): the kernel keeps the list, and says only what is ready.
//!
//! ```text
//! cargo run --example epoll_echo_server -- --listen 127.0.0.1:10001
//! cargo run --example select_echo_client -- --connect 127.0.0.1:10001     # in a second terminal
//! ```

#[path = "../common/mod.rs"]
pub mod common;
mod connection;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signalfd::SignalFd;
use readysock::Socket;
use readysock::epoll::{Epoll, EpollFlags};

use self::common::{Ended, Say};
use self::connection::{Accepted, Connection, accept};

fn main() -> ExitCode {
    common::server("An echo server that waits in epoll_pwait2(2)", serve)
}

// ANCHOR: serve
/// What epoll watches. It lends its sources and does not give them away, so what changes of a client is kept beside it.
enum Source<'a> {
    Interrupts(&'a SignalFd),
    Listener(&'a Socket),
    Client(Rc<Socket>),
}

impl AsFd for Source<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Source::Interrupts(interrupts) => interrupts.as_fd(),
            Source::Listener(listener) => listener.as_fd(),
            Source::Client(socket) => socket.as_fd(),
        }
    }
}

/// The events of poll. There is more to say: ET, ONESHOT, EXCLUSIVE.
fn interest(connection: &Connection) -> EpollFlags {
    let mut flags = EpollFlags::PRI;
    flags.set(EpollFlags::IN, connection.wants_input());
    flags.set(EpollFlags::OUT, connection.wants_output());
    flags
}

/// Echoes until nothing has happened for the `quiet` time, or Ctrl-C.
fn serve(listener: &Socket, interrupts: &SignalFd, quiet: Duration, say: Say) -> io::Result<Ended> {
    let mut epoll = Epoll::new()?;
    let mut clients = HashMap::new();
    epoll.insert(Source::Interrupts(interrupts), EpollFlags::IN)?;
    let door = epoll.insert(Source::Listener(listener), EpollFlags::IN)?;
    loop {
        say.line("waiting for the next event")?;
        if epoll.wait(quiet)? == 0 {
            say.line("timed out")?;
            return Ok(Ended::Quiet);
        }
        while let Some(event) = epoll.next_ready() {
            let (key, flags) = (event.key(), event.flags());
            match epoll.get(key) {
                Some(Source::Interrupts(_)) => return Ok(Ended::Interrupted),
                Some(Source::Listener(listener)) => match accept(listener, say)? {
                    Accepted::Client(client) => {
                        let source = Source::Client(Rc::clone(&client.socket));
                        clients.insert(epoll.insert(source, interest(&client))?, client);
                    }
                    Accepted::Nobody => {}
                    // Only the door and Ctrl-C are left: nobody can give a descriptor back.
                    Accepted::Full(error) if clients.is_empty() => return Err(error),
                    Accepted::Full(error) => {
                        say.problem(format_args!(
                            "cannot accept: {error}; waiting for a client to go"
                        ));
                        epoll.set_flags(door, EpollFlags::empty())?;
                    }
                },
                Some(Source::Client(_)) => {
                    let Some(client) = clients.get_mut(&key) else { continue };
                    let (before, broken) =
                        (interest(client), flags.intersects(EpollFlags::ERR | EpollFlags::HUP));
                    if broken || flags.contains(EpollFlags::OUT) {
                        client.send_next(say)?;
                    }
                    if broken || flags.contains(EpollFlags::IN) {
                        client.receive(say)?;
                    }
                    if flags.contains(EpollFlags::PRI) {
                        client.give_up("sent an out-of-band byte, which has no echo", say)?;
                    }
                    if !client.is_open() {
                        epoll.remove(key);
                        clients.remove(&key);
                        epoll.set_flags(door, EpollFlags::IN)?;
                    } else if interest(client) != before {
                        // poll takes the list anew each time; epoll keeps it, and each change is a system call.
                        epoll.set_flags(key, interest(client))?;
                    }
                }
                None => {}
            }
        }
    }
}
// ANCHOR_END: serve
