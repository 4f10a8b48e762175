//! Socket options, for any value, any number and any length.

use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use proptest::prelude::*;
use readysock::libc;
use readysock::sockopt::{self, KeepAlive, Linger, SndBuf, SoLinger};

/// Levels and names that exist, their neighbours, and any number at all.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![
        8 => 0..90_i32,
        1 => Just(libc::SOL_SOCKET),
        1 => prop::sample::select(vec![
            libc::IPPROTO_IP, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_IPV6, libc::SOL_PACKET, libc::SOL_NETLINK,
        ]),
        1 => any::<i32>(),
    ]
}

proptest! {
    /// Whatever is read, into however much room: the count fits the buffer, zeros follow it, and nothing beyond is touched.
    #[test]
    fn get_bytes_stays_in_its_buffer(level in number(), name in number(), room in 0..700_usize, fill in any::<u8>()) {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let unix = UnixDatagram::unbound().unwrap();
        let sockets: [&dyn std::os::fd::AsFd; 3] = [&tcp, &udp, &unix];
        for socket in sockets {
            let mut memory = vec![fill; room + 128];
            let buffer = &mut memory[64..64 + room];
            let answer = sockopt::get_bytes(socket, level, name, buffer);
            match &answer {
                Ok(n) => prop_assert!(*n <= room && buffer[*n..].iter().all(|byte| *byte == 0)),
                Err(_) => prop_assert!(buffer.iter().all(|byte| *byte == 0)),
            }
            prop_assert!(memory[..64].iter().chain(&memory[64 + room..]).all(|byte| *byte == fill));

            // The integer form gives the same first bytes, or nothing.
            if let (Ok(int), Ok(n)) = (sockopt::get_int(socket, level, name), answer) {
                let whole = n == room.min(4) || n == 1; // IP options answer one byte into a buffer of 1 to 3
                prop_assert!(whole || n > 4, "{int} {n}");
            }
        }
    }

    /// A time to linger is never shorter than asked, never more than a second longer, and never a reset.
    #[test]
    fn linger_never_rounds_down(time in prop_oneof![
        (0..70_000_u64, 0..1_000_000_000_u32).prop_map(|(s, n)| Duration::new(s, n)),
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(s, n)| Duration::new(s, n)),
        any::<u64>().prop_map(Duration::from_nanos),
    ]) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let possible = time > Duration::ZERO && time <= Duration::from_secs(65_535);
        match sockopt::set(&socket, SoLinger, Linger::For(time)) {
            Ok(()) => {
                prop_assert!(possible);
                let Linger::For(got) = sockopt::get(&socket, SoLinger).unwrap() else { panic!() };
                prop_assert!(got >= time && got - time < Duration::from_secs(1));
            }
            Err(error) => {
                prop_assert!(!possible);
                prop_assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None));
                prop_assert_eq!(sockopt::get(&socket, SoLinger).unwrap(), Linger::Off);
            }
        }
    }

    /// A size is written as it is or not at all: no part of it is lost on the way.
    #[test]
    fn sizes_are_whole(size in prop_oneof![0..200_000_usize, any::<usize>()]) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
        match i32::try_from(size) {
            Ok(int) => {
                sockopt::set(&socket, SndBuf, size).unwrap();
                sockopt::set_int(&theirs, libc::SOL_SOCKET, libc::SO_SNDBUF, int).unwrap();
                let got = sockopt::get_int(&theirs, libc::SOL_SOCKET, libc::SO_SNDBUF).unwrap();
                prop_assert_eq!(i32::try_from(sockopt::get(&socket, SndBuf).unwrap()).unwrap(), got);
            }
            Err(_) => {
                let error = sockopt::set(&socket, SndBuf, size).unwrap_err();
                prop_assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None));
            }
        }
    }

    /// To the kernel a flag is any int but 0.
    #[test]
    fn flags_are_not_zero(value in any::<i32>()) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        sockopt::set_int(&socket, libc::SOL_SOCKET, libc::SO_KEEPALIVE, value).unwrap();
        prop_assert_eq!(sockopt::get(&socket, KeepAlive).unwrap(), value != 0);
    }
}
