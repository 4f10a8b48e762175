//! Nobody keeps the others waiting: not who calls himself again, not who sends without end, not who connects all the time.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use readysock::reactor::{Backend, Handle, Reactor, Transport};

use crate::tools::{Count, Loop, Peer, add, count, fill};

fn again(reactor: &mut Reactor, calls: Count) {
    add(&calls);
    reactor.call_later(Duration::ZERO, move |reactor| again(reactor, calls));
}

pub fn a_timer_that_sets_itself_again_at_zero_starves_nobody(backend: Backend) {
    let mut it = Loop::new(backend);
    let (calls, other) = (count(), count());
    let first = Rc::clone(&calls);
    it.call_later(Duration::ZERO, move |reactor| again(reactor, first));
    let (peer, seen) = Peer::new();
    let (_, mut far) = it.connection(peer);
    let before = calls.get();
    it.passes(5);
    assert_eq!(calls.get(), before + 5, "once in each pass, and in each");
    let called = Rc::clone(&other);
    it.call_later(Duration::from_millis(2), move |_| add(&called));
    far.write_all(b"x").unwrap();
    it.until(|| other.get() == 1 && seen.borrow().data == b"x");
}

fn post_again(handle: &Handle, calls: &Arc<AtomicUsize>) {
    calls.fetch_add(1, Ordering::SeqCst);
    let (next, calls) = (handle.clone(), Arc::clone(calls));
    handle.post(move |_| post_again(&next, &calls));
}

pub fn posted_calls_that_post_themselves_starve_nobody(backend: Backend) {
    let mut it = Loop::new(backend);
    let calls = Arc::new(AtomicUsize::new(0));
    let handle = it.handle();
    post_again(&handle, &calls);
    let (peer, seen) = Peer::new();
    let (_, mut far) = it.connection(peer);
    let before = calls.load(Ordering::SeqCst);
    it.passes(5);
    assert_eq!(calls.load(Ordering::SeqCst), before + 5, "once in each pass, and in each");
    let other = count();
    let called = Rc::clone(&other);
    it.call_later(Duration::from_millis(2), move |_| add(&called));
    far.write_all(b"x").unwrap();
    it.until(|| other.get() == 1 && seen.borrow().data == b"x");
}

pub fn a_flood_of_posted_calls_starves_nobody(backend: Backend) {
    let mut it = Loop::new(backend);
    let (handle, over) = (it.handle(), Arc::new(AtomicBool::new(false)));
    let done = Arc::clone(&over);
    let order = Arc::new(AtomicUsize::new(0));
    let out_of_order = Arc::new(AtomicUsize::new(0));
    let (turn, wrong, made) = (Arc::clone(&order), Arc::clone(&out_of_order), Arc::clone(&order));
    let flood = thread::spawn(move || {
        let mut number = 0;
        while !done.load(Ordering::SeqCst) && number < 10_000_000 {
            let (turn, wrong) = (Arc::clone(&turn), Arc::clone(&wrong));
            handle.post(move |_| {
                if turn.fetch_add(1, Ordering::SeqCst) != number {
                    wrong.fetch_add(1, Ordering::SeqCst);
                }
            });
            number += 1;
            if number - made.load(Ordering::SeqCst) > 10_000 {
                thread::yield_now();
            }
        }
        number
    });
    it.until(|| order.load(Ordering::SeqCst) > 0);
    let (peer, seen) = Peer::new();
    let (_, mut far) = it.connection(peer);
    let ticks = count();
    let tick = Rc::clone(&ticks);
    it.call_later(Duration::from_millis(5), move |_| add(&tick));
    for number in 1..=20 {
        far.write_all(b"x").unwrap();
        it.until(|| seen.borrow().data.len() == number);
    }
    it.until(|| ticks.get() == 1);
    over.store(true, Ordering::SeqCst);
    let sent = flood.join().unwrap();
    let posted = Arc::clone(&out_of_order);
    let all = Arc::new(AtomicBool::new(false));
    let last = Arc::clone(&all);
    it.handle().post(move |_| last.store(true, Ordering::SeqCst));
    it.until(|| all.load(Ordering::SeqCst));
    assert!(sent > 0);
    assert_eq!(
        posted.load(Ordering::SeqCst),
        0,
        "they are made in the order in which they were posted"
    );
}

/// Each is read once in a pass, 64 KiB at most: who has sent much waits for who has sent little.
pub fn each_source_is_read_once_in_a_pass(backend: Backend) {
    let mut it = Loop::new(backend);
    let order: Rc<RefCell<Vec<(usize, usize)>>> = Rc::default();
    let mut fars = Vec::new();
    let mut keys = Vec::new();
    for number in 0..3 {
        let list = Rc::clone(&order);
        let (peer, _) = Peer::new();
        let peer = peer.on_data(move |_, data| list.borrow_mut().push((number, data.len())));
        let (key, far) = it.connection(peer);
        it.transport(key).unwrap().pause_reading();
        keys.push(key);
        fars.push(far);
    }
    it.passes(1);
    for (number, far) in fars.iter_mut().enumerate() {
        if number == 1 { far.write_all(b"x").unwrap() } else { assert!(fill(far) > 1 << 17) }
    }
    let little = readysock::Socket::from(it.clone_of(keys[1]));
    crate::support::sockets::wait(&little, readysock::Events::IN);
    for key in keys {
        it.transport(key).unwrap().resume_reading();
    }
    // They are told that they go on; then they are read.
    it.passes(1);
    assert!(order.borrow().is_empty());
    it.passes(1);
    let mut read = order.take();
    read.sort_unstable();
    assert_eq!(read.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2], "{read:?}");
    assert!(read.iter().all(|(_, bytes)| *bytes <= 64 << 10), "{read:?}");
}

/// Two peers send without end, one of them reads what comes back: a third has its echo all the same.
pub fn a_peer_that_floods_keeps_nobody_waiting(backend: Backend) {
    let mut it = Loop::new(backend);
    let (_, addr) = it.serve(|| {
        |transport: &mut Transport<'_>, data: &[u8]| {
            // Only who reads is answered: the queue has no end.
            if transport.queued() < 1 << 16 {
                transport.write(data);
            }
        }
    });
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..2)
        .map(|number| {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                let mut stream = TcpStream::connect(addr).unwrap();
                if number == 0 {
                    let mut reader = stream.try_clone().unwrap();
                    thread::spawn(move || {
                        let mut buffer = vec![0; 65536];
                        while reader.read(&mut buffer).is_ok_and(|n| n > 0) {}
                    });
                }
                while !over.load(Ordering::SeqCst) && stream.write_all(&[b'x'; 65536]).is_ok() {}
                let _ = stream.shutdown(std::net::Shutdown::Both);
            })
        })
        .collect();
    let handle = it.handle();
    let quiet = thread::spawn(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        for number in 0..100_u8 {
            stream.write_all(&[number]).unwrap();
            let mut echo = [0];
            stream.read_exact(&mut echo).unwrap();
            assert_eq!(echo, [number]);
        }
        over.store(true, Ordering::SeqCst);
        handle.stop();
    });
    it.run().unwrap();
    // Those who flood may be in the middle of a write.
    let (waiting, done) = (it.handle(), Arc::new(AtomicBool::new(false)));
    let set = Arc::clone(&done);
    let joiner = thread::spawn(move || {
        quiet.join().unwrap();
        floods.into_iter().for_each(|flood| flood.join().unwrap());
        set.store(true, Ordering::SeqCst);
        waiting.post(|_| ());
    });
    it.until(|| done.load(Ordering::SeqCst));
    joiner.join().unwrap();
}

/// Two hundred connects at once: a listener takes in 64 in a pass, and those who are in are served between.
pub fn a_flood_of_connects_keeps_nobody_waiting(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (_, mut far) = it.connection(peer);
    let made = count();
    let counted = Rc::clone(&made);
    let (_, addr) = it.serve(move || {
        add(&counted);
        Peer::new().0
    });
    let clients: Vec<_> = (0..200).map(|_| TcpStream::connect(addr).unwrap()).collect();
    let (mut last, mut passes) = (0, 0);
    while made.get() < 200 {
        let byte = [b'x'];
        far.write_all(&byte).unwrap();
        let data = seen.borrow().data.len();
        it.until(|| seen.borrow().data.len() > data);
        assert!(made.get() - last <= 64 * 2, "{} in one or two passes", made.get() - last);
        last = made.get();
        passes += 1;
        assert!(passes < 1000);
    }
    drop(clients);
    // By passes alone.
    let clients: Vec<_> = (0..100).map(|_| TcpStream::connect(addr).unwrap()).collect();
    it.passes(1);
    assert!(made.get() - 200 <= 64, "{} in one pass", made.get() - 200);
    it.until(|| made.get() == 300);
    drop(clients);
}

/// What a callback leads to has its turn in the next pass: a close that opens another one, and so on, does not end in itself.
pub fn connections_that_lead_to_others_starve_nobody(backend: Backend) {
    fn next(reactor: &mut Reactor, rounds: Count) {
        add(&rounds);
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let peer = Peer::new()
            .0
            .on_made(|transport| transport.abort())
            .on_lost(move |reactor| next(reactor, Rc::clone(&rounds)));
        // In the end the reactor takes nothing new.
        let _ = reactor.attach(near.into(), peer);
    }
    let mut it = Loop::new(backend);
    let rounds = count();
    next(&mut it, Rc::clone(&rounds));
    let (peer, seen) = Peer::new();
    let (_, mut far) = it.connection(peer);
    far.write_all(b"x").unwrap();
    it.until(|| seen.borrow().data == b"x" && rounds.get() > 10);
    let before = rounds.get();
    it.passes(10);
    assert!(rounds.get() - before <= 10);
}
