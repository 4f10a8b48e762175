//! Servers: the notes' `SocketServer` as two axes that do not know each other, where requests come from and how
//! they are worked on.
//!
//! | | [`in_turn`](Builder::in_turn) | [`threads`](Builder::threads) | [`processes`](Builder::processes) |
//! | --- | --- | --- | --- |
//! | fits | quick answers; a test server; a handler that is not `Send` | clients that take their time; shared memory | handlers that may crash or leak, apart from each other; a program with one thread |
//! | [`TcpServer`]: a [`Stream`] per connection | the others wait in the backlog | a thread per connection | a child per connection |
//! | [`UdpServer`]: a [`Datagram`] per packet | the usual choice | slow answers | seldom worth a fork |
//! | [`UnixStreamServer`]: as TCP, on this machine | the others' connect waits when the backlog is full | a thread per connection | a child per connection |
//! | [`UnixDatagramServer`]: as UDP, and nothing is lost | the others' send waits when the queue is full | slow answers | seldom worth a fork |
//! | handler | any [`Handler`] | `Send + Sync + 'static` | any; what it changes is lost with the child |
//! | at most | one at a time | as many as one says | as many as one says |
//! | a panic | ends its request | ends its request | ends its request; a crash ends its child |
//! | cost of a request | none | starting a thread | fork(2), which grows with the parent's memory |
//!
//! # A server in three steps
//!
//! The notes' first server: a handler, a server with it, `serve_forever`.
//!
//! ```
//! use readysock::server::{Stream, TcpServer};
//! use std::{io, io::Write, net::Ipv4Addr};
//!
//! fn main() -> io::Result<()> {
//!     let mut server = TcpServer::bind((Ipv4Addr::LOCALHOST, 0), |client: &mut Stream| {
//!         println!("connection from {}", client.peer_addr());
//!         client.write_all(b"Thank you for connecting")
//!     })?;
//! #   let handle = server.shutdown_handle();
//! #   handle.shutdown();
//!     server.serve_forever()
//! }
//! ```
//!
//! Their second one, with threads, is `TcpServer::builder().threads(64).bind(...)` instead of `TcpServer::bind(...)`, and nothing else.
//!
//! # What differs from Python's
//!
//! - Threads and processes have a limit. Over it clients wait; nobody is turned away.
//! - [`shutdown`](ShutdownHandle::shutdown) takes effect at once and not at the next half second, waits for nothing and can be called from anywhere.
//! - A datagram is answered if [`reply`](Datagram::reply) is called, and not with an empty one otherwise.
//! - The end of a connection is a half-close first, so that a client that still sends gets its answer. After
//!   fork only the child ends the connection: the parent just closes its copy.
//! - A server that is out of descriptors does not spin: see [`Handler::error`].
//! - Children are waited for by number: the program's other children are left alone.
//! - Each handler is contained, in every way of working: an error or a panic is told to a hook. The server itself prints
//!   nothing (std's panic hook does, unless the program sets another).
//!
//! Left out: `RequestHandlerClass` as a class per request (a [`Handler`] is shared, its `Session` is per request);
//! `poll_interval` (nothing is polled for); `address_family`, `socket_type`, `request_queue_size` as class attributes (the
//! [`Builder`]); `bind_and_activate`.

mod builder;
mod datagram;
mod handler;
mod problem;
mod processes;
mod run;
mod shutdown;
mod socket_file;
mod stream;
mod threads;
mod transport;
mod way;
mod work;

use std::fmt;
use std::io;
use std::sync::Arc;

use self::builder::Settings;
use self::run::Pause;
use self::shutdown::Ending;
use self::transport::Endpoint;
use crate::accept::Reserve;
use crate::addr::Addr;
use crate::socket::Socket;

pub use self::builder::Builder;
pub use self::datagram::Datagram;
pub use self::handler::{Call, Handler, Hooked};
pub use self::problem::{Problem, Step};
pub use self::processes::Processes;
pub use self::shutdown::ShutdownHandle;
pub use self::stream::{Reader, Source, Stream, Writer};
pub use self::threads::Threads;
pub use self::transport::{
    Connections, Internet, Local, LocalDatagram, LocalStream, Packets, Request, Tcp, Transport, Udp,
};
pub use self::way::{InTurn, Way, Works};

/// A server of TCP connections.
#[doc(alias = "TCPServer")]
pub type TcpServer<H, W = InTurn> = Server<Tcp, H, W>;

/// A server of UDP packets.
#[doc(alias = "UDPServer")]
pub type UdpServer<H, W = InTurn> = Server<Udp, H, W>;

/// A server of connections over a Unix socket: a file, which it removes at its end, or an abstract name.
pub type UnixStreamServer<H, W = InTurn> = Server<LocalStream, H, W>;

/// A server of packets over a Unix socket: a file, which it removes at its end, or an abstract name.
pub type UnixDatagramServer<H, W = InTurn> = Server<LocalDatagram, H, W>;

/// A server: a transport `T`, a handler `H` and a way of working `W`.
///
/// [`bind`](Server::bind) makes one that works in turn, [`builder`](Server::builder) any other. It serves by
/// [`handle_request`](Server::handle_request) or [`serve_forever`](Server::serve_forever), and ends by a
/// [`ShutdownHandle`].
///
/// Dropped, it waits for work in hand as [`close`](Server::close) does, and a Unix server removes its file.
pub struct Server<T: Transport, H, W: Way = InTurn> {
    endpoint: Endpoint,
    handler: W::Held<H>,
    way: W,
    ending: Arc<Ending>,
    settings: Settings,
    /// Taken from the socket, and not started yet.
    waiting: Option<T::Request>,
    pause: Pause,
    reserve: Reserve,
}

/// By the name of a transport: `TcpServer::builder()`.
impl<T: Transport> Server<T, (), InTurn> {
    /// What can be chosen: backlog, options, times, and the way of working.
    pub fn builder() -> Builder<T, InTurn> {
        Builder::new()
    }
}

impl<T: Transport, H: Handler<T::Request>> Server<T, H, InTurn> {
    /// A server that works in turn, with everything as it is unless set: see [`Builder::bind`].
    pub fn bind(addr: impl Into<Addr>, handler: H) -> io::Result<Server<T, H, InTurn>> {
        Builder::new().bind(addr, handler)
    }
}

impl<T: Transport, H, W: Way> Server<T, H, W> {
    fn new(
        endpoint: Endpoint,
        handler: W::Held<H>,
        way: W,
        ending: Arc<Ending>,
        settings: Settings,
    ) -> io::Result<Server<T, H, W>> {
        Ok(Server {
            endpoint,
            handler,
            way,
            ending,
            settings,
            waiting: None,
            pause: Pause::default(),
            reserve: Reserve::new(),
        })
    }

    /// Where the server is, with the port that the system chose.
    pub fn local_addr(&self) -> io::Result<Addr> {
        self.socket().local_addr()
    }

    /// The server's socket, for its options. It does not block.
    pub fn socket(&self) -> &Socket {
        self.endpoint.socket()
    }

    /// The handler, as it was given.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// What ends the server, from anywhere.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle { ending: Arc::clone(&self.ending) }
    }

    /// How many requests are at work in threads or processes, as far as is known; detached threads do not count.
    pub fn in_hand(&self) -> usize {
        self.way.in_hand()
    }
}

impl<T: Transport, H, W: Way> Drop for Server<T, H, W> {
    fn drop(&mut self) {
        self.shutdown_handle().shutdown();
        self.finish_work();
    }
}

impl<T: Transport, H, W: Way> fmt::Debug for Server<T, H, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("socket", self.socket())
            .field("in_hand", &self.in_hand())
            .field("told_to_end", &self.ending.is_told())
            .finish_non_exhaustive()
    }
}
