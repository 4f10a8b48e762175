//! A protocol's way to its connection, and to the reactor.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::Reactor;
use super::connection::Connection;
use super::source::Kind;
use crate::addr::Addr;
use crate::slab::Key;

/// A connection, to write to and to end: what a [`Protocol`](super::Protocol) is handed, and what [`Reactor::transport`] finds by key.
///
/// Nothing here calls a protocol: what follows from a call is told when the present callback is over. After the connection has been
/// closed or lost, calls do nothing.
///
/// It is an [`AsFd`]: options are read and set with [`sockopt`](crate::sockopt), as in `sockopt::set(transport, NoDelay, true)`. The
/// reading is the reactor's, which wants three things left alone: urgent data comes in its place with
/// [`OobInline`](crate::sockopt::OobInline), and is otherwise passed over (taken with MSG_OOB, it would hide what follows it); messages of
/// the queue of errors, as of timestamps of what is sent, are thrown away; a protocol of messages on the stream
/// ([`Ulp`](crate::sockopt::tcp::Ulp)), other than TLS, needs [`watch`](Reactor::watch).
pub struct Transport<'a> {
    reactor: &'a mut Reactor,
    key: Key,
    /// What was changed is settled when the callback is over, that this one was made for.
    in_callback: bool,
}

impl<'a> Transport<'a> {
    /// Of a connection that is there.
    pub(super) fn new(reactor: &'a mut Reactor, key: Key) -> Transport<'a> {
        Transport { reactor, key, in_callback: false }
    }

    /// The same, for a callback of its own, after which the connection is settled in any case: not at each change.
    pub(super) fn in_callback(reactor: &'a mut Reactor, key: Key) -> Transport<'a> {
        Transport { reactor, key, in_callback: true }
    }

    fn connection(&self) -> Option<&Connection> {
        match &self.reactor.sources.get(self.key)?.kind {
            Kind::Connection(connection) => Some(connection),
            _ => None,
        }
    }

    #[inline]
    fn change(&mut self, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.reactor.connection(self.key) {
            change(connection);
            if !self.in_callback {
                self.reactor.settle(self.key);
            }
        }
    }

    /// The name of the connection: for [`Reactor::transport`], from another callback.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// The reactor: to set a timer, to connect elsewhere, to reach another connection, to stop.
    pub fn reactor(&mut self) -> &mut Reactor {
        self.reactor
    }

    /// Sends the bytes after all that were written before. What the kernel does not take at once is queued.
    ///
    /// The queue has no end: who writes more than a peer reads asks [`queued`](Transport::queued), or heeds
    /// [`pause_writing`](super::Protocol::pause_writing). After a reset nothing is sent any more; what came before it is still told, and then
    /// [`Lost::Reset`](super::Lost::Reset).
    pub fn write(&mut self, bytes: &[u8]) {
        self.change(|connection| connection.write(bytes));
    }

    /// How many bytes are queued.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.connection().map_or(0, Connection::queued)
    }

    /// Sets the marks of the queue: [`pause_writing`](super::Protocol::pause_writing) is called above `high` bytes,
    /// [`resume_writing`](super::Protocol::resume_writing) then at `low`. 16 KiB and 64 KiB unless set.
    pub fn set_marks(&mut self, low: usize, high: usize) {
        self.change(|connection| connection.set_marks(low, high));
    }

    /// Closes the connection in order: what is queued is sent, then the peer is told, and what it still sends is thrown away until it has
    /// closed too, for a second or 64 MiB at most. (To close with input unread would be a reset, and could destroy what was sent.)
    ///
    /// That what is queued is sent has no limit in time: a peer that does not read keeps the connection. Who wants one keeps the
    /// [`key`](Transport::key), and has a [timer](Reactor::call_later) call [`Reactor::remove`]. [`Reactor::transport`] does not find it any more.
    pub fn close(&mut self) {
        self.change(Connection::close);
    }

    /// Ends the writing half, after what is queued: the peer reads end of stream and may still send. shutdown(2) with SHUT_WR.
    pub fn close_write(&mut self) {
        self.change(Connection::close_write);
    }

    /// Ends the connection with a reset, and drops what is queued: the peer gets `ECONNRESET`. (A Unix peer reads end of stream.)
    pub fn abort(&mut self) {
        self.change(Connection::abort);
    }

    /// Whether what is written now goes nowhere: it was closed, aborted or lost, or a write has found a reset.
    ///
    /// After such a write there may be data still, from before the reset: it comes, and then
    /// [`connection_lost`](super::Protocol::connection_lost). After [`close_write`](Transport::close_write) alone this is `false`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.connection().is_none_or(Connection::is_closing)
    }

    /// Whether nothing more is to be told of it but the end.
    pub(super) fn is_over(&self) -> bool {
        self.connection().is_none_or(Connection::is_over)
    }

    /// Receives nothing until [`resume_reading`](Transport::resume_reading): the kernel's buffer fills, and the peer has to wait. That the
    /// connection has ended is not noticed meanwhile, either. Where a write finds a reset and the kernel still holds data, the connection
    /// stays until this was read.
    pub fn pause_reading(&mut self) {
        self.change(Connection::pause_reading);
    }

    /// Receives again.
    pub fn resume_reading(&mut self) {
        self.change(Connection::resume_reading);
    }

    /// Whether reading is paused.
    #[must_use]
    pub fn is_reading_paused(&self) -> bool {
        self.connection().is_some_and(Connection::is_reading_paused)
    }

    /// Our own address: getsockname(2).
    ///
    /// # Errors
    ///
    /// As [`Socket::local_addr`](crate::Socket::local_addr).
    pub fn local_addr(&self) -> io::Result<Addr> {
        self.connection().ok_or_else(gone)?.socket.local_addr()
    }

    /// The peer's address: getpeername(2).
    ///
    /// # Errors
    ///
    /// - `ENOTCONN`: the peer has reset the connection: the kernel no longer knows.
    pub fn peer_addr(&self) -> io::Result<Addr> {
        self.connection().ok_or_else(gone)?.socket.peer_addr()
    }
}

fn gone() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOTCONN)
}

impl AsFd for Transport<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let socket = self.connection().map(|connection| connection.socket.as_fd());
        // A callback's transport outlives no connection; this is for completeness.
        socket.unwrap_or_else(|| self.reactor.shared.waker())
    }
}

impl fmt::Debug for Transport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("key", &self.key)
            .field("socket", &self.connection().map(|connection| &connection.socket))
            .finish_non_exhaustive()
    }
}
