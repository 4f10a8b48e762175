//! Sockets of std on loopback to read options of, and what an error must be.

use std::ffi::c_int;
use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;

use readysock::sockopt::{self, BindToDevice, SetOption};

/// Whether an emulator stands in the way: what was to be seen was not. Then that is said, and the test is over.
pub fn lacks(seen: bool, what: &str) -> bool {
    let lacks = super::emulated() && !seen;
    if lacks {
        super::skipped(&format!("{what}: the emulator does not pass it on"));
    }
    lacks
}

/// As `lacks`, of options that are names: qemu takes them for numbers, which is seen only where one comes back.
pub fn lacks_names() -> bool {
    let socket = udp();
    let set = sockopt::set(&socket, BindToDevice, "lo".into());
    let there = set.and_then(|()| sockopt::get(&socket, BindToDevice));
    lacks(there.is_ok_and(|name| name == "lo"), "options that are names")
}

/// Both ends of a TCP connection.
pub fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// A UDP socket, bound.
pub fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// Sets it, where nothing is in the way.
#[track_caller]
pub fn set<O: SetOption>(socket: &impl AsFd, option: O, value: O::Value) {
    sockopt::set(socket, option, value).unwrap();
}

/// It was found before the call: no errno, and a text that says what to do (`hint` is part of it).
#[track_caller]
pub fn assert_refused<T: Debug>(result: io::Result<T>, hint: &str) {
    let error = result.expect_err("refused");
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None), "{error}");
    assert!(error.to_string().contains(hint), "{error}");
}

/// It is the kernel's, with one of these numbers.
#[track_caller]
pub fn assert_errno<T: Debug>(result: io::Result<T>, errno: &[c_int]) {
    let error = result.expect_err("an error of the kernel's");
    assert!(error.raw_os_error().is_some_and(|e| errno.contains(&e)), "{error}");
}
