//! Options of TCP: level `IPPROTO_TCP`. Other sockets answer EOPNOTSUPP or ENOPROTOOPT.
//!
//! Accepted sockets inherit most of them from the listener.
#![doc = concat!(man_page!("tcp", 7))]

use std::time::Duration;

use super::codec::{LongSize, Milliseconds, Name, Seconds, SecondsOrNone, Size};
use super::table::options;
use super::tcp_info::Growing;
pub use super::tcp_info::TcpInfo;

options! {
    level IPPROTO_TCP, path "sockopt::tcp", man "tcp" 7;

    /// `TCP_CONGESTION`: the algorithm of congestion control, by its name. Since Linux 2.6.13.
    ///
    /// `/proc/sys/net/ipv4/tcp_available_congestion_control` lists them. One that is not there is ENOENT; one that is not in `tcp_allowed_congestion_control` needs CAP_NET_ADMIN: EPERM. The names that
    /// you read have no NUL behind them.
    #[doc(alias = "TCP_CONGESTION")]
    Congestion = TCP_CONGESTION: String as Name, get set, example tcp String::from("reno");

    /// `TCP_CORK`: send full segments only, until the cork is pulled.
    ///
    /// While it is set, less than a segment waits, though not longer than 200 ms; clearing it sends what waits. For a header
    /// and a file that belong together. Linux only. [`NoDelay`] yields to it, though setting that once more sends what waits.
    #[doc(alias = "TCP_CORK")]
    Cork = TCP_CORK: bool, get set, example tcp true;

    /// `TCP_DEFER_ACCEPT`: wake the listener when data comes, not when a connection is made.
    ///
    /// For protocols in which the client speaks first. Zero is off. A client that stays silent is accepted all the same when this time is over: it is rounded up to whole seconds, and by the kernel to a moment
    /// at which the handshake is repeated (1, 3, 7, 15 s, ...), which is what you read back. Over about 8 hours is cut without a word.
    #[doc(alias = "TCP_DEFER_ACCEPT")]
    DeferAccept = TCP_DEFER_ACCEPT: Duration as Seconds, "s", get set, example listener std::time::Duration::from_secs(3);

    /// `TCP_FASTOPEN`: how many connections may come with data in their SYN, before the handshake is done. Since Linux 3.6.
    ///
    /// For listeners; a connected socket answers EINVAL. 0 is off. At most `/proc/sys/net/core/somaxconn`, without a word. Bit 1 of `/proc/sys/net/ipv4/tcp_fastopen` must be set, too, or nothing comes of it.
    /// The trap: a repeated SYN brings its data twice.
    #[doc(alias = "TCP_FASTOPEN")]
    FastOpen = TCP_FASTOPEN: u32, "connections", get set, example listener 16;

    /// `TCP_FASTOPEN_CONNECT`: let `connect` wait for the first data and send it in the SYN. Since Linux 4.11.
    ///
    /// Before `connect`; later EINVAL. EOPNOTSUPP where bit 0 of `/proc/sys/net/ipv4/tcp_fastopen` is not set. The trap: `connect` then says yes before anybody was asked; the first send or
    /// receive says whether there is a peer.
    #[doc(alias = "TCP_FASTOPEN_CONNECT")]
    FastOpenConnect = TCP_FASTOPEN_CONNECT: bool, get set, example tcp true;

    /// `TCP_INFO`: what the kernel knows of the connection: its state, times, windows, losses.
    ///
    /// [`TcpInfo`] has the list and an example.
    #[doc(alias = "TCP_INFO")]
    Info = TCP_INFO: TcpInfo as Growing, get;

    /// `TCP_KEEPCNT`: how many questions of `KeepAlive` without an answer end the connection.
    ///
    /// 9 at first, from `tcp_keepalive_probes`; 1 to 127, else EINVAL.
    #[doc(alias = "TCP_KEEPCNT")]
    KeepCnt = TCP_KEEPCNT: u32, "questions", get set, example tcp 3;

    /// `TCP_KEEPIDLE`: how long a connection is silent before `KeepAlive` asks.
    ///
    /// Two hours at first, from `tcp_keepalive_time`. Rounded up to whole seconds; 1 to 32767 of them, else EINVAL.
    #[doc(alias = "TCP_KEEPIDLE")]
    KeepIdle = TCP_KEEPIDLE: Duration as Seconds, "s", get set, example tcp std::time::Duration::from_secs(60);

    /// `TCP_KEEPINTVL`: the time between two questions of `KeepAlive`.
    ///
    /// 75 s at first, from `tcp_keepalive_intvl`. Rounded up to whole seconds; 1 to 32767 of them, else EINVAL.
    #[doc(alias = "TCP_KEEPINTVL")]
    KeepIntvl = TCP_KEEPINTVL: Duration as Seconds, "s", get set, example tcp std::time::Duration::from_secs(10);

    /// `TCP_LINGER2`: how long a closed connection waits in FIN_WAIT2 for its peer to close too.
    ///
    /// 60 s at first, from `tcp_fin_timeout`. Rounded up to whole seconds; over 120 s is cut to that without a word. Zero is not at all: a socket that is closed in that state resets the connection. (C has
    /// -1 for it; C's 0 is "as the system has it", which [`set_int`](super::set_int) can still say.) It has nothing to do with [`SoLinger`](super::SoLinger).
    #[doc(alias = "TCP_LINGER2")]
    Linger2 = TCP_LINGER2: Duration as SecondsOrNone, "s", get set, example tcp std::time::Duration::from_secs(5);

    /// `TCP_MAXSEG`: the largest segment to send, and to ask the peer for.
    ///
    /// 88 to 32767, or 0 for the interface's; else EINVAL. Set it before `connect` or `listen`: later it changes nothing. What you read on a connection is what is in use.
    #[doc(alias = "TCP_MAXSEG")]
    MaxSeg = TCP_MAXSEG: usize as Size, "bytes", get set, example tcp 1000;

    /// `TCP_NODELAY`: send small segments at once.
    ///
    /// Without it (Nagle's algorithm), less than a segment waits while sent data is unacknowledged, and the peer may hold its acknowledgement
    /// back for 40 ms: a request written in two pieces is slow for that reason. Set it where you
    /// write whole messages; it does not help who writes byte by byte. Setting it also sends what waits.
    /// Accepted sockets inherit it from the listener.
    #[doc(alias = "TCP_NODELAY")]
    NoDelay = TCP_NODELAY: bool, get set, example tcp true;

    /// `TCP_NOTSENT_LOWAT`: with how much unsent data the socket is still writable. Since Linux 3.12.
    ///
    /// For programs that decide late what to send: it keeps data out of the send buffer that could not go out yet anyway. `poll` goes by it, and a blocking send. 0, as at first, is the system's
    /// value, `tcp_notsent_lowat`, which is no limit at first. Over `u32::MAX` is InvalidInput.
    #[doc(alias = "TCP_NOTSENT_LOWAT")]
    NotSentLowat = TCP_NOTSENT_LOWAT: usize as LongSize, "bytes", get set, example tcp 16_384;

    /// `TCP_QUICKACK`: acknowledge at once, rather than 40 to 200 ms later. Since Linux 2.4.4.
    ///
    /// It does not last: the kernel goes back and forth by itself as it sees fit, so set it again after each receive.
    #[doc(alias = "TCP_QUICKACK")]
    QuickAck = TCP_QUICKACK: bool, get set, example tcp false;

    /// `TCP_SYNCNT`: how often `connect` repeats its SYN before it gives up with ETIMEDOUT.
    ///
    /// 6 at first, from `tcp_syn_retries`; 1 to 127, else EINVAL. Each waits twice as long as the one before: 6 are 127 s, 1 is 3 s. Since
    /// Linux 6.5 the first of them come a second apart (`tcp_syn_linear_timeouts`, 4), and a small number is repeated more often than it
    /// says: 2 are five SYNs and 7 s.
    #[doc(alias = "TCP_SYNCNT")]
    SynCnt = TCP_SYNCNT: u32, "repetitions", get set, example tcp 2;

    /// `TCP_ULP`: the protocol that the kernel runs above TCP: `tls`, or another module's. Since Linux 4.13.
    ///
    /// Empty where there is none. It cannot be taken back, nor changed: EEXIST. ENOENT where the kernel has no such protocol; `tls` needs a connected socket, else ENOTCONN.
    ///
    /// ```
    /// let socket = readysock::Socket::new(readysock::Domain::INET, readysock::Type::STREAM, None)?;
    /// assert_eq!(readysock::sockopt::get(&socket, readysock::sockopt::tcp::Ulp)?, "");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "TCP_ULP")]
    Ulp = TCP_ULP: String as Name, get set;

    /// `TCP_USER_TIMEOUT`: how long sent data may stay unacknowledged before the connection ends with ETIMEDOUT. Since Linux 2.6.37.
    ///
    /// Zero, as at first, is the system's way: 15 retransmissions, about a quarter of an hour. Rounded up to milliseconds; over 2147483647 of them is InvalidInput. It also decides, in place of [`KeepCnt`], when a silent peer
    /// is given up, and it bounds `connect`.
    #[doc(alias = "TCP_USER_TIMEOUT")]
    UserTimeout = TCP_USER_TIMEOUT: Duration as Milliseconds, "ms", get set, example tcp std::time::Duration::from_secs(30);

    /// `TCP_WINDOW_CLAMP`: the largest window to offer the peer.
    ///
    /// At least 1152: less is raised without a word. 0 is no bound, and EINVAL on a socket that is connected or listens.
    #[doc(alias = "TCP_WINDOW_CLAMP")]
    WindowClamp = TCP_WINDOW_CLAMP: usize as Size, "bytes", get set, example tcp 65_536;
}
