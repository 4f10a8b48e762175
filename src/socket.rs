//! The socket itself: the plain calls of Berkeley sockets, as they are.

mod connect;
mod convert;
mod interrupt;
mod transfer;

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::dup3;

use self::interrupt::RECEIVE;
use crate::addr::{Addr, Domain, Protocol, Type, UnixAddr};
use crate::sockopt::{self, SoDomain};
use crate::sys::addr::RawAddr;
use crate::sys::socket as sys;

/// A socket, of any domain and type: the calls of socket(7), one method each.
///
/// It owns its descriptor and closes it when dropped. Every method takes `&self`, as the kernel does: a socket
/// can be read by one thread and written by another. To and from std's types it goes by `From`, without a call.
///
/// ```
/// use readysock::{Domain, Socket, Type};
/// use std::net::{Ipv4Addr, Shutdown};
///
/// let listener = Socket::new(Domain::INET, Type::STREAM, None)?;
/// listener.bind((Ipv4Addr::LOCALHOST, 0))?; // port 0: the system's choice
/// listener.listen(16)?;
///
/// let client = Socket::new(Domain::INET, Type::STREAM, None)?;
/// client.connect(listener.local_addr()?)?;
/// let (server, from) = listener.accept()?;
/// assert_eq!(from, client.local_addr()?);
///
/// client.send_all(b"hello")?;
/// client.shutdown(Shutdown::Write)?;
/// let mut buffer = [0; 16];
/// let n = server.recv(&mut buffer)?;
/// assert_eq!(&buffer[..n], b"hello");
/// assert_eq!(server.recv(&mut buffer)?, 0); // the client sends no more
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # What it promises
///
/// - Every descriptor is close-on-exec: a program started by this one does not inherit it.
/// - No send raises SIGPIPE: a peer that is gone is the error EPIPE.
/// - A call that blocks goes on after a signal handler has run (EINTR). Where the socket has a time of its own
///   (SO_RCVTIMEO, SO_SNDTIMEO) it goes on until that is over and then fails as without the signal, with
///   EAGAIN: in less than three times that time, for the kernel begins it again at each signal, and the clock here runs
///   from the first one.
///
/// # Errors
///
/// They are the kernel's, with their errno. Every method gives `EBADF` for a descriptor that is not open, and `ENOTSOCK` for one that is
/// no socket, which `From<OwnedFd>` does not check; but `set_nonblocking`, `is_nonblocking` and `try_clone` are for every kind of file.
#[doc = concat!(man_page!("socket", 7))]
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// `socket(2)`: a new socket, blocking and close-on-exec. `None` is the protocol the type stands for (C: 0).
    ///
    /// ```
    /// use readysock::{Domain, Protocol, Socket, Type};
    ///
    /// let tcp = Socket::new(Domain::INET, Type::STREAM, None)?;
    /// assert_eq!(tcp.local_addr()?.to_string(), "0.0.0.0:0"); // not bound yet
    /// let refused = Socket::new(Domain::UNIX, Type::DGRAM, Some(Protocol::TCP));
    /// assert!(refused.is_err()); // Unix sockets have no protocols to choose from
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `EAFNOSUPPORT`: the kernel does not know the domain (IPv6 may be switched off).
    /// - `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`: no such type or protocol in this domain. `EINVAL`: no such type at all.
    /// - `EPERM`, `EACCES`: not allowed, as [`Type::RAW`] without CAP_NET_RAW.
    /// - `EMFILE`, `ENFILE`: too many open files, in the process or in the system.
    #[doc = concat!(man_page!("socket", 2))]
    pub fn new(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
        let protocol = protocol.map_or(0, i32::from);
        sys::socket(domain.into(), kind.into(), protocol).map(Socket::from)
    }

    /// `socketpair(2)`: two sockets that are connected to each other, blocking and close-on-exec.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    /// near.send_all(b"x")?;
    /// assert_eq!(far.recv(&mut [0; 8])?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Socket::new), and `EOPNOTSUPP`: not a domain of pairs; [`Domain::UNIX`] is the one everybody uses.
    #[doc(alias = "socketpair")]
    #[doc = concat!(man_page!("socketpair", 2))]
    pub fn pair(
        domain: Domain,
        kind: Type,
        protocol: Option<Protocol>,
    ) -> io::Result<(Socket, Socket)> {
        let protocol = protocol.map_or(0, i32::from);
        let (near, far) = sys::socketpair(domain.into(), kind.into(), protocol)?;
        Ok((near.into(), far.into()))
    }

    /// `bind(2)`: gives the socket its own address. Port 0 lets the system choose a free one.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let socket = Socket::new(Domain::INET, Type::DGRAM, None)?;
    /// socket.bind(([127, 0, 0, 1], 0))?;
    /// assert_ne!(socket.local_addr()?.as_internet().map(|addr| addr.port()), Some(0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `EADDRINUSE`: another socket has it; for TCP also one in TIME_WAIT (without SO_REUSEADDR); for a path
    ///   also a file that a socket left behind.
    /// - `EADDRNOTAVAIL`: not an address of this machine.
    /// - `EACCES`: a port below 1024 without CAP_NET_BIND_SERVICE, or a directory that may not be written.
    /// - `EINVAL`: bound already.
    /// - `EINVAL` or `EAFNOSUPPORT`: an address of another domain.
    #[doc = concat!(man_page!("bind", 2))]
    pub fn bind(&self, addr: impl Into<Addr>) -> io::Result<()> {
        sys::bind(self.as_fd(), &addr.into().to_raw())
    }

    /// `listen(2)`: has the kernel take connections and keep up to `backlog` of them for [`accept`](Socket::accept).
    ///
    /// On Linux a queue of `backlog` holds one connection more, and the most is `net.core.somaxconn` (4096 unless changed),
    /// which a negative number stands for as well. When it is full, TCP lets new clients wait and try again, and a Unix
    /// connect blocks or fails with EAGAIN; nobody is refused. May be called again to change the backlog.
    ///
    /// Closing the listener resets the connections that wait in the queue, also those that have sent something: accept
    /// them first.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let listener = Socket::new(Domain::INET, Type::STREAM, None)?;
    /// listener.bind(([127, 0, 0, 1], 0))?;
    /// listener.listen(128)?;
    /// let client = Socket::new(Domain::INET, Type::STREAM, None)?;
    /// client.connect(listener.local_addr()?)?; // though nobody has called accept
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `EADDRINUSE`: another socket listens there. A TCP socket that was not bound gets a port here.
    /// - `EOPNOTSUPP`: a type without connections, as [`Type::DGRAM`].
    /// - `EINVAL`: connected already; a Unix socket that was not bound.
    #[doc = concat!(man_page!("listen", 2))]
    pub fn listen(&self, backlog: i32) -> io::Result<()> {
        sys::listen(self.as_fd(), backlog)
    }

    /// `accept4(2)`: the next connection, as a blocking socket, and the address of its peer. Restarts after EINTR.
    ///
    /// The new socket is close-on-exec. On Linux it does not inherit O_NONBLOCK from the listener (on BSD it
    /// does). Over TCP it does inherit most options, among them SO_LINGER, SO_KEEPALIVE, SO_RCVBUF, SO_RCVTIMEO, TCP_NODELAY; a
    /// Unix socket inherits none of these.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    /// use std::net::TcpStream;
    ///
    /// let listener = Socket::new(Domain::INET, Type::STREAM, None)?;
    /// listener.bind(([127, 0, 0, 1], 0))?;
    /// listener.listen(16)?;
    /// let client = TcpStream::connect(listener.local_addr()?.as_internet().unwrap())?;
    /// let (connection, peer) = listener.accept()?;
    /// assert_eq!(peer, client.local_addr()?.into());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: the listener is non-blocking and nobody waits; or its SO_RCVTIMEO is over.
    /// - `ECONNABORTED`, and on Linux the network errors of accept(2) (`EPROTO`, `ENETDOWN`, `EHOSTUNREACH` ...): that one
    ///   connection is lost; go on with the next.
    /// - `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`: the connection stays in the queue and the listener stays ready: a loop that
    ///   only tries again spins.
    /// - `EPERM`: a firewall or another rule of the system's forbids it, this once or for good.
    /// - `EINVAL`: the socket does not listen. `EOPNOTSUPP`: its type has no connections.
    ///
    /// # Traps
    ///
    /// - A listener that poll called ready may have nothing left, when the client or another process was
    ///   faster. In a loop keep the listener non-blocking.
    #[doc = concat!(man_page!("accept", 2))]
    #[doc(alias = "accept4")]
    pub fn accept(&self) -> io::Result<(Socket, Addr)> {
        self.accept_as(false)
    }

    /// `accept4(2)` with SOCK_NONBLOCK: as [`accept`](Socket::accept), and the new socket is non-blocking.
    ///
    /// Whether the call itself waits is up to the listener.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type, UnixAddr};
    ///
    /// let listener = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    /// listener.bind(UnixAddr::unnamed())?;
    /// listener.listen(16)?;
    /// let client = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    /// client.connect(listener.local_addr()?)?;
    /// assert!(listener.accept_nonblocking()?.0.is_nonblocking()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc = concat!(man_page!("accept", 2))]
    #[doc(alias = "SOCK_NONBLOCK")]
    pub fn accept_nonblocking(&self) -> io::Result<(Socket, Addr)> {
        self.accept_as(true)
    }

    fn accept_as(&self, nonblocking: bool) -> io::Result<(Socket, Addr)> {
        let (fd, addr) = self.restart(RECEIVE, || sys::accept(self.as_fd(), nonblocking))?;
        Ok((Socket::from(fd), self.addr(addr)))
    }

    /// `shutdown(2)`: ends one direction of a connection, or both, for everybody who holds the socket.
    ///
    /// After [`Shutdown::Write`] the peer reads what was sent and then end of stream, and can still answer: a half-close.
    /// Closing instead, with data left unread here, sends a reset, and the peer may lose what was sent.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    /// use std::net::Shutdown;
    ///
    /// let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    /// near.shutdown(Shutdown::Write)?;
    /// assert_eq!(far.recv(&mut [0; 8])?, 0);
    /// far.send_all(b"still open this way")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `ENOTCONN`: not connected, or reset by the peer.
    ///
    /// # Traps
    ///
    /// - [`Shutdown::Read`] of a TCP socket tells the peer nothing: reads here give end of stream when the queue is empty, but
    ///   what the peer goes on to send is still taken, and read. (A Unix peer gets EPIPE.)
    #[doc = concat!(man_page!("shutdown", 2))]
    #[doc(alias = "SHUT_WR")]
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => libc::SHUT_RD,
            Shutdown::Write => libc::SHUT_WR,
            Shutdown::Both => libc::SHUT_RDWR,
        };
        sys::shutdown(self.as_fd(), how)
    }

    /// `getsockname(2)`: the socket's own address.
    ///
    /// Before bind it is the unspecified address with port 0, or [`UnixAddr::unnamed`].
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let socket = Socket::new(Domain::INET, Type::STREAM, None)?;
    /// assert_eq!(socket.local_addr()?.to_string(), "0.0.0.0:0");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc = concat!(man_page!("getsockname", 2))]
    #[doc(alias = "getsockname")]
    pub fn local_addr(&self) -> io::Result<Addr> {
        sys::getsockname(self.as_fd()).map(Addr::from_raw)
    }

    /// `getpeername(2)`: the address at the other end. Of a Unix client it is mostly unnamed.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let (near, _far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    /// assert_eq!(near.peer_addr()?.to_string(), "unix:(unnamed)");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `ENOTCONN`: not connected, not yet or no longer.
    #[doc = concat!(man_page!("getpeername", 2))]
    #[doc(alias = "getpeername")]
    pub fn peer_addr(&self) -> io::Result<Addr> {
        sys::getpeername(self.as_fd()).map(Addr::from_raw)
    }

    /// `getsockopt(2)` with SO_ERROR: the error that waits at the socket, and takes it away.
    ///
    /// It is how a non-blocking connect tells its outcome, once poll reports `OUT`: `None` means connected. (That it can be
    /// written does not: a refused connect is "writable", too.) Ask once and keep the answer: the next call
    /// finds `None`.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let socket = Socket::new(Domain::INET, Type::STREAM, None)?;
    /// assert!(socket.take_error()?.is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc = concat!(man_page!("socket", 7))]
    #[doc(alias = "SO_ERROR")]
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        sockopt::get(self, sockopt::Error)
    }

    /// `fcntl(2)` with O_NONBLOCK: whether calls wait, or fail with EAGAIN
    /// ([`WouldBlock`](io::ErrorKind::WouldBlock)) instead.
    ///
    /// The flag belongs to the open socket, not to the descriptor: it changes for every
    /// [clone](Socket::try_clone) and for every process that shares the socket.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    /// use std::io::ErrorKind;
    ///
    /// let (near, _far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    /// near.set_nonblocking(true)?;
    /// assert_eq!(near.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc = concat!(man_page!("fcntl", 2))]
    #[doc(alias = "O_NONBLOCK")]
    #[doc(alias = "setblocking")]
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        let before = self.status()?;
        let mut after = before;
        after.set(OFlag::O_NONBLOCK, nonblocking);
        if after != before {
            fcntl(self, FcntlArg::F_SETFL(after))?;
        }
        Ok(())
    }

    /// `fcntl(2)`: whether O_NONBLOCK is set. A new socket is blocking.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// assert!(!Socket::new(Domain::INET, Type::STREAM, None)?.is_nonblocking()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc = concat!(man_page!("fcntl", 2))]
    #[doc(alias = "O_NONBLOCK")]
    pub fn is_nonblocking(&self) -> io::Result<bool> {
        Ok(self.status()?.contains(OFlag::O_NONBLOCK))
    }

    fn status(&self) -> io::Result<OFlag> {
        Ok(OFlag::from_bits_retain(fcntl(self, FcntlArg::F_GETFL)?))
    }

    /// `fcntl(2)` with F_DUPFD_CLOEXEC: a second descriptor of the same socket.
    ///
    /// Both share everything: blocking mode, options, what is queued. The connection ends when the last one is closed,
    /// or by [`shutdown`](Socket::shutdown) on any.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    /// let second = near.try_clone()?;
    /// drop(near);
    /// second.send_all(b"x")?;
    /// assert_eq!(far.recv(&mut [0; 8])?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `EMFILE`: too many open files in the process.
    #[doc = concat!(man_page!("fcntl", 2))]
    #[doc(alias = "F_DUPFD_CLOEXEC")]
    #[doc(alias = "dup")]
    pub fn try_clone(&self) -> io::Result<Socket> {
        self.fd.try_clone().map(Socket::from)
    }

    /// dup3(2): closes this one, and is `other` from here on, under the same number. It needs no descriptor that is free.
    pub(crate) fn replace_by(&mut self, other: impl AsFd) -> io::Result<()> {
        Ok(dup3(other, &mut self.fd, OFlag::O_CLOEXEC)?)
    }

    /// What the kernel wrote as the address of a peer.
    fn addr(&self, raw: RawAddr) -> Addr {
        // No bytes at all: a Unix peer without a name says so; on TCP data has no sender.
        if raw.as_bytes().is_empty() && matches!(sockopt::get(self, SoDomain), Ok(Domain::UNIX)) {
            return UnixAddr::unnamed().into();
        }
        Addr::from_raw(raw)
    }
}

/// The descriptor, and the addresses that can be had.
impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Socket");
        text.field("fd", &self.fd.as_raw_fd());
        if let Ok(addr) = self.local_addr() {
            text.field("local", &format_args!("{addr}"));
        }
        if let Ok(addr) = self.peer_addr() {
            text.field("peer", &format_args!("{addr}"));
        }
        text.finish()
    }
}
