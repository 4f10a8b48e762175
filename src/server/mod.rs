//! Servers: the notes' `SocketServer` as two axes that do not know each other, where requests come from and how
//! they are worked on.
//!
//! | | [`in_turn`](Builder::in_turn) | [`threads`](Builder::threads) | [`processes`](Builder::processes) |
//! | --- | --- | --- | --- |
//! | fits | quick answers; a test server; a handler that is not `Send` | clients that take their time; shared memory | handlers that may crash or leak, apart from each other; a program with one thread |
//! | [`TcpServer`]: a [`Stream`] per connection | the others wait in the backlog | a thread per connection | a child per connection |
//! | [`UdpServer`]: a [`Datagram`] per packet | the usual choice | slow answers | seldom worth a fork |
//! | [`UnixStreamServer`]: as TCP, on this machine | the others' connect waits when the backlog is full | a thread per connection | a child per connection |
//! | [`UnixDatagramServer`]: as UDP, and nothing is lost on the way | the others' send waits when the queue is full | slow answers | seldom worth a fork |
//! | handler | any [`Handler`] | `Send + Sync + 'static` | any; what it changes is lost with the child |
//! | at most | one at a time | as many as one says | as many as one says |
//! | a panic | ends its request | ends its request | ends its request; a crash ends its child |
//! | cost of a request | none | starting a thread | fork(2), which grows with the parent's memory |
//!
//! # The notes' two servers
//!
//! A handler, a server with it, `serve_forever`: the three steps of the notes' first one.
//!
//! ```
//! use readysock::server::{Stream, TcpServer};
//! use std::{io, io::Write, net::Ipv4Addr};
//! fn main() -> io::Result<()> {
//!     let thank = |client: &mut Stream| {
//!         println!("Got connection from {}", client.peer_addr());
//!         client.write_all(b"Thank you for connecting")
//!     };
//!     let mut server = TcpServer::bind((Ipv4Addr::LOCALHOST, 0), thank)?;
//! #   let (address, handle) = (server.local_addr()?, server.shutdown_handle());
//! #   let mut client = std::net::TcpStream::connect(address.as_internet().unwrap())?;
//! #   handle.shutdown();
//! #   struct Thanked(std::net::TcpStream);
//! #   impl Drop for Thanked { fn drop(&mut self) {
//! #       assert_eq!(io::read_to_string(&mut self.0).unwrap(), "Thank you for connecting");
//! #   } }
//! #   let _thanked = Thanked(client);
//!     server.serve_forever()
//! }
//! ```
//!
//! The second one, which takes its clients to threads (64 at a time at most), differs in one line:
//!
//! ```
//! use readysock::server::{Stream, TcpServer};
//! use std::{io, io::Write, net::Ipv4Addr};
//! fn main() -> io::Result<()> {
//!     let thank = |client: &mut Stream| {
//!         println!("Got connection from {}", client.peer_addr());
//!         client.write_all(b"Thank you for connecting")
//!     };
//!     let mut server = TcpServer::builder().threads(64).bind((Ipv4Addr::LOCALHOST, 0), thank)?;
//! #   let (address, handle) = (server.local_addr()?, server.shutdown_handle());
//! #   let mut client = std::net::TcpStream::connect(address.as_internet().unwrap())?;
//! #   handle.shutdown();
//! #   struct Thanked(std::net::TcpStream);
//! #   impl Drop for Thanked { fn drop(&mut self) {
//! #       assert_eq!(io::read_to_string(&mut self.0).unwrap(), "Thank you for connecting");
//! #   } }
//! #   let _thanked = Thanked(client);
//!     server.serve_forever()
//! }
//! ```
//!
//! # What differs from Python's
//!
//! - Threads have a limit, as Python's child processes do. Over it clients wait; nobody is turned away.
//! - [`shutdown`](ShutdownHandle::shutdown) takes effect at once and not at the next half second, waits for nothing and can be called from anywhere.
//! - A datagram is answered if [`reply`](Datagram::reply) is called, and not with an empty one otherwise.
//! - After the half-close at the end of a connection, a client that still sends is heard for a moment, so that it gets its answer and no
//!   reset (see [`Stream`]).
//! - A server that is out of descriptors, memory, threads or processes does not spin and loses nobody: see
//!   [`serve_forever`](Server::serve_forever).
//! - Children are waited for one by one: the program's other children are left alone.
//! - Each handler is contained, in every way of working: an error or a panic is told to a hook. The server itself prints
//!   nothing (std's panic hook does, unless the program sets another).
//!
//! # What was left out
//!
//! | Python's | here, and why |
//! | --- | --- |
//! | `RequestHandlerClass`, an object per request | one [`Handler`] is shared, and what belongs to one request is its `Session`: a handler needs no constructor |
//! | `address_family`, `allow_reuse_address`, `request_queue_size`, `max_packet_size`, ... as class attributes | the [`Builder`]: two servers of one type may differ |
//! | `bind_and_activate`, `server_bind`, `server_activate` | options go to the [`Builder`], others to [`socket`](Server::socket): there is no server that is not bound |
//! | `get_request`, `process_request`, `finish_request` to override | the two axes: what such overrides are for is a way of working. To wrap a connection (TLS), wrap the [`Stream`] in the handler: it reads and writes |
//! | `poll_interval` | nothing is polled for; [`service_every`](Builder::service_every) where the hook is to be called by the clock |
//! | `handle_timeout` | [`handle_request`](Server::handle_request) says whether it served |
//! | `daemon_threads`, `block_on_close` | [`detached`](Builder::detached) and [`close_within`](Builder::close_within) |
//! | `rbufsize`, `wbufsize` | [`Stream`] has the notes' buffered `rfile` and unbuffered `wfile`; for a buffered writer wrap it in std's `BufWriter` |
//! | `disable_nagle_algorithm` | an option of [`Stream::socket`] |
//! | `handle_error`, which prints | [`Handler::error`], which does not |

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
///
/// That a client no longer listens is found out late, if at all: the ECONNREFUSED of an earlier reply comes at whatever call is next
/// (and only with [`RecvErr`](crate::sockopt::ip::RecvErr) set). The server takes no notice and goes on.
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
/// Dropped, it waits for work in hand as [`close`](Server::close) does, but starts none, and a Unix server removes its file.
pub struct Server<T: Transport, H, W: Way = InTurn> {
    endpoint: Endpoint,
    handler: W::Held<H>,
    /// `Handler::error`. Not called by its name, for the end of a server has something to tell where nothing is known of `H`.
    report: fn(&H, &Problem),
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
        report: fn(&H, &Problem),
        way: W,
        ending: Arc<Ending>,
        settings: Settings,
    ) -> io::Result<Server<T, H, W>> {
        Ok(Server {
            endpoint,
            handler,
            report,
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
