//! What options do, seen from outside, on loopback.

mod support;

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg, sendmsg};
use readysock::libc;
use readysock::sockopt::{self, Linger, SetOption, ip, ipv6, tcp, udp};
use readysock::{Addr, Domain, Events, PollFd, Socket, Type, UnixAddr, poll};
use support::skipped;
use support::sockets::{self, LONG, errno, now, tcp_listener, tcp_pair};

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[track_caller]
fn wait(socket: &Socket, events: Events) -> Events {
    let mut slot = [PollFd::of(socket, events)];
    assert_eq!(poll(&mut slot, LONG).unwrap(), 1, "nothing came");
    slot[0].revents()
}

fn set<O: SetOption>(socket: &Socket, option: O, value: O::Value) {
    sockopt::set(socket, option, value).expect(std::any::type_name::<O>());
}

fn port(socket: &Socket) -> u16 {
    socket.local_addr().unwrap().as_internet().unwrap().port()
}

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

// ---- datagrams ----

#[test]
fn udp_cork_makes_one_datagram() {
    let (sender, receiver) = (sockets::udp(), sockets::udp());
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    set(&sender, udp::Cork, true);
    for part in [b"one", b"two"] {
        sender.send(part).unwrap();
    }
    assert_eq!(now(&receiver, Events::IN), Events::empty());
    set(&sender, udp::Cork, false);
    let mut text = [0; 16];
    let n = receiver.recv(&mut text).unwrap();
    assert_eq!(&text[..n], b"onetwo");
}

#[test]
fn udp_segment_cuts_and_gro_joins() {
    let (sender, receiver) = (sockets::udp(), sockets::udp());
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    set(&sender, udp::Segment, 1000);
    assert_eq!(sender.send(&[7; 2500]).unwrap(), 2500);
    let lengths: Vec<_> = (0..3).map(|_| receiver.recv(&mut [0; 4000]).unwrap()).collect();
    assert_eq!(lengths, [1000, 1000, 500]);

    set(&receiver, udp::Gro, true);
    sender.send(&[7; 2500]).unwrap();
    assert_eq!(receiver.recv(&mut [0; 4000]).unwrap(), 2500, "three datagrams at once");
}

/// Control messages of the next datagram.
fn control(socket: &Socket) -> Vec<nix::sys::socket::ControlMessageOwned> {
    wait(socket, Events::IN);
    let (mut data, mut space) = ([0; 64], vec![0; 512]);
    let mut slices = [std::io::IoSliceMut::new(&mut data)];
    let fd = std::os::fd::AsRawFd::as_raw_fd(socket);
    let message =
        recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut space), MsgFlags::empty()).unwrap();
    message.cmsgs().unwrap().collect()
}

#[test]
fn control_messages_come_when_asked_for() {
    use nix::sys::socket::ControlMessageOwned as Got;
    let (sender, receiver) = (sockets::udp(), sockets::udp());
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    sender.send(b"x").unwrap();
    assert!(control(&receiver).is_empty(), "nothing was asked for");

    set(&sender, ip::Ttl, 33);
    set(&sender, ip::Tos, 0x20);
    set(&receiver, ip::RecvTtl, true);
    set(&receiver, ip::RecvTos, true);
    set(&receiver, ip::PktInfo, true);
    set(&receiver, sockopt::Timestamp, true);
    sender.send(b"x").unwrap();
    let got = control(&receiver);
    assert!(got.iter().any(|message| matches!(message, Got::Ipv4Ttl(33))), "{got:?}");
    assert!(got.iter().any(|message| matches!(message, Got::Ipv4Tos(0x20))), "{got:?}");
    assert!(got.iter().any(|message| matches!(message, Got::Ipv4PacketInfo(_))), "{got:?}");
    assert!(got.iter().any(|message| matches!(message, Got::ScmTimestamp(_))), "{got:?}");

    // The one in nanoseconds ends the one in microseconds, and reading says so.
    set(&receiver, sockopt::TimestampNs, true);
    assert!(!sockopt::get(&receiver, sockopt::Timestamp).unwrap());
    sender.send(b"x").unwrap();
    let got = control(&receiver);
    assert!(got.iter().any(|message| matches!(message, Got::ScmTimestampns(_))), "{got:?}");
    assert!(!got.iter().any(|message| matches!(message, Got::ScmTimestamp(_))), "{got:?}");
}

#[test]
fn pass_cred_brings_credentials() {
    let (sender, receiver) = sockets::pair(Type::DGRAM);
    set(&receiver, sockopt::PassCred, true);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&sender);
    sendmsg::<()>(fd, &[IoSlice::new(b"x")], &[], MsgFlags::empty(), None).unwrap();
    let got = control(&receiver);
    let [nix::sys::socket::ControlMessageOwned::ScmCredentials(sent)] = got[..] else {
        panic!("{got:?}")
    };
    assert_eq!(sent.pid().unsigned_abs(), std::process::id());
}

#[test]
fn recv_err_on_an_unconnected_socket() {
    for asked in [false, true] {
        let (socket, nobody) = (sockets::udp(), sockets::udp().local_addr().unwrap());
        set(&socket, ip::RecvErr, asked);
        socket.send_to(b"?", &nobody).unwrap();
        // The answer is made while the datagram is sent; without the option nobody is told of it.
        assert_eq!(now(&socket, Events::empty()).contains(Events::ERR), asked);
        let waiting = sockopt::get(&socket, sockopt::Error).unwrap();
        assert_eq!(
            waiting.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused),
            asked
        );
    }
}

// ---- multicast ----

/// A socket on this port of every address, that hears the groups it has joined and no others.
fn receiver() -> Socket {
    let socket = Socket::new(Domain::INET, Type::DGRAM, None).unwrap();
    set(&socket, ip::MulticastAll, false);
    socket.bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket
}

fn sender(from: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    sockopt::set(&socket, ip::MulticastIf, LOCAL).unwrap();
    socket
}

/// What the receiver gets of a datagram to the group and one to itself after it: the second always, and it comes last.
fn heard(sender: &UdpSocket, receiver: &Socket, group: Ipv4Addr) -> bool {
    sender.send_to(b"group", (group, port(receiver))).unwrap();
    sender.send_to(b"self", (LOCAL, port(receiver))).unwrap();
    let mut text = [0; 8];
    let mut next = || {
        wait(receiver, Events::IN);
        let n = receiver.recv(&mut text).unwrap();
        text[..n].to_vec()
    };
    match next().as_slice() {
        b"self" => false,
        first => {
            assert_eq!(first, b"group");
            assert_eq!(next(), b"self");
            true
        }
    }
}

#[test]
fn a_membership_delivers_and_ceases() {
    let (sender, receiver) = (sender(LOCAL), receiver());
    let group = Ipv4Addr::new(239, 255, 17, 41);
    let membership = ip::Membership { group, interface: ip::Interface::Address(LOCAL) };
    assert!(!heard(&sender, &receiver, group), "not joined");
    set(&receiver, ip::AddMembership, membership);
    assert!(heard(&sender, &receiver, group), "joined");
    assert!(!heard(&sender, &receiver, Ipv4Addr::new(239, 255, 17, 42)), "another group");
    set(&receiver, ip::DropMembership, membership);
    assert!(!heard(&sender, &receiver, group), "left");
}

#[test]
fn a_membership_by_source_hears_that_source() {
    let (group, source) = (Ipv4Addr::new(239, 255, 17, 43), Ipv4Addr::new(127, 0, 0, 2));
    let (good, other, receiver) = (sender(source), sender(LOCAL), receiver());
    let membership = ip::SourceMembership { group, source, interface: LOCAL };
    set(&receiver, ip::AddSourceMembership, membership);
    assert!(heard(&good, &receiver, group));
    assert!(!heard(&other, &receiver, group), "another sender");
    set(&receiver, ip::DropSourceMembership, membership);
    assert!(!heard(&good, &receiver, group), "left");
}

#[test]
fn multicast_all_hears_what_others_joined() {
    let group = Ipv4Addr::new(239, 255, 17, 44);
    let (sender, joined, other) = (sender(LOCAL), receiver(), receiver());
    let interface = ip::Interface::Address(LOCAL);
    set(&joined, ip::AddMembership, ip::Membership { group, interface });
    assert!(!heard(&sender, &other, group));
    set(&other, ip::MulticastAll, true);
    assert!(heard(&sender, &other, group), "the trap");
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
