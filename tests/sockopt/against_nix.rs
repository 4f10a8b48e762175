//! What is set here reads the same through nix, and what nix sets reads the same here.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::support::options::lacks;
use crate::support::sockets;
use nix::sys::socket::sockopt as theirs;
use nix::sys::socket::{SockType, TimestampingFlag, getsockopt, setsockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use readysock::sockopt::{self, Linger, TimestampFlags, ip, ipv6, tcp, udp};
use readysock::{Domain, Socket, Type, libc};

/// `socket; Ours: value => Theirs: value, ...`: each pair of values is set here and read there, set there and read here.
macro_rules! agree {
    ($socket:expr; $($Ours:path => $Theirs:path: [$($our:expr => $their:expr),+];)+) => { $( {
        let socket = $socket;
        let pairs = [$(($our, $their)),+];
        let ours = sockopt::get(&socket, $Ours).and_then(|_| sockopt::set(&socket, $Ours, pairs[0].0.clone()));
        let pairs = if lacks(ours.is_ok(), stringify!($Ours)) { &pairs[..0] } else { &pairs[..] };
        for (ours, theirs) in pairs {
            sockopt::set(&socket, $Ours, ours.clone()).expect(stringify!($Ours));
            assert_eq!(getsockopt(&socket, $Theirs).expect("theirs"), *theirs, "set here: {}", stringify!($Ours));
        }
        for (ours, theirs) in pairs {
            setsockopt(&socket, $Theirs, theirs).expect(stringify!($Theirs));
            assert_eq!(sockopt::get(&socket, $Ours).expect("ours"), *ours, "set there: {}", stringify!($Ours));
        }
    } )+ };
}

/// The same, for flags.
macro_rules! flags {
    ($socket:expr; $($Ours:path => $Theirs:path;)+) => {
        agree! { $socket; $($Ours => $Theirs: [true => true, false => false, true => true];)+ }
    };
}

fn datagram6() -> Socket {
    Socket::new(Domain::INET6, Type::DGRAM, None).expect("an IPv6 socket")
}

#[test]
fn flags_of_sockets() {
    flags! { sockets::udp();
        sockopt::Broadcast => theirs::Broadcast;
        sockopt::DontRoute => theirs::DontRoute;
        sockopt::ReuseAddr => theirs::ReuseAddr;
        sockopt::ReusePort => theirs::ReusePort;
        sockopt::Timestamp => theirs::ReceiveTimestamp;
        sockopt::TimestampNs => theirs::ReceiveTimestampns;
    }
    flags! { sockets::tcp();
        sockopt::KeepAlive => theirs::KeepAlive;
        sockopt::OobInline => theirs::OobInline;
        tcp::FastOpenConnect => theirs::TcpFastOpenConnect;
        tcp::NoDelay => theirs::TcpNoDelay;
    }
    flags! { sockets::pair(Type::STREAM).0; sockopt::PassCred => theirs::PassCred; }
    agree! { sockets::udp(); sockopt::RxqOvfl => theirs::RxqOvfl: [true => 1, false => 0]; }
}

#[test]
fn flags_of_datagrams() {
    flags! { sockets::udp();
        ip::BindAddressNoPort => theirs::IpBindAddressNoPort;
        ip::FreeBind => theirs::IpFreebind;
        ip::MulticastLoop => theirs::IpMulticastLoop;
        ip::PktInfo => theirs::Ipv4PacketInfo;
        ip::RecvErr => theirs::Ipv4RecvErr;
        ip::RecvTos => theirs::IpRecvTos;
        ip::RecvTtl => theirs::Ipv4RecvTtl;
        udp::Gro => theirs::UdpGroSegment;
    }
    flags! { datagram6();
        ipv6::RecvErr => theirs::Ipv6RecvErr;
        ipv6::RecvHopLimit => theirs::Ipv6RecvHopLimit;
        ipv6::RecvPktInfo => theirs::Ipv6RecvPacketInfo;
        ipv6::RecvTClass => theirs::Ipv6RecvTClass;
        ipv6::V6Only => theirs::Ipv6V6Only;
    }
}

#[test]
fn numbers() {
    agree! { sockets::udp();
        sockopt::Priority => theirs::Priority: [5 => 5, 0 => 0];
        ip::MulticastTtl => theirs::IpMulticastTtl: [0 => 0, 254 => 254];
        ip::Tos => theirs::Ipv4Tos: [0x10 => 0x10, 255 => 255];
        ip::Ttl => theirs::Ipv4Ttl: [1 => 1, 255 => 255];
        udp::Segment => theirs::UdpGsoSegment: [1200 => 1200, 0 => 0];
    }
    agree! { datagram6();
        ipv6::MulticastHops => theirs::Ipv6MulticastHops: [0 => 0, 255 => 255];
        ipv6::TClass => theirs::Ipv6TClass: [0x10 => 0x10, 255 => 255];
        ipv6::UnicastHops => theirs::Ipv6Ttl: [1 => 1, 255 => 255];
    }
    agree! { sockets::tcp();
        tcp::KeepCnt => theirs::TcpKeepCount: [1 => 1, 127 => 127];
        tcp::MaxSeg => theirs::TcpMaxSeg: [88 => 88, 1000 => 1000];
    }
    agree! { sockets::udp(); sockopt::Timestamping => theirs::Timestamping: [
        TimestampFlags::RX_SOFTWARE | TimestampFlags::SOFTWARE
            => TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE,
        TimestampFlags::empty() => TimestampingFlag::empty()
    ]; }
}

#[test]
fn times() {
    let seconds = Duration::from_secs;
    agree! { sockets::tcp();
        tcp::KeepIdle => theirs::TcpKeepIdle: [seconds(1) => 1, seconds(32_767) => 32_767];
        tcp::KeepIntvl => theirs::TcpKeepInterval: [seconds(1) => 1, seconds(32_767) => 32_767];
        tcp::UserTimeout => theirs::TcpUserTimeout: [
            Duration::from_millis(1) => 1, seconds(0) => 0, Duration::from_millis(i32::MAX.unsigned_abs().into()) => i32::MAX.unsigned_abs()
        ];
        sockopt::RcvTimeo => theirs::ReceiveTimeout: [
            Some(Duration::from_millis(1500)) => TimeVal::milliseconds(1500), None => TimeVal::zero()
        ];
        sockopt::SndTimeo => theirs::SendTimeout: [
            Some(Duration::from_millis(1500)) => TimeVal::milliseconds(1500), None => TimeVal::zero()
        ];
    }
    // `libc::linger` cannot be compared, so by hand.
    let socket = sockets::tcp();
    for (ours, onoff, seconds) in
        [(Linger::For(seconds(7)), 1, 7), (Linger::Abort, 1, 0), (Linger::Off, 0, 0)]
    {
        sockopt::set(&socket, sockopt::SoLinger, ours).expect("set");
        let theirs = getsockopt(&socket, theirs::Linger).expect("theirs");
        assert_eq!((theirs.l_onoff, theirs.l_linger), (onoff, seconds));
        setsockopt(&socket, theirs::Linger, &libc::linger { l_onoff: 1, l_linger: 9 })
            .expect("set");
        setsockopt(&socket, theirs::Linger, &theirs).expect("set");
        assert_eq!(sockopt::get(&socket, sockopt::SoLinger).expect("ours"), ours);
    }
}

#[test]
fn sizes() {
    let socket = sockets::udp();
    for size in [0, 10_000, 65_536] {
        sockopt::set(&socket, sockopt::SndBuf, size).expect("set");
        let ours = sockopt::get(&socket, sockopt::SndBuf).expect("ours");
        assert_eq!(getsockopt(&socket, theirs::SndBuf).expect("theirs"), ours);
        setsockopt(&socket, theirs::RcvBuf, &size).expect("set");
        let ours = sockopt::get(&socket, sockopt::RcvBuf).expect("ours");
        assert_eq!(getsockopt(&socket, theirs::RcvBuf).expect("theirs"), ours);
        assert!(ours >= 2 * size);
    }
}

#[test]
fn names() {
    if crate::support::options::lacks_names() {
        return;
    }
    // Two sockets, for one that is bound needs a privilege to be bound again.
    let (one, other) = (sockets::udp(), sockets::udp());
    sockopt::set(&one, sockopt::BindToDevice, "lo".into()).expect("set");
    assert_eq!(getsockopt(&one, theirs::BindToDevice).expect("theirs"), OsString::from("lo"));
    setsockopt(&other, theirs::BindToDevice, &OsString::from("lo")).expect("set");
    assert_eq!(sockopt::get(&other, sockopt::BindToDevice).expect("ours"), "lo");
    // nix leaves the NULs at the name that it reads.
    let socket = sockets::tcp();
    sockopt::set(&socket, tcp::Congestion, "reno".into()).expect("set");
    let name = getsockopt(&socket, theirs::TcpCongestion).expect("theirs").into_encoded_bytes();
    assert_eq!(name.split(|byte| *byte == 0).next(), Some(&b"reno"[..]));
    let other = sockets::tcp();
    setsockopt(&other, theirs::TcpCongestion, &OsString::from("reno")).expect("set");
    assert_eq!(sockopt::get(&other, tcp::Congestion).expect("ours"), "reno");
}

#[test]
fn what_can_only_be_read() {
    let (listener, _) = sockets::tcp_listener(1);
    assert_eq!(getsockopt(&listener, theirs::SockType).expect("theirs"), SockType::Stream);
    assert_eq!(sockopt::get(&listener, sockopt::SoType).expect("ours"), Type::STREAM);
    assert!(getsockopt(&listener, theirs::AcceptConn).expect("theirs"));
    assert!(sockopt::get(&listener, sockopt::AcceptConn).expect("ours"));
    assert_eq!(getsockopt(&listener, theirs::SocketError).expect("theirs"), 0);
    assert!(sockopt::get(&listener, sockopt::Error).expect("ours").is_none());
    let udp = sockets::udp();
    udp.connect(udp.local_addr().expect("its address")).expect("connect");
    let ours = sockopt::get(&udp, ip::Mtu);
    if !lacks(ours.is_ok(), "IP_MTU") {
        let theirs = getsockopt(&udp, theirs::IpMtu).expect("theirs");
        assert_eq!(usize::try_from(theirs), Ok(ours.expect("ours")));
    }
    let (unix, _peer) = sockets::pair(Type::STREAM);
    let theirs = getsockopt(&unix, theirs::PeerCredentials).expect("theirs");
    let ours = sockopt::get(&unix, sockopt::PeerCred).expect("ours").expect("a peer");
    assert_eq!((ours.pid, ours.uid, ours.gid), (theirs.pid(), theirs.uid(), theirs.gid()));
}

/// What nix joins, this crate leaves, and the other way round: the kernel knows no difference.
#[test]
fn memberships() {
    use nix::sys::socket::IpMembershipRequest as Request;
    let (group, local) = (Ipv4Addr::new(239, 255, 17, 21), Ipv4Addr::LOCALHOST);
    let (socket, here) = (sockets::udp(), ip::Membership { group, interface: local.into() });
    let there = Request::new(group, Some(local));
    setsockopt(&socket, theirs::IpAddMembership, &there).expect("joined there");
    let left = sockopt::set(&socket, ip::DropMembership, here);
    if lacks(left.is_ok(), "IP_DROP_MEMBERSHIP") {
        return;
    }
    left.expect("left here");
    sockopt::set(&socket, ip::AddMembership, here).expect("joined here");
    setsockopt(&socket, theirs::IpDropMembership, &there).expect("left there");
}
