//! Sockets of this crate to test with.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use readysock::{Addr, Domain, Events, PollFd, Socket, Type, UnixAddr, poll};

/// Longer than anything here takes, and no reason to kill the test.
pub const LONG: Duration = Duration::from_secs(60);
/// Long enough to see that something waits.
pub const SHORT: Duration = Duration::from_millis(50);

pub fn tcp() -> Socket {
    Socket::new(Domain::INET, Type::STREAM, None).expect("a TCP socket")
}

pub fn udp() -> Socket {
    let socket = Socket::new(Domain::INET, Type::DGRAM, None).expect("a UDP socket");
    socket.bind(([127, 0, 0, 1], 0)).expect("bind");
    socket
}

pub fn tcp_listener(backlog: i32) -> (Socket, Addr) {
    let listener = tcp();
    listener.bind(([127, 0, 0, 1], 0)).expect("bind");
    listener.listen(backlog).expect("listen");
    let addr = listener.local_addr().expect("its address");
    (listener, addr)
}

pub fn unix(kind: Type) -> Socket {
    Socket::new(Domain::UNIX, kind, None).expect("a Unix socket")
}

/// Listens on an abstract name of the kernel's choice.
pub fn unix_listener(backlog: i32) -> (Socket, Addr) {
    let listener = unix(Type::STREAM);
    listener.bind(UnixAddr::unnamed()).expect("autobind");
    listener.listen(backlog).expect("listen");
    let addr = listener.local_addr().expect("its address");
    (listener, addr)
}

pub fn pair(kind: Type) -> (Socket, Socket) {
    Socket::pair(Domain::UNIX, kind, None).expect("a pair")
}

/// A connection over TCP: the client's end and the server's.
pub fn tcp_pair() -> (Socket, Socket) {
    let (listener, addr) = tcp_listener(1);
    let client = tcp();
    client.connect(addr).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (client, server)
}

#[track_caller]
pub fn errno<T: Debug>(result: io::Result<T>) -> i32 {
    let error = result.expect_err("an error of the kernel's");
    error.raw_os_error().unwrap_or_else(|| panic!("not the kernel's: {error}"))
}

/// What is there to poll for, without a wait.
pub fn now(socket: &Socket, events: Events) -> Events {
    let mut slot = [PollFd::of(socket, events)];
    poll(&mut slot, Duration::ZERO).expect("poll");
    slot[0].revents()
}

/// Waits until there is one of these events.
#[track_caller]
pub fn wait(socket: &Socket, events: Events) {
    let mut slot = [PollFd::of(socket, events)];
    assert_eq!(poll(&mut slot, LONG).expect("poll"), 1, "{events:?} does not come");
}
