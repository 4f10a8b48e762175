use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use readysock::Socket;

/// A stream, and the relay's end of it.
fn end() -> (UnixStream, Socket) {
    let (stream, end) = UnixStream::pair().expect("a pair");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time above zero");
    (stream, Socket::from(end))
}

#[test]
fn both_ways_at_once_and_each_until_its_end() {
    let ((mut left, near), (mut right, far)) = (end(), end());
    let relay = thread::spawn(move || relay(&near, &far));
    let mut buffer = [0; 4];
    left.write_all(b"ping").expect("room");
    right.read_exact(&mut buffer).expect("what the left has said");
    assert_eq!(&buffer, b"ping");
    right.write_all(b"pong").expect("room");
    left.read_exact(&mut buffer).expect("what the right has said");
    assert_eq!(&buffer, b"pong");

    // The left says no more, and hears of it all that the right still says.
    left.shutdown(std::net::Shutdown::Write).expect("still open");
    assert_eq!(right.read(&mut buffer).expect("the end is handed on"), 0);
    let writer = thread::spawn(move || right.write_all(&vec![b'x'; 1 << 20]));
    let mut rest = Vec::new();
    left.read_to_end(&mut rest).expect("all of it, and its end");
    assert_eq!(rest.len(), 1 << 20);
    writer.join().expect("no panic").expect("somebody reads");
    let counts = relay.join().expect("no panic").expect("both have ended");
    assert_eq!(counts, (4, (1 << 20) + 4));
}
