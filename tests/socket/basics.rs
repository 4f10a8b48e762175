//! What a socket is made of, how it turns into std's, and how it listens.

use std::fmt::Debug;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use crate::support::sockets::wait;
use crate::support::sockets::{
    SHORT, errno, pair, tcp, tcp_listener, tcp_pair, udp, unix, unix_listener,
};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{getsockopt, setsockopt, sockopt as nix_opt};
use nix::sys::time::TimeVal;
use readysock::sockopt::{self, KeepAlive, Linger, RcvBuf, SoLinger, tcp::NoDelay};
use readysock::{Domain, Events, Protocol, Socket, Type, UnixAddr, libc};

fn is_close_on_exec(fd: impl AsFd) -> bool {
    let flags = fcntl(fd, FcntlArg::F_GETFD).expect("F_GETFD");
    FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC)
}

#[test]
fn a_socket_is_what_was_asked_for() {
    let socket = Socket::new(Domain::INET, Type::DGRAM, Some(Protocol::UDP)).expect("UDP");
    assert_eq!(
        getsockopt(&socket, nix_opt::SockType).expect("type"),
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
    let (reader, _writer) = crate::support::fds::pipe();
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
    // These are calls for every kind of file.
    pipe.set_nonblocking(true).expect("set");
    assert!(pipe.is_nonblocking().expect("F_GETFL"));
    assert_eq!(errno(pipe.try_clone().expect("clone").bind(([127, 0, 0, 1], 0))), libc::ENOTSOCK);
    assert_eq!(errno(pipe.listen(1)), libc::ENOTSOCK);
    assert_eq!(errno(pipe.connect(([127, 0, 0, 1], 1))), libc::ENOTSOCK);
    assert_eq!(errno(pipe.send_to(b"x", ([127, 0, 0, 1], 1))), libc::ENOTSOCK);
    assert_eq!(errno(pipe.peer_addr()), libc::ENOTSOCK);
    assert_eq!(errno(pipe.shutdown(std::net::Shutdown::Both)), libc::ENOTSOCK);
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
fn an_accepted_socket_inherits_options() {
    let (listener, addr) = tcp_listener(1);
    listener.set_nonblocking(true).expect("set");
    let linger = Linger::For(Duration::from_secs(7));
    let time = TimeVal::new(3, 500_000);
    sockopt::set(&listener, SoLinger, linger).expect("set");
    sockopt::set(&listener, KeepAlive, true).expect("set");
    sockopt::set(&listener, NoDelay, true).expect("set");
    sockopt::set(&listener, RcvBuf, 10_000).expect("set");
    setsockopt(&listener, nix_opt::ReceiveTimeout, &time).expect("set");
    let client = tcp();
    client.connect(addr).expect("connect");
    wait(&listener, Events::IN);
    let (server, _) = listener.accept().expect("accept");
    assert_eq!(sockopt::get(&server, SoLinger).expect("get"), linger);
    assert!(sockopt::get(&server, KeepAlive).expect("get"));
    assert!(sockopt::get(&server, NoDelay).expect("get"));
    assert_eq!(sockopt::get(&server, RcvBuf).expect("get"), 20_000);
    assert_eq!(getsockopt(&server, nix_opt::ReceiveTimeout).expect("get"), time);
    assert!(!server.is_nonblocking().expect("F_GETFL"), "that one it does not inherit");
}

#[test]
fn a_listener_that_closes_resets_who_waits_in_its_queue() {
    let (listener, addr) = tcp_listener(1);
    let client = tcp();
    client.connect(addr).expect("connect");
    client.send_all(b"hello").expect("the kernel takes it for the listener");
    wait(&listener, Events::IN);
    drop(listener);
    assert_eq!(errno(client.recv(&mut [0; 8])), libc::ECONNRESET);
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
        Err(error) => return crate::support::skipped(&format!("no IPv6 here: {error}")),
    };
    if let Err(error) = listener.bind((Ipv6Addr::LOCALHOST, 0)) {
        return crate::support::skipped(&format!("no IPv6 loopback here: {error}"));
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

#[test]
fn bind_takes_one_address_and_of_its_own_domain() {
    let socket = udp();
    assert_eq!(errno(socket.bind(([127, 0, 0, 1], 0))), libc::EINVAL, "bound already");
    let taken = socket.local_addr().expect("its address");
    let other = || Socket::new(Domain::INET, Type::DGRAM, None).expect("a UDP socket");
    assert_eq!(errno(other().bind(taken)), libc::EADDRINUSE);
    assert_eq!(errno(other().bind(([192, 0, 2, 1], 0))), libc::EADDRNOTAVAIL);
    assert_eq!(errno(other().bind((Ipv6Addr::LOCALHOST, 0))), libc::EAFNOSUPPORT);
    assert_eq!(errno(unix(Type::DGRAM).bind(([127, 0, 0, 1], 0))), libc::EINVAL);
}

#[test]
fn a_type_with_flags_of_its_own_keeps_them() {
    // Type is an open number: SOCK_CLOEXEC may stand in it already, and must not cancel ours.
    let flags = Type::from(libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    let one = Socket::new(Domain::INET, flags, None).expect("a socket");
    let (near, far) = Socket::pair(Domain::UNIX, flags, None).expect("a pair");
    for socket in [one, near, far] {
        assert!(is_close_on_exec(&socket));
        assert!(socket.is_nonblocking().expect("its mode"));
    }
}
