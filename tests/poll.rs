//! poll against the kernel: what it reports, and when.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use readysock::{Events, PollFd, poll, poll_once, ppoll, ready};
use support::fds::pipe;

/// Long: what it waits for comes. A test that has to wait for it is broken.
const LONG: Duration = Duration::from_secs(60);

/// The events of one descriptor, the same by all three calls. Waits until there are some.
#[track_caller]
fn events(source: &impl AsFd, asked: Events) -> Events {
    let mut fds = [PollFd::of(source, asked)];
    assert_eq!(poll(&mut fds, LONG).expect("polled"), 1);
    let found = fds[0].revents();
    same_now(source, asked, found);
    found
}

/// What each of the three calls reports now.
#[track_caller]
fn same_now(source: &impl AsFd, asked: Events, found: Events) {
    type Call = fn(&mut [PollFd<'_>], Duration) -> std::io::Result<usize>;
    let calls: [Call; 3] = [poll, poll_once, |fds, timeout| ppoll(fds, timeout, None)];
    for call in calls {
        let mut fds = [PollFd::of(source, asked)];
        let n = call(&mut fds, Duration::ZERO).expect("polled");
        assert_eq!((n, fds[0].revents()), (usize::from(!found.is_empty()), found));
    }
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let near = TcpStream::connect(listener.local_addr().expect("its address")).expect("connected");
    (near, listener.accept().expect("accepted").0)
}

const BOTH: Events = Events::IN.union(Events::OUT);

#[test]
fn data_is_in() {
    let (mut near, far) = tcp_pair();
    same_now(&far, Events::IN, Events::empty());
    near.write_all(b"x").expect("written");
    assert_eq!(events(&far, Events::IN), Events::IN);
    assert_eq!(events(&far, BOTH | Events::RDNORM), BOTH | Events::RDNORM);
}

#[test]
fn a_connection_to_accept_is_in() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    same_now(&listener, Events::IN, Events::empty());
    let _near = TcpStream::connect(listener.local_addr().expect("its address")).expect("connected");
    assert_eq!(events(&listener, Events::IN), Events::IN);
}

#[test]
fn a_full_pipe_is_not_out_until_it_is_read() {
    let (reader, writer) = pipe();
    same_now(&writer, Events::OUT, Events::OUT);
    while nix::unistd::write(&writer, &[0; 4096]).is_ok() {}
    same_now(&writer, Events::OUT, Events::empty());
    while nix::unistd::read(&reader, &mut [0; 4096]).is_ok() {}
    assert_eq!(events(&writer, Events::OUT), Events::OUT);
}

#[test]
fn out_of_band_is_pri() {
    let (near, far) = tcp_pair();
    nix::sys::socket::send(near.as_raw_fd(), b"!", nix::sys::socket::MsgFlags::MSG_OOB)
        .expect("sent");
    assert_eq!(events(&far, Events::PRI), Events::PRI);
}

#[test]
fn half_close_is_rdhup_where_it_is_asked_for_and_not_hup() {
    let (near, far) = tcp_pair();
    near.shutdown(Shutdown::Write).expect("half closed");
    assert_eq!(events(&far, Events::IN | Events::RDHUP), Events::IN | Events::RDHUP);
    assert_eq!(events(&far, Events::IN), Events::IN);
    assert!(!events(&far, BOTH | Events::RDHUP).is_closed(), "our direction still works");
}

#[test]
fn hang_up_comes_unasked_with_data_left() {
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    near.write_all(b"left").expect("written");
    drop(near);
    assert_eq!(events(&far, Events::empty()), Events::HUP);
    assert_eq!(events(&far, Events::IN), Events::IN | Events::HUP);
    let mut left = String::new();
    far.read_to_string(&mut left).expect("read");
    assert_eq!(left, "left");
    assert_eq!(events(&far, Events::IN), Events::IN | Events::HUP, "end of stream is readable");
}

#[test]
fn a_pipe_without_a_reader_is_err() {
    let (reader, writer) = pipe();
    drop(reader);
    assert_eq!(events(&writer, Events::empty()), Events::ERR);
}

#[test]
fn a_refused_connect_is_out_err_hup() {
    // A port that was just free; the listener is closed before the connect.
    let address =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("an address");
    let socket = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Inet,
        nix::sys::socket::SockType::Stream,
        nix::sys::socket::SockFlag::SOCK_NONBLOCK | nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        None,
    )
    .expect("a socket");
    let std::net::SocketAddr::V4(address) = address else { panic!("it is an IPv4 address") };
    let address = nix::sys::socket::SockaddrIn::from(address);
    let started = nix::sys::socket::connect(socket.as_raw_fd(), &address);
    assert!(matches!(
        started,
        Err(nix::errno::Errno::EINPROGRESS | nix::errno::Errno::ECONNREFUSED)
    ));
    let found = events(&socket, Events::OUT);
    assert!(found.contains(Events::OUT | Events::HUP), "{found:?}: writable is not connected");
}

#[test]
fn a_regular_file_is_always_ready() {
    let file = std::fs::File::open(std::env::current_exe().expect("this program")).expect("opened");
    assert_eq!(events(&file, BOTH), BOTH);
}

#[test]
fn disabled_slots_are_passed_over() {
    let (near, _far) = UnixStream::pair().expect("a pair");
    let mut fds = [PollFd::of(&near, Events::OUT); 2];
    assert_eq!(poll(&mut fds, LONG).expect("polled"), 2);
    fds[0].set_enabled(false);
    assert!(!fds[0].is_enabled());
    assert_eq!(fds[0].revents(), Events::empty(), "disabling clears the answer");
    assert_eq!(fds[0].fd().map(|fd| fd.as_raw_fd()), Some(near.as_raw_fd()));
    assert_eq!(poll(&mut fds, LONG).expect("polled"), 1);
    assert_eq!((fds[0].revents(), fds[1].revents()), (Events::empty(), Events::OUT));
    for _ in 0..2 {
        fds[0].set_enabled(true);
    }
    assert_eq!(poll(&mut fds, LONG).expect("polled"), 2);
    assert_eq!(fds[0].fd().map(|fd| fd.as_raw_fd()), Some(near.as_raw_fd()));
}

#[test]
fn a_slot_without_descriptor_stays_without() {
    // SAFETY: it is not -1, and a negative number is nobody's descriptor.
    let negative = unsafe { BorrowedFd::borrow_raw(-100) };
    for mut slot in [PollFd::DISABLED, PollFd::new(negative, BOTH)] {
        assert!(slot.fd().is_none() && !slot.is_enabled());
        slot.set_enabled(true);
        assert!(slot.fd().is_none() && !slot.is_enabled());
        slot.set_enabled(false);
        slot.set_events(BOTH);
        assert_eq!(poll(std::slice::from_mut(&mut slot), Duration::ZERO).expect("polled"), 0);
        assert_eq!(slot.revents(), Events::empty());
    }
}

#[test]
fn descriptor_zero_can_be_switched_off_and_on() {
    let stdin = std::io::stdin();
    let mut slot = PollFd::of(&stdin, Events::IN);
    slot.set_enabled(false);
    assert_eq!(slot.fd().map(|fd| fd.as_raw_fd()), Some(0));
    assert!(!slot.is_enabled());
    slot.set_enabled(true);
    assert!(slot.is_enabled());
    assert_eq!(slot.fd().map(|fd| fd.as_raw_fd()), Some(0));
}

#[test]
fn set_events_counts_from_the_next_call() {
    let (near, _far) = UnixStream::pair().expect("a pair");
    let mut fds = [PollFd::of(&near, Events::IN)];
    assert_eq!(fds[0].events(), Events::IN);
    assert_eq!(poll(&mut fds, Duration::ZERO).expect("polled"), 0);
    fds[0].set_events(Events::OUT);
    assert_eq!((fds[0].events(), fds[0].revents()), (Events::OUT, Events::empty()));
    assert_eq!(poll(&mut fds, Duration::ZERO).expect("polled"), 1);
}

#[test]
fn ready_walks_what_was_counted_and_stops_there() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let (out, idle) = (PollFd::of(&near, Events::OUT), PollFd::of(&far, Events::IN));
    let mut fds = [idle, out, idle, out, idle];
    let n = poll(&mut fds, LONG).expect("polled");
    let found: Vec<_> = ready(&fds, n).map(|(index, slot)| (index, slot.revents())).collect();
    assert_eq!(found, [(1, Events::OUT), (3, Events::OUT)]);
    assert_eq!(ready(&fds, 1).count(), 1);
    assert_eq!(ready(&fds, 0).count(), 0);
}

#[test]
fn events_keep_and_print_what_has_no_name() {
    let unknown = Events::IN | Events::from_bits_retain(0x4000);
    assert_eq!(unknown.bits(), 0x4001);
    assert_eq!(format!("{unknown:?}"), "Events(IN | 0x4000)");
    let (near, _far) = UnixStream::pair().expect("a pair");
    assert_eq!(PollFd::of(&near, unknown).events(), unknown);
    let debug = format!("{:?}", PollFd::of(&near, Events::IN));
    assert!(debug.contains(&format!("fd: Some({})", near.as_raw_fd())), "{debug}");
}

#[test]
fn the_helpers_of_events_follow_their_tables() {
    // Readable, writable, read closed, closed, error.
    let rows = [
        (Events::empty(), [false, false, false, false, false]),
        (Events::IN, [true, false, false, false, false]),
        (Events::RDNORM, [true, false, false, false, false]),
        (Events::OUT, [false, true, false, false, false]),
        (Events::WRNORM, [false, true, false, false, false]),
        (Events::PRI, [false, false, false, false, false]),
        (Events::RDHUP, [true, false, true, false, false]),
        (Events::HUP, [true, true, true, true, false]),
        (Events::ERR, [true, true, false, false, true]),
        (Events::NVAL, [false, false, false, false, true]),
    ];
    for (e, row) in rows {
        let found =
            [e.is_readable(), e.is_writable(), e.is_read_closed(), e.is_closed(), e.is_error()];
        assert_eq!(found, row, "{e:?}");
    }
}
