//! Sockets of this crate to test with.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use nix::libc;
use readysock::{Addr, Domain, Events, PollFd, Socket, Type, UnixAddr, poll};

use super::isolated::end_soon;

/// Longer than anything here takes, and no reason to kill the test.
pub const LONG: Duration = Duration::from_secs(60);
/// Long enough to see that something waits.
pub const SHORT: Duration = Duration::from_millis(50);

pub fn tcp() -> Socket {
    end_soon();
    Socket::new(Domain::INET, Type::STREAM, None).expect("a TCP socket")
}

pub fn udp() -> Socket {
    end_soon();
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
    end_soon();
    Socket::new(Domain::UNIX, kind, None).expect("a Unix socket")
}

/// Binds to a path of 108 bytes, as a program in C can: all of `sun_path`, and no NUL behind it.
#[track_caller]
pub fn bind_to_the_last_byte(socket: &Socket, path: &Path) {
    let mut name: libc::sockaddr_un =
        libc::sockaddr_un { sun_family: libc::AF_UNIX.try_into().unwrap(), sun_path: [0; 108] };
    assert_eq!(path.as_os_str().len(), name.sun_path.len());
    for (to, from) in name.sun_path.iter_mut().zip(path.as_os_str().as_bytes()) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    let len = libc::socklen_t::try_from(size_of_val(&name)).unwrap();
    // SAFETY: the kernel reads `len` bytes at `name`.
    let bound = unsafe { libc::bind(socket.as_fd().as_raw_fd(), (&raw const name).cast(), len) };
    assert_eq!(bound, 0, "{}", io::Error::last_os_error());
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
    end_soon();
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

/// Waits until there is one of these events; what there is then.
#[track_caller]
pub fn wait(socket: &Socket, events: Events) -> Events {
    let mut slot = [PollFd::of(socket, events)];
    assert_eq!(poll(&mut slot, LONG).expect("poll"), 1, "{events:?} does not come");
    slot[0].revents()
}

/// The port that it is bound to.
pub fn port(socket: &Socket) -> u16 {
    socket.local_addr().unwrap().as_internet().unwrap().port()
}
