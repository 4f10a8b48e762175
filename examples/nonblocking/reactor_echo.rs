//! The notes' echo server once more, on an event loop: no sets, no queues, only what is to happen.
//!
//! ```text
//! cargo run --example reactor_echo -- --listen 127.0.0.1:10001 --backend select
//! cargo run --example select_echo_client -- --connect 127.0.0.1:10001     # in a second terminal
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::process::ExitCode;

use readysock::reactor::{Lost, Protocol, Reactor, Transport};
use readysock::{Addr, Socket};

use self::common::{Talk, Text};

fn main() -> ExitCode {
    common::looping_server("An echo server on an event loop", serve)
}

// ANCHOR: echo
struct Echo {
    peer: Addr,
    talk: Talk,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.talk.line(transport.reactor(), format_args!("connection from {}", self.peer));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        let (text, peer) = (Text(data), &self.peer);
        self.talk.line(transport.reactor(), format_args!("received {text} from {peer}"));
        self.talk.line(transport.reactor(), format_args!("sending {text} to {peer}"));
        transport.write(data);
    }

    // The client that sends and does not read: no more is taken from it than it takes itself.
    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        transport.pause_reading();
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        transport.resume_reading();
    }

    fn connection_lost(&mut self, reactor: &mut Reactor, why: Lost) {
        match why {
            Lost::Closed => {}
            Lost::Dropped => return, // The program ends, and with it everything.
            _ => self.talk.problem(format_args!("{}: {why}", self.peer)),
        }
        self.talk.line(reactor, format_args!("closing {}", self.peer));
    }
}

fn serve(reactor: &mut Reactor, listener: Socket, talk: Talk) -> io::Result<()> {
    reactor.listen_on(listener, move |peer| Echo { peer: peer.clone(), talk: talk.clone() })?;
    Ok(())
}
// ANCHOR_END: echo
