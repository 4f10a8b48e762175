//! Options of another crate's sockets, and what that crate has done to them: socket2.

use std::ffi::c_int;
use std::time::Duration;

use crate::gate::a_filter_is_not_read;
use crate::support::options::assert_refused;
use readysock::libc::{self, SOL_SOCKET};
use readysock::sockopt::{
    self, Broadcast, GetOption, KeepAlive, Linger, RcvBuf, ReuseAddr, SndBuf, SoDomain, SoLinger,
    SoProtocol, SoType, tcp::NoDelay,
};
use readysock::{Domain, Protocol, Type};

fn tcp() -> socket2::Socket {
    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap()
}

#[test]
fn what_one_writes_the_other_reads() {
    let socket = tcp();
    macro_rules! flag {
        ($($option:expr, $get:ident, $set:ident;)*) => { $(
            for value in [true, false] {
                sockopt::set(&socket, $option, value).unwrap();
                assert_eq!(socket.$get().unwrap(), value, stringify!($get));
                socket.$set(!value).unwrap();
                assert_eq!(sockopt::get(&socket, $option).unwrap(), !value, stringify!($set));
            }
        )* };
    }
    flag! {
        Broadcast, broadcast, set_broadcast;
        KeepAlive, keepalive, set_keepalive;
        NoDelay, tcp_nodelay, set_tcp_nodelay;
        ReuseAddr, reuse_address, set_reuse_address;
    }
    sockopt::set(&socket, SndBuf, 10_000).unwrap();
    assert_eq!(socket.send_buffer_size().unwrap(), sockopt::get(&socket, SndBuf).unwrap());
    socket.set_recv_buffer_size(20_000).unwrap();
    assert_eq!(socket.recv_buffer_size().unwrap(), sockopt::get(&socket, RcvBuf).unwrap());

    let seconds = Duration::from_secs(7);
    sockopt::set(&socket, SoLinger, Linger::For(seconds)).unwrap();
    assert_eq!(socket.linger().unwrap(), Some(seconds));
    socket.set_linger(None).unwrap();
    assert_eq!(sockopt::get(&socket, SoLinger).unwrap(), Linger::Off);

    assert_eq!(sockopt::get(&socket, SoDomain).unwrap(), Domain::INET);
    assert_eq!(sockopt::get(&socket, SoType).unwrap(), Type::STREAM);
    assert_eq!(sockopt::get(&socket, SoProtocol).unwrap(), Protocol::TCP);
}

struct Filter;

impl GetOption for Filter {
    const LEVEL: c_int = SOL_SOCKET;
    const NAME: c_int = libc::SO_GET_FILTER;
    type Value = u64;
}

#[test]
fn a_filter_that_another_crate_attached_is_not_read() {
    let socket = tcp();
    // Take the whole packet, three times over: BPF_RET | BPF_K is 6.
    let program = [(); 3].map(|()| socket2::SockFilter::new(6, 0, 0, u32::MAX));
    socket.attach_filter(&program).unwrap();

    a_filter_is_not_read(&socket);
    assert_refused(sockopt::get(&socket, Filter), "SO_GET_FILTER");
    // The others are read as before.
    assert_eq!(sockopt::get(&socket, SoType).unwrap(), Type::STREAM);
}
