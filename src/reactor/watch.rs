//! Everything that can be polled and is no connection: any source with a callback, and datagrams.

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};

use super::Reactor;
use super::source::Kind;
use crate::Type;
use crate::accept::{Verdict, datagram_verdict};
use crate::addr::Addr;
use crate::poll::Events;
use crate::slab::Key;
use crate::socket::Socket;

/// How many datagrams a socket may bring in one pass.
const AT_ONCE: usize = 64;

/// What an event of a source leads to. The first argument is its key.
type Callback<S> = Box<dyn FnMut(&mut Reactor, Key, &S, Events)>;

/// A source, and what is to be done when it is ready.
pub(super) trait Watched {
    fn fd(&self) -> BorrowedFd<'_>;
    fn ready(&mut self, reactor: &mut Reactor, key: Key, events: Events);
    /// What it wants to be watched for, if it is to be asked before each wait.
    fn wants(&self) -> Option<Events> {
        None
    }
}

struct Called<S> {
    source: S,
    callback: Callback<S>,
}

impl<S: AsFd> Watched for Called<S> {
    fn fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    fn ready(&mut self, reactor: &mut Reactor, key: Key, events: Events) {
        (self.callback)(reactor, key, &self.source, events);
    }
}

/// A datagram as [`Reactor::datagrams`] hands it on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Packet<'a> {
    /// What was sent. May be empty: a datagram without bytes is one.
    pub bytes: &'a [u8],
    /// Whether it was longer than 64 KiB: then the rest is lost.
    pub truncated: bool,
    /// Who sent it. A Unix sender that is not bound is unnamed, and cannot be answered.
    pub sender: &'a Addr,
    /// The socket it came to: answer with [`send_to`](Socket::send_to). It does not block.
    pub socket: &'a Socket,
}

impl Reactor {
    /// Watches any source for events, of `IN`, `OUT` and `PRI`, and calls back when it has one; for none where they are empty.
    ///
    /// The source is the reactor's until it is [removed](Reactor::remove). `HUP`, `ERR` and `NVAL` are reported unasked where the backend
    /// knows them; after `NVAL` (the descriptor is not open, or epoll needed a new instance and could not watch it there) the source is gone. A source that is ready and left so is reported again in each pass.
    ///
    /// ```
    /// use readysock::{Domain, Events, Socket, Type, reactor::{Backend, Reactor}};
    ///
    /// let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    /// near.send_all(b"x")?;
    /// let mut reactor = Reactor::new(Backend::Poll)?;
    /// reactor.watch(far, Events::IN, |reactor, key, far, _| {
    ///     assert_eq!(far.recv(&mut [0; 8]).expect("it is there"), 1);
    ///     reactor.remove(key);
    ///     reactor.stop();
    /// })?;
    /// reactor.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `EBADF`: a negative descriptor. One that is not open otherwise is told with `NVAL`.
    /// - Of the epoll backend: `EPERM` for a regular file; `EEXIST` where this descriptor is watched already, by a source that was not
    ///   removed and has events; `ENOSPC`.
    pub fn watch<S: AsFd + 'static>(
        &mut self,
        source: S,
        events: Events,
        callback: impl FnMut(&mut Reactor, Key, &S, Events) + 'static,
    ) -> io::Result<Key> {
        let source = Box::new(Called { source, callback: Box::new(callback) });
        self.insert(Kind::Watch { watched: Some(source), events })
    }

    /// Watches a source of [`watch`](Reactor::watch) for other events; `false` if there is none of this key.
    pub fn set_events(&mut self, key: Key, events: Events) -> bool {
        match self.sources.get_mut(key).map(|source| &mut source.kind) {
            Some(Kind::Watch { events: place, .. }) => *place = events,
            _ => return false,
        }
        self.settle(key);
        true
    }

    /// Binds a datagram socket, UDP's or Unix, and calls back with each datagram.
    ///
    /// ```
    /// use readysock::reactor::{Backend, Packet, Reactor};
    /// use std::net::UdpSocket;
    ///
    /// let mut reactor = Reactor::new(Backend::Poll)?;
    /// let key = reactor.datagrams(([127, 0, 0, 1], 0), |reactor, _, packet: &Packet<'_>| {
    ///     assert_eq!(packet.bytes, b"hello");
    ///     reactor.stop();
    /// })?;
    /// let client = UdpSocket::bind("127.0.0.1:0")?;
    /// client.send_to(b"hello", reactor.local_addr(key)?.as_internet().unwrap())?;
    /// reactor.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Socket::bind`].
    pub fn datagrams(
        &mut self,
        addr: impl Into<Addr>,
        mut callback: impl FnMut(&mut Reactor, Key, &Packet<'_>) + 'static,
    ) -> io::Result<Key> {
        let addr = addr.into();
        let socket = Socket::new(addr.domain(), Type::DGRAM, None)?;
        socket.bind(addr)?;
        socket.set_nonblocking(true)?;
        self.watch(socket, Events::IN, move |reactor, key, socket, _| {
            reactor.receive(key, socket, &mut callback);
        })
    }

    /// Takes in what has come, but so much only that others have their turn.
    fn receive(
        &mut self,
        key: Key,
        socket: &Socket,
        callback: &mut impl FnMut(&mut Reactor, Key, &Packet<'_>),
    ) {
        for _ in 0..AT_ONCE {
            // The callback may have removed it, or have it rest.
            let source = self.sources.get(key);
            if !source.is_some_and(|source| source.interest().contains(Events::IN)) {
                return;
            }
            let mut buffer = mem::take(&mut self.buffer);
            let received = socket.recv_from(&mut buffer);
            if let Ok((n, truncated, sender)) = &received {
                let bytes = buffer.get(..*n).unwrap_or_default();
                let packet = Packet { bytes, truncated: *truncated, sender, socket };
                // A panic must not take the memory with it.
                self.contain(Some(key), |reactor| callback(reactor, key, &packet));
            }
            self.buffer = buffer;
            match received {
                Ok(_) => {}
                // What else made it ready would do so again and again: what it was told to put into its queue of errors.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return socket.drop_queued_errors();
                }
                Err(error) => match datagram_verdict(&error) {
                    // Nobody listened for an earlier answer, say. It comes once, and the socket goes on.
                    Verdict::GoOn => {}
                    Verdict::BackOff { .. } => return,
                    Verdict::GiveUp => return self.give_up(key, error),
                },
            }
        }
    }

    pub(super) fn watch_ready(&mut self, key: Key, found: Events) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let Kind::Watch { watched: place, events } = &mut source.kind else { return };
        // A callback before this one may have asked for other events, or for none.
        let found = found & (*events | Events::ERR | Events::HUP | Events::NVAL);
        if events.is_empty() || found.is_empty() {
            return;
        }
        let Some(mut watched) = place.take() else { return };
        self.contain(Some(key), |reactor| watched.ready(reactor, key, found));
        match self.sources.get_mut(key).map(|source| &mut source.kind) {
            Some(Kind::Watch { watched: place, .. }) => *place = Some(watched),
            // It was removed meanwhile.
            _ => return self.contain(None, |_| drop(watched)).unwrap_or_default(),
        }
        if found.contains(Events::NVAL) {
            self.let_go(key);
        }
        self.settle(key);
    }
}
