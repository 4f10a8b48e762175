//! The echo server on mio, by its documentation: edge-triggered, registered once, and read until there is nothing left.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::{Outcome, announce, listener};

const LISTENER: Token = Token(usize::MAX);
/// As many events as ours takes at once.
const AT_ONCE: usize = 1024;

struct Connection {
    stream: TcpStream,
    /// What the peer has not taken yet: nothing is read until it has.
    rest: Vec<u8>,
}

pub(super) fn serve() -> Outcome<Infallible> {
    let mut listener = TcpListener::from_std(listener()?);
    announce(listener.local_addr()?)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(AT_ONCE);
    let mut connections: Slab<Connection> = Slab::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if event.token() == LISTENER {
                take_in(&listener, &poll, &mut connections)?;
                continue;
            }
            let Token(key) = event.token();
            let Some(connection) = connections.get_mut(key) else { continue };
            // A short read is the end of what there was, but not where the peer has ended, too: then that is still to be read.
            if connection.echo(&mut buffer, event.is_read_closed()).is_err() {
                connections.remove(key);
            }
        }
    }
}

fn take_in(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut Slab<Connection>,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        let entry = connections.vacant_entry();
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(entry.key()), both)?;
        entry.insert(Connection { stream, rest: Vec::new() });
    }
}

impl Connection {
    /// Does what can be done; an error when it is over.
    fn echo(&mut self, buffer: &mut [u8], ended: bool) -> io::Result<()> {
        loop {
            if !self.rest.is_empty() && !self.flush()? {
                return Ok(());
            }
            let n = match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let sent = match self.stream.write(&buffer[..n]) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            self.rest.extend_from_slice(&buffer[sent..n]);
            if n < buffer.len() && self.rest.is_empty() && !ended {
                return Ok(());
            }
        }
    }

    /// Whether all of it is sent.
    fn flush(&mut self) -> io::Result<bool> {
        match self.stream.write(&self.rest) {
            Ok(sent) => {
                self.rest.drain(..sent);
                Ok(self.rest.is_empty())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}
