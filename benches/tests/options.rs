//! What is set by one crate reads the same by another, both ways: this one and rustix, this one and socket2.
//!
//! (nix is compared in the crate's own tests, `tests/sockopt/against_nix.rs`.) Where a peer says something else, the difference is
//! asserted, too: it is the reason why the option is as it is here.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use readysock::sockopt::{self, Linger, PathMtu, ip, ipv6, tcp};
use readysock::{Domain, Protocol, Socket, Type};
use rustix::net as rx;
use rustix::net::sockopt as rustix_opt;

const SECOND: Duration = Duration::from_secs(1);

fn stream() -> Socket {
    Socket::new(Domain::INET, Type::STREAM, None).expect("a TCP socket")
}

fn datagram() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").expect("a UDP socket")
}

fn datagram6() -> Socket {
    Socket::new(Domain::INET6, Type::DGRAM, None).expect("an IPv6 socket")
}

fn theirs(socket: Socket) -> socket2::Socket {
    socket2::Socket::from(std::os::fd::OwnedFd::from(socket))
}

/// `socket; Ours, their getter, their setter: [our value => theirs, ...]`: set here and read there, set there and read here.
macro_rules! agree {
    ($socket:expr; $($Ours:path, $get:expr, $set:expr, [$($our:expr => $their:expr),+];)+) => { $( {
        let socket = $socket;
        for (ours, theirs) in [$(($our, $their)),+] {
            sockopt::set(&socket, $Ours, ours.clone()).expect(stringify!($Ours));
            assert_eq!($get(&socket).expect("theirs"), theirs, "set here: {}", stringify!($Ours));
        }
        for (ours, theirs) in [$(($our, $their)),+] {
            $set(&socket, theirs).expect(stringify!($Ours));
            assert_eq!(sockopt::get(&socket, $Ours).expect("ours"), ours, "set there: {}", stringify!($Ours));
        }
    } )+ };
}

/// The same for flags.
macro_rules! flags {
    ($socket:expr; $($Ours:path, $get:expr, $set:expr;)+) => {
        agree! { $socket; $($Ours, $get, $set, [true => true, false => false, true => true];)+ }
    };
}

mod with_rustix {
    use super::*;

    #[test]
    fn flags() {
        flags! { stream();
            sockopt::KeepAlive, rustix_opt::socket_keepalive, rustix_opt::set_socket_keepalive;
            sockopt::OobInline, rustix_opt::socket_oobinline, rustix_opt::set_socket_oobinline;
            sockopt::ReuseAddr, rustix_opt::socket_reuseaddr, rustix_opt::set_socket_reuseaddr;
            sockopt::ReusePort, rustix_opt::socket_reuseport, rustix_opt::set_socket_reuseport;
            ip::FreeBind, rustix_opt::ip_freebind, rustix_opt::set_ip_freebind;
            tcp::Cork, rustix_opt::tcp_cork, rustix_opt::set_tcp_cork;
            tcp::NoDelay, rustix_opt::tcp_nodelay, rustix_opt::set_tcp_nodelay;
            tcp::QuickAck, rustix_opt::tcp_quickack, rustix_opt::set_tcp_quickack;
        }
        flags! { datagram();
            sockopt::Broadcast, rustix_opt::socket_broadcast, rustix_opt::set_socket_broadcast;
            ip::MulticastLoop, rustix_opt::ip_multicast_loop, rustix_opt::set_ip_multicast_loop;
            ip::RecvTos, rustix_opt::ip_recvtos, rustix_opt::set_ip_recvtos;
        }
        flags! { datagram6();
            ipv6::FreeBind, rustix_opt::ipv6_freebind, rustix_opt::set_ipv6_freebind;
            ipv6::MulticastLoop, rustix_opt::ipv6_multicast_loop, rustix_opt::set_ipv6_multicast_loop;
            ipv6::RecvTClass, rustix_opt::ipv6_recvtclass, rustix_opt::set_ipv6_recvtclass;
            ipv6::V6Only, rustix_opt::ipv6_v6only, rustix_opt::set_ipv6_v6only;
        }
        let (unix, _peer) = UnixStream::pair().expect("a pair");
        flags! { &unix; sockopt::PassCred, rustix_opt::socket_passcred, rustix_opt::set_socket_passcred; }
    }

    #[test]
    fn numbers_and_addresses() {
        agree! { datagram();
            ip::MulticastIf, rustix_opt::ip_multicast_if, |fd, value| rustix_opt::set_ip_multicast_if(fd, &value), [
                Ipv4Addr::LOCALHOST => Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED => Ipv4Addr::UNSPECIFIED
            ];
            ip::MulticastTtl, rustix_opt::ip_multicast_ttl, rustix_opt::set_ip_multicast_ttl, [0 => 0, 255 => 255];
            ip::Tos, rustix_opt::ip_tos, rustix_opt::set_ip_tos, [0x10 => 0x10, 255 => 255];
            ip::Ttl, rustix_opt::ip_ttl, rustix_opt::set_ip_ttl, [1 => 1, 255 => 255];
            sockopt::IncomingCpu, rustix_opt::socket_incoming_cpu, rustix_opt::set_socket_incoming_cpu, [Some(0) => 0, Some(1) => 1];
        }
        agree! { datagram6();
            ipv6::MulticastHops, rustix_opt::ipv6_multicast_hops, rustix_opt::set_ipv6_multicast_hops, [0 => 0, 255 => 255];
            ipv6::MulticastIf, rustix_opt::ipv6_multicast_if, rustix_opt::set_ipv6_multicast_if, [1 => 1, 0 => 0];
            ipv6::TClass, rustix_opt::ipv6_tclass, rustix_opt::set_ipv6_tclass, [0x10 => 0x10, 255 => 255];
            ipv6::UnicastHops, rustix_opt::ipv6_unicast_hops, |fd, value| rustix_opt::set_ipv6_unicast_hops(fd, Some(value)), [1 => 1, 255 => 255];
        }
        agree! { stream(); tcp::KeepCnt, rustix_opt::tcp_keepcnt, rustix_opt::set_tcp_keepcnt, [1 => 1, 127 => 127]; }
        let reno = "reno".to_owned();
        agree! { stream(); tcp::Congestion, rustix_opt::tcp_congestion, |fd, name: String| rustix_opt::set_tcp_congestion(fd, &name), [reno.clone() => reno.clone()]; }
    }

    #[test]
    fn discovery() {
        let (socket, six) = (datagram(), datagram6());
        for (ours, theirs) in [
            (PathMtu::DONT, rustix_opt::Ipv4PathMtuDiscovery::DONT),
            (PathMtu::DO, rustix_opt::Ipv4PathMtuDiscovery::DO),
            (PathMtu::OMIT, rustix_opt::Ipv4PathMtuDiscovery::OMIT),
        ] {
            sockopt::set(&socket, ip::MtuDiscover, ours).expect("set");
            assert_eq!(rustix_opt::ip_mtu_discover(&socket).expect("theirs"), theirs);
        }
        rustix_opt::set_ipv6_mtu_discover(&six, rustix_opt::Ipv6PathMtuDiscovery::PROBE)
            .expect("set");
        assert_eq!(sockopt::get(&six, ipv6::MtuDiscover).expect("ours"), PathMtu::PROBE);
    }

    #[test]
    fn times() {
        agree! { stream();
            tcp::KeepIdle, rustix_opt::tcp_keepidle, rustix_opt::set_tcp_keepidle, [SECOND => SECOND, 90 * SECOND => 90 * SECOND];
            tcp::KeepIntvl, rustix_opt::tcp_keepintvl, rustix_opt::set_tcp_keepintvl, [SECOND => SECOND, 90 * SECOND => 90 * SECOND];
            tcp::UserTimeout, rustix_opt::tcp_user_timeout, rustix_opt::set_tcp_user_timeout, [SECOND => 1000, Duration::ZERO => 0];
            sockopt::RcvTimeo,
                |fd| rustix_opt::socket_timeout(fd, rustix_opt::Timeout::Recv),
                |fd, value| rustix_opt::set_socket_timeout(fd, rustix_opt::Timeout::Recv, value),
                [Some(SECOND) => Some(SECOND), None => None];
            sockopt::SndTimeo,
                |fd| rustix_opt::socket_timeout(fd, rustix_opt::Timeout::Send),
                |fd, value| rustix_opt::set_socket_timeout(fd, rustix_opt::Timeout::Send, value),
                [Some(SECOND) => Some(SECOND), None => None];
            sockopt::SoLinger, rustix_opt::socket_linger, rustix_opt::set_socket_linger,
                [Linger::For(7 * SECOND) => Some(7 * SECOND), Linger::Off => None];
        }
        // What has a name of its own here is a time of zero there.
        let socket = stream();
        sockopt::set(&socket, sockopt::SoLinger, Linger::Abort).expect("set");
        assert_eq!(rustix_opt::socket_linger(&socket).expect("theirs"), Some(Duration::ZERO));
    }

    #[test]
    fn sizes() {
        let socket = datagram();
        sockopt::set(&socket, sockopt::SndBuf, 10_000).expect("set");
        assert_eq!(rustix_opt::socket_send_buffer_size(&socket).expect("theirs"), 20_000);
        rustix_opt::set_socket_recv_buffer_size(&socket, 10_000).expect("set");
        assert_eq!(sockopt::get(&socket, sockopt::RcvBuf).expect("ours"), 20_000);
    }

    #[test]
    fn what_can_only_be_read() {
        let socket = stream();
        assert_eq!(rustix_opt::socket_type(&socket).expect("theirs"), rx::SocketType::STREAM);
        assert_eq!(rustix_opt::socket_domain(&socket).expect("theirs"), rx::AddressFamily::INET);
        assert_eq!(rustix_opt::socket_protocol(&socket).expect("theirs"), Some(rx::ipproto::TCP));
        assert_eq!(sockopt::get(&socket, sockopt::SoProtocol).expect("ours"), Protocol::TCP);
        let ours = sockopt::get(&socket, sockopt::Cookie).expect("ours");
        assert_eq!(rustix_opt::socket_cookie(&socket).expect("theirs"), ours);
        let listens = rustix_opt::socket_acceptconn(&socket).expect("theirs");
        assert_eq!(sockopt::get(&socket, sockopt::AcceptConn).expect("ours"), listens);
        let udp = datagram();
        udp.connect(udp.local_addr().expect("an address")).expect("connect");
        let ours = sockopt::get(&udp, ip::Mtu).expect("ours");
        assert_eq!(rustix_opt::ip_mtu(&udp).expect("theirs") as usize, ours);
        let (unix, _peer) = UnixStream::pair().expect("a pair");
        let (ours, theirs) = (
            sockopt::get(&unix, sockopt::PeerCred).expect("ours"),
            rustix_opt::socket_peercred(&unix),
        );
        let (ours, theirs) = (ours.expect("a peer"), theirs.expect("theirs"));
        assert_eq!(
            (ours.pid, ours.uid, ours.gid),
            (theirs.pid.as_raw_nonzero().get(), theirs.uid.as_raw(), theirs.gid.as_raw())
        );
    }
}

mod with_socket2 {
    use super::*;
    use socket2::Socket as Theirs;

    #[test]
    fn flags() {
        flags! { theirs(stream());
            sockopt::KeepAlive, Theirs::keepalive, Theirs::set_keepalive;
            sockopt::OobInline, Theirs::out_of_band_inline, Theirs::set_out_of_band_inline;
            sockopt::ReuseAddr, Theirs::reuse_address, Theirs::set_reuse_address;
            sockopt::ReusePort, Theirs::reuse_port, Theirs::set_reuse_port;
            ip::FreeBind, Theirs::freebind_v4, Theirs::set_freebind_v4;
            tcp::Cork, Theirs::tcp_cork, Theirs::set_tcp_cork;
            tcp::NoDelay, Theirs::tcp_nodelay, Theirs::set_tcp_nodelay;
            tcp::QuickAck, Theirs::tcp_quickack, Theirs::set_tcp_quickack;
        }
        flags! { theirs(Socket::from(datagram()));
            sockopt::Broadcast, Theirs::broadcast, Theirs::set_broadcast;
            ip::MulticastAll, Theirs::multicast_all_v4, Theirs::set_multicast_all_v4;
            ip::MulticastLoop, Theirs::multicast_loop_v4, Theirs::set_multicast_loop_v4;
        }
        flags! { theirs(datagram6());
            ipv6::FreeBind, Theirs::freebind_v6, Theirs::set_freebind_v6;
            ipv6::MulticastLoop, Theirs::multicast_loop_v6, Theirs::set_multicast_loop_v6;
            ipv6::V6Only, Theirs::only_v6, Theirs::set_only_v6;
        }
    }

    #[test]
    fn numbers() {
        agree! { theirs(Socket::from(datagram()));
            sockopt::Priority, Theirs::priority, Theirs::set_priority, [5 => 5, 0 => 0];
            sockopt::IncomingCpu, Theirs::cpu_affinity, Theirs::set_cpu_affinity, [Some(0) => 0, Some(1) => 1];
            ip::MulticastTtl, Theirs::multicast_ttl_v4, Theirs::set_multicast_ttl_v4, [0 => 0, 255 => 255];
            ip::Tos, Theirs::tos_v4, Theirs::set_tos_v4, [0x10 => 0x10, 255 => 255];
            ip::Ttl, Theirs::ttl_v4, Theirs::set_ttl_v4, [1 => 1, 255 => 255];
        }
        agree! { theirs(datagram6());
            ipv6::MulticastHops, Theirs::multicast_hops_v6, Theirs::set_multicast_hops_v6, [0 => 0, 255 => 255];
            ipv6::TClass, Theirs::tclass_v6, Theirs::set_tclass_v6, [0x10 => 0x10, 255 => 255];
            ipv6::UnicastHops, Theirs::unicast_hops_v6, Theirs::set_unicast_hops_v6, [1 => 1, 255 => 255];
        }
        agree! { theirs(stream());
            tcp::MaxSeg, Theirs::tcp_mss, Theirs::set_tcp_mss, [88 => 88, 1000 => 1000];
            tcp::NotSentLowat, Theirs::tcp_notsent_lowat, Theirs::set_tcp_notsent_lowat, [0 => 0, 16_384 => 16_384];
        }
    }

    #[test]
    fn times() {
        agree! { theirs(stream());
            tcp::UserTimeout, Theirs::tcp_user_timeout, Theirs::set_tcp_user_timeout, [SECOND => Some(SECOND), Duration::ZERO => None];
            sockopt::RcvTimeo, Theirs::read_timeout, Theirs::set_read_timeout, [Some(SECOND) => Some(SECOND), None => None];
            sockopt::SndTimeo, Theirs::write_timeout, Theirs::set_write_timeout, [Some(SECOND) => Some(SECOND), None => None];
            sockopt::SoLinger, Theirs::linger, Theirs::set_linger, [Linger::For(7 * SECOND) => Some(7 * SECOND), Linger::Off => None];
        }
        let socket = theirs(stream());
        socket
            .set_tcp_keepalive(
                &socket2::TcpKeepalive::new().with_time(90 * SECOND).with_interval(9 * SECOND),
            )
            .expect("set");
        assert_eq!(sockopt::get(&socket, tcp::KeepIdle).expect("ours"), 90 * SECOND);
        assert_eq!(sockopt::get(&socket, tcp::KeepIntvl).expect("ours"), 9 * SECOND);
        assert!(sockopt::get(&socket, sockopt::KeepAlive).expect("ours"));
    }

    /// A time to linger below a second goes down to a reset there, and up to a second here.
    #[test]
    fn a_short_linger() {
        let socket = theirs(stream());
        socket.set_linger(Some(Duration::from_millis(900))).expect("set");
        assert_eq!(sockopt::get(&socket, sockopt::SoLinger).expect("ours"), Linger::Abort);
        sockopt::set(&socket, sockopt::SoLinger, Linger::For(Duration::from_millis(900)))
            .expect("set");
        assert_eq!(socket.linger().expect("theirs"), Some(SECOND));
    }

    #[test]
    fn names_and_devices() {
        let socket = theirs(stream());
        sockopt::set(&socket, tcp::Congestion, "reno".into()).expect("set");
        // socket2's name has the kernel's NULs behind it.
        let name = socket.tcp_congestion().expect("theirs");
        assert_eq!(name.split(|byte| *byte == 0).next(), Some(&b"reno"[..]));
        let socket = theirs(Socket::from(datagram()));
        sockopt::set(&socket, sockopt::BindToDevice, "lo".into()).expect("set");
        assert_eq!(socket.device().expect("theirs").as_deref(), Some(&b"lo"[..]));
        assert_eq!(
            sockopt::get(&socket, sockopt::Cookie).expect("ours"),
            socket.cookie().expect("theirs")
        );
    }
}
