//! Options of every socket: level `SOL_SOCKET`. They are in [`sockopt`](super) as well.
#![doc = concat!(man_page!("socket", 7))]

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::codec::{Errno, Id, Index, Limit, Microseconds, Name, Number, Offset, Rate, Size};
use super::enums::{Flags, TimestampFlags};
use super::linger::{Linger, LingerStruct};
use super::peer::{Credentials, Groups, Pidfd, Ucred};
use super::table::options;
use crate::{Domain, Protocol, Type};

options! {
    level SOL_SOCKET, path "sockopt", man "socket" 7;

    /// `SO_ACCEPTCONN`: does this socket listen?
    #[doc(alias = "SO_ACCEPTCONN")]
    AcceptConn = SO_ACCEPTCONN: bool, get, example listener true;

    /// `SO_BINDTODEVICE`: the interface that packets of this socket come and go through.
    ///
    /// An empty name is none, as at first. An interface that does not exist is ENODEV; a name over 15 bytes, which the kernel would cut, InvalidInput.
    /// A socket that is bound to one already needs CAP_NET_RAW to change it (before Linux 5.7 any does): EPERM.
    #[doc(alias = "SO_BINDTODEVICE")]
    BindToDevice = SO_BINDTODEVICE: String as Name, get set, example udp String::from("lo");

    /// `SO_BINDTOIFINDEX`: the interface of `BindToDevice` by its index; 0 is none. Since Linux 5.1.
    ///
    /// The trap: unlike the name, an index that no interface has is taken without a word, and the socket then gets nothing.
    #[doc(alias = "SO_BINDTOIFINDEX")]
    BindToIfindex = SO_BINDTOIFINDEX: u32, get set, example udp 1;

    /// `SO_BROADCAST`: may this socket send to a broadcast address?
    ///
    /// For datagrams; without it such a send fails with EACCES. A stream socket takes the option and has no use for it.
    #[doc(alias = "SO_BROADCAST")]
    Broadcast = SO_BROADCAST: bool, get set, example udp true;

    /// `SO_BUSY_POLL`: how long a blocking receive asks the network card itself before it sleeps. Since Linux 3.11.
    ///
    /// Zero is not at all, as at first: then `/proc/sys/net/core/busy_read` holds. Rounded up to microseconds. More than it was needs CAP_NET_ADMIN (EPERM) on older kernels; Linux 6.18 takes it from anybody.
    /// It is power and CPU time for latency; cards without NAPI, the loopback among them, ignore it.
    #[doc(alias = "SO_BUSY_POLL")]
    BusyPoll = SO_BUSY_POLL: Duration as Microseconds, "us", get set, example "no_run" udp std::time::Duration::from_micros(50);

    /// `SO_COOKIE`: a number that no other socket has while the machine runs. Since Linux 4.12.
    ///
    /// The same that `ss -e` and eBPF programs show.
    ///
    /// ```
    /// use readysock::sockopt::{self, Cookie};
    ///
    /// let (a, b) = std::os::unix::net::UnixStream::pair()?;
    /// assert_ne!(sockopt::get(&a, Cookie)?, sockopt::get(&b, Cookie)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_COOKIE")]
    Cookie = SO_COOKIE: u64, get;

    /// `SO_DOMAIN`: the socket's domain, the first argument of socket(2). Since Linux 2.6.32.
    #[doc(alias = "SO_DOMAIN")]
    SoDomain = SO_DOMAIN: Domain as Number<Domain>, get, example listener readysock::Domain::INET;

    /// `SO_DONTROUTE`: send to directly connected hosts only, through no gateway.
    ///
    /// Another destination is ENETUNREACH. One send alone has MSG_DONTROUTE for it.
    #[doc(alias = "SO_DONTROUTE")]
    DontRoute = SO_DONTROUTE: bool, get set, example udp true;

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

    /// `SO_INCOMING_CPU`: the processor that handled the last packet for this socket. Since Linux 3.19.
    ///
    /// `None` before the first packet. Setting it (since Linux 4.4) says which of several [`ReusePort`] sockets gets packets that this processor handles;
    /// the next packet overwrites it on a connected socket. The kernel does not check that there is such a processor.
    #[doc(alias = "SO_INCOMING_CPU")]
    IncomingCpu = SO_INCOMING_CPU: Option<u32> as Index, get set, example udp Some(0);

    /// `SO_INCOMING_NAPI_ID`: the receive queue of the last packet for this socket. Since Linux 4.12.
    ///
    /// For sharing sockets out among threads by queue. `None` before the first packet, and always over loopback, which has no such queue.
    #[doc(alias = "SO_INCOMING_NAPI_ID")]
    IncomingNapiId = SO_INCOMING_NAPI_ID: Option<u32> as Id, get, example udp None;

    /// `SO_KEEPALIVE`: ask a silent peer from time to time whether it is still there.
    ///
    /// Off at first. The first question comes after two hours unless [`tcp::KeepIdle`](super::tcp::KeepIdle) says otherwise; a peer that
    /// never answers ends the connection with ETIMEDOUT, one that has forgotten it with ECONNRESET. Accepted sockets inherit it from the listener.
    #[doc(alias = "SO_KEEPALIVE")]
    KeepAlive = SO_KEEPALIVE: bool, get set, example listener true;

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

    /// `SO_MARK`: a number on each packet sent, for routing rules and packet filters. Since Linux 2.6.25.
    ///
    /// Needs CAP_NET_ADMIN, since Linux 5.17 CAP_NET_RAW will do: else EPERM.
    #[doc(alias = "SO_MARK")]
    Mark = SO_MARK: u32, get set, example "no_run" udp 17;

    /// `SO_MAX_PACING_RATE`: the most bytes per second that are sent. Since Linux 3.13.
    ///
    /// `None` is no limit, as at first. TCP paces by itself since Linux 4.13; other sockets need the queueing discipline fq on the interface, and are not held back without it.
    /// Rates over 4294967294 need Linux 5.1 and a 64-bit program: else InvalidInput.
    #[doc(alias = "SO_MAX_PACING_RATE")]
    MaxPacingRate = SO_MAX_PACING_RATE: Option<u64> as Rate, "bytes/s", get set, example tcp Some(1_000_000);

    /// `SO_NETNS_COOKIE`: a number that no other network namespace has while the machine runs. Since Linux 5.14.
    ///
    /// ENOPROTOOPT before.
    ///
    /// ```
    /// use readysock::sockopt::{self, NetnsCookie};
    ///
    /// let (a, b) = std::os::unix::net::UnixStream::pair()?;
    /// assert_eq!(sockopt::get(&a, NetnsCookie)?, sockopt::get(&b, NetnsCookie)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_NETNS_COOKIE")]
    NetnsCookie = SO_NETNS_COOKIE: u64, get;

    /// `SO_OOBINLINE`: leave the out-of-band byte in its place in the stream.
    ///
    /// Without it a plain receive steps over that byte, and only MSG_OOB gets it. Either way a receive stops before it once, and `poll` reports PRI.
    #[doc(alias = "SO_OOBINLINE")]
    OobInline = SO_OOBINLINE: bool, get set, example tcp true;

    /// `SO_PASSCRED`: receive the sender's credentials beside each message on a Unix socket.
    ///
    /// They come as a control message of recvmsg(2). Setting it also gives an unnamed socket a name of the kernel's choice when it sends or connects.
    /// Other sockets answer EOPNOTSUPP, since Linux 6.16; before, they took it.
    #[doc(alias = "SO_PASSCRED")]
    PassCred = SO_PASSCRED: bool, get set, example unix true, man "unix" 7;

    /// `SO_PEEK_OFF`: where the next receive with MSG_PEEK begins. Since Linux 3.4.
    ///
    /// `None` is off, as at first: each peek begins at the front. With a number each peek goes on where the last one ended, and a plain receive takes away from it what
    /// it has read. Unix sockets and UDP; TCP since Linux 6.9; others answer EOPNOTSUPP.
    #[doc(alias = "SO_PEEK_OFF")]
    PeekOff = SO_PEEK_OFF: Option<usize> as Offset, "bytes", get set, example unix Some(4);

    /// `SO_PEERCRED`: process, user and group of the peer of a Unix socket.
    ///
    /// As they were when it called `connect`, `listen` or `socketpair`. `None` where there is no such peer: an unconnected socket, and any socket that is not a Unix one. (The kernel
    /// answers those with process 0 and user -1, and calls it success.) [`Credentials`] has an example.
    #[doc(alias = "SO_PEERCRED")]
    PeerCred = SO_PEERCRED: Option<Credentials> as Ucred, get, man "unix" 7;

    /// `SO_PEERGROUPS`: the supplementary groups of the peer of a Unix socket. Since Linux 4.13.
    ///
    /// The list may be empty: a process need not have any. ENODATA where there is no such peer.
    ///
    /// ```
    /// let (socket, _peer) = std::os::unix::net::UnixStream::pair()?;
    /// let groups = readysock::sockopt::get(&socket, readysock::sockopt::PeerGroups)?;
    /// println!("{groups:?}");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_PEERGROUPS")]
    PeerGroups = SO_PEERGROUPS: Vec<u32> as Groups, get, man "unix" 7;

    /// `SO_PEERPIDFD`: a descriptor of the process at the other end of a Unix socket. Since Linux 6.5.
    ///
    /// It names the process that connected, also when its number has long gone to another one; it becomes readable when that process ends. Each read makes a new
    /// descriptor, close-on-exec. ENODATA where there is no such peer, ESRCH or EINVAL where it is gone (until Linux 6.16), ENOPROTOOPT before Linux 6.5.
    ///
    /// ```no_run
    /// use readysock::{Events, PollFd, Timeout, poll, sockopt};
    ///
    /// let (socket, _peer) = std::os::unix::net::UnixStream::pair()?;
    /// let process = sockopt::get(&socket, sockopt::PeerPidfd)?;
    /// poll(&mut [PollFd::of(&process, Events::IN)], Timeout::Never)?; // until it ends
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_PEERPIDFD")]
    PeerPidfd = SO_PEERPIDFD: OwnedFd as Pidfd, get, man "pidfd_open" 2;

    /// `SO_PREFER_BUSY_POLL`: leave this socket's queue to `BusyPoll`, rather than to interrupts. Since Linux 5.11.
    ///
    /// Setting it needs CAP_NET_ADMIN: else EPERM.
    #[doc(alias = "SO_PREFER_BUSY_POLL")]
    PreferBusyPoll = SO_PREFER_BUSY_POLL: bool, get set, example "no_run" udp true;

    /// `SO_PRIORITY`: the class in which the interface queues packets of this socket.
    ///
    /// 0, the default, to 6; more needs CAP_NET_ADMIN or CAP_NET_RAW: else EPERM. [`ip::Tos`](super::ip::Tos) sets this one too.
    #[doc(alias = "SO_PRIORITY")]
    Priority = SO_PRIORITY: u32, get set, example udp 6;

    /// `SO_PROTOCOL`: the socket's protocol, the third argument of socket(2). Since Linux 2.6.32.
    ///
    /// The one that the kernel chose, where that argument was 0; a Unix socket answers 0.
    #[doc(alias = "SO_PROTOCOL")]
    SoProtocol = SO_PROTOCOL: Protocol as Number<Protocol>, get, example listener readysock::Protocol::TCP;

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

    /// `SO_RCVBUFFORCE`: `RcvBuf` without the limit of `rmem_max`. Since Linux 2.6.14.
    ///
    /// Needs CAP_NET_ADMIN: else EPERM. Read what it did with `RcvBuf`.
    ///
    /// ```no_run
    /// use readysock::sockopt::{self, RcvBuf, RcvBufForce};
    ///
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// sockopt::set(&socket, RcvBufForce, 16 << 20)?;
    /// assert_eq!(sockopt::get(&socket, RcvBuf)?, 32 << 20);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SO_RCVBUFFORCE")]
    RcvBufForce = SO_RCVBUFFORCE: usize as Size, "bytes", set;

    /// `SO_RCVLOWAT`: how much must have arrived before the socket is readable, and before a blocking receive returns.
    ///
    /// 1 at first; 0 is taken for 1. `poll` and `select` go by it since Linux 2.6.28, on TCP: those of Unix sockets and of UDP do not look at it. End of stream and
    /// errors are readable whatever it says. On TCP at most half of the largest receive buffer, and the buffer grows if it must.
    #[doc(alias = "SO_RCVLOWAT")]
    RcvLowat = SO_RCVLOWAT: usize as Size, "bytes", get set, example tcp 100;

    /// `SO_RCVTIMEO`: how long a receive or an accept may block; `None` for ever.
    ///
    /// When it is over the call fails with EAGAIN, as if the socket did not block. `Some` of no time, which the kernel would take for no limit, is InvalidInput, and so is
    /// more than it can hold (`i64::MAX / 1000` seconds). Rounded up to microseconds, and by the kernel to its clock's ticks, 1 to 10 ms: that is what you read back.
    /// `poll` and `select` do not look at it. For a deadline over several calls, use [`poll()`](crate::poll()) with a [`Timeout`](crate::Timeout).
    #[doc(alias = "SO_RCVTIMEO")]
    RcvTimeo = SO_RCVTIMEO: Option<Duration> as Limit, "us", get set, example udp Some(std::time::Duration::from_secs(2));

    /// `SO_REUSEADDR`: bind although connections of an earlier socket linger in TIME_WAIT on that port.
    ///
    /// Set it before `bind` on every TCP server: without it a server that is restarted within a minute of its last
    /// connection fails with EADDRINUSE. The trap: the old server must have set it as well as the new one, for the connections
    /// inherit it and keep it in TIME_WAIT. It does not let two sockets listen on one port; for that there is [`ReusePort`].
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

    /// `SO_REUSEPORT`: let several sockets bind one address, and share what comes. Since Linux 3.9.
    ///
    /// Each of them must have set it before `bind`, and all belong to one user: else EADDRINUSE. Connections and datagrams are shared out by a hash of the addresses: one peer's always
    /// reach the same socket. The trap: connections that wait in the queue of a listener which is closed are reset. A Unix socket answers EOPNOTSUPP, since Linux 6.13.
    #[doc(alias = "SO_REUSEPORT")]
    ReusePort = SO_REUSEPORT: bool, get set, example udp true;

    /// `SO_RXQ_OVFL`: receive the number of datagrams dropped so far for want of room. Since Linux 2.6.33.
    ///
    /// It comes as a control message of recvmsg(2), once there is something to tell.
    #[doc(alias = "SO_RXQ_OVFL")]
    RxqOvfl = SO_RXQ_OVFL: bool, get set, example udp true;

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

    /// `SO_SNDBUFFORCE`: `SndBuf` without the limit of `wmem_max`. Since Linux 2.6.14.
    ///
    /// Needs CAP_NET_ADMIN: else EPERM. Read what it did with `SndBuf`; [`RcvBufForce`] has an example.
    #[doc(alias = "SO_SNDBUFFORCE")]
    SndBufForce = SO_SNDBUFFORCE: usize as Size, "bytes", set;

    /// `SO_SNDTIMEO`: how long a send or a connect may block; `None` for ever.
    ///
    /// As [`RcvTimeo`], in all it says; a connect that it ends fails with EINPROGRESS, and goes on. A send that it ends has sent a part: the number says how much.
    #[doc(alias = "SO_SNDTIMEO")]
    SndTimeo = SO_SNDTIMEO: Option<Duration> as Limit, "us", get set, example udp Some(std::time::Duration::from_secs(2));

    /// `SO_TIMESTAMP`: receive the time at which each datagram came, in microseconds.
    ///
    /// As a control message of recvmsg(2), `SCM_TIMESTAMP`, a `struct timeval`. Setting it ends [`TimestampNs`], and the other way round.
    #[doc(alias = "SO_TIMESTAMP")]
    Timestamp = SO_TIMESTAMP: bool, get set, example udp true;

    /// `SO_TIMESTAMPING`: which timestamps of sent and received packets to make and to report. Since Linux 2.6.30.
    ///
    /// As control messages of recvmsg(2): those of received packets with the packet, those of sent ones on the error queue. [`TimestampFlags`] has an example.
    /// Flags that the kernel does not know, and `OPT_ID` on a TCP socket that is not connected, are EINVAL.
    #[doc(alias = "SO_TIMESTAMPING")]
    Timestamping = SO_TIMESTAMPING: TimestampFlags as Flags, get set;

    /// `SO_TIMESTAMPNS`: receive the time at which each datagram came, in nanoseconds. Since Linux 2.6.22.
    ///
    /// As a control message of recvmsg(2), `SCM_TIMESTAMPNS`, a `struct timespec`. Setting it ends [`Timestamp`].
    #[doc(alias = "SO_TIMESTAMPNS")]
    TimestampNs = SO_TIMESTAMPNS: bool, get set, example udp true;

    /// `SO_TYPE`: the socket's type, the second argument of socket(2).
    #[doc(alias = "SO_TYPE")]
    SoType = SO_TYPE: Type as Number<Type>, get, example udp readysock::Type::DGRAM;

    /// `SO_ZEROCOPY`: allow sends with MSG_ZEROCOPY. Since Linux 4.14.
    ///
    /// TCP, UDP (since Linux 5.0) and vsock; others answer EOPNOTSUPP. The kernel then reads memory that the program has lent it until the error queue says it is done: this crate's sends
    /// do not do that, and the option alone changes nothing.
    #[doc(alias = "SO_ZEROCOPY")]
    ZeroCopy = SO_ZEROCOPY: bool, get set, example tcp true;
}
