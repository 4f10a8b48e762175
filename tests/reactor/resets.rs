//! A peer that sends and then resets: what it sent can still be read, and comes first, whatever call finds the reset.

use std::cell::Cell;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use readysock::reactor::line::{LineProtocol, LineTransport, Lines};
use readysock::reactor::{Backend, Reactor, Transport};
use readysock::{Events, Key, Socket};

use crate::support::options::tcp;
use crate::support::sockets::wait;
use crate::tools::{Count, Loop, Peer, add, assert_reset, count, pattern, reset};

const LAST: &[u8] = b"last words";

/// The last words and the reset are there.
fn ends(it: &mut Loop, key: Key, mut far: TcpStream) {
    far.write_all(LAST).unwrap();
    reset(far);
    wait(&Socket::from(it.clone_of(key)), Events::HUP);
}

type Do = fn(&mut Transport<'_>);

fn write(transport: &mut Transport<'_>) {
    transport.write(b"x");
}

pub fn what_came_before_a_reset_is_told_whatever_is_done_then(backend: Backend) {
    let ways: [(&str, bool, Do); 7] = [
        ("write", false, write),
        ("close_write", false, |t| t.close_write()),
        ("resume, write", true, |t| {
            t.resume_reading();
            t.write(b"x");
        }),
        ("resume, close_write", true, |t| {
            t.resume_reading();
            t.close_write();
        }),
        ("write, resume", true, |t| {
            t.write(b"x");
            t.resume_reading();
        }),
        ("close_write, resume", true, |t| {
            t.close_write();
            t.resume_reading();
        }),
        ("resume", true, |t| t.resume_reading()),
    ];
    for (name, pauses, way) in ways {
        // From outside, from a timer of the pass that finds it, and where the protocol is told that it reads again.
        for how in ["outside", "timer", "told"] {
            let mut it = Loop::new(backend);
            let (peer, seen) = Peer::new();
            let peer = if how == "told" { peer.on_resume_reading(write) } else { peer };
            let (key, far) = it.connection(peer);
            if pauses {
                it.transport(key).unwrap().pause_reading();
                it.passes(1);
            }
            ends(&mut it, key, far);
            if how == "timer" {
                it.call_later(Duration::ZERO, move |reactor: &mut Reactor| {
                    way(&mut reactor.transport(key).expect("it is there"));
                });
            } else {
                way(&mut it.transport(key).unwrap());
            }
            it.until(|| seen.borrow().lost.is_some());
            assert_eq!(seen.borrow().data, LAST, "{name}, {how}: {seen:?}");
            assert_reset(&seen);
        }
    }
}

/// It is there as long as the protocol does not read, and does not spin meanwhile.
pub fn what_came_before_a_reset_waits_for_who_has_paused(backend: Backend) {
    let ways: [(&str, Do); 3] =
        [("write", write), ("close_write", |t| t.close_write()), ("flush", |_| ())];
    for (name, way) in ways {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (key, far) = it.connection(peer);
        let mut transport = it.transport(key).unwrap();
        transport.pause_reading();
        while name == "flush" && transport.queued() == 0 {
            transport.write(&pattern(1 << 20));
        }
        it.passes(1);
        ends(&mut it, key, far);
        way(&mut it.transport(key).unwrap());
        let passes = it.passes_within(Duration::from_millis(20));
        assert!(passes <= 4, "{name}: {passes} passes: it spins");
        assert!(seen.borrow().lost.is_none(), "{name}: {seen:?}");
        let mut transport = it.transport(key).expect("it is there");
        assert_eq!((transport.queued(), transport.is_closing()), (0, true), "{name}");
        transport.resume_reading();
        it.until(|| seen.borrow().lost.is_some());
        assert_eq!(seen.borrow().data, LAST, "{name}: {seen:?}");
        assert_reset(&seen);
    }
}

/// A write that fails says nothing of what may still be read: who has paused is asked for nothing, unless there is no more.
pub fn a_write_that_fails_while_reading_rests(backend: Backend) {
    // Somebody has ended the writing half by a duplicate: the peer may go on.
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, mut far) = it.connection(peer);
    it.transport(key).unwrap().pause_reading();
    Socket::from(it.clone_of(key)).shutdown(Shutdown::Write).unwrap();
    it.transport(key).unwrap().write(b"x");
    it.passes(2);
    assert!(seen.borrow().lost.is_none());
    far.write_all(LAST).unwrap();
    drop(far);
    it.transport(key).unwrap().resume_reading();
    it.until(|| seen.borrow().lost.is_some());
    assert_eq!(seen.borrow().data, LAST);
    assert_reset(&seen);
    // The end of the stream is all that is left.
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, far) = it.connection(peer);
    it.transport(key).unwrap().pause_reading();
    far.shutdown(Shutdown::Write).unwrap();
    let there = Socket::from(it.clone_of(key));
    wait(&there, Events::RDHUP);
    reset(far);
    wait(&there, Events::HUP);
    it.transport(key).unwrap().write(b"x");
    it.passes(2);
    assert_reset(&seen);
}

/// It reads no more than it can write: where the reset takes the queue away, it is told to go on.
pub fn who_stops_reading_above_the_mark_hears_the_end(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let peer = peer
        .on_pause_writing(|transport| transport.pause_reading())
        .on_resume_writing(|transport| transport.resume_reading());
    let (key, far) = it.connection(peer);
    it.transport(key).unwrap().write(&pattern(8 << 20));
    it.until(|| seen.borrow().count("pause_writing") == 1);
    it.passes(2);
    ends(&mut it, key, far);
    it.until(|| seen.borrow().lost.is_some());
    assert_eq!(seen.borrow().data, LAST, "{seen:?}");
    assert_eq!(seen.borrow().count("resume_writing"), 1);
    assert_reset(&seen);
}

/// It writes until it is told that it goes nowhere, or that there is enough: a peer that has gone does not hold it for ever.
pub fn a_producer_that_asks_comes_to_an_end(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, mut far) = tcp();
    far.write_all(LAST).unwrap();
    reset(far);
    let near = Socket::from(near);
    wait(&near, Events::HUP);
    let (peer, seen) = Peer::new();
    let writes = Rc::new(Cell::new(0));
    let counted = Rc::clone(&writes);
    let peer = peer.on_made(move |transport| {
        while !transport.is_closing() && transport.queued() < 64 << 10 {
            assert!(counted.get() < 1000, "it goes nowhere, and nobody says so");
            counted.set(counted.get() + 1);
            transport.write(&pattern(1000));
        }
        let key = transport.key();
        // It can be reached still: there is something to read.
        assert!(transport.reactor().transport(key).is_some());
    });
    it.attach(near, peer).unwrap();
    it.until(|| seen.borrow().lost.is_some());
    assert!(writes.get() > 0);
    assert_eq!(seen.borrow().data, LAST);
    assert_reset(&seen);
}

/// All lines have come, and the answer to the first goes nowhere: the others are told all the same.
pub fn lines_before_a_reset_are_told_to_who_answers(backend: Backend) {
    struct Answers(Count, Count);
    impl LineProtocol for Answers {
        fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
            add(&self.0);
            transport.write_line(line);
        }
        fn connection_lost(&mut self, _: &mut Reactor, why: readysock::reactor::Lost) {
            assert!(matches!(why, readysock::reactor::Lost::Reset), "{why}");
            add(&self.1);
        }
    }
    let mut it = Loop::new(backend);
    let (near, mut far) = tcp();
    let (lines, lost) = (count(), count());
    let protocol = Lines::new(Answers(Rc::clone(&lines), Rc::clone(&lost)));
    let key = it.attach(Socket::from(near), protocol).unwrap();
    it.passes(1);
    far.write_all(b"a\r\nb\r\nc\r\n").unwrap();
    ends(&mut it, key, far);
    it.until(|| lost.get() == 1);
    assert_eq!(lines.get(), 3);
}
