//! The notes' asyncore: sources that are asked before each wait what they want.

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};

use super::Reactor;
use super::source::Kind;
use super::watch::Watched;
use crate::poll::Events;
use crate::slab::Key;

/// Asyncore's dispatcher: a source that says before each wait what it wants, and is told what it can do.
///
/// ```
/// use readysock::reactor::{Backend, Dispatcher, Reactor};
/// use readysock::{Domain, Key, Socket, Type};
/// use std::os::fd::{AsFd, BorrowedFd};
///
/// struct Sender { socket: Socket, left: &'static [u8] }
///
/// impl AsFd for Sender {
///     fn as_fd(&self) -> BorrowedFd<'_> {
///         self.socket.as_fd()
///     }
/// }
///
/// impl Dispatcher for Sender {
///     fn readable(&self) -> bool {
///         false
///     }
///     fn writable(&self) -> bool {
///         !self.left.is_empty()
///     }
///     fn handle_write(&mut self, reactor: &mut Reactor, _: Key) {
///         let n = self.socket.send(self.left).expect("room");
///         self.left = &self.left[n..];
///         reactor.stop();
///     }
/// }
///
/// let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
/// let mut reactor = Reactor::new(Backend::Select)?;
/// reactor.dispatch(Sender { socket: near, left: b"hello" })?;
/// reactor.run()?;
/// assert_eq!(far.recv(&mut [0; 8])?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Dispatcher: AsFd {
    /// Whether [`handle_read`](Dispatcher::handle_read) is wanted. Yes, unless it says otherwise.
    fn readable(&self) -> bool {
        true
    }

    /// Whether [`handle_write`](Dispatcher::handle_write) is wanted. Yes, unless it says otherwise: mostly it should.
    fn writable(&self) -> bool {
        true
    }

    /// It can be read, or accepted from; the end of a stream or an error counts.
    fn handle_read(&mut self, reactor: &mut Reactor, key: Key) {
        let (_, _) = (reactor, key);
    }

    /// It can be written, or a connect has ended.
    fn handle_write(&mut self, reactor: &mut Reactor, key: Key) {
        let (_, _) = (reactor, key);
    }

    /// Urgent data, which is watched for where one of the two is wanted. It is told in each pass until it is taken: a TCP socket's by
    /// recv(2) with MSG_OOB, or by a read that goes past its place.
    ///
    /// What stands here unless it says otherwise handles none: from the first time on, this source is not watched for urgent data any
    /// more. (A peer could keep the loop busy with one byte.)
    fn handle_except(&mut self, reactor: &mut Reactor, key: Key) {
        reactor.handles_no_urgent_data(key);
    }

    /// Its descriptor is not open any more; it was removed.
    ///
    /// epoll does not report that by itself: there it is told where this source wants something else than before, or not at all.
    fn handle_close(&mut self, reactor: &mut Reactor, key: Key) {
        let (_, _) = (reactor, key);
    }
}

struct Dispatched<D>(D);

impl<D: Dispatcher> Watched for Dispatched<D> {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn wants(&self) -> Option<Events> {
        let mut events = Events::empty();
        events.set(Events::IN, self.0.readable());
        events.set(Events::OUT, self.0.writable());
        // Watched for that alone, a peer that has hung up would be reported in each pass, to nobody.
        events.set(Events::PRI, !events.is_empty());
        Some(events)
    }

    fn ready(&mut self, reactor: &mut Reactor, key: Key, events: Events) {
        if events.contains(Events::NVAL) {
            reactor.remove(key);
            return self.0.handle_close(reactor, key);
        }
        // An end or an error is told to whatever was asked for.
        let asked = self.wants().unwrap_or_default();
        if events.contains(Events::PRI) {
            self.0.handle_except(reactor, key);
        }
        if asked.contains(Events::IN) && events.is_readable() && reactor.contains(key) {
            self.0.handle_read(reactor, key);
        }
        if asked.contains(Events::OUT) && events.is_writable() && reactor.contains(key) {
            self.0.handle_write(reactor, key);
        }
    }
}

impl Reactor {
    /// Watches a [`Dispatcher`].
    ///
    /// # Errors
    ///
    /// As [`watch`](Reactor::watch).
    pub fn dispatch(&mut self, dispatcher: impl Dispatcher + 'static) -> io::Result<Key> {
        let source = Dispatched(dispatcher);
        let events = source.wants().unwrap_or_default();
        let key = self.insert(Kind::Watch { watched: Some(Box::new(source)), events })?;
        self.asking.push((key, true));
        Ok(key)
    }

    fn handles_no_urgent_data(&mut self, key: Key) {
        for (_, urgent) in self.asking.iter_mut().filter(|(other, _)| *other == key) {
            *urgent = false;
        }
    }

    /// Asks the dispatchers what they want: before each wait, for what they say hangs on anything.
    pub(super) fn ask(&mut self) {
        let mut asking = mem::take(&mut self.asking);
        asking.retain(|&(key, urgent)| {
            let Some(source) = self.sources.get_mut(key) else { return false };
            let Kind::Watch { watched: place, .. } = &mut source.kind else { return true };
            let Some(watched) = place.take() else { return true };
            let wants = self.contain(Some(key), |_| watched.wants()).flatten();
            let Some(source) = self.sources.get_mut(key) else { return false };
            if let Kind::Watch { watched: place, events } = &mut source.kind {
                *place = Some(watched);
                *events = wants.unwrap_or(*events);
                events.set(Events::PRI, urgent && events.contains(Events::PRI));
            }
            self.settle(key);
            true
        });
        self.asking = asking;
    }
}
