//! What each situation is to poll and to select, in all their forms: one table, against the kernel.

mod support;

use std::fs::File;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{self as nix_socket, MsgFlags, setsockopt};
use readysock::{Domain, Events, Socket, Type, libc};
use support::fds::pipe;
use support::sockets::errno;
use support::waits::every_call_says;

const IN: Events = Events::IN;
const PRI: Events = Events::PRI;
const OUT: Events = Events::OUT;
const RDHUP: Events = Events::RDHUP;
const ERR: Events = Events::ERR;
const HUP: Events = Events::HUP;
const NOTHING: Events = Events::empty();

/// The name of a situation; the events that poll knows of it (of which it reports those asked for, and `ERR` and `HUP`
/// in any case); the sets in which select finds it; and how it comes about: the descriptor to watch, and what stays open.
macro_rules! situations {
    ($($(#[$doc:meta])* $name:ident: $holds:expr, $sets:literal, $make:block)*) => { $(
        $(#[$doc])*
        #[test]
        fn $name() {
            let (watched, _others) = $make;
            every_call_says(&watched, $holds, $sets);
        }
    )* };
}

situations! {
    // Connections.

    a_quiet_connection: OUT, "-w-", {
        let (watched, peer) = tcp();
        (watched, peer)
    }

    data: IN | OUT, "rw-", {
        let (watched, mut peer) = tcp();
        peer.write_all(b"x").expect("written");
        (watched, peer)
    }

    an_out_of_band_byte: PRI | OUT, "-wx", {
        let (watched, peer) = tcp();
        urgent(&peer);
        (watched, peer)
    }

    an_out_of_band_byte_after_data: IN | PRI | OUT, "rwx", {
        let (watched, mut peer) = tcp();
        peer.write_all(b"x").expect("written");
        urgent(&peer);
        (watched, peer)
    }

    /// The end of the stream can be read, and we may still write: `RDHUP` is not `HUP`.
    a_half_close: IN | OUT | RDHUP, "rw-", {
        let (watched, peer) = tcp();
        peer.shutdown(Shutdown::Write).expect("half closed");
        (watched, peer)
    }

    /// `RDHUP` does not say that everything was read.
    a_half_close_with_data_left: IN | OUT | RDHUP, "rw-", {
        let (watched, mut peer) = tcp();
        peer.write_all(b"x").expect("written");
        peer.shutdown(Shutdown::Write).expect("half closed");
        (watched, peer)
    }

    a_half_close_of_a_unix_stream: IN | OUT | RDHUP, "rw-", {
        let (watched, peer) = unix();
        peer.shutdown(Shutdown::Write).expect("half closed");
        (watched, peer)
    }

    ones_own_half_close: OUT, "-w-", {
        let (watched, peer) = tcp();
        watched.shutdown(Shutdown::Write).expect("half closed");
        (watched, peer)
    }

    both_halves_closed: IN | OUT | RDHUP | HUP, "rw-", {
        let (watched, peer) = tcp();
        watched.shutdown(Shutdown::Write).expect("half closed");
        peer.shutdown(Shutdown::Write).expect("half closed");
        (watched, peer)
    }

    a_hang_up_without_data_left: IN | OUT | RDHUP | HUP, "rw-", {
        let (watched, peer) = unix();
        drop(peer);
        (watched, ())
    }

    /// What the peer has sent is still there to read.
    a_hang_up_with_data_left: IN | OUT | RDHUP | HUP, "rw-", {
        let (watched, mut peer) = unix();
        peer.write_all(b"left").expect("written");
        drop(peer);
        (watched, ())
    }

    a_reset: IN | OUT | RDHUP | ERR | HUP, "rw-", {
        let (watched, peer) = tcp();
        let abort = libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(&peer, nix_socket::sockopt::Linger, &abort).expect("SO_LINGER");
        drop(peer);
        (watched, ())
    }

    // Connecting.

    a_connection_to_accept: IN, "r--", {
        let (listener, address) = listener();
        let peer = TcpStream::connect(address).expect("connected");
        (listener, peer)
    }

    a_listener_with_nobody_waiting: NOTHING, "---", {
        let (listener, _) = listener();
        (listener, ())
    }

    /// It is writable, like one that succeeded: only SO_ERROR says which.
    a_refused_connect: IN | OUT | RDHUP | ERR | HUP, "rw-", {
        let (socket, taken) = refused();
        (socket, taken)
    }

    a_refused_connect_whose_error_was_taken: IN | OUT | RDHUP | HUP, "rw-", {
        let (socket, taken) = refused();
        every_call_says(&socket, IN | OUT | RDHUP | ERR | HUP, "rw-");
        let error = socket.take_error().expect("SO_ERROR").expect("refused");
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
        (socket, taken)
    }

    a_connect_that_goes_on: NOTHING, "---", {
        let full = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
        full.bind(([127, 0, 0, 1], 0)).expect("bound");
        full.listen(0).expect("listens");
        let first = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
        first.connect(full.local_addr().expect("its address")).expect("the one that fits");
        let socket = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("set");
        let address = full.local_addr().expect("its address");
        assert_eq!(errno(socket.connect(address)), libc::EINPROGRESS);
        (socket, (full, first))
    }

    /// Before its connect a socket is hung up: a loop that watches it too early gets that at each turn.
    a_socket_that_was_never_connected: OUT | HUP, "rw-", {
        (Socket::new(Domain::INET, Type::STREAM, None).expect("a socket"), ())
    }

    // Datagrams.

    a_datagram: IN | OUT, "rw-", {
        let (watched, peer) = udp();
        peer.send(b"x").expect("sent");
        (watched, peer)
    }

    a_datagram_without_bytes: IN | OUT, "rw-", {
        let (watched, peer) = udp();
        peer.send(b"").expect("sent");
        (watched, peer)
    }

    a_late_refusal: OUT | ERR, "rw-", {
        let (watched, peer) = udp();
        // Deaf to all but its own peer, which is not us.
        let other = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        peer.connect(other.local_addr().expect("its address")).expect("connected");
        watched.send(b"?").expect("nobody knows yet");
        (watched, peer)
    }

    // Pipes.

    an_empty_pipe: NOTHING, "---", {
        let (reader, writer) = pipe();
        (reader, writer)
    }

    a_pipe_with_data: IN, "r--", {
        let (reader, writer) = pipe();
        nix::unistd::write(&writer, b"x").expect("written");
        (reader, writer)
    }

    a_pipe_with_room: OUT, "-w-", {
        let (reader, writer) = pipe();
        (writer, reader)
    }

    a_full_pipe: NOTHING, "---", {
        let (reader, writer) = full_pipe();
        (writer, reader)
    }

    a_pipe_that_was_full_until_it_was_read: OUT, "-w-", {
        let (reader, writer) = full_pipe();
        every_call_says(&writer, NOTHING, "---");
        while nix::unistd::read(&reader, &mut [0; 4096]).is_ok() {}
        (writer, reader)
    }

    /// The end of a pipe is `HUP` alone, with no `IN`: a loop that looks for `IN` only misses it.
    a_pipe_without_a_writer: HUP, "r--", {
        let (reader, writer) = pipe();
        drop(writer);
        (reader, ())
    }

    a_pipe_without_a_writer_and_with_data_left: IN | HUP, "r--", {
        let (reader, writer) = pipe();
        nix::unistd::write(&writer, b"left").expect("written");
        drop(writer);
        (reader, ())
    }

    /// select has no set for errors: it calls the writing end readable, too.
    a_pipe_without_a_reader: OUT | ERR, "rw-", {
        let (reader, writer) = pipe();
        drop(reader);
        (writer, ())
    }

    // Neither.

    a_regular_file: IN | OUT, "rw-", {
        let path = std::env::current_exe().expect("the path of this program");
        (File::open(path).expect("opened"), ())
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

fn tcp() -> (TcpStream, TcpStream) {
    let (listener, address) = listener();
    let peer = TcpStream::connect(address).expect("connected");
    (listener.accept().expect("accepted").0, peer)
}

fn unix() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair")
}

fn udp() -> (UdpSocket, UdpSocket) {
    let [one, two] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a socket"));
    one.connect(two.local_addr().expect("its address")).expect("connected");
    two.connect(one.local_addr().expect("its address")).expect("connected");
    (one, two)
}

fn urgent(peer: &TcpStream) {
    nix_socket::send(peer.as_raw_fd(), b"!", MsgFlags::MSG_OOB).expect("sent");
}

/// A non-blocking connect to a port that is taken and where nobody listens.
fn refused() -> (Socket, Socket) {
    let [socket, taken] =
        [(); 2].map(|()| Socket::new(Domain::INET, Type::STREAM, None).expect("a socket"));
    taken.bind(([127, 0, 0, 1], 0)).expect("bound");
    socket.set_nonblocking(true).expect("set");
    let address = taken.local_addr().expect("its address");
    assert_eq!(errno(socket.connect(address)), libc::EINPROGRESS);
    (socket, taken)
}

fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = pipe();
    while nix::unistd::write(&writer, &[0; 4096]).is_ok() {}
    (reader, writer)
}
