//! Made once, lost once, whatever happens.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use readysock::reactor::{Backend, Lost, Reactor};
use readysock::sockopt::{self, SndBuf};
use readysock::{Domain, Events, Key, Socket, Type};

use crate::support::options::tcp;
use crate::tools::{
    Loop, Peer, Record, add, assert_closed, assert_reset, count, pattern, read_all,
};

/// The port of a connection that was closed from here first is kept for it, for a minute: no reason to wait.
pub fn a_port_can_be_listened_on_again_while_old_connections_end(backend: Backend) {
    let mut it = Loop::new(backend);
    let seen = Record::default();
    let record = Rc::clone(&seen);
    let (listener, addr) =
        it.serve(move || Peer::of(&record).on_made(|transport| transport.close()));
    let mut client = TcpStream::connect(addr).unwrap();
    client.set_nonblocking(true).unwrap();
    it.until(|| client.read(&mut [0]).is_ok_and(|n| n == 0));
    drop(client);
    it.until(|| seen.borrow().lost.is_some());
    assert!(it.remove(listener));
    let other = Socket::new(Domain::INET, Type::STREAM, None).unwrap();
    let problem = other.bind(addr).expect_err("it is in use");
    assert_eq!(problem.kind(), ErrorKind::AddrInUse);
    it.listen(addr, |_| Peer::new().0).expect("listened on again");
}

pub fn abort_from_within_data_received(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let peer = peer.on_data(|transport, _| {
        transport.write(&pattern(1 << 20));
        transport.abort();
        assert!(transport.is_closing() && transport.queued() == 0);
        transport.write(b"late");
        transport.close();
        transport.abort();
    });
    let (_, mut far) = it.connection(peer);
    far.write_all(b"x").unwrap();
    it.until(|| seen.borrow().lost.is_some());
    assert!(matches!(seen.borrow().ended(), Lost::Aborted));
    let (_, end) = read_all(&mut far);
    assert_eq!(end.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
}

pub fn removing_peers_from_within_callbacks(backend: Backend) {
    // Four are ready in one pass: the first that is told removes all the others, or all and itself.
    for itself_too in [false, true] {
        let mut it = Loop::new(backend);
        let keys: Rc<RefCell<Vec<Key>>> = Rc::default();
        let mut fars = Vec::new();
        let mut records: Vec<Record> = Vec::new();
        for _ in 0..4 {
            let (peer, seen) = Peer::new();
            let all = Rc::clone(&keys);
            let peer = peer.on_data(move |transport, _| {
                let own = transport.key();
                for &key in all.borrow().iter().filter(|key| itself_too || **key != own) {
                    assert!(transport.reactor().remove(key));
                    assert!(transport.reactor().transport(key).is_none());
                }
                assert_eq!(transport.is_closing(), itself_too);
            });
            let (key, far) = it.connection(peer);
            keys.borrow_mut().push(key);
            fars.push(far);
            records.push(seen);
        }
        it.passes(1);
        for far in &mut fars {
            far.write_all(b"x").unwrap();
        }
        for key in keys.borrow().iter() {
            let there = Socket::from(it.clone_of(*key));
            crate::support::sockets::wait(&there, Events::IN);
        }
        let expected = if itself_too { 4 } else { 3 };
        let lost = || records.iter().filter(|seen| seen.borrow().lost.is_some()).count();
        it.until(|| lost() == expected);
        it.passes(3);
        assert_eq!(lost(), expected);
        assert_eq!(records.iter().map(|seen| seen.borrow().count("data")).sum::<usize>(), 1);
        for seen in records.iter().filter(|seen| seen.borrow().lost.is_some()) {
            assert!(matches!(seen.borrow().ended(), Lost::Aborted));
        }
        for (far, seen) in fars.iter_mut().zip(&records) {
            if seen.borrow().lost.is_some() {
                assert_eq!(
                    read_all(far).1.expect_err("a reset").kind(),
                    ErrorKind::ConnectionReset
                );
            }
        }
    }
}

/// A connection that ends before its protocol was told of it: told all the same, in order.
pub fn what_ends_before_it_was_told_is_told_both(backend: Backend) {
    type End = fn(&mut Reactor, Key);
    type Why = fn(&Lost) -> bool;
    let ends: [(&str, End, Why); 4] = [
        ("close", |r, key| r.transport(key).unwrap().close(), |l| matches!(l, Lost::Closed)),
        ("abort", |r, key| r.transport(key).unwrap().abort(), |l| matches!(l, Lost::Aborted)),
        ("remove", |r, key| assert!(r.remove(key)), |l| matches!(l, Lost::Aborted)),
        ("panic", |_, _| (), |l| matches!(l, Lost::Panicked(text) if text == "at once")),
    ];
    for (name, end, expected) in ends {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let peer = if name == "panic" { peer.on_made(|_| panic!("at once")) } else { peer };
        let (near, far) = tcp();
        let key = it.attach(near.into(), peer).unwrap();
        assert!(seen.borrow().calls.is_empty(), "not from within attach");
        end(&mut it, key);
        assert!(seen.borrow().calls.is_empty(), "{name}: not from within the call");
        drop(far);
        it.until(|| seen.borrow().lost.is_some());
        assert!(expected(seen.borrow().ended()), "{name}: {seen:?}");
        assert_eq!(it.problems().len(), usize::from(name == "panic"));
    }
    // Written to before it was told, and the peer has gone.
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let key = it.attach(near.into(), peer).unwrap();
    drop(far);
    it.transport(key).unwrap().write(b"x");
    it.until(|| seen.borrow().lost.is_some());
    assert_reset(&seen);
}

pub fn a_reactor_that_is_dropped_tells_every_connection(backend: Backend) {
    let mut it = Loop::new(backend);
    let (open, open_seen) = Peer::new();
    let other: Rc<Cell<Option<Key>>> = Rc::default();
    let key_of_other = Rc::clone(&other);
    // It tries what a callback may do: nothing of it does harm.
    let open = open.on_lost(move |reactor| {
        assert!(reactor.listen(([127, 0, 0, 1], 0), |_| Peer::new().0).is_err());
        assert!(reactor.connect([([127, 0, 0, 1], 1)], None, Peer::new().0).is_err());
        assert!(reactor.run().is_err() && reactor.run_once(Duration::ZERO).is_err());
        assert!(!reactor.handle().post(|_| ()));
        reactor.call_later(Duration::ZERO, |_| panic!("not any more"));
        reactor.remove(key_of_other.get().unwrap());
        assert!(format!("{reactor:?}").contains(&format!("backend: {backend:?},")));
    });
    let (_, mut first) = it.connection(open);
    let (queued, queued_seen) = Peer::new();
    let (_, _second) =
        it.connection(queued.on_made(|transport| transport.write(&pattern(8 << 20))));
    let (removed, removed_seen) = Peer::new();
    let (key, _third) = it.connection(removed);
    other.set(Some(key));
    let (closing, closing_seen) = Peer::new();
    let (_, _fourth) = it.connection(closing.on_made(|transport| transport.close()));
    let (panics, panics_seen) = Peer::new();
    let (_, _fifth) = it.connection(panics.on_lost(|_| panic!("to the last")));
    let (new, new_seen) = Peer::new();
    let (near, _sixth) = tcp();
    it.attach(near.into(), new).unwrap();
    let (connecting, connecting_seen) = Peer::new();
    let (_listener, full) = full_listener();
    it.connect([full], None, connecting).unwrap();
    it.on_problem(|_| ());
    let (watched, dropped) = (count(), count());
    let counted = Rc::clone(&dropped);
    let bomb = Peer::new().0.on_drop(move |()| add(&counted));
    let count_calls = Rc::clone(&watched);
    it.watch(tcp().0, Events::IN, move |_, _, _, _| {
        let _ = &bomb;
        add(&count_calls);
    })
    .unwrap();
    let handle = it.handle();
    let (posted, never) = (std::sync::Arc::new(()), std::sync::Arc::new(()));
    let held = std::sync::Arc::clone(&posted);
    assert!(handle.post(move |_| drop(held)));
    it.drop_reactor();
    for seen in [&open_seen, &queued_seen, &panics_seen, &new_seen] {
        assert!(matches!(seen.borrow().ended(), Lost::Dropped), "{seen:?}");
    }
    // Closed in order, or removed by another one, and cut off by the drop.
    for seen in [&removed_seen, &closing_seen] {
        assert!(matches!(seen.borrow().ended(), Lost::Aborted | Lost::Dropped), "{seen:?}");
    }
    assert_eq!(connecting_seen.borrow().calls, ["failed"]);
    assert_eq!((watched.get(), dropped.get()), (0, 1));
    assert_eq!(std::sync::Arc::strong_count(&posted), 1, "what was posted is let go of");
    let held = std::sync::Arc::clone(&never);
    assert!(!handle.post(move |_| drop(held)));
    handle.stop();
    assert_eq!(std::sync::Arc::strong_count(&never), 1);
    assert!(format!("{handle:?}").contains("Handle"));
    assert_eq!(read_all(&mut first).0.len(), 0);
}

/// A Unix listener whose queue is full: a connect to it neither succeeds nor fails.
fn full_listener() -> ((Socket, Vec<Socket>), readysock::Addr) {
    let (listener, addr) = crate::support::sockets::unix_listener(0);
    let mut waiting = Vec::new();
    loop {
        let client = crate::support::sockets::unix(readysock::Type::STREAM);
        client.set_nonblocking(true).unwrap();
        if client.connect(&addr).is_err() {
            return ((listener, waiting), addr);
        }
        waiting.push(client);
    }
}

/// The first reason counts: an abort of what is lost already changes nothing.
pub fn the_first_reason_counts(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let (peer, seen) = Peer::new();
    let key = it.attach(near.into(), peer).unwrap();
    it.until(|| seen.borrow().made == 1);
    drop(far);
    let mut transport = it.transport(key).unwrap();
    transport.write(b"x");
    transport.write(b"nor this");
    assert!(transport.is_closing() && transport.queued() == 0);
    // There may be something to read still.
    it.transport(key).expect("it is there").abort();
    assert!(it.transport(key).is_none());
    it.remove(key);
    it.until(|| seen.borrow().lost.is_some());
    assert_reset(&seen);
}

/// Both halves have ended, and it is about to be told: whoever removes it now does not reset what it has written.
pub fn a_removal_of_what_has_ended_changes_nothing(backend: Backend) {
    let mut it = Loop::new(backend);
    let first: Rc<Cell<Option<Key>>> = Rc::default();
    let connection = |it: &mut Loop| {
        let first = Rc::clone(&first);
        let (peer, seen) = Peer::new();
        let peer = peer.on_read_closed(move |transport| match first.get() {
            None => {
                first.set(Some(transport.key()));
                // The kernel has it all, and the peer does not take it yet.
                sockopt::set(&*transport, SndBuf, 1 << 20).unwrap();
                transport.write(&pattern(400_000));
                assert_eq!(transport.queued(), 0);
                transport.close();
            }
            Some(other) => assert!(transport.reactor().remove(other)),
        });
        let (key, far) = it.connection(peer);
        (key, far, seen)
    };
    let both = [connection(&mut it), connection(&mut it)];
    for (_, far, _) in &both {
        far.shutdown(Shutdown::Write).unwrap();
    }
    let told = || both.iter().all(|(_, _, seen)| seen.borrow().count("read_closed") == 1);
    it.until(told);
    let (_, mut far, seen) = both.into_iter().find(|(key, ..)| Some(*key) == first.get()).unwrap();
    it.until(|| seen.borrow().lost.is_some());
    assert_closed(&seen);
    let (answer, end) = read_all(&mut far);
    end.expect("no reset");
    assert!(answer == pattern(400_000), "{}", answer.len());
}

/// Who holds a duplicate took the error: what is left is a socket that is not connected, and to close it is no error.
pub fn a_reset_whose_error_was_taken_elsewhere(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, far) = it.connection(peer);
    let duplicate = Socket::from(it.clone_of(key));
    crate::tools::reset(far);
    crate::support::sockets::wait(&duplicate, Events::IN);
    let error = duplicate.take_error().unwrap().expect("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    it.transport(key).unwrap().close();
    it.until(|| seen.borrow().lost.is_some());
    assert_closed(&seen);
}

/// A connection in the middle of its close can still be aborted.
pub fn a_close_can_be_cut_short(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, mut far) = it.connection(peer.on_made(|transport| {
        transport.write(&pattern(8 << 20));
        transport.close();
    }));
    assert!(it.transport(key).is_none());
    assert!(it.contains(key) && it.remove(key));
    it.until(|| seen.borrow().lost.is_some());
    assert!(matches!(seen.borrow().ended(), Lost::Aborted));
    assert_eq!(read_all(&mut far).1.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
}

/// Its descriptor is free again before anybody hears of it, and its key means nothing any more.
pub fn when_it_is_lost_it_is_gone(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let checked = Rc::new(Cell::new(false));
    let done = Rc::clone(&checked);
    let key_here: Rc<Cell<Option<(Key, i32)>>> = Rc::default();
    let known = Rc::clone(&key_here);
    let peer = peer.on_lost(move |reactor| {
        let (key, number) = known.get().expect("set");
        assert!(!reactor.contains(key) && !reactor.remove(key) && reactor.transport(key).is_none());
        assert!(!std::path::Path::new(&format!("/proc/self/fd/{number}")).exists());
        done.set(true);
    });
    let (key, far) = it.connection(peer);
    use std::os::fd::{AsFd, AsRawFd};
    let number = it.transport(key).unwrap().as_fd().as_raw_fd();
    key_here.set(Some((key, number)));
    far.shutdown(Shutdown::Both).unwrap();
    it.until(|| seen.borrow().lost.is_some());
    assert!(checked.get());
}

/// A thousand connections come and go: nothing stays.
pub fn nothing_is_left_behind(backend: Backend) {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut it = Loop::new(backend);
    let seen: Rc<RefCell<Vec<Record>>> = Rc::default();
    let records = Rc::clone(&seen);
    let (_, addr) = it.serve(move || {
        let (peer, seen) = Peer::new();
        records.borrow_mut().push(seen);
        peer.on_data(|transport, data| transport.write(data))
    });
    let before = open();
    for round in 0..20 {
        let mut clients: Vec<_> = (0..50).map(|_| TcpStream::connect(addr).unwrap()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(b"x").unwrap();
            if number % 3 == 0 {
                client.shutdown(Shutdown::Write).unwrap();
            }
        }
        it.until(|| {
            seen.borrow().iter().filter(|seen| seen.borrow().count("data") == 1).count()
                == (round + 1) * 50
        });
        drop(clients);
        it.until(|| seen.borrow().iter().all(|seen| seen.borrow().lost.is_some()));
    }
    it.passes(2);
    assert_eq!(open(), before);
    assert!(format!("{:?}", *it).contains("sources: 1,"), "the listener: {:?}", *it);
    for seen in seen.borrow().iter() {
        seen.borrow().ended();
    }
}
