//! The gate that every option passes through: buffers of any length, what is refused, options of one's own.

use std::ffi::c_int;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::support::options::{assert_errno, assert_refused, tcp, udp};
use crate::support::{emulated, skipped};
use readysock::libc::{self, SOL_SOCKET};
use readysock::sockopt::{self, GetOption, Linger, SetOption, SndBuf, SoLinger, tcp::NoDelay};

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
    assert!(!sockopt::get(&socket, DontRoute).unwrap());
    sockopt::set(&socket, DontRoute, true).unwrap();
    assert!(sockopt::get(&socket, DontRoute).unwrap());
    assert_eq!(sockopt::get(&socket, RcvLowat).unwrap(), 1);
    sockopt::set(&socket, RcvLowat, 17).unwrap();
    assert_eq!(sockopt::get(&socket, RcvLowat).unwrap(), 17);
    assert_eq!(sockopt::get(&socket, Ttl).unwrap(), 1);
    sockopt::set(&socket, Ttl, 3).unwrap();
    assert_eq!(sockopt::get(&socket, Ttl).unwrap(), 3);
    if cfg!(target_pointer_width = "64") {
        match sockopt::set(&socket, Rate, 1 << 33) {
            Err(error) if emulated() => skipped(&format!("SO_MAX_PACING_RATE: {error}")),
            result => {
                result.unwrap();
                assert_eq!(sockopt::get(&socket, Rate).unwrap(), 1 << 33);
            }
        }
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
        if emulated() && n < 4 && buffer[..n] != native[..n] {
            skipped(&format!("{n} bytes of an int: the emulator does not give the first ones"));
        } else {
            assert_eq!(buffer[..n], native[..n], "room for {room}");
        }
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
    let whole = sockopt::get_bytes(&socket, SOL_SOCKET, libc::SO_COOKIE, &mut buffer);
    if emulated() && whole.is_err() {
        return skipped("SO_COOKIE: the emulator tells the kernel of 4 bytes");
    }
    assert_eq!(whole.unwrap(), 8);
    assert_ne!(buffer[..8], [0; 8]);
}

#[test]
fn a_long_value_comes_whole() {
    let (stream, _peer) = tcp();
    let mut info = [0xAA; 1000];
    let n = sockopt::get_bytes(&stream, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info).unwrap();
    if emulated() && n == 4 {
        return skipped("TCP_INFO: the emulator asks for 4 bytes of it");
    }
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
    let error = io::Error::last_os_error();
    if emulated() && asked == -1 {
        return skipped(&format!("IP_MSFILTER, which reads its buffer: {error}"));
    }
    assert_eq!(asked, 0, "the kernel answers a question: {error}");
    // The same buffer through the gate is zeros: no group, which is EINVAL.
    assert_errno(sockopt::get_bytes(&socket, libc::IPPROTO_IP, 41, &mut question), &[libc::EINVAL]);
}

#[test]
fn zerocopy_receive_of_zeros_maps_nothing() {
    let (mut client, server) = tcp();
    client.write_all(b"data").unwrap();
    server.peek(&mut [0; 4]).unwrap();
    // The beginning of struct tcp_zerocopy_receive, which asks for a copy of what is in the queue: 8 bytes of an address to
    // map at, 16 of lengths and hints, 8 of an address to copy to, and 4 of how much.
    let mut sink = [0xAA_u8; 4];
    let address = u64::try_from(sink.as_mut_ptr().expose_provenance()).unwrap();
    let mut question = [0; 40];
    question[24..32].copy_from_slice(&address.to_ne_bytes());
    question[32..36].copy_from_slice(&4_i32.to_ne_bytes());
    for room in [12, 16, 24, 40, 64, 100] {
        let mut buffer = question.to_vec();
        buffer.resize(room, 0);
        match sockopt::get_bytes(&server, libc::IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &mut buffer) {
            Ok(n) => {
                assert!(n <= room);
                assert_eq!(buffer[..12], [0; 12], "nothing mapped, nowhere");
            }
            Err(e) => assert!(e.raw_os_error().is_some(), "{e}"),
        }
        assert_eq!(sink, [0xAA; 4], "nothing copied, with room for {room}");
    }
    let mut text = [0; 4];
    (&server).read_exact(&mut text).unwrap();
    assert_eq!(&text, b"data", "nothing was taken from the queue");

    // What the zeros are for.
    client.write_all(b"more").unwrap();
    server.peek(&mut [0; 4]).unwrap();
    let mut length: libc::socklen_t = 40;
    // SAFETY: 40 bytes and their length; the address in them is that of `sink`, and so is its length.
    let asked = unsafe {
        libc::getsockopt(
            server.as_raw_fd(),
            libc::IPPROTO_TCP,
            TCP_ZEROCOPY_RECEIVE,
            question.as_mut_ptr().cast(),
            &mut length,
        )
    };
    if (asked, &sink) != (0, b"more") {
        skipped("TCP_ZEROCOPY_RECEIVE that copies needs Linux 5.11: that it does was not seen");
    }
}

const TCP_ZEROCOPY_RECEIVE: c_int = 35;

#[test]
fn get_filter_is_refused_with_a_filter_attached() {
    let socket = udp();
    // Three instructions: take the whole packet, three times over. BPF_RET | BPF_K is 6.
    let mut program = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: u32::MAX }; 3];
    let filter = libc::sock_fprog { len: 3, filter: program.as_mut_ptr() };
    // SAFETY: `filter` as its bytes; they are only read.
    let bytes = unsafe {
        std::slice::from_raw_parts((&raw const filter).cast::<u8>(), size_of_val(&filter))
    };
    // SAFETY: the pointer and the count in it are those of `program`, which outlives the call.
    unsafe { sockopt::set_bytes(&socket, SOL_SOCKET, libc::SO_ATTACH_FILTER, bytes) }.unwrap();

    a_filter_is_not_read(&socket);
}

/// Whoever attached it, three instructions long: reading it would write past the buffer, for the kernel takes the length
/// for a count of instructions, of 8 bytes each.
pub fn a_filter_is_not_read(socket: &(impl AsFd + AsRawFd)) {
    // Told of 4 bytes, the kernel writes 24, and says 3.
    let mut memory = [0xAA_u8; 64];
    let mut length: libc::socklen_t = 4;
    // SAFETY: 64 bytes of memory for the 24 that come.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            libc::SO_GET_FILTER,
            memory.as_mut_ptr().cast(),
            &mut length,
        )
    };
    assert_eq!((result, length), (0, 3), "{}", io::Error::last_os_error());
    let written = memory.iter().take_while(|byte| **byte != 0xAA).count();
    if emulated() && written <= 4 {
        skipped("what SO_GET_FILTER writes: the emulator asks for 4 bytes of it");
    } else {
        assert_eq!(written, 24);
    }
    assert!(memory[24..].iter().all(|byte| *byte == 0xAA));

    // The same number as SO_ATTACH_FILTER.
    assert_eq!(libc::SO_GET_FILTER, libc::SO_ATTACH_FILTER);
    assert_refused(sockopt::get_int(socket, SOL_SOCKET, libc::SO_GET_FILTER), "SO_GET_FILTER");
    for room in [0, 1, 2, 3, 4, 8, 24, 64, 4096] {
        let mut memory = vec![0xAA; room + 64];
        let (buffer, behind) = memory.split_at_mut(room);
        assert_refused(
            sockopt::get_bytes(socket, SOL_SOCKET, libc::SO_GET_FILTER, buffer),
            "SO_GET_FILTER",
        );
        assert!(buffer.iter().all(|byte| *byte == 0), "room for {room}: an error leaves zeros");
        assert!(behind.iter().all(|byte| *byte == 0xAA), "room for {room}: written past it");
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
fn set_bytes_writes_any_option() {
    let (stream, _peer) = tcp();
    let linger = [1_i32.to_ne_bytes(), 5_i32.to_ne_bytes()].concat();
    // SAFETY: two ints, which are plain data.
    unsafe { sockopt::set_bytes(&stream, SOL_SOCKET, libc::SO_LINGER, &linger) }.unwrap();
    assert_eq!(sockopt::get(&stream, SoLinger).unwrap(), Linger::For(Duration::from_secs(5)));
    // SAFETY: no bytes at all are an int too short, which is the kernel's to say.
    let nothing = unsafe { sockopt::set_bytes(&stream, SOL_SOCKET, libc::SO_LINGER, &[]) };
    assert_errno(nothing, &[libc::EINVAL]);
}
