//! What a close is worth to the peer: all that was written arrives, and the drain has an end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use readysock::reactor::Backend;
use readysock::{Socket, libc};

use crate::support::faults;
use crate::support::options::tcp;
use crate::tools::{Loop, Peer, Record, assert_closed, pattern, read_all};

/// Input that nobody reads any more would make the close a reset, and the peer lose what is on its way.
pub fn a_close_with_unread_input_loses_nothing(backend: Backend) {
    for paused in [false, true] {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let peer = if paused { peer.on_made(|transport| transport.pause_reading()) } else { peer };
        let (key, mut far) = it.connection(peer);
        far.write_all(&pattern(300_000)).unwrap();
        let mut transport = it.transport(key).unwrap();
        transport.write(&pattern(2 << 20));
        transport.close();
        let reader = thread::spawn(move || {
            let answer = read_all(&mut far);
            // It goes on sending after the end; that is read too.
            far.write_all(&pattern(300_000)).unwrap();
            answer
        });
        it.until(|| seen.borrow().lost.is_some());
        let (bytes, end) = reader.join().unwrap();
        assert!(bytes == pattern(2 << 20) && end.is_ok(), "{} bytes, {end:?}", bytes.len());
        assert_closed(&seen);
        assert_eq!(seen.borrow().count("data"), 0, "after the close there is no data");
    }
}

/// Both sides send before they read: who closed goes on reading, or neither would end, and until all that was on its way is read, or the
/// peer would lose what it has not read yet.
pub fn a_close_does_not_stop_reading(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, mut far) = it.connection(peer);
    let mut transport = it.transport(key).unwrap();
    transport.write(&pattern(16 << 20));
    assert!(transport.queued() > 0);
    transport.close();
    let other = thread::spawn(move || {
        far.write_all(&pattern(16 << 20)).unwrap();
        let (bytes, end) = read_all(&mut far);
        assert!(bytes == pattern(16 << 20) && end.is_ok(), "{} bytes, {end:?}", bytes.len());
    });
    it.until(|| seen.borrow().lost.is_some());
    other.join().unwrap();
    assert_closed(&seen);
}

/// The answer is small, so that only hearing the peer keeps it from being lost. A busy machine may not send all of it within the
/// second that a peer is heard: then it is tried again.
pub fn a_peer_that_sends_all_it_has_before_it_reads_loses_nothing(backend: Backend) {
    let heard = (0..10).any(|_| {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (key, mut far) = it.connection(peer);
        let mut transport = it.transport(key).unwrap();
        transport.write(b"answer");
        transport.close();
        let other = thread::spawn(move || {
            far.write_all(&pattern(8 << 20)).is_ok()
                && matches!(read_all(&mut far), (bytes, Ok(())) if bytes == b"answer")
        });
        it.until(|| seen.borrow().lost.is_some());
        other.join().unwrap()
    });
    assert!(heard);
}

/// What the peer sends while the queue is still being flushed does not count against it.
pub fn what_arrives_before_the_last_is_sent_does_not_cut_it_short(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, mut far) = it.connection(peer);
    let mut transport = it.transport(key).unwrap();
    let mut sent = 0;
    while transport.queued() == 0 {
        transport.write(&pattern(1 << 20));
        sent += 1 << 20;
    }
    let there = Socket::from(it.clone_of(key));
    it.transport(key).unwrap().close();
    // More than a peer is heard for after the last; it is thrown away, and the queue waits meanwhile.
    far.set_nonblocking(true).unwrap();
    write_beside(&mut it, &mut far, &seen, 66 << 20);
    // The peer reads until the last is handed to the kernel, and its end is on its way with it.
    let mut received = 0;
    let mut buffer = vec![0; 65536];
    while !shut(&there) {
        if let Ok(n) = far.read(&mut buffer) {
            received += n;
        }
        it.passes(1);
        assert!(seen.borrow().lost.is_none(), "{seen:?}");
    }
    drop(there);
    // More than is read at once.
    write_beside(&mut it, &mut far, &seen, 500_000);
    far.set_nonblocking(false).unwrap();
    let reader = thread::spawn(move || read_all(&mut far));
    it.until(|| seen.borrow().lost.is_some());
    let (bytes, end) = reader.join().unwrap();
    assert!(end.is_ok(), "{end:?} after {} of {sent}", received + bytes.len());
    assert_eq!(received + bytes.len(), sent);
    assert_closed(&seen);
}

/// The peer writes so many bytes as they find room, the loop goes on beside it, and the connection is not lost.
fn write_beside(it: &mut Loop, far: &mut TcpStream, seen: &Record, mut left: usize) {
    while left > 0 {
        match far.write(&[b'x'; 65536][..left.min(65536)]) {
            Ok(n) => left -= n,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        it.passes(1);
        assert!(seen.borrow().lost.is_none(), "{seen:?}");
    }
}

/// Whether the writing half was shut down: a send says so.
fn shut(socket: &Socket) -> bool {
    socket.send(b"").is_err()
}

/// A peer that goes on sending for ever is heard for 64 megabytes, or for a second where that is less.
pub fn a_peer_that_never_stops_ends_the_drain_by_bytes(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, far) = it.connection(peer);
    let writer = thread::spawn(move || {
        let (mut far, mut sum) = (far, 0_usize);
        while let Ok(n) = far.write(&[b'x'; 65536]) {
            sum += n;
        }
        sum
    });
    it.until(|| seen.borrow().count("data") > 3);
    let before = seen.borrow().data.len();
    it.transport(key).unwrap().close();
    it.until(|| seen.borrow().lost.is_some());
    assert_closed(&seen);
    let after = writer.join().unwrap() - before;
    // And what the kernel had taken: less than as much again. For the second that the time allows it were a thousand.
    assert!((1 << 20..128 << 20).contains(&after), "{after} bytes");
}

pub fn a_peer_that_stays_silent_ends_the_drain_by_time(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, mut far) = it.connection(peer);
    it.transport(key).unwrap().write(b"bye");
    let start = Instant::now();
    it.transport(key).unwrap().close();
    let passes = it.until(|| seen.borrow().lost.is_some());
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(passes < 10, "{passes} passes: it spins");
    assert_closed(&seen);
    assert_eq!(read_all(&mut far).0, b"bye");
}

/// Both are read to the end and both closes are in order, whoever is first.
pub fn a_close_on_both_sides(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, far) = tcp();
    let ((one, one_seen), (two, two_seen)) = (Peer::new(), Peer::new());
    let one = one.on_made(|transport| {
        transport.write(&pattern(100_000));
        transport.close();
    });
    it.attach(near.into(), one).unwrap();
    it.attach(far.into(), two).unwrap();
    it.until(|| one_seen.borrow().lost.is_some() && two_seen.borrow().lost.is_some());
    assert_closed(&one_seen);
    assert_closed(&two_seen);
    assert!(two_seen.borrow().data == pattern(100_000));
}

/// The end of the stream has been told already: a second time would tell nothing, and could fail.
pub fn a_close_after_a_close_of_writing_tells_the_end_once(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, far) = it.connection(peer);
    let script: faults::Script = &[(&[libc::SYS_shutdown], &[faults::THROUGH, libc::ENOBUFS])];
    let Some(faults) = faults::inject(script) else { return };
    let mut transport = it.transport(key).unwrap();
    transport.close_write();
    transport.close();
    drop(far);
    it.until(|| seen.borrow().lost.is_some());
    assert_closed(&seen);
    drop((it, faults));
}
