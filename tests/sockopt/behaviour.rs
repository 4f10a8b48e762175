//! What options do, seen from outside, on loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::options::{lacks, set};
use crate::support::skipped;
use crate::support::sockets::{self, LONG, errno, now, port, tcp_listener, tcp_pair, wait};
use nix::sys::socket::MsgFlags;
use readysock::libc;
use readysock::sockopt::{self, Linger, TcpState, ip, ipv6, tcp};
use readysock::{Addr, Domain, Events, PollFd, Socket, Type, UnixAddr, poll};

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

// ---- binding ----

/// A listener on this port, or the errno of the bind.
fn bind(port: u16, reuse_addr: bool, reuse_port: bool) -> Result<Socket, i32> {
    let socket = sockets::tcp();
    set(&socket, sockopt::ReuseAddr, reuse_addr);
    set(&socket, sockopt::ReusePort, reuse_port);
    match socket.bind((LOCAL, port)) {
        Ok(()) => Ok(socket),
        Err(error) => Err(error.raw_os_error().expect("an errno")),
    }
}

#[test]
fn reuse_port_shares_connections() {
    let one = bind(0, false, true).unwrap();
    let port = port(&one);
    assert_eq!(
        bind(port, false, false).unwrap_err(),
        libc::EADDRINUSE,
        "the second has not set it"
    );
    let two = bind(port, false, true).unwrap();
    let listeners = [one, two];
    for listener in &listeners {
        listener.listen(128).unwrap();
        listener.set_nonblocking(true).unwrap();
    }
    // Each goes to one of the two, by a hash of its port: that all 64 take one side, the machine will not live to see.
    let clients: Vec<_> = (0..64).map(|_| TcpStream::connect((LOCAL, port)).unwrap()).collect();
    let mut counts = [0; 2];
    while counts.iter().sum::<usize>() < clients.len() {
        let mut slots =
            [PollFd::of(&listeners[0], Events::IN), PollFd::of(&listeners[1], Events::IN)];
        assert!(poll(&mut slots, LONG).unwrap() > 0, "{counts:?}");
        for (count, listener) in counts.iter_mut().zip(&listeners) {
            while listener.accept().is_ok() {
                *count += 1;
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn linger_abort_is_a_reset_and_leaves_no_time_wait() {
    for (linger, rebind) in [(Linger::Off, Err(libc::EADDRINUSE)), (Linger::Abort, Ok(()))] {
        let (listener, addr) = tcp_listener(1);
        let client = sockets::tcp();
        client.connect(&addr).unwrap();
        let (server, _) = listener.accept().unwrap();
        let port = port(&listener);
        set(&server, sockopt::SoLinger, linger);
        drop((server, listener)); // this side closes first
        match linger {
            Linger::Abort => {
                assert_eq!(errno(client.recv(&mut [0])), libc::ECONNRESET);
                assert_eq!(errno(client.send(b"x")), libc::EPIPE);
            }
            _ => assert_eq!(client.recv(&mut [0]).unwrap(), 0, "end of stream"),
        }
        drop(client);
        assert_eq!(bind(port, false, false).map(drop), rebind, "{linger:?}");
    }
}

#[test]
fn free_bind_takes_an_address_that_is_not_there() {
    let nowhere = SocketAddr::from(([192, 0, 2, 77], 0)); // TEST-NET-1: nobody's
    let socket = sockets::tcp();
    assert_eq!(errno(socket.bind(nowhere)), libc::EADDRNOTAVAIL);
    set(&socket, ip::FreeBind, true);
    socket.bind(nowhere).unwrap();
}

#[test]
fn v6_only_leaves_ipv4_to_another() {
    let six = |only| {
        let socket = Socket::new(Domain::INET6, Type::STREAM, None).unwrap();
        set(&socket, ipv6::V6Only, only);
        socket
    };
    let first = six(true);
    if let Err(error) = first.bind("[::]:0".parse::<Addr>().unwrap()) {
        return skipped(&format!("no IPv6 on this machine: {error}"));
    }
    first.listen(1).unwrap();
    assert_eq!(errno(sockopt::set(&first, ipv6::V6Only, false)), libc::EINVAL, "too late");
    // Somebody else's socket may have this port of IPv4; then another is tried.
    let four = sockets::tcp();
    match four.bind((Ipv4Addr::UNSPECIFIED, port(&first))) {
        Ok(()) => four.listen(1).unwrap(),
        Err(error) => return skipped(&format!("the port of IPv4 was taken: {error}")),
    }
    let both = six(false);
    both.bind("[::]:0".parse::<Addr>().unwrap()).unwrap();
    both.listen(1).unwrap();
    TcpStream::connect((LOCAL, port(&both))).unwrap();
    let four = sockets::tcp();
    assert_eq!(errno(four.bind((Ipv4Addr::UNSPECIFIED, port(&both)))), libc::EADDRINUSE);
}

// ---- waiting ----

#[test]
fn defer_accept_holds_back_who_says_nothing() {
    let (plain, addr) = tcp_listener(4);
    let client = sockets::tcp();
    client.connect(&addr).unwrap();
    wait(&plain, Events::IN);

    let (listener, addr) = tcp_listener(4);
    set(&listener, tcp::DeferAccept, Duration::from_secs(30));
    let client = sockets::tcp();
    client.connect(&addr).unwrap(); // to the client it is a connection
    assert_eq!(now(&listener, Events::IN), Events::empty());
    client.send_all(b"hello").unwrap();
    wait(&listener, Events::IN);
    let (server, _) = listener.accept().unwrap();
    assert_eq!(now(&server, Events::IN), Events::IN, "what woke the listener is there");
}

#[test]
fn rcv_lowat_is_seen_by_poll_on_tcp_alone() {
    let (here, there) = tcp_pair();
    let (near, far) = sockets::pair(Type::STREAM);
    for (sender, receiver, waits) in [(&here, &there, true), (&near, &far, false)] {
        sender.send_all(b"123456789").unwrap();
        wait(receiver, Events::IN);
        set(receiver, sockopt::RcvLowat, 10);
        let ready = now(receiver, Events::IN);
        assert_eq!(ready.is_empty(), waits, "9 bytes of 10: {ready:?}");
        sender.send_all(b"0").unwrap();
        assert_eq!(wait(receiver, Events::IN), Events::IN);
        // Fewer, and then the end of the stream: readable whatever the option says.
        assert_eq!(receiver.recv(&mut [0; 10]).unwrap(), 10);
        sender.send_all(b"1").unwrap();
        sender.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(wait(receiver, Events::IN).contains(Events::IN));
    }
    let (here, there) = (sockets::udp(), sockets::udp());
    set(&there, sockopt::RcvLowat, 10);
    here.send_to(b"1", there.local_addr().unwrap()).unwrap();
    assert_eq!(wait(&there, Events::IN), Events::IN, "UDP does not look at it");
}

#[test]
fn rcv_timeo_ends_a_receive_and_not_before() {
    let (socket, _peer) = tcp_pair();
    let time = Duration::from_millis(30);
    set(&socket, sockopt::RcvTimeo, Some(time));
    let start = Instant::now();
    assert_eq!(errno(socket.recv(&mut [0])), libc::EAGAIN);
    assert!(start.elapsed() >= time, "{:?}", start.elapsed());
    // Nor does the shortest make it wait for ever.
    set(&socket, sockopt::RcvTimeo, Some(Duration::from_nanos(1)));
    assert_eq!(errno(socket.recv(&mut [0])), libc::EAGAIN);
}

#[test]
fn snd_timeo_ends_a_send_that_does_not_fit() {
    let (socket, _peer) = tcp_pair();
    set(&socket, sockopt::SndTimeo, Some(Duration::from_millis(1)));
    let chunk = vec![0; 1 << 20];
    // The first ones fit, one is cut short, the next has no room at all. A peer that does not read takes some MiB.
    let error = (0..200).find_map(|_| socket.send(&chunk).err()).expect("full");
    assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
}

#[test]
fn not_sent_lowat_ends_writable_early() {
    let fits = |limit| {
        let (socket, peer) = tcp_pair();
        set(&peer, sockopt::RcvBuf, 4096);
        set(&socket, tcp::NotSentLowat, limit);
        socket.set_nonblocking(true).unwrap();
        let mut sum = 0;
        // Not until EAGAIN: `poll` is what the option is about.
        while now(&socket, Events::OUT).contains(Events::OUT) && sum < 1 << 28 {
            sum += socket.send(&[0; 4096]).unwrap();
        }
        sum
    };
    let (little, much) = (fits(4096), fits(1 << 20));
    assert!(little < much, "{little} {much}");
}

// ---- peeking, and bytes out of band ----

#[test]
fn peek_off_goes_on_where_the_last_peek_ended() {
    let (sender, receiver) = sockets::pair(Type::STREAM);
    sender.send_all(b"aabbccddeeff").unwrap();
    if lacks(sockopt::set(&receiver, sockopt::PeekOff, None).is_ok(), "SO_PEEK_OFF") {
        return;
    }
    set(&receiver, sockopt::PeekOff, Some(4));
    let peek = |flags| {
        let mut two = [0; 2];
        nix::sys::socket::recv(std::os::fd::AsRawFd::as_raw_fd(&receiver), &mut two, flags)
            .unwrap();
        String::from_utf8(two.to_vec()).unwrap()
    };
    let offset = || sockopt::get(&receiver, sockopt::PeekOff).unwrap();
    assert_eq!((peek(MsgFlags::MSG_PEEK).as_str(), offset()), ("cc", Some(6)));
    assert_eq!((peek(MsgFlags::MSG_PEEK).as_str(), offset()), ("dd", Some(8)));
    assert_eq!((peek(MsgFlags::empty()).as_str(), offset()), ("aa", Some(6)));
    assert_eq!((peek(MsgFlags::MSG_PEEK).as_str(), offset()), ("ee", Some(8)));
    set(&receiver, sockopt::PeekOff, None);
    assert_eq!(peek(MsgFlags::MSG_PEEK), "bb");
}

#[test]
fn oob_inline_leaves_the_byte_in_the_stream() {
    for inline in [false, true] {
        let (sender, receiver) = tcp_pair();
        set(&receiver, sockopt::OobInline, inline);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&sender);
        sender.send_all(b"ab").unwrap();
        nix::sys::socket::send(fd, b"!", MsgFlags::MSG_OOB).unwrap();
        sender.send_all(b"cd").unwrap();
        sender.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = Vec::new();
        (&receiver).read_to_end(&mut text).unwrap();
        assert_eq!(text, if inline { &b"ab!cd"[..] } else { b"abcd" }, "inline: {inline}");
    }
}

// ---- peers ----

#[test]
fn peer_cred_is_who_connected_and_none_on_tcp() {
    let (listener, addr) = sockets::unix_listener(1);
    let client = sockets::unix(Type::STREAM);
    assert_eq!(sockopt::get(&client, sockopt::PeerCred).unwrap(), None, "not connected");
    client.connect(&addr).unwrap();
    let (server, _) = listener.accept().unwrap();
    for end in [&client, &server] {
        let peer = sockopt::get(end, sockopt::PeerCred).unwrap().expect("a peer");
        assert_eq!(peer.pid.unsigned_abs(), std::process::id());
        assert_eq!(peer.uid, nix::unistd::geteuid().as_raw());
        assert_eq!(peer.gid, nix::unistd::getegid().as_raw());
    }
    let (tcp, _peer) = tcp_pair();
    assert_eq!(sockopt::get(&tcp, sockopt::PeerCred).unwrap(), None);
    assert_eq!(sockopt::get(&sockets::udp(), sockopt::PeerCred).unwrap(), None);
}

#[test]
fn pass_cred_names_an_unnamed_sender() {
    let (receiver, addr) = {
        let socket = sockets::unix(Type::DGRAM);
        socket.bind(UnixAddr::unnamed()).unwrap();
        let addr = socket.local_addr().unwrap();
        (socket, addr)
    };
    let sender = sockets::unix(Type::DGRAM);
    set(&sender, sockopt::PassCred, true);
    sender.send_to(b"x", addr).unwrap();
    let (_, _, from) = receiver.recv_from(&mut [0; 8]).unwrap();
    assert!(!from.as_unix().unwrap().is_unnamed(), "the kernel has named it: {from}");
}

// ---- TCP ----

#[test]
fn max_seg_is_what_the_peer_is_asked_for() {
    let (listener, addr) = tcp_listener(1);
    let client = sockets::tcp();
    set(&client, tcp::MaxSeg, 1000);
    client.connect(addr).unwrap();
    let (server, _) = listener.accept().unwrap();
    let segment = sockopt::get(&server, tcp::MaxSeg).unwrap();
    assert!(segment <= 1000 && segment > 900, "{segment}");
    (&client).write_all(&[0; 5000]).unwrap();
    let mut all = [0; 5000];
    (&server).read_exact(&mut all).unwrap();
    let info = sockopt::get(&client, tcp::Info).unwrap();
    assert!(info.snd_mss() <= 1000, "{}", info.snd_mss());
}

#[test]
fn no_time_in_fin_wait_is_a_reset() {
    for (time, reset) in [(Duration::from_secs(5), false), (Duration::ZERO, true)] {
        let (near, far) = tcp_pair();
        set(&near, tcp::Linger2, time);
        near.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(far.recv(&mut [0]).unwrap(), 0);
        far.send_all(b"x").unwrap(); // and with it the acknowledgement, which could wait
        assert_eq!(near.recv(&mut [0]).unwrap(), 1);
        let state = sockopt::get(&near, tcp::Info).unwrap().state();
        if !lacks(state != TcpState::from(0), "TCP_INFO") {
            assert_eq!(state, TcpState::FIN_WAIT2);
        }
        drop(near);
        assert_eq!(now(&far, Events::empty()).contains(Events::ERR), reset, "{time:?}");
    }
}

#[test]
fn cork_holds_back_and_clearing_it_sends() {
    let (near, far) = tcp_pair();
    set(&near, tcp::NoDelay, true);
    set(&near, tcp::Cork, true);
    near.send_all(b"head").unwrap();
    assert_eq!(now(&far, Events::IN), Events::empty());
    near.send_all(b"body").unwrap();
    set(&near, tcp::Cork, false);
    wait(&far, Events::IN);
    let mut text = [0; 16];
    let n = far.recv(&mut text).unwrap();
    assert_eq!(&text[..n], b"headbody", "in one segment");
    let info = sockopt::get(&near, tcp::Info).unwrap();
    assert!(info.data_segs_out() == 1 || lacks(info.written() > 4, "TCP_INFO"), "{info:?}");
}

#[test]
fn a_pacing_rate_holds_tcp_back() {
    let (near, far) = tcp_pair();
    let set = sockopt::set(&near, sockopt::MaxPacingRate, Some(1_000_000));
    if lacks(set.is_ok(), "SO_MAX_PACING_RATE") {
        return;
    }
    set.unwrap();
    near.send_all(b"x").unwrap();
    assert_eq!(sockopt::get(&near, tcp::Info).unwrap().max_pacing_rate(), 1_000_000);
    assert!(sockopt::get(&near, tcp::Info).unwrap().pacing_rate() <= 1_000_000);
    drop(far);
}

#[test]
fn accepted_sockets_inherit() {
    let (listener, addr) = tcp_listener(1);
    set(&listener, sockopt::KeepAlive, true);
    set(&listener, tcp::KeepIdle, Duration::from_secs(77));
    set(&listener, tcp::NoDelay, true);
    set(&listener, tcp::UserTimeout, Duration::from_secs(7));
    set(&listener, ip::Ttl, 9);
    set(&listener, sockopt::SoLinger, Linger::For(Duration::from_secs(3)));
    sockets::tcp().connect(addr).unwrap();
    let (server, _) = listener.accept().unwrap();
    assert!(sockopt::get(&server, sockopt::KeepAlive).unwrap());
    assert!(sockopt::get(&server, tcp::NoDelay).unwrap());
    assert_eq!(sockopt::get(&server, tcp::KeepIdle).unwrap(), Duration::from_secs(77));
    assert_eq!(sockopt::get(&server, tcp::UserTimeout).unwrap(), Duration::from_secs(7));
    assert_eq!(sockopt::get(&server, ip::Ttl).unwrap(), 9);
    let linger = sockopt::get(&server, sockopt::SoLinger).unwrap();
    assert_eq!(linger, Linger::For(Duration::from_secs(3)));
}
