//! What could be lost where a source that is ready is reported once: each case leaves something behind that nothing else will report.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, send};
use readysock::Key;
use readysock::reactor::Backend;

use crate::support;
use crate::tools::{Loop, Peer, Record, assert_closed, pattern};

/// Until all of it has come, and then there is nothing to do.
#[track_caller]
fn assert_comes(it: &mut Loop, seen: &Record, bytes: &[u8]) {
    it.until(|| seen.borrow().data.len() >= bytes.len());
    assert!(seen.borrow().data == bytes);
    assert!(it.passes_within(Duration::from_millis(10)) <= 3, "it spins");
}

/// As much as is read at once, less, more; nothing comes after it.
pub fn every_length_comes_whole(backend: Backend) {
    const ONCE: usize = 64 << 10;
    for length in [1, ONCE - 1, ONCE, ONCE + 1, 2 * ONCE, 2 * ONCE + 1, 5 * ONCE] {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (_, mut far) = it.connection(peer);
        far.set_nonblocking(true).unwrap();
        let (bytes, mut sent) = (pattern(length), 0);
        it.until(|| {
            // What the buffers do not take at once goes when there is room.
            sent += far.write(&bytes[sent..]).unwrap_or(0);
            seen.borrow().data.len() == length
        });
        assert_comes(&mut it, &seen, &bytes);
    }
}

pub fn data_and_the_end_that_came_together(backend: Backend) {
    for length in [1, 64 << 10] {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (_, mut far) = it.connection(peer);
        far.write_all(&pattern(length)).unwrap();
        far.shutdown(Shutdown::Write).unwrap();
        it.until(|| seen.borrow().count("read_closed") == 1);
        assert!(seen.borrow().data == pattern(length));
        drop(far);
        it.until(|| seen.borrow().lost.is_some());
        assert_closed(&seen);
    }
}

fn urgent(stream: &TcpStream) {
    assert_eq!(send(stream.as_raw_fd(), b"!", MsgFlags::MSG_OOB), Ok(1));
}

/// A read stops before the urgent byte, and so is short with more behind it.
pub fn what_follows_urgent_data(backend: Backend) {
    for inline in [false, true] {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (key, mut far) = it.connection(peer);
        if inline {
            let transport = it.transport(key).unwrap();
            readysock::sockopt::set(&transport, readysock::sockopt::OobInline, true).unwrap();
        }
        far.write_all(b"before").unwrap();
        urgent(&far);
        far.write_all(b"after").unwrap();
        let all: &[u8] = if inline { b"before!after" } else { b"beforeafter" };
        assert_comes(&mut it, &seen, all);
        // Urgent data alone, and then something again.
        urgent(&far);
        it.passes(3);
        assert!(it.passes_within(Duration::from_millis(10)) <= 3, "it spins");
        far.write_all(b"more").unwrap();
        let all = [all, if inline { b"!more" } else { b"more" }].concat();
        assert_comes(&mut it, &seen, &all);
    }
}

/// A read that stands at the urgent byte gives up where a signal has come, and says that there is nothing: what is behind it comes all the same.
pub fn a_signal_at_urgent_data_loses_nothing(backend: Backend) {
    if support::emulated() {
        return support::skipped("signals as fast as these: the emulator does nothing else");
    }
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (_, mut far) = it.connection(peer);
    let _timer = support::ticks::every(Duration::from_micros(40));
    for round in 1..=1000 {
        far.write_all(b"a").unwrap();
        urgent(&far);
        far.write_all(b"b").unwrap();
        it.until(|| seen.borrow().data.len() == 2 * round);
    }
    assert!(seen.borrow().data.chunks(2).all(|two| two == b"ab"));
}

/// Two are ready; the first that is told has the other one rest, and go on, before that one's turn.
pub fn what_rested_when_its_turn_came(backend: Backend) {
    let mut it = Loop::new(backend);
    let keys: Rc<Cell<Option<[Key; 2]>>> = Rc::default();
    let done = Rc::new(Cell::new(false));
    let connection = |it: &mut Loop| {
        let (keys, done) = (Rc::clone(&keys), Rc::clone(&done));
        let (peer, seen) = Peer::new();
        let peer = peer.on_data(move |transport, _| {
            if done.replace(true) {
                return;
            }
            let [first, second] = keys.get().unwrap();
            let other = if transport.key() == first { second } else { first };
            let mut other = transport.reactor().transport(other).unwrap();
            other.pause_reading();
            other.resume_reading();
        });
        let (key, far) = it.connection(peer);
        (key, far, seen)
    };
    let (first, mut one, of_one) = connection(&mut it);
    let (second, mut two, of_two) = connection(&mut it);
    keys.set(Some([first, second]));
    one.write_all(b"x").unwrap();
    two.write_all(b"x").unwrap();
    it.until(|| of_one.borrow().data == b"x" && of_two.borrow().data == b"x");
    let resumed = of_one.borrow().count("resume_reading") + of_two.borrow().count("resume_reading");
    assert_eq!(resumed, 1);
}

/// They wait in the queue of errors, which no read empties, and are no error.
pub fn timestamps_do_not_spin(backend: Backend) {
    use readysock::sockopt::{self, TimestampFlags, Timestamping};
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, mut far) = it.connection(peer);
    let flags = TimestampFlags::TX_SOFTWARE | TimestampFlags::SOFTWARE;
    let mut transport = it.transport(key).unwrap();
    if let Err(error) = sockopt::set(&transport, Timestamping, flags) {
        return support::skipped(&format!("timestamps of what is sent: {error}"));
    }
    for _ in 0..100 {
        transport.write(b"x");
    }
    far.read_exact(&mut [0; 100]).unwrap();
    // What it takes to throw them away, and then nothing.
    it.passes(5);
    assert!(it.passes_within(Duration::from_millis(10)) <= 3, "it spins");
    far.write_all(b"answer").unwrap();
    assert_comes(&mut it, &seen, b"answer");
    drop(far);
    it.until(|| seen.borrow().lost.is_some());
    assert_closed(&seen);
}
