//! The queue and its marks: who writes more than a peer reads is asked to pause, and told when to go on.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, send};
use readysock::reactor::{Backend, Transport};
use readysock::sockopt::{self, SndBuf, TimestampFlags, Timestamping};

use crate::support;
use crate::tools::{Loop, Peer, add, assert_closed, count, pattern, read_all};

pub fn the_marks_pause_and_resume_who_writes(backend: Backend) {
    for marks in
        [None, Some((1 << 20, 2 << 20)), Some((0, 0)), Some((5, 5)), Some((usize::MAX, 1 << 16))]
    {
        let (low, high) = marks.unwrap_or((16 << 10, 64 << 10));
        let low = low.min(high);
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (peer, resumed) = (peer, count());
        let resumes = Rc::clone(&resumed);
        let peer = peer
            .on_made(move |transport| {
                if let Some((low, high)) = marks {
                    transport.set_marks(low, high);
                }
                // The kernel takes the first; what it does not take is queued to a byte.
                while transport.queued() == 0 {
                    transport.write(&pattern(1 << 20));
                }
                while transport.queued() <= high {
                    transport.write(&pattern(1000));
                }
            })
            .on_pause_writing(move |transport| assert!(transport.queued() > high))
            .on_resume_writing(move |transport| {
                assert!(transport.queued() <= low, "{} of {low}", transport.queued());
                add(&resumes);
                transport.close();
            });
        let (_, mut far) = it.connection(peer);
        it.passes(3);
        assert_eq!(seen.borrow().count("pause_writing"), 1, "{marks:?}");
        assert_eq!(resumed.get(), 0, "{marks:?}: nothing was read");
        let reader = thread::spawn(move || read_all(&mut far));
        it.until(|| seen.borrow().lost.is_some());
        assert!(reader.join().unwrap().1.is_ok());
        assert_eq!((seen.borrow().count("pause_writing"), resumed.get()), (1, 1), "{marks:?}");
        assert_closed(&seen);
    }
}

/// Below the marks or above: there is nothing to do until the peer reads, whatever else it does, and whether we read.
pub fn a_queue_that_waits_does_not_spin(backend: Backend) {
    let nothing: fn(&TcpStream) = |_| ();
    let ends: fn(&TcpStream) = |far| far.shutdown(Shutdown::Write).unwrap();
    let urges: fn(&TcpStream) =
        |far| assert_eq!(send(far.as_raw_fd(), b"!", MsgFlags::MSG_OOB), Ok(1));
    for (high, timestamps, paused, does) in [
        (usize::MAX, false, false, nothing),
        (0, false, false, nothing),
        (0, false, true, nothing),
        (0, false, false, ends),
        (0, false, true, ends),
        (0, false, false, urges),
        (0, false, true, urges),
        (0, true, false, nothing),
        (0, true, true, nothing),
        (0, true, false, ends),
    ] {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (key, mut far) = it.connection(peer);
        let mut transport = it.transport(key).unwrap();
        transport.set_marks(0, high);
        if paused {
            transport.pause_reading();
        }
        if timestamps {
            let flags = TimestampFlags::TX_SOFTWARE | TimestampFlags::SOFTWARE;
            if let Err(error) = sockopt::set(&transport, Timestamping, flags) {
                support::skipped(&format!("timestamps of what is sent: {error}"));
                continue;
            }
        }
        // What is sent at once has its timestamp at once.
        transport.write(b"!");
        let mut sent = 1;
        while transport.queued() == 0 {
            transport.write(&pattern(1 << 20));
            sent += 1 << 20;
        }
        does(&far);
        it.passes(6);
        assert!(it.passes_within(Duration::from_millis(10)) <= 3, "it spins");
        // Who heard of the end has closed, and writes no more in any case.
        let told = high == 0 && it.transport(key).is_some();
        assert_eq!(seen.borrow().count("pause_writing"), usize::from(told));
        // And then it goes on.
        let handle = it.handle();
        let reader = thread::spawn(move || {
            let mut all = vec![0; sent];
            far.read_exact(&mut all).unwrap();
            handle.stop();
            (all, far)
        });
        it.run().unwrap();
        let (all, _far) = reader.join().unwrap();
        assert!(all[1..].chunks(1 << 20).all(|part| part == pattern(1 << 20)));
    }
}

/// Above is not at.
pub fn at_the_mark_is_not_above_it(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, _far) = it.connection(peer);
    let mut transport = it.transport(key).unwrap();
    transport.set_marks(0, usize::MAX);
    while transport.queued() == 0 {
        transport.write(&pattern(1 << 20));
    }
    let high = transport.queued() + 1000;
    transport.set_marks(0, high);
    transport.write(&pattern(1000));
    assert_eq!(transport.queued(), high);
    it.passes(3);
    assert_eq!(seen.borrow().count("pause_writing"), 0);
    it.transport(key).unwrap().write(b"!");
    it.passes(3);
    assert_eq!(seen.borrow().count("pause_writing"), 1);
}

/// From the high mark down to the low one, a little at a time: nobody is told before that.
pub fn between_the_marks_nobody_is_told(backend: Backend) {
    descend(backend, Some((20_000, 100_000)));
}

/// 16 and 64 KiB.
pub fn there_are_marks_unless_set(backend: Backend) {
    descend(backend, None);
}

fn descend(backend: Backend, marks: Option<(usize, usize)>) {
    let mut it = Loop::new(backend);
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    sockopt::set(&near, SndBuf, 8192).unwrap();
    let (peer, seen) = Peer::new();
    let key = it.attach(near.into(), peer).unwrap();
    it.until(|| seen.borrow().made == 1);
    let mut transport = it.transport(key).unwrap();
    if let Some((low, high)) = marks {
        transport.set_marks(low, high);
    }
    let (low, high) = marks.unwrap_or((16 << 10, 64 << 10));
    while transport.queued() == 0 {
        transport.write(&[b'x'; 1000]);
    }
    let room = high - transport.queued();
    transport.write(&pattern(room));
    it.passes(2);
    assert_eq!(seen.borrow().count("pause_writing"), 0);
    it.transport(key).unwrap().write(b"!");
    it.passes(1);
    assert_eq!(seen.borrow().count("pause_writing"), 1);
    let (mut least, mut steps) = (usize::MAX, 0);
    loop {
        let queued = it.transport(key).unwrap().queued();
        assert_eq!(seen.borrow().count("resume_writing"), usize::from(queued <= low), "{queued}");
        if queued <= low {
            break;
        }
        (least, steps) = (queued, steps + 1);
        assert!((&far).read(&mut [0; 2000]).unwrap() > 0);
        it.passes(1);
    }
    assert!(steps > 3 && least < high, "{steps} steps to {least}: too few to tell");
    assert!(least < 2 * low, "{least}: where {low} is does not show");
    assert_eq!(seen.borrow().count("pause_writing"), 1);
}

/// A producer that heeds the marks sends 32 MiB, and never has more queued than the mark and one piece.
pub fn a_producer_that_heeds_the_marks_stays_within_them(backend: Backend) {
    const PIECE: usize = 32 << 10;
    const ALL: usize = 32 << 20;
    fn produce(transport: &mut Transport<'_>, left: &Rc<std::cell::Cell<usize>>) {
        while left.get() > 0 && transport.queued() <= 64 << 10 {
            transport.write(&[b'x'; PIECE]);
            left.set(left.get() - PIECE);
            assert!(transport.queued() <= (64 << 10) + PIECE);
        }
        if left.get() == 0 {
            transport.close();
        }
    }
    let mut it = Loop::new(backend);
    let left = Rc::new(std::cell::Cell::new(ALL));
    let (first, later) = (Rc::clone(&left), Rc::clone(&left));
    let (peer, seen) = Peer::new();
    let peer = peer
        .on_made(move |transport| produce(transport, &first))
        .on_resume_writing(move |transport| produce(transport, &later));
    let (_, mut far) = it.connection(peer);
    let reader = thread::spawn(move || read_all(&mut far).0.len());
    it.until(|| seen.borrow().lost.is_some());
    assert_eq!(reader.join().unwrap(), ALL);
    assert_closed(&seen);
    let (paused, resumed) =
        (seen.borrow().count("pause_writing"), seen.borrow().count("resume_writing"));
    assert!(paused >= 1 && resumed >= paused - 1 && resumed <= paused, "{paused}, {resumed}");
}

/// Marks that are moved are heeded at once, both ways.
pub fn marks_can_be_moved(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, mut far) = it.connection(peer);
    let mut transport = it.transport(key).unwrap();
    while transport.queued() < 10_000 {
        transport.write(&[b'x'; 10_000]);
    }
    let queued = transport.queued();
    transport.set_marks(queued, queued);
    it.passes(2);
    assert_eq!(seen.borrow().count("pause_writing"), 0);
    it.transport(key).unwrap().set_marks(0, queued - 1);
    it.passes(2);
    assert_eq!(seen.borrow().count("pause_writing"), 1);
    it.transport(key).unwrap().set_marks(queued, queued);
    it.passes(2);
    assert_eq!(seen.borrow().count("resume_writing"), 1);
    // A close takes the queue with it, and nobody is told of marks any more.
    it.transport(key).unwrap().set_marks(0, 0);
    it.transport(key).unwrap().close();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).unwrap();
    });
    it.until(|| seen.borrow().lost.is_some());
    reader.join().unwrap();
    assert_closed(&seen);
    assert_eq!(seen.borrow().count("resume_writing"), 1);
}
