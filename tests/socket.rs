//! The socket calls, against the kernel.

mod support;

use std::fmt::Debug;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv6Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use nix::sys::time::TimeVal;
use readysock::{
    Addr, Domain, Events, PollFd, Protocol, Socket, Timeout, Type, UnixAddr, libc, poll,
};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

fn tcp() -> Socket {
    Socket::new(Domain::INET, Type::STREAM, None).expect("a TCP socket")
}

fn udp() -> Socket {
    let socket = Socket::new(Domain::INET, Type::DGRAM, None).expect("a UDP socket");
    socket.bind(([127, 0, 0, 1], 0)).expect("bind");
    socket
}

fn tcp_listener(backlog: i32) -> (Socket, Addr) {
    let listener = tcp();
    listener.bind(([127, 0, 0, 1], 0)).expect("bind");
    listener.listen(backlog).expect("listen");
    let addr = listener.local_addr().expect("its address");
    (listener, addr)
}

fn unix(kind: Type) -> Socket {
    Socket::new(Domain::UNIX, kind, None).expect("a Unix socket")
}

/// Listens on an abstract name of the kernel's choice.
fn unix_listener(backlog: i32) -> (Socket, Addr) {
    let listener = unix(Type::STREAM);
    listener.bind(UnixAddr::unnamed()).expect("autobind");
    listener.listen(backlog).expect("listen");
    let addr = listener.local_addr().expect("its address");
    (listener, addr)
}

fn pair(kind: Type) -> (Socket, Socket) {
    Socket::pair(Domain::UNIX, kind, None).expect("a pair")
}

/// A connection over TCP: the client's end and the server's.
fn tcp_pair() -> (Socket, Socket) {
    let (listener, addr) = tcp_listener(1);
    let client = tcp();
    client.connect(addr).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (client, server)
}

#[track_caller]
fn errno<T: Debug>(result: io::Result<T>) -> i32 {
    let error = result.expect_err("an error of the kernel's");
    error.raw_os_error().unwrap_or_else(|| panic!("not the kernel's: {error}"))
}

#[track_caller]
fn refused_empty_buffer<T: Debug>(result: io::Result<T>) {
    let error = result.expect_err("an empty buffer");
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None), "{error}");
    assert!(error.to_string().contains("the buffer is empty"), "{error}");
}

fn is_close_on_exec(fd: impl AsFd) -> bool {
    let flags = fcntl(fd, FcntlArg::F_GETFD).expect("F_GETFD");
    FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC)
}

/// What is there to poll for, without a wait.
fn now(socket: &Socket, events: Events) -> Events {
    let mut slot = [PollFd::of(socket, events)];
    poll(&mut slot, Duration::ZERO).expect("poll");
    slot[0].revents()
}

// What a socket is made of.

#[test]
fn a_socket_is_what_was_asked_for() {
    let socket = Socket::new(Domain::INET, Type::DGRAM, Some(Protocol::UDP)).expect("UDP");
    assert_eq!(
        getsockopt(&socket, sockopt::SockType).expect("type"),
        nix::sys::socket::SockType::Datagram
    );
    assert_eq!(socket.local_addr().expect("its address").to_string(), "0.0.0.0:0");
    assert!(!socket.is_nonblocking().expect("F_GETFL"));

    assert_eq!(errno(Socket::new(Domain::from(-1), Type::STREAM, None)), libc::EAFNOSUPPORT);
    let mixed = Socket::new(Domain::INET, Type::STREAM, Some(Protocol::UDP));
    assert_eq!(errno(mixed), libc::EPROTONOSUPPORT);
    assert_eq!(errno(Socket::pair(Domain::INET, Type::STREAM, None)), libc::EOPNOTSUPP);
}

#[test]
fn every_descriptor_is_close_on_exec() {
    let (listener, addr) = unix_listener(2);
    let clients = [unix(Type::STREAM), unix(Type::STREAM)];
    clients.iter().for_each(|client| client.connect(&addr).expect("connect"));
    let (near, far) = pair(Type::STREAM);
    let all = [
        ("accept", listener.accept().expect("accept").0),
        ("accept_nonblocking", listener.accept_nonblocking().expect("accept").0),
        ("pair", near),
        ("pair", far),
        ("try_clone", listener.try_clone().expect("clone")),
        ("new", listener),
    ];
    for (made_by, socket) in all {
        assert!(is_close_on_exec(&socket), "{made_by}");
    }
}

#[test]
fn a_pair_is_connected() {
    for kind in [Type::STREAM, Type::DGRAM, Type::SEQPACKET] {
        let (near, far) = pair(kind);
        assert_eq!(near.send(b"ping").expect("send"), 4);
        let mut buffer = [0; 8];
        assert_eq!(far.recv(&mut buffer).expect("recv"), 4, "{kind:?}");
        assert_eq!(&buffer[..4], b"ping");
        assert_eq!(far.peer_addr().expect("the peer"), UnixAddr::unnamed().into());
    }
}

#[test]
fn the_blocking_mode_is_the_socket_s_and_its_clones() {
    let (near, _far) = pair(Type::STREAM);
    let clone = near.try_clone().expect("clone");
    for nonblocking in [true, true, false, false] {
        near.set_nonblocking(nonblocking).expect("set");
        assert_eq!(near.is_nonblocking().expect("get"), nonblocking);
        assert_eq!(clone.is_nonblocking().expect("get"), nonblocking);
    }
    near.set_nonblocking(true).expect("set");
    assert_eq!(errno(near.recv(&mut [0; 1])), libc::EAGAIN);
    assert_eq!(clone.recv(&mut [0; 1]).expect_err("nothing").kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_clone_keeps_the_connection_open() {
    let (near, far) = pair(Type::STREAM);
    let clone = near.try_clone().expect("clone");
    assert_ne!(clone.as_raw_fd(), near.as_raw_fd());
    drop(near);
    clone.send_all(b"x").expect("still open");
    drop(clone);
    let mut buffer = [0; 8];
    assert_eq!((far.recv(&mut buffer).expect("x"), far.recv(&mut buffer).expect("end")), (1, 0));
}

#[test]
fn a_socket_is_closed_when_it_is_dropped() {
    let (near, far) = tcp_pair();
    drop(near);
    assert_eq!(far.recv(&mut [0; 8]).expect("end of stream"), 0);
}

#[test]
fn debug_names_the_addresses() {
    let (client, server) = tcp_pair();
    let (fd, local) = (client.as_raw_fd(), client.local_addr().expect("its address"));
    let peer = server.local_addr().expect("its address");
    assert_eq!(
        format!("{client:?}"),
        format!("Socket {{ fd: {fd}, local: {local}, peer: {peer} }}")
    );
    let alone = unix(Type::STREAM);
    let fd = alone.as_raw_fd();
    assert_eq!(format!("{alone:?}"), format!("Socket {{ fd: {fd}, local: unix:(unnamed) }}"));
}

#[test]
fn what_is_no_socket_is_an_error_and_not_a_panic() {
    let (reader, _writer) = support::fds::pipe();
    let pipe = Socket::from(reader);
    let mut buffer = [0; 8];
    assert_eq!(errno(pipe.local_addr()), libc::ENOTSOCK);
    assert_eq!(errno(pipe.recv(&mut buffer)), libc::ENOTSOCK);
    assert_eq!(errno(pipe.recv_from(&mut buffer)), libc::ENOTSOCK);
    assert_eq!(errno(pipe.send(b"x")), libc::ENOTSOCK);
    assert_eq!(errno(pipe.send_all(b"x")), libc::ENOTSOCK);
    assert_eq!(errno(pipe.accept()), libc::ENOTSOCK);
    assert_eq!(errno(pipe.take_error()), libc::ENOTSOCK);
    assert_eq!(errno(pipe.connect_timeout(([127, 0, 0, 1], 1), SHORT)), libc::ENOTSOCK);
    assert!(format!("{pipe:?}").starts_with("Socket { fd: "));
}

#[test]
fn sockets_can_be_sent_between_threads() {
    fn shared<T: Send + Sync + Debug>() {}
    shared::<Socket>();
}

// To std and back.

#[track_caller]
fn there_and_back<Std: Into<Socket> + From<Socket> + AsRawFd>(std: Std) -> Std {
    let fd = std.as_raw_fd();
    let socket: Socket = std.into();
    assert_eq!(socket.as_raw_fd(), fd, "the same descriptor");
    let std = Std::from(socket);
    assert_eq!(std.as_raw_fd(), fd, "the same descriptor");
    std
}

#[test]
fn std_s_types_convert_both_ways_and_go_on_working() {
    let listener = there_and_back(TcpListener::bind("127.0.0.1:0").expect("bind"));
    let addr = listener.local_addr().expect("its address");
    let mut client = there_and_back(TcpStream::connect(addr).expect("connect"));
    client.write_all(b"x").expect("write");
    let mut server = there_and_back(listener.accept().expect("accept").0);
    server.read_exact(&mut [0; 1]).expect("read");

    let socket = there_and_back(UdpSocket::bind("127.0.0.1:0").expect("bind"));
    socket.send_to(b"x", socket.local_addr().expect("its address")).expect("send");
    assert_eq!(socket.recv(&mut [0; 8]).expect("recv"), 1);

    let (near, far) = UnixStream::pair().expect("a pair");
    there_and_back(near).write_all(b"x").expect("write");
    there_and_back(far).read_exact(&mut [0; 1]).expect("read");

    let (near, far) = UnixDatagram::pair().expect("a pair");
    there_and_back(near).send(b"").expect("send");
    assert_eq!(there_and_back(far).recv(&mut [0; 8]).expect("recv"), 0);

    // A listener of ours, taken over by std.
    let (listener, addr) = unix_listener(1);
    let listener = there_and_back(UnixListener::from(listener));
    let client = unix(Type::STREAM);
    client.connect(addr).expect("connect");
    let (server, peer) = listener.accept().expect("accept");
    assert!(peer.is_unnamed());
    Socket::from(server).send_all(b"x").expect("send");
    assert_eq!(client.recv(&mut [0; 8]).expect("recv"), 1);
}

#[test]
fn descriptors_convert_both_ways() {
    let (near, far) = pair(Type::STREAM);
    let fd = near.as_raw_fd();
    assert_eq!(near.as_fd().as_raw_fd(), fd);
    let near = there_and_back(OwnedFd::from(near));
    let number = Socket::from(near).into_raw_fd();
    assert_eq!(number, fd);
    // SAFETY: the number was given up just now and nothing else owns it.
    let near = unsafe { Socket::from_raw_fd(number) };
    near.send_all(b"x").expect("send");
    assert_eq!(far.recv(&mut [0; 8]).expect("recv"), 1);
}

// Listening and accepting.

#[test]
fn accept_tells_the_peer() {
    let (listener, addr) = tcp_listener(1);
    let client = tcp();
    client.connect(&addr).expect("connect");
    let (server, peer) = listener.accept().expect("accept");
    assert_eq!(peer, client.local_addr().expect("its address"));
    assert_eq!(server.peer_addr().expect("the peer"), peer);
    assert_eq!(server.local_addr().expect("its address"), addr);

    let (listener, addr) = unix_listener(1);
    let client = unix(Type::STREAM);
    client.bind(UnixAddr::unnamed()).expect("autobind");
    client.connect(addr).expect("connect");
    let (_server, peer) = listener.accept().expect("accept");
    assert_eq!(peer, client.local_addr().expect("its address"));
}

#[test]
fn an_accepted_socket_blocks_unless_asked_not_to() {
    for listener_nonblocking in [false, true] {
        let (listener, addr) = tcp_listener(2);
        let clients = [tcp(), tcp()];
        clients.iter().for_each(|client| client.connect(&addr).expect("connect"));
        listener.set_nonblocking(listener_nonblocking).expect("set");
        let (blocking, _) = listener.accept().expect("accept");
        let (nonblocking, _) = listener.accept_nonblocking().expect("accept");
        assert!(!blocking.is_nonblocking().expect("F_GETFL"));
        assert!(nonblocking.is_nonblocking().expect("F_GETFL"));
    }
}

#[test]
fn a_listener_with_nobody_waiting() {
    let (listener, _) = tcp_listener(1);
    listener.set_nonblocking(true).expect("set");
    assert_eq!(errno(listener.accept()), libc::EAGAIN);
    assert_eq!(errno(tcp().accept()), libc::EINVAL);
    assert_eq!(errno(udp().accept()), libc::EOPNOTSUPP);
    assert_eq!(errno(udp().listen(1)), libc::EOPNOTSUPP);
}

#[test]
fn a_negative_backlog_is_the_most_the_system_allows() {
    let (listener, addr) = unix_listener(-1);
    for _ in 0..3 {
        unix(Type::STREAM).connect(&addr).expect("there is room");
    }
    drop(listener);
}

#[test]
fn ipv6_where_there_is_one() {
    let listener = match Socket::new(Domain::INET6, Type::STREAM, Some(Protocol::TCP)) {
        Ok(socket) => socket,
        Err(error) => return support::skipped(&format!("no IPv6 here: {error}")),
    };
    if let Err(error) = listener.bind((Ipv6Addr::LOCALHOST, 0)) {
        return support::skipped(&format!("no IPv6 loopback here: {error}"));
    }
    listener.listen(1).expect("listen");
    let addr = listener.local_addr().expect("its address");
    assert_eq!(addr.domain(), Domain::INET6);
    let client = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
    client.connect(&addr).expect("connect");
    let (server, peer) = listener.accept().expect("accept");
    assert_eq!(peer, client.local_addr().expect("its address"));
    client.send_all(b"x").expect("send");
    assert_eq!(server.recv(&mut [0; 8]).expect("recv"), 1);
}

// Connecting.

/// A port that is taken and where nobody listens.
fn refusing() -> (Socket, Addr) {
    let socket = tcp();
    socket.bind(([127, 0, 0, 1], 0)).expect("bind");
    let addr = socket.local_addr().expect("its address");
    (socket, addr)
}

#[test]
fn connect_where_nobody_listens() {
    let (_taken, addr) = refusing();
    assert_eq!(errno(tcp().connect(&addr)), libc::ECONNREFUSED);
    assert_eq!(errno(tcp().connect_timeout(&addr, LONG)), libc::ECONNREFUSED);

    let bound = unix(Type::STREAM);
    bound.bind(UnixAddr::unnamed()).expect("autobind");
    let addr = bound.local_addr().expect("its address");
    assert_eq!(errno(unix(Type::STREAM).connect(&addr)), libc::ECONNREFUSED);
    assert_eq!(errno(unix(Type::STREAM).connect_timeout(&addr, LONG)), libc::ECONNREFUSED);
    let nowhere = UnixAddr::from_pathname("/nowhere/readysock").expect("a path");
    assert_eq!(errno(unix(Type::STREAM).connect(&nowhere)), libc::ENOENT);
    assert_eq!(errno(unix(Type::STREAM).connect_timeout(&nowhere, LONG)), libc::ENOENT);
}

#[test]
fn a_nonblocking_connect_tells_its_outcome_by_take_error() {
    let (_listener, good) = tcp_listener(1);
    let (_taken, bad) = refusing();
    for (addr, outcome) in [(good, None), (bad, Some(libc::ECONNREFUSED))] {
        let socket = tcp();
        socket.set_nonblocking(true).expect("set");
        assert_eq!(errno(socket.connect(&addr)), libc::EINPROGRESS);
        let mut slot = [PollFd::of(&socket, Events::OUT)];
        assert_eq!(poll(&mut slot, LONG).expect("poll"), 1);
        assert!(slot[0].revents().contains(Events::OUT), "writable, refused or not");
        let error = socket.take_error().expect("SO_ERROR").and_then(|error| error.raw_os_error());
        assert_eq!(error, outcome);
        assert!(socket.take_error().expect("SO_ERROR").is_none(), "taken is taken");
        assert_eq!(socket.peer_addr().is_ok(), outcome.is_none());
    }
}

#[test]
fn an_error_that_came_late_is_taken_once() {
    let socket = udp();
    let closed = udp().local_addr().expect("an address that was in use");
    socket.connect(closed).expect("connect says nothing yet");
    assert_eq!(socket.send(b"x").expect("nor does send"), 1);
    assert!(poll(&mut [PollFd::of(&socket, Events::empty())], LONG).expect("poll") == 1);
    let error = socket.take_error().expect("SO_ERROR").expect("refused");
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    assert!(socket.take_error().expect("SO_ERROR").is_none());
}

#[test]
fn connect_timeout_leaves_the_blocking_mode_as_it_was() {
    let (_listener, good) = tcp_listener(8);
    let (_unix_listener, good_unix) = unix_listener(8);
    let (_taken, bad) = refusing();
    for nonblocking in [false, true] {
        for (addr, succeeds) in [(&good, true), (&bad, false), (&good_unix, true)] {
            for timeout in
                [Timeout::After(LONG), Timeout::Never, Timeout::At(Instant::now() + LONG)]
            {
                let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
                socket.set_nonblocking(nonblocking).expect("set");
                let result = socket.connect_timeout(addr, timeout);
                assert_eq!(result.is_ok(), succeeds, "{addr}: {result:?}");
                assert_eq!(socket.peer_addr().ok().as_ref(), succeeds.then_some(addr));
                assert_eq!(socket.is_nonblocking().expect("F_GETFL"), nonblocking, "{addr}");
            }
            // Of another domain: an error before anything begins.
            let socket = udp();
            socket.set_nonblocking(nonblocking).expect("set");
            assert!(socket.connect_timeout(UnixAddr::unnamed(), LONG).is_err());
            assert_eq!(socket.is_nonblocking().expect("F_GETFL"), nonblocking);
        }
    }
}

/// Connects until the listener's queue holds all it can.
fn fill(addr: &Addr) -> Vec<Socket> {
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
        match socket.connect_timeout(addr, SHORT) {
            Ok(()) => waiting.push(socket),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                return waiting;
            }
        }
        assert!(waiting.len() < 20, "the queue of {addr} has no end");
    }
}

#[test]
fn connect_timeout_gives_up_in_time_where_the_queue_is_full() {
    for (_listener, addr) in [tcp_listener(0), unix_listener(0)] {
        let waiting = fill(&addr);
        assert!(!waiting.is_empty(), "one fits, also with a backlog of 0");
        for nonblocking in [false, true] {
            for at in [false, true] {
                let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
                socket.set_nonblocking(nonblocking).expect("set");
                let own_time = TimeVal::new(7, 0);
                setsockopt(&socket, sockopt::SendTimeout, &own_time).expect("SO_SNDTIMEO");
                let start = Instant::now();
                let timeout = if at { Timeout::At(start + SHORT) } else { Timeout::After(SHORT) };
                let error = socket.connect_timeout(&addr, timeout).expect_err("full");
                let elapsed = start.elapsed();
                assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::TimedOut, None));
                assert!(elapsed >= SHORT && elapsed < LONG, "{addr}: {elapsed:?}");
                assert_eq!(socket.is_nonblocking().expect("F_GETFL"), nonblocking);
                let after = getsockopt(&socket, sockopt::SendTimeout).expect("SO_SNDTIMEO");
                assert_eq!(after, own_time, "{addr}: the socket's own time");
                assert!(socket.peer_addr().is_err());
            }
        }
        for timeout in [Timeout::After(Duration::ZERO), Timeout::At(Instant::now())] {
            let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
            let error = socket.connect_timeout(&addr, timeout).expect_err("full");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(!socket.is_nonblocking().expect("F_GETFL"));
        }
    }
}

#[test]
fn after_a_timeout_the_connect_goes_on_behind_the_scenes() {
    let (_listener, addr) = tcp_listener(0);
    let _waiting = fill(&addr);
    let socket = tcp();
    let error = socket.connect_timeout(&addr, SHORT).expect_err("full");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(errno(socket.connect_timeout(&addr, LONG)), libc::EALREADY);
    assert!(!socket.is_nonblocking().expect("F_GETFL"));
}

#[test]
fn a_connect_that_waits_for_room_in_the_queue_gets_it() {
    for (listener, addr) in [tcp_listener(0), unix_listener(0)] {
        let waiting = fill(&addr);
        for timeout in [Timeout::After(LONG), Timeout::Never] {
            let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
            let started = socket.try_clone().expect("clone");
            let peer = addr.clone();
            let client = thread::spawn(move || {
                let result = socket.connect_timeout(&peer, timeout);
                assert!(!socket.is_nonblocking().expect("F_GETFL"));
                (result, socket)
            });
            // It has begun when it has changed the socket's mode, and it cannot end before there is room.
            while !started.is_nonblocking().expect("F_GETFL") && !client.is_finished() {
                if addr.domain() == Domain::UNIX
                    && getsockopt(&started, sockopt::SendTimeout).expect("SO_SNDTIMEO").tv_sec() > 0
                {
                    break;
                }
                thread::yield_now();
                if timeout == Timeout::Never && addr.domain() == Domain::UNIX {
                    break;
                }
            }
            assert!(!client.is_finished(), "{addr}: nobody has made room");
            let _made_room = listener.accept().expect("accept");
            let (result, socket) = client.join().expect("the client's thread");
            result.unwrap_or_else(|error| panic!("{addr}: {error}"));
            assert_eq!(socket.peer_addr().expect("the peer"), addr);
        }
        drop(waiting);
    }
}

// Sending and receiving.

#[test]
fn an_empty_buffer_is_refused_and_loses_nothing() {
    for kind in [Type::STREAM, Type::DGRAM] {
        let (near, far) = pair(kind);
        near.send_all(b"kept").expect("send");
        refused_empty_buffer(far.recv(&mut []));
        refused_empty_buffer(far.recv_from(&mut []));
        // std's way: nothing, and no call.
        assert_eq!((&far).read(&mut []).expect("read"), 0);
        assert_eq!((&far).read_vectored(&mut []).expect("read"), 0);
        let mut none = [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])];
        assert_eq!((&far).read_vectored(&mut none).expect("read"), 0);
        assert_eq!(far.recv(&mut [0; 8]).expect("recv"), 4, "{kind:?}");
    }
}

#[test]
fn a_datagram_without_bytes_is_a_message() {
    let (near, far) = pair(Type::DGRAM);
    assert_eq!(near.send(b"").expect("send"), 0);
    let (n, truncated, sender) = far.recv_from(&mut [0; 8]).expect("recv");
    assert_eq!((n, truncated, sender), (0, false, UnixAddr::unnamed().into()));

    let (near, far) = (udp(), udp());
    assert_eq!(near.send_to(b"", far.local_addr().expect("its address")).expect("send"), 0);
    near.send_to(b"next", far.local_addr().expect("its address")).expect("send");
    let (n, truncated, sender) = far.recv_from(&mut [0; 8]).expect("recv");
    assert_eq!((n, truncated, &sender), (0, false, &near.local_addr().expect("its address")));
    assert_eq!(far.recv(&mut [0; 8]).expect("recv"), 4);
}

#[test]
fn send_all_of_nothing_sends_nothing() {
    let (near, far) = pair(Type::DGRAM);
    near.send_all(b"").expect("nothing to do");
    far.set_nonblocking(true).expect("set");
    assert_eq!(errno(far.recv(&mut [0; 8])), libc::EAGAIN);
}

#[test]
fn a_datagram_that_does_not_fit_says_so() {
    let (unix_near, unix_far) = pair(Type::DGRAM);
    let (near, far) = (udp(), udp());
    near.connect(far.local_addr().expect("its address")).expect("connect");
    for (near, far) in [(near, far), (unix_near, unix_far)] {
        for (room, expected) in [(4, (4, true)), (5, (5, false)), (6, (5, false)), (1, (1, true))] {
            assert_eq!(near.send(b"hello").expect("send"), 5);
            let mut buffer = vec![0; room];
            let (n, truncated, _) = far.recv_from(&mut buffer).expect("recv");
            assert_eq!((n, truncated), expected, "{room}");
            assert_eq!(buffer[..n], b"hello"[..n]);
        }
        // The rest is gone: the next one begins at its beginning.
        near.send(b"abcdef").expect("send");
        near.send(b"ghi").expect("send");
        assert_eq!(far.recv(&mut [0; 2]).expect("recv"), 2);
        let mut buffer = [0; 8];
        assert_eq!(far.recv(&mut buffer).expect("recv"), 3);
        assert_eq!(&buffer[..3], b"ghi");
    }
}

#[test]
fn a_stream_that_is_read_in_parts_is_not_truncated() {
    let (client, server) = tcp_pair();
    client.send_all(b"hello").expect("send");
    let mut buffer = [0; 4];
    let (n, truncated, sender) = server.recv_from(&mut buffer).expect("recv");
    assert_eq!((n, truncated, &buffer), (4, false, b"hell"));
    let Addr::Other(sender) = sender else { panic!("{sender}") };
    assert_eq!((sender.as_bytes(), sender.to_string().as_str()), (&[][..], "(no address)"));
    assert_eq!(server.recv(&mut buffer).expect("the rest"), 1);
}

#[test]
fn a_datagram_tells_its_sender() {
    let far = unix(Type::DGRAM);
    far.bind(UnixAddr::unnamed()).expect("autobind");
    let addr = far.local_addr().expect("its address");
    let near = unix(Type::DGRAM);
    assert_eq!(near.send_to(b"x", &addr).expect("send"), 1);
    let sender = far.recv_from(&mut [0; 8]).expect("recv").2;
    assert_eq!(sender, UnixAddr::unnamed().into());
    assert_eq!(errno(far.send_to(b"x", sender)), libc::EINVAL, "it cannot be answered");

    near.bind(UnixAddr::unnamed()).expect("autobind");
    assert_eq!(near.send_to(b"x", &addr).expect("send"), 1);
    let sender = far.recv_from(&mut [0; 8]).expect("recv").2;
    assert_eq!(sender, near.local_addr().expect("its address"));
    assert_eq!(far.send_to(b"y", sender).expect("answer"), 1);
    assert_eq!(near.recv_from(&mut [0; 8]).expect("recv").2, addr);

    let (near, far) = (udp(), udp());
    near.send_to(b"x", far.local_addr().expect("its address")).expect("send");
    let sender = far.recv_from(&mut [0; 8]).expect("recv").2;
    assert_eq!(sender, near.local_addr().expect("its address"));

    // A connected Unix stream has a peer without a name, not an unknown one.
    let (near, far) = pair(Type::STREAM);
    near.send_all(b"x").expect("send");
    assert_eq!(far.recv_from(&mut [0; 8]).expect("recv").2, UnixAddr::unnamed().into());
}

#[test]
fn send_to_an_address_of_another_kind() {
    assert_eq!(errno(unix(Type::DGRAM).send_to(b"x", ([127, 0, 0, 1], 9))), libc::EINVAL);
    assert_eq!(errno(udp().send_to(b"x", UnixAddr::unnamed())), libc::EINVAL);
    let (near, _far) = pair(Type::DGRAM);
    assert_eq!(errno(udp().send(b"x")), libc::EDESTADDRREQ);
    assert_eq!(errno(near.send(&vec![0; 1 << 26])), libc::EMSGSIZE);
}

#[test]
fn a_half_closed_connection_still_answers() {
    for (near, far) in [tcp_pair(), pair(Type::STREAM)] {
        near.send_all(b"question").expect("send");
        near.shutdown(Shutdown::Write).expect("shutdown");
        let mut text = Vec::new();
        (&far).read_to_end(&mut text).expect("to the end");
        assert_eq!(text, b"question");
        assert!(now(&far, Events::RDHUP).contains(Events::RDHUP));
        assert!(!now(&far, Events::OUT).contains(Events::HUP), "half of it is open");
        far.send_all(b"answer").expect("send");
        let mut buffer = [0; 8];
        assert_eq!(near.recv(&mut buffer).expect("recv"), 6);
        assert_eq!(errno(near.send(b"x")), libc::EPIPE);

        far.shutdown(Shutdown::Both).expect("shutdown");
        assert_eq!(near.recv(&mut buffer).expect("the end"), 0);
    }
    assert_eq!(errno(tcp().shutdown(Shutdown::Read)), libc::ENOTCONN);
    let (near, _far) = pair(Type::STREAM);
    near.shutdown(Shutdown::Read).expect("shutdown");
    assert_eq!(near.recv(&mut [0; 8]).expect("the end"), 0);
}

const MANY: usize = 16 << 20;

/// Bytes that a loss, a repetition or a swap would change.
fn pattern() -> Vec<u8> {
    (0..MANY).map(|i| (i ^ (i >> 8) ^ (i >> 16)).to_le_bytes()[0]).collect()
}

#[test]
fn a_nonblocking_send_takes_a_part() {
    for (near, _far) in [tcp_pair(), pair(Type::STREAM)] {
        near.set_nonblocking(true).expect("set");
        let bytes = pattern();
        let mut sent = 0;
        let error = loop {
            match near.send(&bytes[sent..]) {
                Ok(n) => sent += n,
                Err(error) => break error,
            }
        };
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert!(sent > 0 && sent < MANY, "{sent}");
    }
}

#[test]
fn send_all_goes_on_when_a_late_reader_makes_room() {
    for (near, far) in [tcp_pair(), pair(Type::STREAM)] {
        near.set_nonblocking(true).expect("set");
        let full = near.try_clone().expect("clone");
        let bytes = pattern();
        let reader = thread::spawn(move || {
            // Late: not before the sender has to wait.
            while now(&full, Events::OUT).contains(Events::OUT) {
                thread::yield_now();
            }
            drop(full);
            let mut received = Vec::new();
            (&far).read_to_end(&mut received).map(|_| received)
        });
        near.send_all(&bytes).expect("all of it");
        assert!(near.is_nonblocking().expect("F_GETFL"));
        drop(near);
        let received = reader.join().expect("the reader's thread").expect("read");
        assert!(received == bytes, "{} of {MANY} bytes, or others", received.len());
    }
}

#[test]
fn send_all_ends_when_the_reader_goes_away() {
    let (near, far) = pair(Type::STREAM);
    near.set_nonblocking(true).expect("set");
    let full = near.try_clone().expect("clone");
    let reader = thread::spawn(move || {
        while now(&full, Events::OUT).contains(Events::OUT) {
            thread::yield_now();
        }
        drop(far);
    });
    assert_eq!(errno(near.send_all(&pattern())), libc::EPIPE);
    reader.join().expect("the reader's thread");
}

#[test]
fn a_time_of_the_socket_s_own_comes_back_as_eagain() {
    let (near, _far) = pair(Type::STREAM);
    let time = TimeVal::new(0, 20_000);
    setsockopt(&near, sockopt::ReceiveTimeout, &time).expect("SO_RCVTIMEO");
    setsockopt(&near, sockopt::SendTimeout, &time).expect("SO_SNDTIMEO");
    let start = Instant::now();
    assert_eq!(errno(near.recv(&mut [0; 8])), libc::EAGAIN);
    assert_eq!(errno(near.recv_from(&mut [0; 8])), libc::EAGAIN);
    assert!(start.elapsed() >= Duration::from_millis(40));
    // Blocking: it does not wait for room a second time.
    assert_eq!(errno(near.send_all(&pattern())), libc::EAGAIN);
    let (listener, _) = unix_listener(1);
    setsockopt(&listener, sockopt::ReceiveTimeout, &time).expect("SO_RCVTIMEO");
    assert_eq!(errno(listener.accept()), libc::EAGAIN);
}

#[test]
fn read_and_write_are_recv_and_send() {
    fn ends(mut writer: impl Write, mut reader: impl Read) {
        writer.write_all(b"hello").expect("write");
        writer.flush().expect("flush");
        let mut buffer = [0; 5];
        reader.read_exact(&mut buffer).expect("read");
        assert_eq!(&buffer, b"hello");
        assert_eq!(reader.read(&mut []).expect("nothing"), 0);
    }
    let (near, far) = pair(Type::STREAM);
    ends(&near, &far);
    ends(near.try_clone().expect("clone"), far.try_clone().expect("clone"));
    drop(near);
    assert_eq!((&far).read(&mut [0; 8]).expect("the end"), 0);
}

#[test]
fn slices_go_in_one_message_and_come_in_one() {
    fn ends(mut writer: impl Write, mut reader: impl Read) {
        let out = [&b""[..], b"he", b"", b"llo", b"!"].map(IoSlice::new);
        assert_eq!(writer.write_vectored(&out).expect("write"), 6);
        let (mut a, mut b, mut c) = ([0; 1], [0; 2], [0; 8]);
        let mut slices =
            [&mut [][..], &mut a, &mut [], &mut b, &mut c].map(|slice| IoSliceMut::new(slice));
        assert_eq!(reader.read_vectored(&mut slices).expect("read"), 6);
        assert_eq!((&a, &b, &c[..3]), (b"h", b"el", &b"lo!"[..]));
    }
    for kind in [Type::STREAM, Type::DGRAM] {
        let (near, far) = pair(kind);
        ends(&near, &far);
        ends(near, far);
    }
    // A datagram of no slices is one, too.
    let (near, far) = pair(Type::DGRAM);
    assert_eq!((&near).write_vectored(&[]).expect("write"), 0);
    assert_eq!(far.recv(&mut [0; 8]).expect("recv"), 0);
}

#[test]
fn more_slices_than_the_kernel_takes_are_a_part() {
    let (near, far) = pair(Type::STREAM);
    let out = vec![IoSlice::new(b"x"); 3000];
    assert_eq!((&near).write_vectored(&out).expect("write"), 1024);
    let mut bytes = [0; 3000];
    let mut slices: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
    assert_eq!((&far).read_vectored(&mut slices).expect("read"), 1024);
    assert_eq!(bytes, [&[b'x'; 1024][..], &[0; 1976]].concat()[..]);

    // Empty ones in front are no reason to read or write nothing.
    let mut out = vec![IoSlice::new(b""); 3000];
    out.push(IoSlice::new(b"y"));
    assert_eq!((&near).write_vectored(&out).expect("write"), 1);
    let mut last = [0];
    let mut slices: Vec<_> = (0..3000).map(|_| IoSliceMut::new(&mut [])).collect();
    slices.push(IoSliceMut::new(&mut last));
    assert_eq!((&far).read_vectored(&mut slices).expect("read"), 1);
    assert_eq!(&last, b"y");
}
