//! Everything that can be chosen before a server is made.

use std::io;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::Server;
use super::handler::Handler;
use super::processes::Processes;
use super::shutdown::Ending;
use super::threads::Threads;
use super::transport::{Connections, Endpoint, Internet, Local, Packets, Transport};
use super::way::{InTurn, Way, Works};
use super::work;
use crate::addr::Addr;

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) backlog: i32,
    pub(super) reuse_addr: Option<bool>,
    pub(super) reuse_port: bool,
    pub(super) ipv6_only: Option<bool>,
    pub(super) replace_stale: bool,
    pub(super) largest_packet: usize,
    pub(super) client_timeout: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    pub(super) service_every: Option<Duration>,
    pub(super) close_within: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            backlog: 128,
            reuse_addr: None,
            reuse_port: false,
            ipv6_only: None,
            replace_stale: false,
            largest_packet: 65535,
            client_timeout: None,
            timeout: None,
            service_every: None,
            close_within: Duration::from_secs(5),
        }
    }
}

/// What to make a server of: from [`Server::builder`], to [`bind`](Builder::bind).
///
/// ```
/// use readysock::server::{Stream, TcpServer};
/// use std::{io::Write, time::Duration};
///
/// let thanks = |stream: &mut Stream| stream.write_all(b"Thank you for connecting");
/// let server = TcpServer::builder()
///     .backlog(10)
///     .client_timeout(Duration::from_secs(20))
///     .threads(64)
///     .bind(([127, 0, 0, 1], 0), thanks)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Builder<T, W = InTurn> {
    settings: Settings,
    working: Working,
    axes: PhantomData<fn() -> (T, W)>,
}

// By hand: derived, it would be there only where both axes are `Clone`, and a way of working is not.
impl<T, W> Clone for Builder<T, W> {
    fn clone(&self) -> Self {
        Builder { settings: self.settings.clone(), working: self.working, axes: PhantomData }
    }
}

#[derive(Clone, Copy, Debug)]
struct Working {
    limit: usize,
    detached: bool,
}

impl<T: Transport> Builder<T, InTurn> {
    pub(super) fn new() -> Builder<T, InTurn> {
        let working = Working { limit: 1, detached: false };
        Builder { settings: Settings::default(), working, axes: PhantomData }
    }
}

/// The way of working.
impl<T: Transport, W> Builder<T, W> {
    /// One request after the other, in the thread that serves. This is what it does unless told otherwise.
    pub fn in_turn(self) -> Builder<T, InTurn> {
        self.with(1)
    }

    /// A thread for each request, at most `limit` at a time. The handler is then asked to be `Send`, `Sync` and
    /// `'static`.
    pub fn threads(self, limit: usize) -> Builder<T, Threads> {
        self.with(limit)
    }

    /// A child process for each request, at most `limit` at a time. Refused where the process has other threads: see
    /// [`Processes`].
    pub fn processes(self, limit: usize) -> Builder<T, Processes> {
        self.with(limit)
    }

    fn with<V>(self, limit: usize) -> Builder<T, V> {
        let working = Working { limit, detached: false };
        Builder { settings: self.settings, working, axes: PhantomData }
    }
}

impl<T: Transport> Builder<T, Threads> {
    /// Leaves the threads alone at the end, where they would be waited for otherwise.
    ///
    /// They go on; their [`Stream`](super::Stream)s still fail once [`close_within`](Builder::close_within) is over.
    pub fn detached(mut self, detached: bool) -> Self {
        self.working.detached = detached;
        self
    }
}

/// What every server has.
impl<T: Transport, W> Builder<T, W> {
    /// How long [`handle_request`](Server::handle_request) waits for a request. For ever, unless set.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.timeout = timeout.into();
        self
    }

    /// How long the end of the server waits for work in hand, before it cuts it off: 5 seconds unless set.
    ///
    /// It is the time of those too who are in the queue by then.
    ///
    /// What is cut: a [`Stream`](super::Stream) fails to be read or written, in every way of working; a thread's connection is shut
    /// down, a child is killed. A thread that computes cannot be stopped: it is left behind, which
    /// [`error`](super::Handler::error) is told.
    pub fn close_within(mut self, limit: Duration) -> Self {
        self.settings.close_within = limit;
        self
    }

    /// Calls [`service`](super::Handler::service) at least this often while serving. Unless set, only when something
    /// has happened.
    pub fn service_every(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.settings.service_every = interval.into();
        self
    }
}

/// What servers of connections have.
impl<T: Connections, W> Builder<T, W> {
    /// How many clients may wait to be taken on: listen(2). 128 unless set; the kernel cuts it to `net.core.somaxconn`, which is
    /// also what a negative one stands for.
    pub fn backlog(mut self, backlog: i32) -> Self {
        self.settings.backlog = backlog;
        self
    }

    /// How long one read or write of a [`Stream`](super::Stream) waits for the client. For ever, unless set.
    pub fn client_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.client_timeout = timeout.into();
        self
    }
}

/// What servers of packets have.
impl<T: Packets, W> Builder<T, W> {
    /// How many bytes of a datagram are taken; the rest of a longer one is lost, which
    /// [`is_truncated`](super::Datagram::is_truncated) tells. 65535 unless set: more than any over IPv4 or IPv6, but a Unix
    /// one can be longer. At most 64 MiB: [`bind`](Builder::bind) refuses more.
    pub fn largest_packet(mut self, bytes: usize) -> Self {
        self.settings.largest_packet = bytes;
        self
    }
}

/// What servers at an IP address have.
impl<T: Internet, W> Builder<T, W> {
    /// SO_REUSEADDR: on for TCP unless switched off, so that a server can be started again at once; off for UDP, where it lets
    /// another socket take the packets.
    pub fn reuse_addr(mut self, reuse: bool) -> Self {
        self.settings.reuse_addr = Some(reuse);
        self
    }

    /// SO_REUSEPORT: several servers at one port, among whom the kernel shares out the clients.
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.settings.reuse_port = reuse;
        self
    }

    /// IPV6_V6ONLY: `true` for IPv6 alone, `false` for both ("dual stack": an IPv4 client has an address like
    /// `::ffff:127.0.0.1`). Unless set, it is as the system has it (`net.ipv6.bindv6only`, mostly both).
    pub fn ipv6_only(mut self, only: bool) -> Self {
        self.settings.ipv6_only = Some(only);
        self
    }
}

/// What servers at a Unix address have.
impl<T: Local, W> Builder<T, W> {
    /// Replaces the file that a server left behind: only if it is a socket, nobody answers there, and it is still the same file
    /// when it is removed.
    ///
    /// To find out it knocks: a server that lives sees a client that comes and goes. One that is just being made, between its bind(2)
    /// and its listen(2), answers as little as one that has gone, and loses its file: start such servers one after the other.
    pub fn replace_stale(mut self, replace: bool) -> Self {
        self.settings.replace_stale = replace;
        self
    }
}

impl<T: Transport, W: Way> Builder<T, W> {
    /// Makes the server: socket(2), the options, bind(2), and listen(2) where there are connections. Clients can connect from here
    /// on. Port 0 lets the system choose: [`local_addr`](Server::local_addr) tells.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): an address of another kind, a limit of 0, `ipv6_only` for IPv4, a
    ///   [`largest_packet`](Builder::largest_packet) of more than 64 MiB.
    /// - Those of [`Socket::bind`](crate::Socket::bind) and [`Socket::listen`](crate::Socket::listen).
    pub fn bind<H>(self, addr: impl Into<Addr>, handler: H) -> io::Result<Server<T, H, W>>
    where
        H: Handler<T::Request>,
        W: Works<T::Request, H>,
    {
        let limit = NonZeroUsize::new(self.working.limit).ok_or_else(|| {
            let text = "a limit of 0 would serve nobody: allow one at least";
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        let ending = Arc::new(Ending::new(self.settings.close_within)?);
        let way = W::make(limit, self.working.detached)?;
        let endpoint = Endpoint::bind::<T>(&addr.into(), self.settings.clone(), &ending)?;
        let report = work::tell::<T::Request, H>;
        Server::new(endpoint, W::hold(handler), report, way, ending, self.settings)
    }
}
