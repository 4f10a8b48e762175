//! Connecting: one address after the other, without waiting, until one answers or the time is over.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::connection::Connection;
use super::protocol::Protocol;
use super::source::Kind;
use super::{Reactor, Timer};
use crate::Type;
use crate::addr::Addr;
use crate::poll::Events;
use crate::slab::Key;
use crate::socket::Socket;

/// How long until a Unix listener whose queue is full is asked again: at first, and at most.
const AGAIN: Duration = Duration::from_millis(1);
const LATEST: Duration = Duration::from_millis(50);

pub(super) struct Connecting {
    /// The one that is tried, and those to be tried after it.
    addrs: VecDeque<Addr>,
    /// There while the kernel is at it.
    socket: Option<Socket>,
    protocol: Option<Box<dyn Protocol>>,
    deadline: Option<Timer>,
    again: Duration,
    /// Why it failed.
    failed: Option<io::Error>,
}

impl Connecting {
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn interest(&self) -> Events {
        if self.socket.is_some() && self.failed.is_none() { Events::OUT } else { Events::empty() }
    }

    pub(super) fn is_due(&self) -> bool {
        self.failed.is_some()
    }
}

impl Reactor {
    /// Connects to the first of these addresses that answers, within `timeout` for all of them together (`None`: as long as it takes).
    ///
    /// The outcome is told to the protocol, later: [`connection_made`](Protocol::connection_made) or
    /// [`connect_failed`](Protocol::connect_failed). The key is that of the connection; [`remove`](Reactor::remove) gives the attempt up.
    ///
    /// Names are not looked up here, for that blocks: `std::net::ToSocketAddrs` gives the addresses of one.
    ///
    /// ```
    /// use readysock::reactor::{Backend, Protocol, Reactor, Transport};
    /// use std::time::Duration;
    ///
    /// struct Hello;
    /// impl Protocol for Hello {
    ///     fn connection_made(&mut self, transport: &mut Transport<'_>) {
    ///         transport.write(b"hello");
    ///     }
    ///     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
    ///         assert_eq!(data, b"hello");
    ///         transport.reactor().stop();
    ///     }
    /// }
    ///
    /// let mut reactor = Reactor::new(Backend::Poll)?;
    /// let listener = reactor.listen(([127, 0, 0, 1], 0), |_| |t: &mut Transport<'_>, data: &[u8]| t.write(data))?;
    /// let addr = reactor.local_addr(listener)?;
    /// reactor.connect([addr], Duration::from_secs(5), Hello)?;
    /// reactor.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](ErrorKind::InvalidInput): no address.
    pub fn connect<A: Into<Addr>>(
        &mut self,
        addrs: impl IntoIterator<Item = A>,
        timeout: impl Into<Option<Duration>>,
        protocol: impl Protocol + 'static,
    ) -> io::Result<Key> {
        let addrs: VecDeque<Addr> = addrs.into_iter().map(Into::into).collect();
        if addrs.is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "no address: name one at least"));
        }
        let key = self.insert(Kind::Connecting(Box::new(Connecting {
            addrs,
            socket: None,
            protocol: Some(Box::new(protocol)),
            deadline: None,
            again: AGAIN,
            failed: None,
        })))?;
        if let Some(timeout) = timeout.into() {
            let deadline = self.call_later(timeout, move |reactor| {
                let text = "not connected within the time given";
                reactor.connect_fails(key, io::Error::new(ErrorKind::TimedOut, text));
            });
            if let Some(connecting) = self.connecting(key) {
                connecting.deadline = Some(deadline);
            }
        }
        self.connect_next(key);
        Ok(key)
    }

    fn connecting(&mut self, key: Key) -> Option<&mut Connecting> {
        match &mut self.sources.get_mut(key)?.kind {
            Kind::Connecting(connecting) => Some(connecting),
            _ => None,
        }
    }

    /// Begins with the first address that is left and does not fail at once.
    fn connect_next(&mut self, key: Key) {
        loop {
            let Some(connecting) = self.connecting(key) else { return };
            let Some(addr) = connecting.addrs.front() else { return };
            let begun = Socket::new(addr.domain(), Type::STREAM, None).and_then(|socket| {
                socket.set_nonblocking(true)?;
                Ok((socket.connect(addr), socket))
            });
            let error = match begun {
                Ok((Ok(()), socket)) => {
                    connecting.socket = Some(socket);
                    return self.connected(key);
                }
                Ok((Err(error), socket)) => match error.raw_os_error() {
                    Some(libc::EINPROGRESS) => {
                        connecting.socket = Some(socket);
                        return self.settle(key);
                    }
                    // A Unix listener's queue is full, and no descriptor tells when it no longer is.
                    Some(libc::EAGAIN) if addr.as_unix().is_some() => {
                        let again = connecting.again;
                        connecting.again = (again * 2).min(LATEST);
                        self.call_later(again, move |reactor| reactor.connect_next(key));
                        return;
                    }
                    _ => error,
                },
                Err(error) => error,
            };
            if !self.connect_fails_here(key, error) {
                return;
            }
        }
    }

    /// This address is none. Whether there is another one to try.
    fn connect_fails_here(&mut self, key: Key, error: io::Error) -> bool {
        self.disarm(key);
        let Some(connecting) = self.connecting(key) else { return false };
        connecting.socket = None;
        connecting.addrs.pop_front();
        if connecting.addrs.is_empty() {
            self.connect_fails(key, error);
            return false;
        }
        true
    }

    /// None of them is.
    pub(super) fn connect_fails(&mut self, key: Key, error: io::Error) {
        self.disarm(key);
        let Some(connecting) = self.connecting(key) else { return };
        connecting.socket = None;
        connecting.addrs.clear();
        connecting.failed.get_or_insert(error);
        self.settle(key);
    }

    pub(super) fn connecting_ready(&mut self, key: Key) {
        let Some(connecting) = self.connecting(key) else { return };
        let Some(socket) = &connecting.socket else { return };
        // The one place that asks for the error, for it is told once. If somebody else has taken it, that there is no peer still tells.
        let outcome = match socket.take_error() {
            Ok(None) => socket.peer_addr().map(drop),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => self.connected(key),
            Err(error) => {
                if self.connect_fails_here(key, error) {
                    self.connect_next(key);
                }
            }
        }
    }

    /// From here on it is a connection, which the protocol is told when nothing else is at work.
    fn connected(&mut self, key: Key) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let Kind::Connecting(connecting) = &mut source.kind else { return };
        let (Some(socket), Some(protocol)) = (connecting.socket.take(), connecting.protocol.take())
        else {
            return;
        };
        let deadline = connecting.deadline;
        source.kind = Kind::Connection(Connection::new(socket, protocol));
        if let Some(deadline) = deadline {
            self.cancel(deadline);
        }
        self.settle(key);
    }

    /// Tells the protocol that there will be no connection.
    pub(super) fn attend_connecting(&mut self, key: Key) {
        let Some(connecting) = self.connecting(key) else { return };
        let Some(error) = connecting.failed.take() else { return };
        let (protocol, deadline) = (connecting.protocol.take(), connecting.deadline);
        self.let_go(key);
        if let Some(deadline) = deadline {
            self.cancel(deadline);
        }
        if let Some(mut protocol) = protocol {
            self.contain(None, |reactor| protocol.connect_failed(reactor, error));
            self.contain(None, |_| drop(protocol));
        }
    }
}
