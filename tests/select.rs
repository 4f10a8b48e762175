//! select against the kernel: what it reports, and that it changes nothing.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use readysock::{FdSet, Ready, pselect, select, select_into, select_once};
use support::fds::pipe;

/// Long: what it waits for comes. A test that has to wait for it is broken.
const LONG: Duration = Duration::from_secs(60);
const NONE: FdSet<'static> = FdSet::new();

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let near = TcpStream::connect(listener.local_addr().expect("its address")).expect("connected");
    (near, listener.accept().expect("accepted").0)
}

/// Whether a descriptor that is in all three sets is ready to read, to write, and exceptional now; the same
/// by all four calls.
#[track_caller]
fn now(source: &impl AsFd) -> [bool; 3] {
    let set = FdSet::from_iter([source.as_fd()]);
    let before = set.clone();
    let mut into = Ready::new();
    select_into(&set, &set, &set, &mut into, Duration::ZERO).expect("selected");
    let answers = [
        select(&set, &set, &set, Duration::ZERO).expect("selected"),
        select_once(&set, &set, &set, Duration::ZERO).expect("selected"),
        pselect(&set, &set, &set, Duration::ZERO, None).expect("selected"),
    ];
    assert_eq!(set, before, "the set is as it was");
    let found =
        [into.readable(), into.writable(), into.exceptional()].map(|fds| fds.contains(source));
    assert_eq!(into.count(), found.iter().filter(|ready| **ready).count());
    for answer in answers {
        assert_eq!(answer, into);
    }
    found
}

#[track_caller]
fn wait_readable(source: &impl AsFd) {
    let read = FdSet::from_iter([source.as_fd()]);
    let ready = select(&read, &NONE, &NONE, LONG).expect("selected");
    assert!(ready.readable().contains(source));
    assert_eq!((ready.count(), ready.writable().len(), ready.exceptional().len()), (1, 0, 0));
}

const READ: [bool; 3] = [true, false, false];
const WRITE: [bool; 3] = [false, true, false];
const READ_WRITE: [bool; 3] = [true, true, false];

#[test]
fn data_is_readable() {
    let (mut near, far) = tcp_pair();
    assert_eq!(now(&far), WRITE);
    near.write_all(b"x").expect("written");
    wait_readable(&far);
    assert_eq!(now(&far), READ_WRITE);
}

#[test]
fn a_connection_to_accept_is_readable() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    assert_eq!(now(&listener), [false; 3]);
    let _near = TcpStream::connect(listener.local_addr().expect("its address")).expect("connected");
    wait_readable(&listener);
    assert_eq!(now(&listener), READ);
}

#[test]
fn end_of_stream_is_readable_and_half_close_leaves_writing() {
    let (near, mut far) = tcp_pair();
    near.shutdown(Shutdown::Write).expect("half closed");
    wait_readable(&far);
    assert_eq!(far.read(&mut [0; 8]).expect("read"), 0);
    assert_eq!(now(&far), READ_WRITE);
}

#[test]
fn hang_up_is_readable_with_data_left_and_after() {
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    near.write_all(b"left").expect("written");
    drop(near);
    assert!(now(&far)[0]);
    let mut left = String::new();
    far.read_to_string(&mut left).expect("read");
    assert_eq!(left, "left");
    assert!(now(&far)[0], "end of stream is readable");
}

#[test]
fn a_full_pipe_is_not_writable_until_it_is_read() {
    let (reader, writer) = pipe();
    assert_eq!((now(&reader), now(&writer)), ([false; 3], WRITE));
    while nix::unistd::write(&writer, &[0; 4096]).is_ok() {}
    assert_eq!((now(&reader), now(&writer)), (READ, [false; 3]));
    while nix::unistd::read(&reader, &mut [0; 4096]).is_ok() {}
    assert_eq!((now(&reader), now(&writer)), ([false; 3], WRITE));
}

#[test]
fn the_out_of_band_byte_is_exceptional() {
    let (near, far) = tcp_pair();
    nix::sys::socket::send(near.as_raw_fd(), b"!", nix::sys::socket::MsgFlags::MSG_OOB)
        .expect("sent");
    let except = FdSet::from_iter([far.as_fd()]);
    let ready = select(&NONE, &NONE, &except, LONG).expect("selected");
    assert_eq!((ready.count(), ready.exceptional().contains(&far)), (1, true));
    assert_eq!(now(&far), [false, true, true]);
}

#[test]
fn a_regular_file_is_always_ready() {
    let file = std::fs::File::open(std::env::current_exe().expect("this program")).expect("opened");
    assert_eq!(now(&file), READ_WRITE);
}

#[test]
fn the_answer_outlives_what_it_names() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let number = near.as_raw_fd();
    let ready = select(&NONE, &FdSet::from_iter([near.as_fd()]), &NONE, LONG).expect("selected");
    drop((near, far));
    assert_eq!(ready.writable().iter().collect::<Vec<_>>(), [number]);
}

#[test]
fn the_answer_is_walked_from_both_ends() {
    let pairs: Vec<_> = (0..40).map(|_| UnixStream::pair().expect("a pair")).collect();
    let all: FdSet<'_> = pairs.iter().flat_map(|(a, b)| [a.as_fd(), b.as_fd()]).collect();
    let ready = select(&NONE, &all, &NONE, LONG).expect("selected");
    let numbers: Vec<_> = all.iter().map(|fd| fd.as_raw_fd()).collect();
    assert_ne!(ready, Ready::new());
    let shown = format!("{:?}", ready.writable());
    assert_eq!(shown, format!("{numbers:?}").replace('[', "{").replace(']', "}"));
    assert_eq!(ready.writable().iter().len(), 80);
    assert!(ready.writable().iter().eq(numbers.iter().copied()));
    assert!(ready.writable().iter().rev().eq(numbers.iter().rev().copied()));
    assert!(ready.writable().into_iter().eq(numbers));
    assert!(!ready.writable().is_empty() && ready.readable().is_empty());
}

#[test]
fn a_kept_answer_is_replaced_each_time() {
    let (near, far) = UnixStream::pair().expect("a pair");
    let (one, two) = (FdSet::from_iter([near.as_fd()]), FdSet::from_iter([far.as_fd()]));
    let mut ready = Ready::default();
    for _ in 0..2 {
        assert_eq!(select_into(&NONE, &one, &NONE, &mut ready, LONG).expect("selected"), 1);
        assert!(ready.writable().contains(&near) && !ready.writable().contains(&far));
        assert_eq!(select_into(&NONE, &two, &NONE, &mut ready, LONG).expect("selected"), 1);
        assert!(!ready.writable().contains(&near) && ready.writable().contains(&far));
        assert_eq!(
            select_into(&two, &NONE, &NONE, &mut ready, Duration::ZERO).expect("selected"),
            0
        );
        assert_eq!(ready, Ready::new());
    }
    assert_eq!(format!("{ready:?}"), format!("{:?}", Ready::new()));
}
