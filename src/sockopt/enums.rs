//! Enumerations and flags of the kernel's, as open types: a number without a name here is kept and printed.

use std::ffi::c_int;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use bitflags::bitflags;

use super::value::{Decode, Encode, exactly};
use crate::addr::open_number;
use crate::sys::sockopt as sys;

open_number! {
    /// What to do about datagrams that are larger than the way to their destination lets through. The value of
    /// [`ip::MtuDiscover`](super::ip::MtuDiscover) and [`ipv6::MtuDiscover`](super::ipv6::MtuDiscover).
    ///
    /// ```
    /// use readysock::sockopt::{self, PathMtu, ip::MtuDiscover};
    ///
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// sockopt::set(&socket, MtuDiscover, PathMtu::DO)?;
    /// let error = socket.send_to(&[0; 65_508], "127.0.0.1:9").unwrap_err();
    /// assert_eq!(error.raw_os_error(), Some(readysock::libc::EMSGSIZE));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    #[doc = concat!(man_page!("ip", 7))]
    PathMtu {
        /// Never discover: send fragments where one packet is too large. C: `IP_PMTUDISC_DONT`.
        #[doc(alias = "IP_PMTUDISC_DONT")]
        DONT = libc::IP_PMTUDISC_DONT;
        /// Discover, and send fragments of datagrams that are larger than what was found. C: `IP_PMTUDISC_WANT`.
        #[doc(alias = "IP_PMTUDISC_WANT")]
        WANT = libc::IP_PMTUDISC_WANT;
        /// Discover, and fail with EMSGSIZE on what is larger. C: `IP_PMTUDISC_DO`.
        #[doc(alias = "IP_PMTUDISC_DO")]
        DO = libc::IP_PMTUDISC_DO;
        /// Forbid fragments, as `DO`, but send whatever the interface takes: for finding out. C: `IP_PMTUDISC_PROBE`.
        #[doc(alias = "IP_PMTUDISC_PROBE")]
        PROBE = libc::IP_PMTUDISC_PROBE;
        /// Use the interface's size, and believe no message from the network about another; EMSGSIZE on what is larger.
        /// C: `IP_PMTUDISC_INTERFACE`, since Linux 3.14.
        #[doc(alias = "IP_PMTUDISC_INTERFACE")]
        INTERFACE = 4;
        /// As `INTERFACE`, with fragments of what is larger. C: `IP_PMTUDISC_OMIT`, since Linux 3.15.
        #[doc(alias = "IP_PMTUDISC_OMIT")]
        OMIT = 5;
    }
}

open_number! {
    /// The state of a TCP connection: see [`TcpInfo::state`](super::tcp::TcpInfo::state).
    ///
    #[doc = concat!(man_page!("tcp", 7))]
    TcpState {
        /// Open, in both directions.
        ESTABLISHED = 1;
        /// `connect` has asked and waits.
        SYN_SENT = 2;
        /// The other end has asked and was answered.
        SYN_RECV = 3;
        /// This end has closed, and the other has not yet acknowledged that.
        FIN_WAIT1 = 4;
        /// This end has closed, the other not yet.
        FIN_WAIT2 = 5;
        /// Both have closed, this end first: it waits for what may still arrive.
        TIME_WAIT = 6;
        /// Not connected.
        CLOSE = 7;
        /// The other end has closed, this one not yet.
        CLOSE_WAIT = 8;
        /// Both have closed, the other end first: its acknowledgement is missing.
        LAST_ACK = 9;
        /// A listener.
        LISTEN = 10;
        /// Both have closed at the same time.
        CLOSING = 11;
    }
}

bitflags! {
    /// Which timestamps to make and which to report. The value of [`Timestamping`](super::Timestamping).
    ///
    /// A timestamp comes only if it is made (`RX_`, `TX_`) and reported (`SOFTWARE`, `RAW_HARDWARE`). C has more flags than have
    /// names here; they are kept and printed.
    ///
    /// ```
    /// use readysock::sockopt::{self, Timestamping, TimestampFlags};
    ///
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let flags = TimestampFlags::RX_SOFTWARE | TimestampFlags::SOFTWARE;
    /// sockopt::set(&socket, Timestamping, flags)?;
    /// assert_eq!(sockopt::get(&socket, Timestamping)?, flags);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TimestampFlags: u32 {
        /// Sent packets, by the network card.
        #[doc(alias = "SOF_TIMESTAMPING_TX_HARDWARE")]
        const TX_HARDWARE = 1;
        /// Sent packets, when they leave the kernel.
        #[doc(alias = "SOF_TIMESTAMPING_TX_SOFTWARE")]
        const TX_SOFTWARE = 1 << 1;
        /// Received packets, by the network card.
        #[doc(alias = "SOF_TIMESTAMPING_RX_HARDWARE")]
        const RX_HARDWARE = 1 << 2;
        /// Received packets, when they enter the kernel.
        #[doc(alias = "SOF_TIMESTAMPING_RX_SOFTWARE")]
        const RX_SOFTWARE = 1 << 3;
        /// Report those that the kernel made.
        #[doc(alias = "SOF_TIMESTAMPING_SOFTWARE")]
        const SOFTWARE = 1 << 4;
        /// Nothing: it is no longer in use.
        #[doc(alias = "SOF_TIMESTAMPING_SYS_HARDWARE")]
        const SYS_HARDWARE = 1 << 5;
        /// Report those that the card made, in its own time.
        #[doc(alias = "SOF_TIMESTAMPING_RAW_HARDWARE")]
        const RAW_HARDWARE = 1 << 6;
        /// Number the sent packets, and the timestamps with them.
        #[doc(alias = "SOF_TIMESTAMPING_OPT_ID")]
        const OPT_ID = 1 << 7;
        /// Sent packets, when they enter the queue of the interface.
        #[doc(alias = "SOF_TIMESTAMPING_TX_SCHED")]
        const TX_SCHED = 1 << 8;
        /// Sent data of TCP, when all of it is acknowledged.
        #[doc(alias = "SOF_TIMESTAMPING_TX_ACK")]
        const TX_ACK = 1 << 9;
        /// Control messages of datagrams beside those of timestamps.
        #[doc(alias = "SOF_TIMESTAMPING_OPT_CMSG")]
        const OPT_CMSG = 1 << 10;
        /// Timestamps of sent packets without a copy of the packet.
        #[doc(alias = "SOF_TIMESTAMPING_OPT_TSONLY")]
        const OPT_TSONLY = 1 << 11;
        /// Numbers of the connection beside the timestamps of sent data.
        #[doc(alias = "SOF_TIMESTAMPING_OPT_STATS")]
        const OPT_STATS = 1 << 12;
        /// The interface beside the timestamps of received packets that a card made.
        #[doc(alias = "SOF_TIMESTAMPING_OPT_PKTINFO")]
        const OPT_PKTINFO = 1 << 13;
        /// The kernel's timestamps of sent packets beside those of the card.
        #[doc(alias = "SOF_TIMESTAMPING_OPT_TX_SWHW")]
        const OPT_TX_SWHW = 1 << 14;
        /// Times of one clock of several in the card: needs `struct so_timestamping`, so `set_bytes`.
        #[doc(alias = "SOF_TIMESTAMPING_BIND_PHC")]
        const BIND_PHC = 1 << 15;
        /// With `OPT_ID`: on TCP count from the bytes that were written when the option was set. Since Linux 6.2.
        #[doc(alias = "SOF_TIMESTAMPING_OPT_ID_TCP")]
        const OPT_ID_TCP = 1 << 16;
        const _ = !0;
    }
}

/// Flags in an `int`.
#[derive(Debug)]
pub(crate) struct Flags;

impl Decode for Flags {
    type Value = TimestampFlags;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<TimestampFlags> {
        exactly(fd, level, name).map(u32::from_ne_bytes).map(TimestampFlags::from_bits_retain)
    }
}

impl Encode for Flags {
    type Value = TimestampFlags;

    fn encode(
        fd: BorrowedFd<'_>,
        level: c_int,
        name: c_int,
        value: TimestampFlags,
    ) -> io::Result<()> {
        sys::set_integer(fd, level, name, &value.bits().to_ne_bytes())
    }
}
