//! Options of IPv6: level `IPPROTO_IPV6`. Other sockets answer EOPNOTSUPP or ENOPROTOOPT.
#![doc = concat!(man_page!("ipv6", 7))]

use std::ffi::c_int;
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::BorrowedFd;

use super::codec::{Number, Size};
use super::enums::PathMtu;
use super::table::options;
use super::value::Encode;
use crate::sys::sockopt as sys;

options! {
    level IPPROTO_IPV6, path "sockopt::ipv6", man "ipv6" 7;

    /// `IPV6_ADD_MEMBERSHIP`: join a multicast group on an interface.
    ///
    /// EADDRINUSE if this socket has joined it there; ENODEV without such an interface; EINVAL for what is no group. C also calls it `IPV6_JOIN_GROUP`. Closing the socket leaves its groups.
    ///
    /// ```no_run
    /// use readysock::sockopt::{self, ipv6::{AddMembership, Membership}};
    ///
    /// let socket = std::net::UdpSocket::bind("[::]:0")?;
    /// let group = "ff02::114".parse().expect("an address");
    /// sockopt::set(&socket, AddMembership, Membership { group, interface: 1 })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "IPV6_ADD_MEMBERSHIP")]
    AddMembership = IPV6_ADD_MEMBERSHIP: Membership as Mreq, set;

    /// `IPV6_DROP_MEMBERSHIP`: leave a multicast group.
    ///
    /// EADDRNOTAVAIL if this socket has not joined it there. C also calls it `IPV6_LEAVE_GROUP`. [`AddMembership`] has an example.
    #[doc(alias = "IPV6_DROP_MEMBERSHIP")]
    DropMembership = IPV6_DROP_MEMBERSHIP: Membership as Mreq, set;

    /// `IPV6_FREEBIND`: bind to an address that the machine does not have, or not yet. Since Linux 4.15.
    ///
    /// Without it that is EADDRNOTAVAIL. Needs no privilege. It is the same switch as [`ip::FreeBind`](super::ip::FreeBind).
    #[doc(alias = "IPV6_FREEBIND")]
    FreeBind = IPV6_FREEBIND: bool, get set, example udp6 true;

    /// `IPV6_MTU`: the largest packet that is known to reach the peer; set, the largest to send.
    ///
    /// Header included. Reading is ENOTCONN before `connect`. The trap: the two are different numbers. What is set, 1280 bytes or more (else EINVAL) or 0 for no bound, decides into what fragments a
    /// datagram is cut, and is not what is read afterwards.
    ///
    /// ```no_run
    /// use readysock::sockopt::{self, ipv6::Mtu};
    ///
    /// let socket = std::net::UdpSocket::bind("[::1]:0")?;
    /// socket.connect(socket.local_addr()?)?;
    /// assert!(sockopt::get(&socket, Mtu)? >= 1280);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "IPV6_MTU")]
    Mtu = IPV6_MTU: usize as Size, "bytes", get set;

    /// `IPV6_MTU_DISCOVER`: what to do about packets that are larger than `Mtu`.
    ///
    /// `WANT` at first. Another number than [`PathMtu`]'s is EINVAL.
    #[doc(alias = "IPV6_MTU_DISCOVER")]
    MtuDiscover = IPV6_MTU_DISCOVER: PathMtu as Number<PathMtu>, get set, example udp6 sockopt::PathMtu::DO;

    /// `IPV6_MULTICAST_HOPS`: over how many routers multicast datagrams go.
    ///
    /// 1 at first: they stay in the local network. 0: on this machine. A stream socket answers ENOPROTOOPT.
    #[doc(alias = "IPV6_MULTICAST_HOPS")]
    MulticastHops = IPV6_MULTICAST_HOPS: u8, "hops", get set, example udp6 4;

    /// `IPV6_MULTICAST_IF`: the interface through which multicast datagrams go, by its index.
    ///
    /// 0, as at first: the one that the route to the group goes through. ENODEV if there is none of that number; a stream socket answers ENOPROTOOPT.
    #[doc(alias = "IPV6_MULTICAST_IF")]
    MulticastIf = IPV6_MULTICAST_IF: u32, get set, example udp6 1;

    /// `IPV6_MULTICAST_LOOP`: do multicast datagrams that are sent also reach this machine?
    ///
    /// On at first. On Linux the sender's option counts; on Windows that of the receiver. What goes through the interface `lo` comes back whatever it says.
    #[doc(alias = "IPV6_MULTICAST_LOOP")]
    MulticastLoop = IPV6_MULTICAST_LOOP: bool, get set, example udp6 false;

    /// `IPV6_RECVERR`: keep the errors that the network reports, with all they say.
    ///
    /// On the error queue: see [`ip::RecvErr`](super::ip::RecvErr).
    #[doc(alias = "IPV6_RECVERR")]
    RecvErr = IPV6_RECVERR: bool, get set, example udp6 true;

    /// `IPV6_RECVHOPLIMIT`: receive with each datagram the hops that its header has left. Since Linux 2.6.14.
    ///
    /// As a control message of recvmsg(2), an `int`.
    #[doc(alias = "IPV6_RECVHOPLIMIT")]
    RecvHopLimit = IPV6_RECVHOPLIMIT: bool, get set, example udp6 true;

    /// `IPV6_RECVPKTINFO`: receive with each datagram its destination address and its interface. Since Linux 2.6.14.
    ///
    /// As a control message of recvmsg(2), a `struct in6_pktinfo`.
    #[doc(alias = "IPV6_RECVPKTINFO")]
    RecvPktInfo = IPV6_RECVPKTINFO: bool, get set, example udp6 true;

    /// `IPV6_RECVTCLASS`: receive with each datagram the `TClass` of its header. Since Linux 2.6.14.
    ///
    /// As a control message of recvmsg(2), an `int`.
    #[doc(alias = "IPV6_RECVTCLASS")]
    RecvTClass = IPV6_RECVTCLASS: bool, get set, example udp6 true;

    /// `IPV6_TCLASS`: the byte of the header that says how urgent a packet is: DSCP in its upper six bits. Since Linux 2.6.14.
    ///
    /// The lower two are ECN: TCP keeps them to itself, so on a stream socket 3 reads back as 0. The IPv4 packets of this socket have [`ip::Tos`](super::ip::Tos).
    #[doc(alias = "IPV6_TCLASS")]
    TClass = IPV6_TCLASS: u8, get set, example udp6 0x10;

    /// `IPV6_TRANSPARENT`: bind to, and answer from, addresses that this machine does not have. Since Linux 2.6.37.
    ///
    /// For proxies. Needs CAP_NET_ADMIN or CAP_NET_RAW: else EPERM.
    #[doc(alias = "IPV6_TRANSPARENT")]
    Transparent = IPV6_TRANSPARENT: bool, get set, example "no_run" udp6 true;

    /// `IPV6_UNICAST_HOPS`: over how many routers packets go.
    ///
    /// 64 at first, from the interface's `hop_limit`. 0 is taken, though no router passes such a packet on. Multicast has its own, [`MulticastHops`].
    #[doc(alias = "IPV6_UNICAST_HOPS")]
    UnicastHops = IPV6_UNICAST_HOPS: u8, "hops", get set, example udp6 3;

    /// `IPV6_V6ONLY`: IPv6 alone, no IPv4 as `::ffff:192.0.2.1`? Since Linux 2.4.21.
    ///
    /// Off at first, or what `/proc/sys/net/ipv6/bindv6only` says. Set it before `bind`: later EINVAL. Two sockets may bind one port for the two if it is on.
    #[doc(alias = "IPV6_V6ONLY")]
    V6Only = IPV6_V6ONLY: bool, get set, example udp6 true;
}

/// `struct ipv6_mreq`: a group, and the interface on which to join it. The value of [`AddMembership`].
#[doc = concat!(man_page!("ipv6", 7))]
#[doc(alias = "ipv6_mreq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Membership {
    /// The group: an address that begins with ff.
    pub group: Ipv6Addr,
    /// The index of the interface, as if_nametoindex(3) gives it; 0 for the one that the route to the group goes through.
    pub interface: u32,
}

/// `struct ipv6_mreq`.
#[derive(Debug)]
pub(crate) struct Mreq;

impl Encode for Mreq {
    type Value = Membership;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Membership) -> io::Result<()> {
        let mut bytes = [0; 20];
        bytes[..16].copy_from_slice(&value.group.octets());
        bytes[16..].copy_from_slice(&value.interface.to_ne_bytes());
        sys::set_plain(fd, level, name, &bytes)
    }
}
