//! Socket options against the kernel: each option's normal use, the value classes, the gate that reads.

mod support;

use std::ffi::c_int;
use std::fmt::Debug;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use nix::sys::socket::sockopt as nix_opt;
use readysock::libc::{self, SOL_SOCKET};
use readysock::sockopt::{
    self, AcceptConn, Broadcast, GetOption, KeepAlive, Linger, RcvBuf, ReuseAddr, SetOption,
    SndBuf, SoDomain, SoLinger, SoProtocol, SoType,
    tcp::{Cork, NoDelay},
};
use readysock::{Domain, Protocol, Type};
use support::skipped;

/// Both ends of a TCP connection.
fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// It was found before the call: no errno, and a text that says what to do (`hint` is part of it).
#[track_caller]
fn assert_refused<T: Debug>(result: io::Result<T>, hint: &str) {
    let error = result.expect_err("refused");
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None), "{error}");
    assert!(error.to_string().contains(hint), "{error}");
}

#[track_caller]
fn assert_errno<T: Debug>(result: io::Result<T>, errno: &[c_int]) {
    let error = result.expect_err("an error of the kernel's");
    assert!(error.raw_os_error().is_some_and(|e| errno.contains(&e)), "{error}");
}

/// The value differs after the setting from the value before it, both ways.
#[track_caller]
fn assert_toggles<O>(fd: &impl AsFd, option: O)
where
    O: Copy + GetOption<Value = bool> + SetOption<Value = bool>,
{
    let before = sockopt::get(fd, option).unwrap();
    sockopt::set(fd, option, !before).unwrap();
    assert_eq!(sockopt::get(fd, option).unwrap(), !before);
    sockopt::set(fd, option, before).unwrap();
    assert_eq!(sockopt::get(fd, option).unwrap(), before);
}

fn sysctl(path: &str) -> usize {
    std::fs::read_to_string(format!("/proc/sys/net/{path}")).unwrap().trim().parse().unwrap()
}

// ---- each option's normal use ----

#[test]
fn flags_toggle() {
    let (stream, _peer) = tcp();
    assert_toggles(&stream, ReuseAddr);
    assert_toggles(&stream, KeepAlive);
    assert_toggles(&stream, NoDelay);
    assert_toggles(&stream, Cork);
    assert_toggles(&udp(), Broadcast);
    assert_toggles(&UnixDatagram::unbound().unwrap(), ReuseAddr);
}

#[test]
fn what_a_socket_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(sockopt::get(&listener, AcceptConn).unwrap());
    assert_eq!(sockopt::get(&listener, SoType).unwrap(), Type::STREAM);
    assert_eq!(sockopt::get(&listener, SoDomain).unwrap(), Domain::INET);
    assert_eq!(sockopt::get(&listener, SoProtocol).unwrap(), Protocol::TCP);
    let unix = UnixDatagram::unbound().unwrap();
    assert!(!sockopt::get(&unix, AcceptConn).unwrap());
    assert_eq!(sockopt::get(&unix, SoType).unwrap(), Type::DGRAM);
    assert_eq!(sockopt::get(&unix, SoDomain).unwrap(), Domain::UNIX);
    assert_eq!(sockopt::get(&unix, SoProtocol).unwrap(), Protocol::from(0));
    assert_eq!(sockopt::get(&udp(), SoProtocol).unwrap(), Protocol::UDP);
}

#[test]
fn error_is_none_then_some_then_none() {
    let (socket, nobody) = (udp(), udp());
    assert!(sockopt::get(&socket, sockopt::Error).unwrap().is_none());
    socket.connect(nobody.local_addr().unwrap()).unwrap();
    drop(nobody);
    socket.send(b"?").unwrap();
    let error = sockopt::get(&socket, sockopt::Error).unwrap().expect("refused");
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    assert!(sockopt::get(&socket, sockopt::Error).unwrap().is_none());
}

#[test]
fn reuse_addr_binds_over_time_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(addr) = listener.local_addr().unwrap() else { panic!() };
    let mut client = TcpStream::connect(addr).unwrap();
    drop(listener.accept().unwrap()); // the side that closes first keeps the TIME_WAIT
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop((client, listener));

    let bind = |reuse| {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, socket};
        let fd =
            socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        sockopt::set(&fd, ReuseAddr, reuse).unwrap();
        bind(fd.as_raw_fd(), &SockaddrIn::from(addr))
    };
    assert_eq!(bind(false), Err(nix::errno::Errno::EADDRINUSE));
    assert_eq!(bind(true), Ok(()));
}

#[test]
fn no_delay_is_stds() {
    let (stream, _peer) = tcp();
    sockopt::set(&stream, NoDelay, true).unwrap();
    assert!(stream.nodelay().unwrap());
    stream.set_nodelay(false).unwrap();
    assert!(!sockopt::get(&stream, NoDelay).unwrap());
}

#[test]
fn every_row_that_can_be_read_is_known_to_the_kernel() {
    let (stream, _peer) = tcp();
    for row in sockopt::table().filter(|row| row.direction().can_get()) {
        let mut bytes = [0; 64];
        let n = sockopt::get_bytes(&stream, row.level(), row.name(), &mut bytes)
            .unwrap_or_else(|e| panic!("{}: {e}", row.c_name()));
        assert!(n >= 4, "{}: {n} bytes", row.c_name());
    }
}

// ---- linger ----

#[test]
fn linger_rounds_up_and_refuses_what_it_cannot_say() {
    let (stream, _peer) = tcp();
    let secs = |n| Linger::For(Duration::from_secs(n));
    assert_eq!(sockopt::get(&stream, SoLinger).unwrap(), Linger::Off);
    for (asked, got) in [
        (Linger::For(Duration::from_nanos(1)), secs(1)),
        (Linger::For(Duration::from_millis(900)), secs(1)),
        (Linger::Abort, Linger::Abort),
        (secs(1), secs(1)),
        (Linger::For(Duration::new(1, 1)), secs(2)),
        (Linger::Off, Linger::Off),
        (secs(65_535), secs(65_535)),
        (Linger::For(Duration::new(65_534, 1)), secs(65_535)),
    ] {
        sockopt::set(&stream, SoLinger, asked).unwrap();
        assert_eq!(sockopt::get(&stream, SoLinger).unwrap(), got, "asked for {asked:?}");
    }
    for (asked, hint) in [
        (Duration::ZERO, "Linger::Abort"),
        (Duration::new(65_535, 1), "65535 s"),
        (Duration::from_secs(65_536), "65535 s"),
        (Duration::from_secs(1 << 31), "65535 s"),
        (Duration::from_secs(1 << 32), "65535 s"), // its low half is 0: a reset
        (Duration::from_secs(u64::MAX), "65535 s"),
        (Duration::MAX, "65535 s"),
    ] {
        assert_refused(sockopt::set(&stream, SoLinger, Linger::For(asked)), hint);
    }
    assert_eq!(sockopt::get(&stream, SoLinger).unwrap(), secs(65_535)); // untouched by the refused
}

#[test]
fn linger_reads_what_others_wrote() {
    let (stream, _peer) = tcp();
    let set = |l_onoff, l_linger| {
        nix::sys::socket::setsockopt(&stream, nix_opt::Linger, &libc::linger { l_onoff, l_linger })
            .unwrap();
        sockopt::get(&stream, SoLinger).unwrap()
    };
    assert_eq!(set(0, 7), Linger::Off);
    assert_eq!(set(1, 0), Linger::Abort);
    assert_eq!(set(-1, 3), Linger::For(Duration::from_secs(3)));
    // More than this crate would ask for; the kernel's getter has an int for it, and what that cannot hold still reads as long.
    for l_linger in [65_536, c_int::MAX, c_int::MIN, -1] {
        let Linger::For(time) = set(1, l_linger) else { panic!("{l_linger}") };
        assert!(time > Duration::from_secs(65_535), "{l_linger}: {time:?}");
    }
}

#[test]
fn linger_abort_resets_and_for_sends_all() {
    let (mut client, mut server) = tcp();
    sockopt::set(&server, SoLinger, Linger::Abort).unwrap();
    server.write_all(b"lost").unwrap();
    drop(server);
    // The data may have arrived before the reset; the reset comes in any case.
    let mut text = Vec::new();
    assert_eq!(client.read_to_end(&mut text).unwrap_err().kind(), ErrorKind::ConnectionReset);

    let (mut client, mut server) = tcp();
    sockopt::set(&server, SoLinger, Linger::For(Duration::from_millis(900))).unwrap();
    server.write_all(b"kept").unwrap();
    drop(server);
    client.read_to_end(&mut text).unwrap();
    assert!(text.ends_with(b"kept"));
}

// ---- sizes ----

#[test]
fn sizes_are_doubled_floored_and_capped() {
    let (stream, _peer) = tcp();
    let (wmem, rmem) = (sysctl("core/wmem_max"), sysctl("core/rmem_max"));
    let max = c_int::MAX.unsigned_abs() as usize;
    for asked in [0, 1, 1000, 10_000, 65_536, max - 1, max] {
        sockopt::set(&stream, SndBuf, asked).unwrap();
        let sent = sockopt::get(&stream, SndBuf).unwrap();
        sockopt::set(&stream, RcvBuf, asked).unwrap();
        let received = sockopt::get(&stream, RcvBuf).unwrap();
        if asked == 10_000 {
            assert_eq!((sent, received), (20_000, 20_000));
        }
        // The floors are the kernel's, and differ between machines: a few KiB.
        assert!(
            sent >= asked.min(wmem) * 2 && (2048..=(wmem * 2).max(8192)).contains(&sent),
            "{asked}: {sent}"
        );
        assert!(
            received >= asked.min(rmem) * 2 && (1024..=(rmem * 2).max(8192)).contains(&received),
            "{asked}: {received}"
        );
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn sizes_that_an_int_cannot_hold_are_refused() {
    let socket = udp();
    let before = (sockopt::get(&socket, SndBuf).unwrap(), sockopt::get(&socket, RcvBuf).unwrap());
    let max = c_int::MAX.unsigned_abs() as usize;
    for asked in [max + 1, (1 << 32) + 4096, usize::MAX] {
        assert_refused(sockopt::set(&socket, SndBuf, asked), "ask for less");
        assert_refused(sockopt::set(&socket, RcvBuf, asked), "ask for less");
    }
    assert_eq!(
        (sockopt::get(&socket, SndBuf).unwrap(), sockopt::get(&socket, RcvBuf).unwrap()),
        before
    );
}

#[test]
fn send_buffer_decides_how_much_fits() {
    let fits = |size| {
        let (mut stream, _peer) = tcp();
        sockopt::set(&stream, SndBuf, size).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut sum = 0;
        loop {
            match stream.write(&[0; 4096]) {
                Ok(n) => sum += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return sum,
                Err(e) => panic!("{e}"),
            }
        }
    };
    let (small, large) = (fits(10_000), fits(sysctl("core/wmem_max")));
    assert!(small < large, "{small} {large}");
}

// ---- agreement with nix, both ways ----

#[test]
fn nix_reads_the_same_and_writes_the_same() {
    use nix::sys::socket::{SockType, getsockopt, setsockopt};
    let (stream, _peer) = tcp();

    macro_rules! flag {
        ($($option:expr, $theirs:expr;)*) => { $(
            for value in [true, false] {
                sockopt::set(&stream, $option, value).unwrap();
                assert_eq!(getsockopt(&stream, $theirs).unwrap(), value, stringify!($option));
                setsockopt(&stream, $theirs, &!value).unwrap();
                assert_eq!(sockopt::get(&stream, $option).unwrap(), !value, stringify!($option));
            }
        )* };
    }
    flag! {
        ReuseAddr, nix_opt::ReuseAddr;
        KeepAlive, nix_opt::KeepAlive;
        Broadcast, nix_opt::Broadcast;
        NoDelay, nix_opt::TcpNoDelay;
    }
    for size in [0, 10_000, 65_536] {
        sockopt::set(&stream, SndBuf, size).unwrap();
        assert_eq!(
            getsockopt(&stream, nix_opt::SndBuf).unwrap(),
            sockopt::get(&stream, SndBuf).unwrap()
        );
        setsockopt(&stream, nix_opt::SndBuf, &(size + 4096)).unwrap();
        assert_eq!(
            getsockopt(&stream, nix_opt::SndBuf).unwrap(),
            sockopt::get(&stream, SndBuf).unwrap()
        );
        sockopt::set(&stream, RcvBuf, size).unwrap();
        assert_eq!(
            getsockopt(&stream, nix_opt::RcvBuf).unwrap(),
            sockopt::get(&stream, RcvBuf).unwrap()
        );
        setsockopt(&stream, nix_opt::RcvBuf, &(size + 4096)).unwrap();
        assert_eq!(
            getsockopt(&stream, nix_opt::RcvBuf).unwrap(),
            sockopt::get(&stream, RcvBuf).unwrap()
        );
    }
    for (ours, onoff, linger) in
        [(Linger::For(Duration::from_secs(7)), 1, 7), (Linger::Abort, 1, 0), (Linger::Off, 0, 0)]
    {
        sockopt::set(&stream, SoLinger, ours).unwrap();
        let theirs = getsockopt(&stream, nix_opt::Linger).unwrap();
        assert_eq!((theirs.l_onoff, theirs.l_linger), (onoff, linger));
        setsockopt(&stream, nix_opt::Linger, &libc::linger { l_onoff: 1, l_linger: 9 }).unwrap();
        setsockopt(&stream, nix_opt::Linger, &theirs).unwrap();
        assert_eq!(sockopt::get(&stream, SoLinger).unwrap(), ours);
    }
    assert_eq!(getsockopt(&stream, nix_opt::SockType).unwrap(), SockType::Stream);
    assert_eq!(sockopt::get(&stream, SoType).unwrap(), Type::STREAM);
    assert_eq!(
        getsockopt(&stream, nix_opt::AcceptConn).unwrap(),
        sockopt::get(&stream, AcceptConn).unwrap()
    );
}

// ---- any socket, any reference ----

#[test]
fn takes_what_lends_a_descriptor() {
    let (stream, _peer) = tcp();
    let owned: OwnedFd = stream.try_clone().unwrap().into();
    let borrowed: BorrowedFd<'_> = stream.as_fd();
    let dynamic: &dyn AsFd = &stream;
    let shared = std::sync::Arc::new(stream.try_clone().unwrap());
    sockopt::set(&owned, NoDelay, true).unwrap();
    assert!(sockopt::get(&borrowed, NoDelay).unwrap());
    assert!(sockopt::get(dynamic, NoDelay).unwrap());
    assert!(sockopt::get(&shared, NoDelay).unwrap());
    assert!(sockopt::get(&&stream, NoDelay).unwrap());
}

// ---- options of one's own ----

struct Priority;

impl GetOption for Priority {
    const LEVEL: c_int = SOL_SOCKET;
    const NAME: c_int = libc::SO_PRIORITY;
    type Value = u32;
}

impl SetOption for Priority {
    const LEVEL: c_int = SOL_SOCKET;
    const NAME: c_int = libc::SO_PRIORITY;
    type Value = u32;
}

/// Defines an option that both reads and writes, as somebody outside the crate would.
macro_rules! own {
    ($($Option:ident: $Value:ty = $level:expr, $name:expr;)*) => { $(
        #[derive(Clone, Copy)]
        struct $Option;

        impl GetOption for $Option {
            const LEVEL: c_int = $level;
            const NAME: c_int = $name;
            type Value = $Value;
        }

        impl SetOption for $Option {
            const LEVEL: c_int = $level;
            const NAME: c_int = $name;
            type Value = $Value;
        }
    )* };
}

own! {
    DontRoute: bool = SOL_SOCKET, libc::SO_DONTROUTE;
    RcvLowat: i32 = SOL_SOCKET, libc::SO_RCVLOWAT;
    Ttl: u8 = libc::IPPROTO_IP, libc::IP_MULTICAST_TTL;
    Rate: u64 = SOL_SOCKET, libc::SO_MAX_PACING_RATE;
    TooWide: u64 = SOL_SOCKET, libc::SO_RCVLOWAT;
    Filter: i32 = SOL_SOCKET, libc::SO_ATTACH_FILTER;
    Bpf: i32 = SOL_SOCKET, libc::SO_ATTACH_BPF;
    WideBpf: u64 = SOL_SOCKET, libc::SO_ATTACH_BPF;
    PidFd: i32 = SOL_SOCKET, SO_PEERPIDFD;
}

const SO_PEERPIDFD: c_int = 77;

#[test]
fn ones_own_options() {
    let socket = udp();
    assert_eq!(sockopt::get(&socket, Priority).unwrap(), 0);
    sockopt::set(&socket, Priority, 5).unwrap();
    assert_eq!(sockopt::get(&socket, Priority).unwrap(), 5);
    assert_toggles(&socket, DontRoute);
    assert_eq!(sockopt::get(&socket, RcvLowat).unwrap(), 1);
    sockopt::set(&socket, RcvLowat, 17).unwrap();
    assert_eq!(sockopt::get(&socket, RcvLowat).unwrap(), 17);
    assert_eq!(sockopt::get(&socket, Ttl).unwrap(), 1);
    sockopt::set(&socket, Ttl, 3).unwrap();
    assert_eq!(sockopt::get(&socket, Ttl).unwrap(), 3);
    if cfg!(target_pointer_width = "64") {
        sockopt::set(&socket, Rate, 1 << 33).unwrap();
        assert_eq!(sockopt::get(&socket, Rate).unwrap(), 1 << 33);
    }
    // 4 bytes are no u64.
    let error = sockopt::get(&socket, TooWide).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("4 bytes, not the 8"), "{error}");
}

#[test]
fn ones_own_options_pass_the_same_gate() {
    let socket = udp();
    assert_refused(sockopt::get(&socket, Filter), "SO_GET_FILTER");
    assert_refused(sockopt::get(&socket, PidFd), "SO_PEERPIDFD");
    assert_refused(sockopt::set(&socket, Filter, 0), "set_bytes");
    assert_refused(sockopt::set(&socket, Bpf, 0), "set_bytes");
    assert_refused(sockopt::set(&socket, WideBpf, 0), "set_bytes");
}

// ---- the raw forms ----

#[test]
fn integers_go_both_ways() {
    let (stream, _peer) = tcp();
    assert_eq!(sockopt::get_int(&stream, SOL_SOCKET, libc::SO_TYPE).unwrap(), libc::SOCK_STREAM);
    sockopt::set_int(&stream, SOL_SOCKET, libc::SO_KEEPALIVE, 1).unwrap();
    assert_eq!(sockopt::get_int(&stream, SOL_SOCKET, libc::SO_KEEPALIVE).unwrap(), 1);
    sockopt::set_int(&stream, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3).unwrap();
    assert_eq!(sockopt::get_int(&stream, libc::IPPROTO_TCP, libc::TCP_KEEPCNT).unwrap(), 3);
}

#[test]
fn integers_that_are_descriptors_are_refused() {
    let socket = udp();
    let refused = [
        (SOL_SOCKET, libc::SO_ATTACH_FILTER),
        (SOL_SOCKET, libc::SO_ATTACH_BPF),
        (SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF),
        (SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_EBPF),
        (libc::SOL_PACKET, libc::PACKET_FANOUT_DATA),
    ];
    for (level, name) in refused {
        assert_refused(sockopt::set_int(&socket, level, name, 0), "set_bytes");
    }
    // The same numbers at other levels are other options, which the kernel judges: of the first two there are none,
    // and TCP's number 52 is none either.
    let (stream, _peer) = tcp();
    for (level, name) in [
        (libc::SOL_PACKET, libc::SO_ATTACH_BPF),
        (SOL_SOCKET, libc::PACKET_FANOUT_DATA),
        (libc::IPPROTO_TCP, libc::SO_ATTACH_REUSEPORT_EBPF),
    ] {
        assert_errno(
            sockopt::set_int(&stream, level, name, 0),
            &[libc::ENOPROTOOPT, libc::EOPNOTSUPP],
        );
    }
}

#[test]
fn bytes_beyond_the_answer_are_zero() {
    let socket = udp();
    let native = libc::SOCK_DGRAM.to_ne_bytes();
    for room in [0, 1, 2, 3, 4, 5, 7, 8, 9, 64, 511, 512, 513, 4096, 100_000] {
        // The buffer lies between guards, in memory that is not zero.
        let mut memory = vec![0xAA_u8; room + 32];
        let buffer = &mut memory[16..16 + room];
        let n = sockopt::get_bytes(&socket, SOL_SOCKET, libc::SO_TYPE, buffer).unwrap();
        assert_eq!(n, room.min(4), "room for {room}");
        assert_eq!(buffer[..n], native[..n], "room for {room}");
        assert!(buffer[n..].iter().all(|byte| *byte == 0), "room for {room}: {buffer:?}");
        assert!(
            memory[..16].iter().chain(&memory[16 + room..]).all(|byte| *byte == 0xAA),
            "room for {room}"
        );
    }
}

#[test]
fn the_kernel_is_told_the_callers_length() {
    // SO_COOKIE has 8 bytes and is refused by the kernel where fewer are offered; SO_NETNS_COOKIE also where more are.
    let socket = udp();
    for room in [0, 1, 2, 3, 4, 7] {
        let mut buffer = [1; 8];
        assert_errno(
            sockopt::get_bytes(&socket, SOL_SOCKET, libc::SO_COOKIE, &mut buffer[..room]),
            &[libc::EINVAL],
        );
        assert!(buffer[..room].iter().all(|byte| *byte == 0), "an error leaves zeros");
        assert!(buffer[room..].iter().all(|byte| *byte == 1));
    }
    let mut buffer = [0; 16];
    assert_eq!(sockopt::get_bytes(&socket, SOL_SOCKET, libc::SO_COOKIE, &mut buffer).unwrap(), 8);
    assert_ne!(buffer[..8], [0; 8]);
}

#[test]
fn a_long_value_comes_whole() {
    let (stream, _peer) = tcp();
    let mut info = [0xAA; 1000];
    let n = sockopt::get_bytes(&stream, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info).unwrap();
    assert!((104..1000).contains(&n), "{n}");
    assert_eq!(info[0], 1, "ESTABLISHED");
    assert!(info[n..].iter().all(|byte| *byte == 0));
    let mut start = [0; 2];
    assert_eq!(
        sockopt::get_bytes(&stream, libc::IPPROTO_TCP, libc::TCP_INFO, &mut start).unwrap(),
        2
    );
    assert_eq!(start[0], 1);
}

#[test]
fn what_the_buffer_held_is_no_question() {
    // IP_MSFILTER reads its buffer: group, interface, mode, count. With the group that was joined it would answer.
    let socket = udp();
    let (group, loopback) = ([224, 0, 0, 251_u8], [127, 0, 0, 1_u8]);
    socket.join_multicast_v4(&group.into(), &loopback.into()).unwrap();
    let mut question = [0; 20];
    question[..4].copy_from_slice(&group);
    question[4..8].copy_from_slice(&loopback);
    let mut length: libc::socklen_t = 20;
    // SAFETY: 20 bytes and their length; the option reads and writes that many at most, for the count says 1 source.
    let asked = unsafe {
        question[12..16].copy_from_slice(&1_u32.to_ne_bytes());
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            41, // IP_MSFILTER
            question.as_mut_ptr().cast(),
            &mut length,
        )
    };
    assert_eq!(asked, 0, "the kernel answers a question: {}", io::Error::last_os_error());
    // The same buffer through the gate is zeros: no group, which is EINVAL.
    assert_errno(sockopt::get_bytes(&socket, libc::IPPROTO_IP, 41, &mut question), &[libc::EINVAL]);
}

#[test]
fn zerocopy_receive_of_zeros_maps_nothing() {
    let (mut client, server) = tcp();
    client.write_all(b"data").unwrap();
    // struct tcp_zerocopy_receive: an address to map at, a length, and out come the hints.
    for room in [12, 16, 24, 40, 64, 100] {
        let mut buffer = vec![0xAA; room];
        match sockopt::get_bytes(&server, libc::IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &mut buffer) {
            Ok(n) => {
                assert!(n <= room);
                assert_eq!(buffer[..12], [0; 12], "nothing mapped, nowhere");
            }
            Err(e) => assert!(e.raw_os_error().is_some(), "{e}"),
        }
    }
    let mut text = [0; 4];
    (&server).read_exact(&mut text).unwrap();
    assert_eq!(&text, b"data", "nothing was taken from the queue");
}

const TCP_ZEROCOPY_RECEIVE: c_int = 35;

#[test]
fn get_filter_is_refused_with_a_filter_attached() {
    let socket = udp();
    // Three instructions: take the whole packet, three times over. BPF_RET | BPF_K is 6.
    let mut program = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: u32::MAX }; 3];
    let filter = libc::sock_fprog { len: 3, filter: program.as_mut_ptr() };
    // SAFETY: `filter` as its bytes; they are only read.
    let bytes =
        unsafe { std::slice::from_raw_parts((&raw const filter).cast::<u8>(), size_of_val(&filter)) };
    // SAFETY: the pointer and the count in it are those of `program`, which outlives the call.
    unsafe { sockopt::set_bytes(&socket, SOL_SOCKET, libc::SO_ATTACH_FILTER, bytes) }.unwrap();

    // What the refusal is for: told of 4 bytes, the kernel writes 24, and says 3.
    let mut memory = [0xAA_u8; 64];
    let mut length: libc::socklen_t = 4;
    // SAFETY: 64 bytes of memory for the 24 that come.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            memory.as_mut_ptr().cast(),
            &mut length,
        )
    };
    assert_eq!((result, length), (0, 3));
    assert!(
        memory[..24].iter().all(|byte| *byte != 0xAA)
            && memory[24..].iter().all(|byte| *byte == 0xAA)
    );

    assert_refused(sockopt::get_int(&socket, SOL_SOCKET, libc::SO_ATTACH_FILTER), "SO_GET_FILTER");
    for room in [0, 4, 8, 64, 4096] {
        let mut buffer = vec![0xAA; room + 64];
        assert_refused(
            sockopt::get_bytes(&socket, SOL_SOCKET, libc::SO_ATTACH_FILTER, &mut buffer[..room]),
            "SO_GET_FILTER",
        );
        assert!(
            buffer[..room].iter().all(|byte| *byte == 0)
                && buffer[room..].iter().all(|byte| *byte == 0xAA)
        );
    }
}

#[test]
fn peer_pidfd_is_refused_as_a_number() {
    let (here, _there) = UnixStream::pair().unwrap();
    assert_refused(sockopt::get_int(&here, SOL_SOCKET, SO_PEERPIDFD), "SO_PEERPIDFD");
    assert_refused(
        sockopt::get_bytes(&here, SOL_SOCKET, SO_PEERPIDFD, &mut [0; 4]),
        "SO_PEERPIDFD",
    );

    let (mut number, mut length): (c_int, libc::socklen_t) = (-1, 4);
    // SAFETY: an int and its length.
    let result = unsafe {
        libc::getsockopt(
            here.as_raw_fd(),
            SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut number).cast(),
            &mut length,
        )
    };
    if result == -1 {
        return skipped("SO_PEERPIDFD needs Linux 6.5: that it makes descriptors was not seen");
    }
    // SAFETY: the kernel has just made it, for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(number) };
    assert_ne!(pidfd.as_raw_fd(), here.as_raw_fd());
}

#[test]
fn short_answers_are_no_value() {
    // Not bound to a device: no bytes.
    let error = sockopt::get_int(&udp(), SOL_SOCKET, libc::SO_BINDTODEVICE).unwrap_err();
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidData, None));
    assert!(error.to_string().contains("0 bytes, not the 4"), "{error}");
    let mut name = [0xAA; 16];
    assert_eq!(
        sockopt::get_bytes(&udp(), SOL_SOCKET, libc::SO_BINDTODEVICE, &mut name).unwrap(),
        0
    );
    assert_eq!(name, [0; 16]);
}

#[test]
fn an_answer_longer_than_the_buffer_is_an_error() {
    // NETLINK_LIST_MEMBERSHIPS writes what fits and says how much there is, once a group is joined: a bit for each group.
    // SAFETY: a new descriptor, or -1.
    let fd = unsafe {
        libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE)
    };
    assert_ne!(fd, -1, "{}", io::Error::last_os_error());
    // SAFETY: the kernel has just made it, for us.
    let netlink = unsafe { OwnedFd::from_raw_fd(fd) };
    sockopt::set_int(&netlink, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, 1).unwrap();
    let mut all = [0; 64];
    let n =
        sockopt::get_bytes(&netlink, libc::SOL_NETLINK, libc::NETLINK_LIST_MEMBERSHIPS, &mut all)
            .unwrap();
    assert!((4..64).contains(&n), "{n}");
    for room in 0..n {
        let mut memory = [0xAA; 64];
        let error = sockopt::get_bytes(
            &netlink,
            libc::SOL_NETLINK,
            libc::NETLINK_LIST_MEMBERSHIPS,
            &mut memory[..room],
        )
        .unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidData, None));
        assert!(error.to_string().contains(&format!("{n} bytes, the buffer {room}")), "{error}");
        assert!(
            memory[..room].iter().all(|byte| *byte == 0)
                && memory[room..].iter().all(|byte| *byte == 0xAA)
        );
    }
}

// ---- errors ----

#[test]
fn no_socket_no_descriptor_no_option() {
    let (pipe, _write_end) = nix::unistd::pipe().unwrap();
    assert_errno(sockopt::get(&pipe, SndBuf), &[libc::ENOTSOCK]);
    assert_errno(sockopt::set(&pipe, SndBuf, 1), &[libc::ENOTSOCK]);
    assert_errno(sockopt::set(&pipe, SoLinger, Linger::Abort), &[libc::ENOTSOCK]);
    assert_errno(sockopt::get_int(&pipe, SOL_SOCKET, libc::SO_TYPE), &[libc::ENOTSOCK]);
    assert_errno(sockopt::set_int(&pipe, SOL_SOCKET, libc::SO_KEEPALIVE, 1), &[libc::ENOTSOCK]);
    let mut bytes = [1; 8];
    assert_errno(
        sockopt::get_bytes(&pipe, SOL_SOCKET, libc::SO_TYPE, &mut bytes),
        &[libc::ENOTSOCK],
    );
    assert_eq!(bytes, [0; 8]);

    // SAFETY: no descriptor has this number, so there is nothing that could be closed or misused.
    let negative = unsafe { BorrowedFd::borrow_raw(-100) };
    assert_errno(sockopt::get(&negative, SndBuf), &[libc::EBADF]);
    assert_errno(sockopt::set(&negative, SndBuf, 1), &[libc::EBADF]);

    let unknown = [libc::ENOPROTOOPT, libc::EOPNOTSUPP];
    let (stream, _peer) = tcp();
    let unix = UnixStream::pair().unwrap().0;
    for (level, name) in [
        (SOL_SOCKET, 9999),
        (9999, 1),
        (-1, 1),
        (libc::IPPROTO_TCP, 9999),
        (SOL_SOCKET, c_int::MIN),
    ] {
        assert_errno(sockopt::get_int(&stream, level, name), &unknown);
        assert_errno(sockopt::set_int(&stream, level, name, 1), &unknown);
        assert_errno(sockopt::get_bytes(&unix, level, name, &mut [0; 4]), &unknown);
    }
    assert_errno(sockopt::get(&unix, NoDelay), &unknown);
    assert_errno(sockopt::set(&unix, NoDelay, true), &unknown);
    assert_errno(sockopt::get(&udp(), NoDelay), &unknown);
}

#[test]
fn a_closed_peer_leaves_options_readable() {
    let (stream, peer) = tcp();
    sockopt::set(&peer, SoLinger, Linger::Abort).unwrap();
    drop(peer);
    assert_eq!((&stream).read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(sockopt::get(&stream, SndBuf).unwrap() > 0);
    assert!(sockopt::get(&stream, sockopt::Error).unwrap().is_none()); // the read took it
    let _ = sockopt::set(&stream, NoDelay, true);
}

#[test]
fn set_bytes_writes_any_option() {
    let (stream, _peer) = tcp();
    let linger = [1_i32.to_ne_bytes(), 5_i32.to_ne_bytes()].concat();
    // SAFETY: two ints, which are plain data.
    unsafe { sockopt::set_bytes(&stream, SOL_SOCKET, libc::SO_LINGER, &linger) }.unwrap();
    assert_eq!(sockopt::get(&stream, SoLinger).unwrap(), Linger::For(Duration::from_secs(5)));
    // SAFETY: no bytes at all are an int too short, which is the kernel's to say.
    assert_errno(
        unsafe { sockopt::set_bytes(&stream, SOL_SOCKET, libc::SO_LINGER, &[]) },
        &[libc::EINVAL],
    );
}
