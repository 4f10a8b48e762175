//! An event loop: one thread, many connections, and callbacks; on select, poll or epoll.
//!
//! It is the end of the notes' road, from asyncore to Twisted: one registers what is to happen, and [`run`](Reactor::run) waits, finds out
//! what is ready, and calls back.
//!
//! ```no_run
//! use readysock::reactor::{Backend, Protocol, Reactor, Transport};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! let mut reactor = Reactor::new(Backend::Epoll)?;
//! reactor.listen(([127, 0, 0, 1], 8000), |_| Echo)?;
//! reactor.run()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What there is
//!
//! | to | use | in Twisted or asyncore |
//! | --- | --- | --- |
//! | serve connections | [`Reactor::listen`], [`Protocol`] | `listenTCP`, `Protocol` |
//! | make one | [`Reactor::connect`] | `connectTCP` |
//! | write, close, abort, pause | [`Transport`] | `transport` |
//! | have lines, or counted bytes | [`line::Lines`] | `LineReceiver`, `asynchat` |
//! | do something later | [`Reactor::call_later`] | `callLater` |
//! | do something from another thread | [`Handle::post`] | `callFromThread` |
//! | receive datagrams | [`Reactor::datagrams`] | `listenUDP` |
//! | watch anything else | [`Reactor::watch`], [`Dispatcher`] | `addReader`; `dispatcher` |
//! | end in order on Ctrl-C | [`signals::stop_on`] | built in |
//!
//! # What one can rely on
//!
//! - Callbacks are never nested: what a call leads to is told when the present callback is over. So a callback may write to, close or
//!   abort any connection, connect and listen, set timers, and remove itself.
//! - Each connection made is lost once, last, with the [reason](Lost): also when the reactor is dropped.
//! - Nothing is told to the wrong one: a source that was removed hears nothing more, though another one has its descriptor's number.
//! - Nobody starves: in one pass, each connection is read once, each listener takes 64 connections in, each socket of
//!   [`datagrams`](Reactor::datagrams) 64 of these, and the timers and posted calls are made that were due when the pass began.
//! - A callback that panics loses its own connection; the reactor goes on, and tells [`on_problem`](Reactor::on_problem).
//! - Out of descriptors, listeners rest and try again; nothing spins.

mod connect;
mod connection;
mod dispatcher;
mod epoll;
mod handle;
pub mod line;
mod listen;
mod pass;
mod poll;
mod problem;
mod protocol;
mod select;
mod selector;
pub mod signals;
mod source;
mod timers;
mod transport;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::connection::Connection;
pub use self::dispatcher::Dispatcher;
pub use self::handle::Handle;
use self::handle::Shared;
pub use self::problem::Problem;
pub use self::protocol::{Lost, Protocol};
use self::selector::{Found, Selector, Sources};
use self::source::{Kind, Source};
pub use self::timers::Timer;
use self::timers::Timers;
pub use self::transport::Transport;
pub use self::watch::Packet;
use crate::accept::Reserve;
use crate::addr::Addr;
use crate::slab::Key;
use crate::socket::Socket;
use crate::sys::socket::getsockname;

/// As much as is read at once.
const BUFFER: usize = 64 << 10;

type Hook = Box<dyn FnMut(&Problem)>;

/// The system call that a [`Reactor`] waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// select(2). Cost grows with the highest descriptor; there is no end at 1024.
    Select,
    /// poll(2). Cost grows with the number of sources. As fast as epoll for some hundred that are busy.
    Poll,
    /// epoll(7). Cost grows with the number of sources that are ready.
    ///
    /// A child process that was forked has the same instance and not a copy: a child that goes on with the reactor, or drops it, takes the
    /// parent's sources out, and the parent is told of them no more. It ends with `_exit`, by exec, or forgets the reactor
    /// ([`std::mem::forget`]), and makes one of its own.
    Epoll,
}

/// An event loop. It owns its sources: listeners, connections, and whatever else it watches.
///
/// It stays in one thread; a [`Handle`] reaches it from others. And it stays in one process: what a forked child must not do with it stands
/// at [`Backend::Epoll`].
#[doc(alias = "event loop")]
pub struct Reactor {
    backend: Backend,
    selector: Box<dyn Selector>,
    sources: Sources,
    /// Whose interest may be another than the selector knows.
    dirty: Vec<Key>,
    /// For whom something is due: to be told, or to be ended.
    due: VecDeque<Key>,
    /// Until when closed connections are heard, the earliest first.
    drains: VecDeque<(Instant, Key)>,
    /// The dispatchers, which are asked before each wait, and whether they handle urgent data, as far as is known.
    asking: Vec<(Key, bool)>,
    timers: Timers,
    shared: Arc<Shared>,
    reserve: Reserve,
    on_problem: Option<Hook>,
    /// Memory that is kept: for what is received, for what is ready, for the timers that are due.
    buffer: Vec<u8>,
    found: Vec<Found>,
    ripe: Vec<Timer>,
    running: bool,
    /// It is being dropped, and takes nothing new.
    ending: bool,
}

impl Reactor {
    /// An event loop that waits in this call.
    ///
    /// # Errors
    ///
    /// - `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new(backend: Backend) -> io::Result<Reactor> {
        let selector: Box<dyn Selector> = match backend {
            Backend::Select => Box::<select::Select>::default(),
            Backend::Poll => Box::<poll::Poll>::default(),
            Backend::Epoll => Box::new(epoll::Epoll::new()?),
        };
        let shared = Arc::new(Shared::new()?);
        let mut reactor = Reactor {
            backend,
            selector,
            sources: Sources::new(),
            dirty: Vec::new(),
            due: VecDeque::new(),
            drains: VecDeque::new(),
            asking: Vec::new(),
            timers: Timers::default(),
            shared: Arc::clone(&shared),
            reserve: Reserve::new(),
            on_problem: None,
            buffer: vec![0; BUFFER],
            found: Vec::new(),
            ripe: Vec::new(),
            running: false,
            ending: false,
        };
        reactor.insert(Kind::Waker(shared))?;
        Ok(reactor)
    }

    /// A way to this reactor from other threads.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// Has [`run`](Reactor::run) return when the present pass is over, or at once when it is called next. Everything stays as it is: it can be
    /// run again.
    pub fn stop(&mut self) {
        self.handle().stop();
    }

    /// Calls this for what goes wrong and is nobody's answer: a listener without descriptors, a panic.
    pub fn on_problem(&mut self, hook: impl FnMut(&Problem) + 'static) {
        self.on_problem = Some(Box::new(hook));
    }

    /// Makes a call once this much time has passed, not earlier. One with no time to wait is made in the next pass, not in this one.
    ///
    /// ```
    /// use readysock::reactor::{Backend, Reactor};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new(Backend::Poll)?;
    /// reactor.call_later(Duration::from_millis(5), Reactor::stop);
    /// reactor.run()?; // for 5 ms
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn call_later(
        &mut self,
        delay: Duration,
        call: impl FnOnce(&mut Reactor) + 'static,
    ) -> Timer {
        self.timers.insert(after(delay), Box::new(call))
    }

    /// Takes a call back; `false` if it was made, or taken back, already.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        self.timers.cancel(timer)
    }

    /// Has a call made this much later than now, whatever was left of its time; `false` if it was made, or taken back, already.
    pub fn reset(&mut self, timer: Timer, delay: Duration) -> bool {
        self.timers.reset(timer, after(delay))
    }

    /// Whether a call is still to be made.
    #[must_use]
    pub fn is_active(&self, timer: Timer) -> bool {
        self.timers.is_active(timer)
    }

    /// Takes a stream socket that is connected already, as one of a pair. It is made non-blocking.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::set_nonblocking`].
    pub fn attach(&mut self, socket: Socket, protocol: impl Protocol + 'static) -> io::Result<Key> {
        socket.set_nonblocking(true)?;
        let key = self.insert(Kind::Connection(Connection::new(socket, Box::new(protocol))))?;
        self.settle(key);
        Ok(key)
    }

    /// A connection, from whatever callback; `None` once it is closed or lost, and while it is still being made.
    pub fn transport(&mut self, key: Key) -> Option<Transport<'_>> {
        let there = self.connection(key).is_some_and(|connection| !connection.is_over());
        there.then(|| Transport::new(self, key))
    }

    /// Takes a source out and closes it; `false` if there is none of this key.
    ///
    /// A listener resets who waits in its queue. A connection is [aborted](Transport::abort), and an attempt to connect given up: their
    /// protocols are told.
    pub fn remove(&mut self, key: Key) -> bool {
        let Some(source) = self.sources.get_mut(key) else { return false };
        match &mut source.kind {
            Kind::Connection(connection) => {
                connection.abort();
                self.settle(key);
            }
            Kind::Connecting(_) => {
                let error = io::Error::new(ErrorKind::ConnectionAborted, "given up here");
                self.connect_fails(key, error);
            }
            Kind::Listener(_) | Kind::Watch { .. } => self.let_go(key),
            Kind::Waker(_) => return false,
        }
        true
    }

    /// Whether there is a source of this key.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.sources.get(key).is_some()
    }

    /// The address that a listener, a connection or a datagram socket has: getsockname(2).
    ///
    /// # Errors
    ///
    /// - `ENOTSOCK`: it is no socket. [`NotFound`](ErrorKind::NotFound): there is no source of this key, or it is one that is at work, in its own
    ///   callback: a datagram socket, what is watched, a dispatcher.
    pub fn local_addr(&self, key: Key) -> io::Result<Addr> {
        let fd = self.sources.get(key).and_then(Source::fd).ok_or(ErrorKind::NotFound)?;
        getsockname(fd).map(Addr::from_raw)
    }

    fn connection(&mut self, key: Key) -> Option<&mut Connection> {
        match &mut self.sources.get_mut(key)?.kind {
            Kind::Connection(connection) => Some(connection),
            _ => None,
        }
    }
}

/// Beyond the clock's range is beyond anybody's patience: thirty years.
fn after(delay: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(delay).unwrap_or_else(|| now + Duration::from_secs(1 << 30))
}

/// Those who have a connection are told that it is lost.
impl Drop for Reactor {
    fn drop(&mut self) {
        self.ending = true;
        self.running = true;
        for call in self.shared.close() {
            self.contain(None, |_| drop(call));
        }
        let keys: Vec<Key> = self.sources.iter().map(|(key, _)| key).collect();
        for key in keys {
            match self.sources.get_mut(key).map(|source| &mut source.kind) {
                Some(Kind::Connection(connection)) => {
                    connection.lose(Lost::Dropped);
                    // One that was not told of yet is told both.
                    self.attend(key);
                    self.attend(key);
                }
                Some(Kind::Connecting(_)) => {
                    let error = io::Error::new(ErrorKind::ConnectionAborted, "the reactor is gone");
                    self.connect_fails(key, error);
                    self.attend(key);
                }
                _ => self.let_go(key),
            }
        }
        // Last: also those that were set by who was told just now.
        for timer in self.timers.all() {
            self.contain(None, |reactor| reactor.cancel(timer));
        }
        let hook = self.on_problem.take();
        self.contain(None, |_| drop(hook));
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("backend", &self.backend)
            // Its own waker is none of the caller's.
            .field("sources", &self.sources.len().saturating_sub(1))
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}
