//! Options of IPv4: level `IPPROTO_IP`. Unix sockets answer EOPNOTSUPP.
//!
//! An IPv6 socket has them too, for the IPv4 packets that it sends and receives.
#![doc = concat!(man_page!("ip", 7))]

use std::ffi::c_int;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;

use super::codec::{InAddr, Number, Size};
use super::enums::PathMtu;
use super::table::options;
use super::value::Encode;
use crate::sys::sockopt as sys;

options! {
    level IPPROTO_IP, path "sockopt::ip", man "ip" 7;

    /// `IP_ADD_MEMBERSHIP`: join a multicast group on an interface.
    ///
    /// EADDRINUSE if this socket has joined it there; ENODEV without such an interface; EINVAL for what is no group; ENOBUFS over `igmp_max_memberships`, 20 at first. Closing the socket leaves its groups.
    /// The trap: see [`MulticastAll`].
    ///
    /// ```
    /// use readysock::sockopt::{self, ip::{AddMembership, DropMembership, Interface, Membership}};
    /// use std::net::{Ipv4Addr, UdpSocket};
    ///
    /// let socket = UdpSocket::bind("0.0.0.0:0")?;
    /// let group = Ipv4Addr::new(239, 255, 17, 3);
    /// let membership = Membership { group, interface: Interface::Address(Ipv4Addr::LOCALHOST) };
    /// sockopt::set(&socket, AddMembership, membership)?;
    /// sockopt::set(&socket, DropMembership, membership)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "IP_ADD_MEMBERSHIP")]
    AddMembership = IP_ADD_MEMBERSHIP: Membership as Mreqn, set;

    /// `IP_ADD_SOURCE_MEMBERSHIP`: join a multicast group and hear one sender; once more for another. Since Linux 2.4.22.
    ///
    /// EADDRNOTAVAIL if this sender was added before; EINVAL if the group was joined without a sender.
    ///
    /// ```
    /// use readysock::sockopt::{self, ip::{AddSourceMembership, DropSourceMembership, SourceMembership}};
    /// use std::net::{Ipv4Addr, UdpSocket};
    ///
    /// let socket = UdpSocket::bind("0.0.0.0:0")?;
    /// let (group, local) = (Ipv4Addr::new(239, 255, 17, 4), Ipv4Addr::LOCALHOST);
    /// let membership = SourceMembership { group, source: local, interface: local };
    /// sockopt::set(&socket, AddSourceMembership, membership)?;
    /// sockopt::set(&socket, DropSourceMembership, membership)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "IP_ADD_SOURCE_MEMBERSHIP")]
    AddSourceMembership = IP_ADD_SOURCE_MEMBERSHIP: SourceMembership as MreqSource, set;

    /// `IP_BIND_ADDRESS_NO_PORT`: choose the port in `connect`, not in `bind` to port 0. Since Linux 4.2.
    ///
    /// Many connections from one address to different peers may then share a port. Set it before `bind`.
    #[doc(alias = "IP_BIND_ADDRESS_NO_PORT")]
    BindAddressNoPort = IP_BIND_ADDRESS_NO_PORT: bool, get set, example tcp true;

    /// `IP_DROP_MEMBERSHIP`: leave a multicast group.
    ///
    /// EADDRNOTAVAIL if this socket has not joined it there. [`AddMembership`] has an example.
    #[doc(alias = "IP_DROP_MEMBERSHIP")]
    DropMembership = IP_DROP_MEMBERSHIP: Membership as Mreqn, set;

    /// `IP_DROP_SOURCE_MEMBERSHIP`: no longer hear this sender in a multicast group. Since Linux 2.4.22.
    ///
    /// EADDRNOTAVAIL if it was not added; without its last sender the group is left. [`AddSourceMembership`] has an example.
    #[doc(alias = "IP_DROP_SOURCE_MEMBERSHIP")]
    DropSourceMembership = IP_DROP_SOURCE_MEMBERSHIP: SourceMembership as MreqSource, set;

    /// `IP_FREEBIND`: bind to an address that the machine does not have, or not yet. Since Linux 2.4.
    ///
    /// Without it that is EADDRNOTAVAIL. Needs no privilege.
    #[doc(alias = "IP_FREEBIND")]
    FreeBind = IP_FREEBIND: bool, get set, example tcp true;

    /// `IP_MTU`: the largest packet that is known to reach the peer. Since Linux 2.2.
    ///
    /// Header included. ENOTCONN before `connect`.
    ///
    /// ```
    /// use readysock::sockopt::{self, ip::Mtu};
    ///
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// socket.connect(socket.local_addr()?)?;
    /// assert!(sockopt::get(&socket, Mtu)? >= 576);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "IP_MTU")]
    Mtu = IP_MTU: usize as Size, "bytes", get;

    /// `IP_MTU_DISCOVER`: what to do about packets that are larger than `Mtu`. Since Linux 2.2.
    ///
    /// `WANT` at first, or `DONT` where `/proc/sys/net/ipv4/ip_no_pmtu_disc` is set. Another number than [`PathMtu`]'s is EINVAL.
    #[doc(alias = "IP_MTU_DISCOVER")]
    MtuDiscover = IP_MTU_DISCOVER: PathMtu as Number<PathMtu>, get set, example udp sockopt::PathMtu::DO;

    /// `IP_MULTICAST_ALL`: hear every group that anybody on this machine has joined. Since Linux 2.6.31.
    ///
    /// On at first, and a trap: a socket that is bound to 0.0.0.0 also gets the datagrams of groups which other programs joined, if the port is the same. Clear it on every receiver,
    /// or bind to the group's address.
    #[doc(alias = "IP_MULTICAST_ALL")]
    MulticastAll = IP_MULTICAST_ALL: bool, get set, example udp false;

    /// `IP_MULTICAST_IF`: the interface through which multicast datagrams go, by an address it has.
    ///
    /// 0.0.0.0, as at first: the one that the route to the group goes through. EADDRNOTAVAIL if none has it; EINVAL on a stream socket.
    /// The trap: an interface that somebody set by its index reads back as 0.0.0.0.
    #[doc(alias = "IP_MULTICAST_IF")]
    MulticastIf = IP_MULTICAST_IF: Ipv4Addr as InAddr, get set, example udp std::net::Ipv4Addr::LOCALHOST;

    /// `IP_MULTICAST_LOOP`: do multicast datagrams that are sent also reach this machine?
    ///
    /// On at first. On Linux the sender's option counts; on Windows that of the receiver. What goes through the interface `lo` comes back whatever it says.
    #[doc(alias = "IP_MULTICAST_LOOP")]
    MulticastLoop = IP_MULTICAST_LOOP: bool, get set, example udp false;

    /// `IP_MULTICAST_TTL`: over how many routers multicast datagrams go.
    ///
    /// 1 at first: they stay in the local network. 0: on this machine. EINVAL on a stream socket.
    #[doc(alias = "IP_MULTICAST_TTL")]
    MulticastTtl = IP_MULTICAST_TTL: u8, "hops", get set, example udp 4;

    /// `IP_PKTINFO`: receive with each datagram its destination address and its interface. Since Linux 2.2.
    ///
    /// As a control message of recvmsg(2), a `struct in_pktinfo`.
    #[doc(alias = "IP_PKTINFO")]
    PktInfo = IP_PKTINFO: bool, get set, example udp true;

    /// `IP_RECVERR`: keep the errors that the network reports, with all they say. Since Linux 2.2.
    ///
    /// On the error queue, for recvmsg(2) with MSG_ERRQUEUE; `poll` reports ERR while there are any. On TCP, which has no such queue, it makes the connection
    /// end at a first error that would otherwise be waited out.
    #[doc(alias = "IP_RECVERR")]
    RecvErr = IP_RECVERR: bool, get set, example udp true;

    /// `IP_RECVTOS`: receive with each datagram the `Tos` of its header. Since Linux 2.2.
    ///
    /// As a control message of recvmsg(2), one byte.
    #[doc(alias = "IP_RECVTOS")]
    RecvTos = IP_RECVTOS: bool, get set, example udp true;

    /// `IP_RECVTTL`: receive with each datagram the `Ttl` that its header has left. Since Linux 2.2.
    ///
    /// As a control message of recvmsg(2), an `int`.
    #[doc(alias = "IP_RECVTTL")]
    RecvTtl = IP_RECVTTL: bool, get set, example udp true;

    /// `IP_TOS`: the byte of the header that says how urgent a packet is: DSCP in its upper six bits.
    ///
    /// The lower two are ECN: TCP keeps them to itself, so on a stream socket 3 reads back as 0. Setting it sets [`Priority`](super::Priority) too.
    #[doc(alias = "IP_TOS")]
    Tos = IP_TOS: u8, get set, example udp 0x10;

    /// `IP_TRANSPARENT`: bind to, and answer from, addresses that this machine does not have. Since Linux 2.6.24.
    ///
    /// For proxies. Needs CAP_NET_ADMIN or CAP_NET_RAW: else EPERM.
    #[doc(alias = "IP_TRANSPARENT")]
    Transparent = IP_TRANSPARENT: bool, get set, example "no_run" tcp true;

    /// `IP_TTL`: over how many routers packets go.
    ///
    /// 64 at first, from `ip_default_ttl`; 0 is EINVAL. Multicast has its own, [`MulticastTtl`].
    #[doc(alias = "IP_TTL")]
    Ttl = IP_TTL: u8, "hops", get set, example udp 3;
}

/// Which of the machine's interfaces an option means.
///
/// ```
/// use readysock::sockopt::ip::Interface;
/// use std::net::Ipv4Addr;
///
/// assert_eq!(Interface::from(Ipv4Addr::LOCALHOST), Interface::Address(Ipv4Addr::LOCALHOST));
/// ```
#[doc = concat!(man_page!("ip", 7))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interface {
    /// The one that the route to the group goes through. C: `INADDR_ANY` and index 0.
    #[default]
    Any,
    /// The one that has this address; ENODEV if none has it.
    Address(Ipv4Addr),
    /// The one with this index, as if_nametoindex(3) gives it; ENODEV if there is none. 0 is `Any`.
    Index(u32),
}

impl From<Ipv4Addr> for Interface {
    fn from(address: Ipv4Addr) -> Interface {
        Interface::Address(address)
    }
}

/// `struct ip_mreqn`: a group, and the interface on which to join it. The value of [`AddMembership`].
#[doc = concat!(man_page!("ip", 7))]
#[doc(alias = "ip_mreqn")]
#[doc(alias = "ip_mreq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Membership {
    /// The group: 224.0.0.0 to 239.255.255.255.
    pub group: Ipv4Addr,
    /// Where.
    pub interface: Interface,
}

/// `struct ip_mreq_source`: a group, and who in it is heard. The value of [`AddSourceMembership`].
#[doc = concat!(man_page!("ip", 7))]
#[doc(alias = "ip_mreq_source")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceMembership {
    /// The group: 224.0.0.0 to 239.255.255.255.
    pub group: Ipv4Addr,
    /// The sender that is heard.
    pub source: Ipv4Addr,
    /// The address of the interface; 0.0.0.0 for the one that the route to the group goes through.
    pub interface: Ipv4Addr,
}

/// `struct ip_mreqn`.
#[derive(Debug)]
pub(crate) struct Mreqn;

impl Encode for Mreqn {
    type Value = Membership;

    fn encode(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: Membership) -> io::Result<()> {
        let (address, index) = match value.interface {
            Interface::Any => (Ipv4Addr::UNSPECIFIED, 0),
            Interface::Address(address) => (address, 0),
            Interface::Index(index) => (Ipv4Addr::UNSPECIFIED, index),
        };
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&value.group.octets());
        bytes[4..8].copy_from_slice(&address.octets());
        bytes[8..].copy_from_slice(&index.to_ne_bytes());
        sys::set_plain(fd, level, name, &bytes)
    }
}

/// `struct ip_mreq_source`.
#[derive(Debug)]
pub(crate) struct MreqSource;

impl Encode for MreqSource {
    type Value = SourceMembership;

    fn encode(
        fd: BorrowedFd<'_>,
        level: c_int,
        name: c_int,
        value: SourceMembership,
    ) -> io::Result<()> {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&value.group.octets());
        bytes[4..8].copy_from_slice(&value.interface.octets());
        bytes[8..].copy_from_slice(&value.source.octets());
        sys::set_plain(fd, level, name, &bytes)
    }
}
