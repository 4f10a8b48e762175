//! Socket options against the kernel: each option's normal use, and the values that must not lose anything.

use std::ffi::c_int;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::support::options::{assert_refused, tcp, udp};
use nix::sys::socket::sockopt as nix_opt;
use readysock::libc;
use readysock::sockopt::{
    self, AcceptConn, Broadcast, GetOption, KeepAlive, Linger, RcvBuf, ReuseAddr, SetOption,
    SndBuf, SoDomain, SoLinger, SoProtocol, SoType,
    tcp::{Cork, NoDelay},
};
use readysock::{Domain, Protocol, Socket, Type};

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
    // Taken, so that nobody else gets the port, and deaf to all but its own peer.
    let (socket, deaf) = (udp(), udp());
    deaf.connect(udp().local_addr().unwrap()).unwrap();
    assert!(sockopt::get(&socket, sockopt::Error).unwrap().is_none());
    socket.connect(deaf.local_addr().unwrap()).unwrap();
    socket.send(b"?").unwrap();
    let error = sockopt::get(&socket, sockopt::Error).unwrap().expect("refused");
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    assert!(sockopt::get(&socket, sockopt::Error).unwrap().is_none());
}

#[test]
fn reuse_addr_binds_over_time_wait_if_both_have_it() {
    let listen = |addr: SocketAddr, reuse| {
        let socket = Socket::new(Domain::INET, Type::STREAM, None).unwrap();
        sockopt::set(&socket, ReuseAddr, reuse).unwrap();
        socket.bind(addr).and_then(|()| socket.listen(1)).map(|()| socket)
    };
    for (old, new) in [(false, false), (false, true), (true, false), (true, true)] {
        let listener = listen("127.0.0.1:0".parse().unwrap(), old).unwrap();
        let addr = listener.local_addr().unwrap().as_internet().unwrap();
        let mut client = TcpStream::connect(addr).unwrap();
        drop(listener.accept().unwrap()); // the side that closes first keeps the TIME_WAIT
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert_eq!(listen(addr, true).unwrap_err().raw_os_error(), Some(libc::EADDRINUSE));
        drop((client, listener));
        match listen(addr, new) {
            Ok(_) => assert!(old && new, "old {old}, new {new}"),
            Err(error) => {
                assert!(!(old && new), "old {old}, new {new}");
                assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
            }
        }
    }
}

#[test]
fn no_delay_is_stds() {
    let (stream, _peer) = tcp();
    sockopt::set(&stream, NoDelay, true).unwrap();
    assert!(stream.nodelay().unwrap());
    stream.set_nodelay(false).unwrap();
    assert!(!sockopt::get(&stream, NoDelay).unwrap());
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
