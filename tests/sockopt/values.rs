//! Values at the edges of what an option can say: each is written whole, goes up, or is refused; none becomes another.

use std::fs;
use std::io::ErrorKind;
use std::mem::offset_of;
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::support::options::{assert_errno, assert_refused, lacks};
use crate::support::skipped;
use crate::support::sockets;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use readysock::libc::{self, SOL_SOCKET};
use readysock::sockopt::{self, PathMtu, TcpState, TimestampFlags, ip, ipv6, tcp, udp};
use readysock::{Domain, Events, Socket, Type};

const SECOND: Duration = Duration::from_secs(1);

// ---- times ----

#[test]
fn a_limit_goes_up_and_is_never_for_ever() {
    let socket = sockets::udp();
    assert_eq!(sockopt::get(&socket, sockopt::RcvTimeo).unwrap(), None);
    for asked in [
        Duration::from_nanos(1),
        Duration::from_nanos(500),
        Duration::from_micros(999),
        Duration::from_millis(1),
        Duration::new(1, 999_999_500),
        Duration::from_secs(1 << 20),
    ] {
        sockopt::set(&socket, sockopt::RcvTimeo, Some(asked)).unwrap();
        sockopt::set(&socket, sockopt::SndTimeo, Some(asked)).unwrap();
        let got = sockopt::get(&socket, sockopt::RcvTimeo).unwrap().expect("a limit");
        // A tick of the kernel's clock is 10 ms at most.
        assert!(got >= asked && got <= asked + Duration::from_millis(10), "{asked:?}: {got:?}");
        assert_eq!(sockopt::get(&socket, sockopt::SndTimeo).unwrap(), Some(got));
    }
    let before = sockopt::get(&socket, sockopt::RcvTimeo).unwrap();
    let most = u64::try_from(std::ffi::c_long::MAX / 1000).unwrap();
    for asked in
        [Duration::ZERO, Duration::from_secs(most), Duration::from_secs(most + 1), Duration::MAX]
    {
        assert_refused(sockopt::set(&socket, sockopt::RcvTimeo, Some(asked)), "use None");
        assert_refused(sockopt::set(&socket, sockopt::SndTimeo, Some(asked)), "use None");
    }
    assert_eq!(sockopt::get(&socket, sockopt::RcvTimeo).unwrap(), before);
    let longest = Duration::from_secs(most - 2);
    sockopt::set(&socket, sockopt::RcvTimeo, Some(longest)).unwrap();
    assert_eq!(sockopt::get(&socket, sockopt::RcvTimeo).unwrap(), Some(longest));
    sockopt::set(&socket, sockopt::RcvTimeo, None).unwrap();
    assert_eq!(sockopt::get(&socket, sockopt::RcvTimeo).unwrap(), None);
}

#[test]
fn times_in_whole_seconds() {
    let socket = sockets::tcp();
    for asked in [Duration::from_millis(1), Duration::from_millis(1001), 32_767 * SECOND] {
        let up = Duration::from_secs(asked.as_secs() + u64::from(asked.subsec_nanos() > 0));
        sockopt::set(&socket, tcp::KeepIdle, asked).unwrap();
        sockopt::set(&socket, tcp::KeepIntvl, asked).unwrap();
        assert_eq!(sockopt::get(&socket, tcp::KeepIdle).unwrap(), up);
        assert_eq!(sockopt::get(&socket, tcp::KeepIntvl).unwrap(), up);
    }
    for asked in
        [Duration::ZERO, 32_768 * SECOND, Duration::from_secs(i32::MAX.unsigned_abs().into())]
    {
        assert_errno(sockopt::set(&socket, tcp::KeepIdle, asked), &[libc::EINVAL]);
        assert_errno(sockopt::set(&socket, tcp::KeepIntvl, asked), &[libc::EINVAL]);
    }
    for asked in [Duration::from_secs(1 << 31), Duration::from_secs(1 << 32), Duration::MAX] {
        assert_refused(sockopt::set(&socket, tcp::KeepIdle, asked), "shorter");
        assert_refused(sockopt::set(&socket, tcp::DeferAccept, asked), "shorter");
        assert_refused(sockopt::set(&socket, tcp::Linger2, asked), "shorter");
    }
}

#[test]
fn defer_accept_goes_up_to_a_repetition() {
    let (listener, _) = sockets::tcp_listener(1);
    for asked in [0, 1, 2, 3, 4, 7, 8, 60] {
        let asked = Duration::from_secs(asked);
        sockopt::set(&listener, tcp::DeferAccept, asked).unwrap();
        let got = sockopt::get(&listener, tcp::DeferAccept).unwrap();
        assert!(got >= asked && got <= asked * 2, "{asked:?}: {got:?}");
    }
    // What the documentation says is cut.
    sockopt::set(&listener, tcp::DeferAccept, 100_000 * SECOND).unwrap();
    assert!(sockopt::get(&listener, tcp::DeferAccept).unwrap() < 100_000 * SECOND);
}

#[test]
fn no_time_in_fin_wait_is_no_time() {
    let socket = sockets::tcp();
    sockopt::set(&socket, tcp::Linger2, Duration::ZERO).unwrap();
    assert_eq!(sockopt::get(&socket, tcp::Linger2).unwrap(), Duration::ZERO);
    assert_eq!(sockopt::get_int(&socket, libc::IPPROTO_TCP, libc::TCP_LINGER2).unwrap(), -1);
    sockopt::set(&socket, tcp::Linger2, Duration::from_millis(1)).unwrap();
    assert_eq!(sockopt::get(&socket, tcp::Linger2).unwrap(), SECOND);
    sockopt::set(&socket, tcp::Linger2, 1000 * SECOND).unwrap();
    assert_eq!(sockopt::get(&socket, tcp::Linger2).unwrap(), 120 * SECOND);
    sockopt::set_int(&socket, libc::IPPROTO_TCP, libc::TCP_LINGER2, 0).unwrap();
    let system: u64 = sysctl("ipv4/tcp_fin_timeout").parse().unwrap();
    assert_eq!(sockopt::get(&socket, tcp::Linger2).unwrap().as_secs(), system);
}

#[test]
fn user_timeout_in_milliseconds() {
    let socket = sockets::tcp();
    assert_eq!(sockopt::get(&socket, tcp::UserTimeout).unwrap(), Duration::ZERO);
    for (asked, got) in [(1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)] {
        sockopt::set(&socket, tcp::UserTimeout, Duration::from_nanos(asked)).unwrap();
        let got = Duration::from_millis(got);
        assert_eq!(sockopt::get(&socket, tcp::UserTimeout).unwrap(), got);
    }
    for asked in [Duration::from_millis(1 << 31), Duration::from_millis(1 << 32), Duration::MAX] {
        assert_refused(sockopt::set(&socket, tcp::UserTimeout, asked), "shorter");
        assert_refused(sockopt::set(&socket, sockopt::BusyPoll, asked), "shorter");
    }
    assert_eq!(sockopt::get(&socket, tcp::UserTimeout).unwrap(), Duration::from_millis(2));
}

// ---- sizes and numbers ----

#[test]
#[cfg(target_pointer_width = "64")]
fn sizes_are_whole_or_refused() {
    let (stream, _peer) = sockets::tcp_pair();
    let int = i32::MAX.unsigned_abs() as usize;
    for size in [int + 1, (1 << 32) + 4096, usize::MAX] {
        assert_refused(sockopt::set(&stream, sockopt::RcvLowat, size), "ask for less");
        assert_refused(sockopt::set(&stream, sockopt::RcvBufForce, size), "ask for less");
        assert_refused(sockopt::set(&stream, sockopt::SndBufForce, size), "ask for less");
        assert_refused(sockopt::set(&stream, sockopt::PeekOff, Some(size)), "ask for less");
        assert_refused(sockopt::set(&stream, tcp::MaxSeg, size), "ask for less");
        assert_refused(sockopt::set(&stream, tcp::WindowClamp, size), "ask for less");
        assert_refused(sockopt::set(&stream, udp::Segment, size), "ask for less");
        assert_refused(sockopt::set(&stream, ipv6::Mtu, size), "ask for less");
    }
    // This one has all 32 bits.
    for size in [0, int, int + 1, u32::MAX as usize] {
        sockopt::set(&stream, tcp::NotSentLowat, size).unwrap();
        assert_eq!(sockopt::get(&stream, tcp::NotSentLowat).unwrap(), size);
    }
    assert_refused(sockopt::set(&stream, tcp::NotSentLowat, 1 << 32), "ask for less");
}

#[test]
fn what_the_kernel_raises_cuts_or_refuses() {
    let (stream, _peer) = sockets::tcp_pair();
    sockopt::set(&stream, sockopt::RcvLowat, 0).unwrap();
    assert_eq!(sockopt::get(&stream, sockopt::RcvLowat).unwrap(), 1);
    sockopt::set(&stream, tcp::WindowClamp, 1).unwrap();
    let least = sockopt::get(&stream, tcp::WindowClamp).unwrap();
    assert!((2..8192).contains(&least), "{least}");
    for size in [1, 87, 40_000] {
        assert_errno(sockopt::set(&stream, tcp::MaxSeg, size), &[libc::EINVAL]);
    }
    let in_use = sockopt::get(&stream, tcp::MaxSeg).unwrap();
    sockopt::set(&stream, tcp::MaxSeg, 1000).unwrap();
    assert_eq!(sockopt::get(&stream, tcp::MaxSeg).unwrap(), in_use, "too late");
    for count in [0, 128, u32::MAX] {
        assert_errno(sockopt::set(&stream, tcp::KeepCnt, count), &[libc::EINVAL]);
        assert_errno(sockopt::set(&stream, tcp::SynCnt, count), &[libc::EINVAL]);
    }
    assert_errno(sockopt::set(&stream, tcp::FastOpen, 1), &[libc::EINVAL]);
    assert_errno(sockopt::set(&stream, tcp::FastOpenConnect, true), &[libc::EINVAL]);
    let (listener, _) = sockets::tcp_listener(1);
    sockopt::set(&listener, tcp::FastOpen, 1_000_000).unwrap();
    let somaxconn: u32 = sysctl("core/somaxconn").parse().unwrap();
    assert_eq!(sockopt::get(&listener, tcp::FastOpen).unwrap(), somaxconn);
    assert_errno(sockopt::set(&sockets::udp(), udp::Segment, 65_536), &[libc::EINVAL]);
    assert_errno(sockopt::set(&sockets::udp(), ip::Ttl, 0), &[libc::EINVAL]);
    assert_errno(sockopt::set(&stream, ip::MulticastTtl, 1), &[libc::EINVAL]);
}

#[test]
fn a_rate_has_no_limit_or_a_number() {
    if lacks(
        sockopt::set(&sockets::tcp(), sockopt::MaxPacingRate, None).is_ok(),
        "SO_MAX_PACING_RATE",
    ) {
        return;
    }
    let socket = sockets::tcp();
    assert_eq!(sockopt::get(&socket, sockopt::MaxPacingRate).unwrap(), None);
    let below = u64::from(u32::MAX) - 1;
    for rate in [Some(0), Some(1), Some(below), None] {
        sockopt::set(&socket, sockopt::MaxPacingRate, rate).unwrap();
        assert_eq!(sockopt::get(&socket, sockopt::MaxPacingRate).unwrap(), rate);
    }
    for rate in [below + 1, below + 2, 1 << 40, u64::MAX - 1] {
        let set = sockopt::set(&socket, sockopt::MaxPacingRate, Some(rate));
        if cfg!(target_pointer_width = "64") {
            set.unwrap();
            assert_eq!(sockopt::get(&socket, sockopt::MaxPacingRate).unwrap(), Some(rate));
        } else {
            assert_refused(set, "use None");
        }
    }
    assert_refused(sockopt::set(&socket, sockopt::MaxPacingRate, Some(u64::MAX)), "use None");
}

#[test]
fn numbers_that_are_none() {
    if lacks(
        sockopt::set(&sockets::pair(Type::STREAM).0, sockopt::PeekOff, None).is_ok(),
        "SO_PEEK_OFF",
    ) {
        return;
    }
    let (socket, _peer) = sockets::pair(Type::STREAM);
    assert_eq!(sockopt::get(&socket, sockopt::PeekOff).unwrap(), None);
    for value in [Some(0), Some(i32::MAX.unsigned_abs() as usize), None] {
        sockopt::set(&socket, sockopt::PeekOff, value).unwrap();
        assert_eq!(sockopt::get(&socket, sockopt::PeekOff).unwrap(), value);
    }
    assert_eq!(sockopt::get(&socket, sockopt::IncomingCpu).unwrap(), None);
    for value in [Some(0), Some(i32::MAX.unsigned_abs()), None] {
        sockopt::set(&socket, sockopt::IncomingCpu, value).unwrap();
        assert_eq!(sockopt::get(&socket, sockopt::IncomingCpu).unwrap(), value);
    }
    // As an int that is -1: none at all.
    assert_refused(sockopt::set(&socket, sockopt::IncomingCpu, Some(u32::MAX)), "over 2147483647");
}

#[test]
fn fields_of_a_header_are_bytes() {
    let udp = sockets::udp();
    let udp6 = Socket::new(Domain::INET6, Type::DGRAM, None).unwrap();
    for value in [1, 127, 128, 255] {
        sockopt::set(&udp, ip::Ttl, value).unwrap();
        sockopt::set(&udp, ip::Tos, value).unwrap();
        sockopt::set(&udp, ip::MulticastTtl, value).unwrap();
        sockopt::set(&udp6, ipv6::UnicastHops, value).unwrap();
        sockopt::set(&udp6, ipv6::TClass, value).unwrap();
        sockopt::set(&udp6, ipv6::MulticastHops, value).unwrap();
        assert_eq!(sockopt::get(&udp, ip::Ttl).unwrap(), value);
        assert_eq!(sockopt::get(&udp, ip::Tos).unwrap(), value);
        assert_eq!(sockopt::get(&udp, ip::MulticastTtl).unwrap(), value);
        assert_eq!(sockopt::get(&udp6, ipv6::UnicastHops).unwrap(), value);
        assert_eq!(sockopt::get(&udp6, ipv6::TClass).unwrap(), value);
        assert_eq!(sockopt::get(&udp6, ipv6::MulticastHops).unwrap(), value);
    }
    // TCP keeps the two bits of ECN, and the class goes with the byte.
    let stream = sockets::tcp();
    sockopt::set(&stream, ip::Tos, 0x13).unwrap();
    assert_eq!(sockopt::get(&stream, ip::Tos).unwrap(), 0x10);
    assert_eq!(sockopt::get(&stream, sockopt::Priority).unwrap(), 6);
}

#[test]
fn open_numbers_and_flags_keep_what_has_no_name() {
    let socket = sockets::udp();
    for (ours, number) in [(PathMtu::DO, 2), (PathMtu::PROBE, 3), (PathMtu::OMIT, 5)] {
        sockopt::set(&socket, ip::MtuDiscover, ours).unwrap();
        let raw = sockopt::get_int(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER).unwrap();
        assert_eq!(raw, number);
    }
    let unknown = sockopt::set(&socket, ip::MtuDiscover, PathMtu::from(77));
    assert_errno(unknown, &[libc::EINVAL]);
    if lacks(
        sockopt::set(&socket, sockopt::Timestamping, TimestampFlags::empty()).is_ok(),
        "SO_TIMESTAMPING",
    ) {
        return;
    }
    let unknown = TimestampFlags::from_bits_retain(1 << 30);
    assert_errno(sockopt::set(&socket, sockopt::Timestamping, unknown), &[libc::EINVAL]);
}

#[test]
fn a_group_that_is_not_there() {
    if lacks(sockopt::get(&sockets::udp(), ip::MulticastIf).is_ok(), "IP_MULTICAST_IF") {
        return;
    }
    let socket = sockets::udp();
    let group = "239.255.17.30".parse().unwrap();
    let nowhere = ip::Membership { group, interface: ip::Interface::Index(u32::MAX) };
    assert_errno(sockopt::set(&socket, ip::AddMembership, nowhere), &[libc::ENODEV]);
    let nobody = ip::Membership {
        group,
        interface: "192.0.2.77".parse::<std::net::Ipv4Addr>().unwrap().into(),
    };
    assert_errno(sockopt::set(&socket, ip::AddMembership, nobody), &[libc::ENODEV]);
    let nobody = "192.0.2.77".parse().unwrap();
    assert_errno(sockopt::set(&socket, ip::MulticastIf, nobody), &[libc::EADDRNOTAVAIL]);
    let index = ip::Membership { group, interface: ip::Interface::Index(1) };
    sockopt::set(&socket, ip::AddMembership, index).unwrap();
    let address = ip::Membership { group, interface: std::net::Ipv4Addr::LOCALHOST.into() };
    sockopt::set(&socket, ip::DropMembership, address).unwrap(); // lo, by its other name
}

// ---- names ----

#[test]
fn names_are_whole_or_refused() {
    if crate::support::options::lacks_names() {
        return;
    }
    let (socket, stream) = (sockets::udp(), sockets::tcp());
    for name in ["lo\0", "\0", "l\0o"] {
        assert_refused(sockopt::set(&socket, sockopt::BindToDevice, name.into()), "NUL");
        assert_refused(sockopt::set(&stream, tcp::Congestion, name.into()), "NUL");
        assert_refused(sockopt::set(&stream, tcp::Ulp, name.into()), "NUL");
    }
    // The kernel would cut these to 15 bytes and take what is left.
    for name in ["lo34567890123456", &"x".repeat(1000)] {
        assert_refused(sockopt::set(&socket, sockopt::BindToDevice, name.into()), "15 bytes");
        assert_refused(sockopt::set(&stream, tcp::Congestion, name.into()), "15 bytes");
    }
    assert_errno(
        sockopt::set(&socket, sockopt::BindToDevice, "lo3456789012345".into()),
        &[libc::ENODEV],
    );
    assert_errno(sockopt::set(&stream, tcp::Congestion, String::new()), &[libc::EINVAL]);
    sockopt::set(&socket, sockopt::BindToDevice, "lo".into()).unwrap();
    assert_eq!(sockopt::get(&socket, sockopt::BindToDevice).unwrap(), "lo");
    assert_eq!(sockopt::get(&socket, sockopt::BindToIfindex).unwrap(), 1);
    match sockopt::set(&socket, sockopt::BindToDevice, String::new()) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            skipped("unbinding a socket from its device needs CAP_NET_RAW");
        }
        result => {
            result.unwrap();
            assert_eq!(sockopt::get(&socket, sockopt::BindToDevice).unwrap(), "");
        }
    }
}

// ---- peers ----

#[test]
fn a_pidfd_is_ones_own() {
    let (socket, _peer) = sockets::pair(Type::STREAM);
    let first = match sockopt::get(&socket, sockopt::PeerPidfd) {
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {
            return skipped("SO_PEERPIDFD needs Linux 6.5");
        }
        pidfd => pidfd.unwrap(),
    };
    let second = sockopt::get(&socket, sockopt::PeerPidfd).unwrap();
    assert_ne!(first.as_raw_fd(), second.as_raw_fd(), "each call makes one");
    let flags = FdFlag::from_bits_retain(fcntl(&first, FcntlArg::F_GETFD).unwrap());
    assert!(flags.contains(FdFlag::FD_CLOEXEC));
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", first.as_raw_fd())).unwrap();
    let own = format!("Pid:\t{}", std::process::id());
    assert!(info.lines().any(|line| line == own), "{info}");
    assert_errno(sockopt::get(&sockets::tcp_pair().0, sockopt::PeerPidfd), &[libc::ENODATA]);
}

// ---- TCP_INFO ----

#[test]
fn info_is_what_c_has() {
    if lacks(
        sockopt::get(&sockets::tcp(), tcp::Info).is_ok_and(|info| info.written() > 4),
        "TCP_INFO",
    ) {
        return;
    }
    let (client, server) = sockets::tcp_pair();
    client.send_all(b"some bytes").unwrap();
    assert_eq!(server.recv(&mut [0; 64]).unwrap(), 10);
    let info = sockopt::get(&client, tcp::Info).unwrap();
    assert!(info.written() >= 104 && info.as_bytes().len() == info.written());
    assert_eq!(info.state(), TcpState::ESTABLISHED);
    assert!(info.rtt() > Duration::ZERO && info.rto() >= info.rtt() && info.snd_cwnd() > 0);
    assert!(info.pmtu() >= 576 && info.snd_mss() >= 500 && info.options() & 4 != 0);
    if info.written() >= 232 {
        assert_eq!((info.bytes_sent(), info.bytes_retrans(), info.notsent_bytes()), (10, 0, 0));
        assert_eq!(info.data_segs_out(), 1);
        assert!(info.min_rtt().is_some_and(|rtt| rtt <= info.rtt() * 10));
        assert!(info.snd_wnd() > 0 && info.segs_out() >= 2 && info.segs_in() >= 1);
    }
    if info.written() >= 128 {
        assert!(info.pacing_rate() > 0 && info.max_pacing_rate() == u64::MAX);
        let theirs = sockopt::get(&server, tcp::Info).unwrap();
        assert_eq!(theirs.bytes_received(), 10);
        assert_eq!(
            (theirs.snd_wscale(), theirs.rcv_wscale()),
            (info.rcv_wscale(), info.snd_wscale())
        );
    }
    assert!(format!("{info:?}").contains("state: TcpState::ESTABLISHED"));

    // The fields lie where libc's struct has them.
    macro_rules! at {
        ($($field:ident $method:ident $T:ty;)+) => { $(
            let bytes = info.as_bytes()[offset_of!(libc::tcp_info, $field)..].first_chunk().copied();
            assert_eq!(Some(info.$method()), bytes.map(<$T>::from_ne_bytes), stringify!($field));
        )+ };
    }
    at! {
        tcpi_snd_mss snd_mss u32;
        tcpi_rcv_mss rcv_mss u32;
        tcpi_unacked unacked u32;
        tcpi_pmtu pmtu u32;
        tcpi_snd_ssthresh snd_ssthresh u32;
        tcpi_snd_cwnd snd_cwnd u32;
        tcpi_advmss advmss u32;
        tcpi_reordering reordering u32;
        tcpi_rcv_space rcv_space u32;
        tcpi_total_retrans total_retrans u32;
    }
    let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap().to_ne_bytes();
    let at = |offset: usize| info.as_bytes()[offset..][..4].to_vec();
    assert_eq!(at(offset_of!(libc::tcp_info, tcpi_rtt)), micros(info.rtt()));
    assert_eq!(at(offset_of!(libc::tcp_info, tcpi_rto)), micros(info.rto()));
    assert_eq!(at(offset_of!(libc::tcp_info, tcpi_rttvar)), micros(info.rttvar()));
}

#[test]
fn info_of_a_listener_is_its_queue() {
    if lacks(
        sockopt::get(&sockets::tcp(), tcp::Info).is_ok_and(|info| info.written() > 4),
        "TCP_INFO",
    ) {
        return;
    }
    let (listener, addr) = sockets::tcp_listener(17);
    let clients: Vec<_> = (0..3).map(|_| sockets::tcp()).collect();
    for client in &clients {
        client.connect(&addr).unwrap();
    }
    assert_eq!(sockets::now(&listener, Events::IN), Events::IN);
    let info = sockopt::get(&listener, tcp::Info).unwrap();
    assert_eq!((info.state(), info.sacked()), (TcpState::LISTEN, 17));
    assert!((1..=3).contains(&info.unacked()), "{}", info.unacked());
    assert_eq!(info.min_rtt(), None);
}

fn sysctl(path: &str) -> String {
    fs::read_to_string(format!("/proc/sys/net/{path}")).unwrap().trim().to_owned()
}

#[test]
fn the_integer_forms_see_the_same() {
    let socket = sockets::tcp();
    sockopt::set_int(&socket, SOL_SOCKET, libc::SO_KEEPALIVE, 7).unwrap();
    assert!(sockopt::get(&socket, sockopt::KeepAlive).unwrap());
    sockopt::set(&socket, tcp::UserTimeout, 3 * SECOND).unwrap();
    assert_eq!(sockopt::get_int(&socket, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT).unwrap(), 3000);
    let error = sockopt::get_int(&socket, libc::IPPROTO_TCP, libc::TCP_ULP).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}
