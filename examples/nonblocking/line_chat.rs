//! A chat of lines, the notes' asynchat: what one client types, all others read.
//!
//! ```text
//! cargo run --example line_chat -- --listen 127.0.0.1:10001
//! nc 127.0.0.1 10001     # in a second terminal, and in a third: type there
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use readysock::reactor::line::{LineProtocol, LineTransport, Lines};
use readysock::reactor::{Lost, Reactor};
use readysock::{Addr, Key, Socket};

use self::common::{Talk, Text};

fn main() -> ExitCode {
    common::looping_server("A chat of lines", serve)
}

/// Who reads slower than the others write is cut off at this many bytes.
const MOST_OWED: usize = 1 << 20;

// ANCHOR: chat
/// Everybody who is here. One thread: no lock.
type Room = Rc<RefCell<HashSet<Key>>>;

struct Guest {
    peer: Addr,
    key: Option<Key>,
    room: Room,
    talk: Talk,
}

impl Guest {
    fn tell_others(&self, reactor: &mut Reactor, line: &str) {
        self.talk.line(reactor, line);
        let others: Vec<Key> = self.room.borrow().iter().copied().collect();
        for key in others.into_iter().filter(|key| Some(*key) != self.key) {
            // A guest who has just left is no longer there to be written to.
            if let Some(mut transport) = reactor.transport(key) {
                transport.write(format!("{line}\n").as_bytes());
                if transport.queued() > MOST_OWED {
                    transport.abort();
                }
            }
        }
    }
}

impl LineProtocol for Guest {
    fn connection_made(&mut self, transport: &mut LineTransport<'_, '_>) {
        self.key = Some(transport.key());
        self.room.borrow_mut().insert(transport.key());
        self.tell_others(transport.reactor(), &format!("{} has come", self.peer));
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
        // A terminal's CR LF, and nc's LF alone: both are lines.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = format!("{}: {}", self.peer, Text(line));
        self.tell_others(transport.reactor(), &line);
    }

    fn connection_lost(&mut self, reactor: &mut Reactor, why: Lost) {
        if matches!(why, Lost::Dropped) {
            return; // The program ends, and with it everything.
        }
        self.room.borrow_mut().retain(|key| Some(*key) != self.key);
        self.tell_others(reactor, &format!("{} has gone", self.peer));
    }
}

fn serve(reactor: &mut Reactor, listener: Socket, talk: Talk) -> io::Result<()> {
    let room = Room::default();
    reactor.listen_on(listener, move |peer| {
        let (peer, room, talk) = (peer.clone(), Rc::clone(&room), talk.clone());
        Lines::new(Guest { peer, key: None, room, talk }).ended_by(b"\n").longest(1000)
    })?;
    Ok(())
}
// ANCHOR_END: chat
