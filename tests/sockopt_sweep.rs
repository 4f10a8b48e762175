//! Reads every option number there may be, on every kind of socket this machine has. Alone in its binary: it
//! counts the descriptors of the process.

mod support;

use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use readysock::{libc, sockopt};
use support::options::tcp;
use support::skipped;

/// The levels of the sockets below, each of which answers some and has to refuse the rest.
const LEVELS: [i32; 13] = [
    libc::IPPROTO_IP,
    libc::SOL_SOCKET,
    libc::IPPROTO_TCP,
    libc::IPPROTO_UDP,
    libc::IPPROTO_IPV6,
    libc::IPPROTO_ICMPV6,
    libc::IPPROTO_SCTP,
    136,
    255,
    libc::AF_VSOCK,
    libc::SOL_PACKET,
    libc::SOL_NETLINK,
    284, // SOL_MPTCP
];

/// Nothing; an int; a u64; a netfilter struct to the byte; more than fits on the stack.
const ROOMS: [usize; 6] = [0, 1, 4, 8, 120, 600];

fn sockets() -> Vec<(String, OwnedFd)> {
    let (stream, peer) = tcp();
    let (here, there) = UnixStream::pair().unwrap();
    let mut sockets = vec![
        ("TCP, connected".to_string(), stream.into()),
        ("TCP, its peer".to_string(), peer.into()),
        ("Unix, connected".to_string(), here.into()),
        ("Unix, its peer".to_string(), there.into()),
    ];
    for (name, family, kind, protocol) in [
        ("TCP over IPv6", libc::AF_INET6, libc::SOCK_STREAM, 0),
        ("UDP", libc::AF_INET, libc::SOCK_DGRAM, 0),
        ("raw IPv4", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        ("MPTCP", libc::AF_INET, libc::SOCK_STREAM, 262),
        ("SCTP, one to many", libc::AF_INET, libc::SOCK_SEQPACKET, libc::IPPROTO_SCTP),
        ("netlink", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
        ("packet", libc::AF_PACKET, libc::SOCK_RAW, 0),
        ("vsock", libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        ("XDP", libc::AF_XDP, libc::SOCK_RAW, 0),
    ] {
        // SAFETY: makes a descriptor, or answers -1.
        let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
        if fd == -1 {
            skipped(&format!("{name} sockets: {}", io::Error::last_os_error()));
            continue;
        }
        // SAFETY: the kernel has just made it, for us.
        sockets.push((name.to_string(), unsafe { OwnedFd::from_raw_fd(fd) }));
    }
    sockets
}

#[test]
fn no_option_leaves_its_buffer_or_makes_a_descriptor() {
    let sockets = sockets();
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    let mut answered = 0;
    for (kind, socket) in &sockets {
        for level in LEVELS {
            // Above are ebtables' four, for each of which the kernel starts modprobe: a second of nothing else.
            for name in 0..128 {
                for room in ROOMS {
                    let mut memory = [0xAA; 600 + 64];
                    let result =
                        sockopt::get_bytes(socket, level, name, &mut memory[32..32 + room]);
                    let case = || format!("{kind}: level {level}, name {name}, room for {room}");
                    let used = *result.as_ref().unwrap_or(&0);
                    // Whole slices at once: a million comparisons of single bytes take seconds.
                    assert!(used <= room, "{}", case());
                    assert!(memory[32 + used..32 + room] == [0; 600][..room - used], "{}", case());
                    assert!(memory[..32] == [0xAA; 32], "{}", case());
                    assert!(memory[32 + room..] == [0xAA; 632][..632 - room], "{}", case());
                    answered += usize::from(result.is_ok());
                }
            }
        }
    }
    assert!(answered > 1000, "{answered}");
    assert_eq!(open(), before, "an option made a descriptor");
}
