//! Options of every socket: level `SOL_SOCKET`. They are in [`sockopt`](super) as well.
#![doc = concat!(man_page!("socket", 7))]

use std::io;

use super::table::options;
use super::value::{Errno, Linger, LingerStruct, Number, Size};
use crate::{Domain, Protocol, Type};

options! {
    level SOL_SOCKET, man "socket" 7;

    /// `SO_ACCEPTCONN`: does this socket listen?
    ///
    /// ```
    /// use readysock::sockopt::{self, AcceptConn};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// assert!(sockopt::get(&listener, AcceptConn)? && !sockopt::get(&stream, AcceptConn)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_ACCEPTCONN")]
    AcceptConn = SO_ACCEPTCONN: bool, get;

    /// `SO_BROADCAST`: may this socket send to a broadcast address?
    ///
    /// For datagrams; without it such a send fails with EACCES. A stream socket takes the option and has no use for it.
    ///
    /// ```
    /// use readysock::sockopt::{self, Broadcast};
    ///
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// sockopt::set(&socket, Broadcast, true)?;
    /// assert!(sockopt::get(&socket, Broadcast)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_BROADCAST")]
    Broadcast = SO_BROADCAST: bool, get set;

    /// `SO_DOMAIN`: the socket's domain, the first argument of socket(2). Since Linux 2.6.32.
    ///
    /// ```
    /// use readysock::{Domain, sockopt};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// assert_eq!(sockopt::get(&listener, sockopt::SoDomain)?, Domain::INET);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_DOMAIN")]
    SoDomain = SO_DOMAIN: Domain as Number<Domain>, get;

    /// `SO_ERROR`: takes the error that waits on the socket; `None` if there is none.
    ///
    /// It says how a non-blocking connect has ended, once the socket is writable: writable alone does not mean connected.
    ///
    /// Reading clears it, here as in any send or receive that reports it. So read it in one place, and keep the value.
    /// The outer error is that of the call itself (EBADF, ENOTSOCK).
    ///
    /// ```
    /// use readysock::sockopt;
    /// use std::net::UdpSocket;
    ///
    /// let (socket, nobody) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// socket.connect(nobody.local_addr()?)?;
    /// drop(nobody);
    /// socket.send(b"?")?; // succeeds: that nobody is there comes back later
    /// let error = sockopt::get(&socket, sockopt::Error)?.expect("refused");
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    /// assert!(sockopt::get(&socket, sockopt::Error)?.is_none()); // it was taken
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_ERROR")]
    Error = SO_ERROR: Option<io::Error> as Errno, get;

    /// `SO_KEEPALIVE`: ask a silent peer from time to time whether it is still there.
    ///
    /// Off at first. The first question comes after two hours unless the options of TCP say otherwise; a peer that
    /// never answers ends the connection with ETIMEDOUT, one that has forgotten it with ECONNRESET.
    ///
    /// ```
    /// use readysock::sockopt::{self, KeepAlive};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// sockopt::set(&listener, KeepAlive, true)?; // for the connections it accepts
    /// assert!(sockopt::get(&listener, KeepAlive)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_KEEPALIVE")]
    KeepAlive = SO_KEEPALIVE: bool, get set;

    /// `SO_LINGER`: what closing a connection does with data that is not yet sent.
    ///
    /// [`Linger`] has the three choices, and the trap between them: *on* with 0 seconds is a reset. Whole seconds, rounded up; more than 65535 s,
    /// or `For` no time, is InvalidInput.
    ///
    /// A close that lingers blocks, on a non-blocking socket too, and says nothing of a failure. It does not
    /// happen where the process exits, nor (whatever the manual page says) in `shutdown`. To know that the peer has read everything, wait for its end of stream.
    ///
    /// ```
    /// use readysock::sockopt::{self, Linger, SoLinger};
    /// use std::{io::{ErrorKind, Read}, net::{TcpListener, TcpStream}};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (server, _) = listener.accept()?;
    /// sockopt::set(&server, SoLinger, Linger::Abort)?;
    /// drop(server);
    /// assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_LINGER")]
    SoLinger = SO_LINGER: Linger as LingerStruct, "s", get set;

    /// `SO_PROTOCOL`: the socket's protocol, the third argument of socket(2). Since Linux 2.6.32.
    ///
    /// The one that the kernel chose, where that argument was 0; a Unix socket answers 0.
    ///
    /// ```
    /// use readysock::{Protocol, sockopt};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// assert_eq!(sockopt::get(&listener, sockopt::SoProtocol)?, Protocol::TCP);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_PROTOCOL")]
    SoProtocol = SO_PROTOCOL: Protocol as Number<Protocol>, get;

    /// `SO_RCVBUF`: how much the kernel keeps for you to read.
    ///
    /// The kernel doubles what is asked, for its own bookkeeping, and answers the double: that is the number you read here. At least
    /// 2304, at most twice `/proc/sys/net/core/rmem_max`; a request beyond that is cut, not refused. Over `i32::MAX` is InvalidInput.
    ///
    /// | asked | 0 | 1000 | 10000 | 65536 | `rmem_max` or more |
    /// | --- | --- | --- | --- | --- | --- |
    /// | read back (Linux 6.18, 64-bit) | 2304 | 2304 | 20000 | 131072 | 2 * `rmem_max` |
    ///
    /// The trap: TCP sizes its receive buffer by itself, up to the third number of `/proc/sys/net/ipv4/tcp_rmem`, and setting this option ends
    /// that for good. Set it before `connect` or `listen`, for the window's scale is agreed on in the handshake.
    ///
    /// ```
    /// use readysock::sockopt::{self, RcvBuf};
    ///
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// sockopt::set(&socket, RcvBuf, 10_000)?;
    /// assert_eq!(sockopt::get(&socket, RcvBuf)?, 20_000);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_RCVBUF")]
    RcvBuf = SO_RCVBUF: usize as Size, "bytes", get set;

    /// `SO_REUSEADDR`: bind although connections of an earlier socket linger in TIME_WAIT on that port.
    ///
    /// Set it before `bind` on every TCP server: without it a server that is restarted within a minute of its last
    /// connection fails with EADDRINUSE. It does not let two sockets listen on one port; for that there is `SO_REUSEPORT`.
    /// (On UDP it does let two sockets bind one port, if both have set it, and the later one gets the datagrams.)
    ///
    /// `TcpListener::bind` of std sets it. Winsock's option of this name is another thing: it takes a port from its owner.
    ///
    /// ```
    /// use readysock::sockopt::{self, ReuseAddr};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// assert!(sockopt::get(&listener, ReuseAddr)?);
    /// sockopt::set(&listener, ReuseAddr, false)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_REUSEADDR")]
    ReuseAddr = SO_REUSEADDR: bool, get set;

    /// `SO_SNDBUF`: how much the kernel takes from you before a send blocks.
    ///
    /// The kernel doubles what is asked, for its own bookkeeping, and answers the double: that is the number you read here. At least
    /// 4608, at most twice `/proc/sys/net/core/wmem_max`; a request beyond that is cut, not refused. Over `i32::MAX` is InvalidInput.
    ///
    /// | asked | 0 | 1000 | 10000 | 65536 | `wmem_max` or more |
    /// | --- | --- | --- | --- | --- | --- |
    /// | read back (Linux 6.18, 64-bit) | 4608 | 4608 | 20000 | 131072 | 2 * `wmem_max` |
    ///
    /// The trap: TCP sizes its send buffer by itself, up to the third number of `/proc/sys/net/ipv4/tcp_wmem`, and setting this option ends
    /// that for good. It is not the number of bytes that fit, either: their bookkeeping comes out of it.
    ///
    /// ```
    /// use readysock::sockopt::{self, SndBuf};
    ///
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// sockopt::set(&socket, SndBuf, 10_000)?;
    /// assert_eq!(sockopt::get(&socket, SndBuf)?, 20_000);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_SNDBUF")]
    SndBuf = SO_SNDBUF: usize as Size, "bytes", get set;

    /// `SO_TYPE`: the socket's type, the second argument of socket(2).
    ///
    /// ```
    /// use readysock::{Type, sockopt};
    ///
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(sockopt::get(&socket, sockopt::SoType)?, Type::DGRAM);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_TYPE")]
    SoType = SO_TYPE: Type as Number<Type>, get;
}
