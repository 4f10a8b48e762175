//! Listeners: taking connections in, a few in each pass, and what to do where the system has no descriptor for the next.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::connection::Connection;
use super::protocol::Protocol;
use super::source::Kind;
use super::{Problem, Reactor};
use crate::accept::{Verdict, verdict};
use crate::addr::Addr;
use crate::poll::Events;
use crate::slab::Key;
use crate::socket::Socket;
use crate::sockopt::{self, AcceptConn, ReuseAddr, SoType};
use crate::{Domain, Type};

/// How many connections a listener may bring in one pass: the others wait, and so do not keep those that are there waiting.
const AT_ONCE: usize = 64;
const BACKLOG: i32 = 1024;
/// How long a listener rests after the system had no descriptor or memory left: at first, and at most.
const REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_secs(1);

type Factory = Box<dyn FnMut(&Addr) -> Box<dyn Protocol>>;

pub(super) struct Listening {
    pub(super) socket: Socket,
    /// None while it is at work.
    factory: Option<Factory>,
    resting: bool,
    rest: Duration,
}

impl Listening {
    pub(super) fn interest(&self) -> Events {
        if self.resting { Events::empty() } else { Events::IN }
    }
}

impl Reactor {
    /// Listens at an address, TCP's or a Unix socket's, and has `protocol` make a protocol for each connection, from its peer's address.
    ///
    /// SO_REUSEADDR is set, so that a server can be started again at once. Port 0 lets the system choose: [`local_addr`](Reactor::local_addr)
    /// tells. The file of a Unix socket is the caller's to remove. For other options make the socket yourself:
    /// [`listen_on`](Reactor::listen_on).
    ///
    /// Where the system has no descriptor left, clients wait: the listener rests a little, longer each time, and
    /// [`on_problem`](Reactor::on_problem) is told. A spare descriptor lets one in even so.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::bind`] and [`Socket::listen`].
    pub fn listen<P: Protocol + 'static>(
        &mut self,
        addr: impl Into<Addr>,
        protocol: impl FnMut(&Addr) -> P + 'static,
    ) -> io::Result<Key> {
        let addr = addr.into();
        let socket = Socket::new(addr.domain(), Type::STREAM, None)?;
        if addr.domain() != Domain::UNIX {
            sockopt::set(&socket, ReuseAddr, true)?;
        }
        socket.bind(addr)?;
        socket.listen(BACKLOG)?;
        self.listen_on(socket, protocol)
    }

    /// As [`listen`](Reactor::listen), on a socket that listens already. It is made non-blocking.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): it does not listen, or for something else than streams. `ENOTSOCK`: it is no
    ///   socket.
    /// - Those of [`Socket::set_nonblocking`], and of the backend.
    pub fn listen_on<P: Protocol + 'static>(
        &mut self,
        socket: Socket,
        mut protocol: impl FnMut(&Addr) -> P + 'static,
    ) -> io::Result<Key> {
        if !sockopt::get(&socket, AcceptConn)? {
            let text = "the socket does not listen: call its listen first";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        if sockopt::get(&socket, SoType)? != Type::STREAM {
            let text = "the socket is of messages: listen on one of Type::STREAM";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        socket.set_nonblocking(true)?;
        let factory: Factory = Box::new(move |peer| Box::new(protocol(peer)));
        let (factory, rest) = (Some(factory), Duration::ZERO);
        self.insert(Kind::Listener(Box::new(Listening { socket, factory, resting: false, rest })))
    }

    fn listening(&mut self, key: Key) -> Option<&mut Listening> {
        match &mut self.sources.get_mut(key)?.kind {
            Kind::Listener(listening) => Some(listening),
            _ => None,
        }
    }

    pub(super) fn listener_ready(&mut self, key: Key, events: Events) {
        if events.contains(Events::NVAL) {
            return self.give_up(key, io::Error::from_raw_os_error(libc::EBADF));
        }
        for _ in 0..AT_ONCE {
            // A callback may have removed it.
            let Some(listening) = self.listening(key) else { return };
            match listening.socket.accept_nonblocking() {
                Ok((socket, peer)) => self.accepted(key, socket, &peer),
                // The reserve may have been given away for a client that was not there.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.reserve.restore();
                }
                Err(error) => match verdict(&error) {
                    Verdict::GoOn => {}
                    Verdict::BackOff { descriptors } => {
                        if !(descriptors && self.reserve.release()) {
                            return self.rest(key, error);
                        }
                    }
                    Verdict::GiveUp => return self.give_up(key, error),
                },
            }
        }
    }

    fn accepted(&mut self, key: Key, socket: Socket, peer: &Addr) {
        self.reserve.restore();
        let Some(listening) = self.listening(key) else { return };
        listening.rest = Duration::ZERO;
        let Some(mut factory) = listening.factory.take() else { return };
        let made = self.contain(Some(key), |_| factory(peer));
        if let Some(listening) = self.listening(key) {
            listening.factory = Some(factory);
        }
        let Some(protocol) = made else { return };
        match self.insert(Kind::Connection(Connection::new(socket, protocol))) {
            // Told at once: nothing else is at work.
            Ok(connection) => self.attend(connection),
            Err(error) => self.tell(Problem::Accept { listener: key, error }),
        }
    }

    fn rest(&mut self, key: Key, error: io::Error) {
        let Some(listening) = self.listening(key) else { return };
        listening.resting = true;
        listening.rest = (listening.rest * 2).clamp(REST, LONGEST_REST);
        let rest = listening.rest;
        self.call_later(rest, move |reactor| reactor.rested(key));
        self.settle(key);
        self.tell(Problem::Accept { listener: key, error });
    }

    fn rested(&mut self, key: Key) {
        if let Some(listening) = self.listening(key) {
            listening.resting = false;
            self.settle(key);
        }
    }
}
