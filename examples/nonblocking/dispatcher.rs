//! The notes' asyncore: objects that say what they want to be told, and are told what they can do.
//!
//! ```text
//! cargo run --example dispatcher
//! ```
//!
//! It runs both ends and ends by itself.

#[path = "../common/mod.rs"]
mod common;

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Shutdown};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;

use readysock::reactor::{Dispatcher, Reactor};
use readysock::sockopt::{self, Linger, SoLinger};
use readysock::{Addr, Domain, Key, Socket, Type};

use self::common::{LoopArguments, Say, Talk, Text};

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

// ANCHOR: dispatchers
/// What asyncore's `dispatcher` is a base class for is a trait here: `AsFd` says which descriptor it is about.
struct Door {
    socket: Socket,
    talk: Talk,
}

impl Dispatcher for Door {
    fn writable(&self) -> bool {
        false
    }

    fn handle_read(&mut self, reactor: &mut Reactor, _: Key) {
        match self.socket.accept_nonblocking() {
            Ok((socket, peer)) => {
                self.talk.line(reactor, format_args!("connection from {peer}"));
                let (talk, waiting) = (self.talk.clone(), Vec::new());
                let echo = Echo { socket, peer, talk, waiting };
                if let Err(error) = reactor.dispatch(echo) {
                    self.talk.fail(reactor, error);
                }
            }
            // It has gone again, or another process took it.
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {
            }
            Err(error) => self.talk.fail(reactor, error),
        }
    }
}

struct Echo {
    socket: Socket,
    peer: Addr,
    talk: Talk,
    waiting: Vec<u8>,
}

impl Echo {
    /// What goes wrong with a client, as a reset, ends its own conversation: never the server.
    fn lose(&self, reactor: &mut Reactor, key: Key, error: io::Error) {
        if error.kind() != ErrorKind::WouldBlock {
            self.talk.line(reactor, format_args!("{}: {error}", self.peer));
            self.talk.line(reactor, format_args!("closing {}", self.peer));
            reactor.remove(key);
        }
    }
}

impl Dispatcher for Echo {
    // A socket is nearly always writable: said without need, the loop would never rest.
    fn writable(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn handle_read(&mut self, reactor: &mut Reactor, key: Key) {
        let mut buffer = [0; 1024];
        match self.socket.recv(&mut buffer) {
            Ok(0) => {
                self.talk.line(reactor, format_args!("closing {}", self.peer));
                reactor.remove(key);
            }
            Ok(n) => {
                let text = Text(&buffer[..n]);
                self.talk.line(reactor, format_args!("received {text} from {}", self.peer));
                self.waiting.extend_from_slice(&buffer[..n]);
            }
            Err(error) => self.lose(reactor, key, error),
        }
    }

    fn handle_write(&mut self, reactor: &mut Reactor, key: Key) {
        self.talk.line(reactor, format_args!("sending {} to {}", Text(&self.waiting), self.peer));
        match self.socket.send(&self.waiting) {
            Ok(n) => drop(self.waiting.drain(..n)),
            Err(error) => self.lose(reactor, key, error),
        }
    }
}
// ANCHOR_END: dispatchers

/// Sends one message, and ends the program when the echo is there.
struct Asker {
    socket: Socket,
    talk: Talk,
    waiting: &'static [u8],
}

impl Dispatcher for Asker {
    fn writable(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn handle_write(&mut self, reactor: &mut Reactor, _: Key) {
        self.talk.line(reactor, format_args!("sending {}", Text(self.waiting)));
        match self.socket.send(self.waiting) {
            Ok(n) => self.waiting = &self.waiting[n..],
            Err(error) => self.talk.fail(reactor, error),
        }
    }

    fn handle_read(&mut self, reactor: &mut Reactor, _: Key) {
        let mut buffer = [0; 1024];
        match self.socket.recv(&mut buffer) {
            Ok(0) => reactor.stop(),
            Ok(n) => {
                self.talk.line(reactor, format_args!("received {}", Text(&buffer[..n])));
                // The server then reads the end of the stream, and closes: that is our end, too.
                if let Err(error) = self.socket.shutdown(Shutdown::Write) {
                    self.talk.fail(reactor, error);
                }
            }
            Err(error) => self.talk.fail(reactor, error),
        }
    }
}

macro_rules! as_fd {
    ($($Name:ident)*) => {
        $(impl AsFd for $Name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.socket.as_fd()
            }
        })*
    };
}
as_fd!(Door Echo Asker);

fn run(arguments: &LoopArguments) -> io::Result<()> {
    let mut reactor = arguments.reactor()?;
    let talk = Talk::new(Say::with_prefix("server | "));

    let door = Socket::new(Domain::INET, Type::STREAM, None)?;
    door.set_nonblocking(true)?;
    door.bind((Ipv4Addr::LOCALHOST, 0))?;
    door.listen(10)?;
    let address = door.local_addr()?;
    talk.line(&mut reactor, format_args!("listening on {address}"));
    reactor.dispatch(Door { socket: door, talk: talk.clone() })?;

    // A client that goes with a reset, before it has said anything.
    let rude = Socket::new(Domain::INET, Type::STREAM, None)?;
    rude.connect(&address)?;
    sockopt::set(&rude, SoLinger, Linger::Abort)?;
    drop(rude);

    let socket = Socket::new(Domain::INET, Type::STREAM, None)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    let client = talk.with_prefix("client | ");
    reactor.dispatch(Asker { socket, talk: client, waiting: b"This is the message" })?;
    talk.run(&mut reactor)
}
