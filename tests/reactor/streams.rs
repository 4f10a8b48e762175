//! What goes through a connection, and how it ends when the peer ends it.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use readysock::reactor::{Backend, Lost, Transport};
use readysock::{Addr, Socket, UnixAddr};

use crate::tools::{Loop, Peer, assert_closed, assert_reset, pattern, read_all, reset};

const MIB: usize = 1 << 20;

pub fn a_mebibyte_then_a_close_arrives_whole_then_lost_once(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (_, mut far) = it.connection(peer);
    let sender = thread::spawn(move || far.write_all(&pattern(MIB)).unwrap());
    it.until(|| seen.borrow().lost.is_some());
    sender.join().unwrap();
    assert_closed(&seen);
    assert!(seen.borrow().data == pattern(MIB));
    it.passes(3);
    assert_eq!(seen.borrow().count("lost"), 1);
}

pub fn eight_mebibytes_that_are_written_then_closed_arrive_whole(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let peer = peer.on_made(|transport| {
        for part in pattern(8 * MIB).chunks(1000) {
            transport.write(part);
        }
        assert!(transport.queued() > 0);
        transport.close();
        // After the close nothing goes.
        transport.write(b"late");
        assert!(transport.is_closing());
    });
    let (_, mut far) = it.connection(peer);
    let reader = thread::spawn(move || read_all(&mut far));
    it.until(|| seen.borrow().lost.is_some());
    let (bytes, end) = reader.join().unwrap();
    assert!(bytes == pattern(8 * MIB) && end.is_ok(), "{} bytes, {end:?}", bytes.len());
    assert_closed(&seen);
}

/// Both at once: what is written comes back in order, for each of two peers.
pub fn echoes_of_many_pieces_do_not_mix(backend: Backend) {
    let mut it = Loop::new(backend);
    let (_, addr) = it.serve(|| |transport: &mut Transport<'_>, data: &[u8]| transport.write(data));
    let clients: Vec<_> = (1..=2)
        .map(|factor| {
            thread::spawn(move || {
                let mut stream = std::net::TcpStream::connect(addr).unwrap();
                let bytes = pattern(factor * MIB);
                let (mut writer, expected) = (stream.try_clone().unwrap(), bytes.clone());
                let writing = thread::spawn(move || {
                    writer.write_all(&bytes).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let (echo, end) = read_all(&mut stream);
                writing.join().unwrap();
                assert!(echo == expected && end.is_ok());
            })
        })
        .collect();
    let handle = it.handle();
    let all = thread::spawn(move || {
        let ends: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        handle.stop();
        ends
    });
    it.run().unwrap();
    assert!(all.join().unwrap().iter().all(Result::is_ok));
}

pub fn half_closed_by_the_peer(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let peer = peer.on_read_closed(|transport| {
        assert!(!transport.is_closing());
        transport.write(b"still here");
    });
    let (key, mut far) = it.connection(peer);
    far.write_all(b"all of it").unwrap();
    far.shutdown(Shutdown::Write).unwrap();
    it.until(|| seen.borrow().count("read_closed") == 1);
    let mut answer = [0; 10];
    far.read_exact(&mut answer).unwrap();
    assert_eq!((&seen.borrow().data[..], &answer[..]), (&b"all of it"[..], &b"still here"[..]));
    // It goes on in one direction, and does not spin meanwhile.
    assert!(it.passes_within(Duration::from_millis(20)) <= 3);
    it.transport(key).expect("it is there").write(b"!");
    far.read_exact(&mut answer[..1]).unwrap();
    it.transport(key).expect("it is there").close();
    it.until(|| seen.borrow().lost.is_some());
    assert_eq!(far.read(&mut answer).unwrap(), 0);
    assert_closed(&seen);
}

pub fn half_closed_from_here(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    // More than the kernel takes, so that the end has to wait for the queue.
    let peer = peer.on_made(|transport| {
        transport.write(&pattern(8 * MIB));
        transport.close_write();
        transport.write(b"late");
        assert!(transport.queued() > 0 && !transport.is_closing());
    });
    let (_, far) = it.connection(peer);
    let reader = thread::spawn(move || {
        let mut far = far;
        let (bytes, end) = read_all(&mut far);
        // Nothing more comes from there, and all that is sent arrives.
        far.write_all(&pattern(MIB)).unwrap();
        drop(far);
        (bytes, end)
    });
    it.until(|| seen.borrow().lost.is_some());
    let (bytes, end) = reader.join().unwrap();
    assert!(bytes == pattern(8 * MIB) && end.is_ok());
    assert!(seen.borrow().data == pattern(MIB));
    assert_eq!(seen.borrow().count("read_closed"), 1);
    assert_closed(&seen);
}

/// Both halves have ended, each for itself: that is the end, without a close.
pub fn two_half_closes_are_a_close(backend: Backend) {
    for here_first in [false, true] {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (key, far) = it.connection(peer.on_read_closed(|_| ()));
        if here_first {
            it.transport(key).unwrap().close_write();
            it.passes(1);
        }
        far.shutdown(Shutdown::Write).unwrap();
        it.until(|| seen.borrow().count("read_closed") == 1);
        if !here_first {
            assert!(seen.borrow().lost.is_none());
            it.transport(key).unwrap().close_write();
        }
        it.until(|| seen.borrow().lost.is_some());
        assert_closed(&seen);
    }
}

pub fn a_reset_is_told_as_one_and_never_as_a_close(backend: Backend) {
    type Do = fn(&mut Transport<'_>);
    let ways: [(&str, Do); 6] = [
        ("reading", |_| ()),
        ("writing", |transport| transport.write(&pattern(8 * MIB))),
        ("writing, not reading", |transport| {
            transport.write(&pattern(8 * MIB));
            transport.pause_reading();
        }),
        ("half closed", |transport| transport.close_write()),
        ("closing with a queue", |transport| {
            transport.write(&pattern(8 * MIB));
            transport.close();
        }),
        ("closing", |transport| transport.close()),
    ];
    for (name, way) in ways {
        for from_within in [false, true] {
            let mut it = Loop::new(backend);
            let (peer, seen) = Peer::new();
            let peer = if from_within { peer.on_made(way) } else { peer };
            let (key, far) = it.connection(peer);
            if !from_within {
                way(&mut it.transport(key).unwrap());
            }
            it.passes(2);
            reset(far);
            it.until(|| seen.borrow().lost.is_some());
            let seen = seen.borrow();
            assert!(matches!(seen.ended(), Lost::Reset), "{name}: {seen:?}");
            assert_eq!(seen.count("read_closed"), 0, "{name}");
        }
    }
}

/// The reset is there already when something is done with the connection.
pub fn a_reset_that_is_noticed_late_is_one_all_the_same(backend: Backend) {
    type Do = fn(&mut Transport<'_>);
    let ways: [(&str, Do); 4] = [
        ("close", |transport| transport.close()),
        ("close_write", |transport| transport.close_write()),
        ("write", |transport| transport.write(b"x")),
        ("write and close", |transport| {
            transport.write(b"x");
            transport.close();
        }),
    ];
    for (name, way) in ways {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (key, far) = it.connection(peer.on_made(|transport| transport.pause_reading()));
        it.passes(1);
        reset(far);
        let there = Socket::from(it.clone_of(key));
        crate::support::sockets::wait(&there, readysock::Events::HUP);
        way(&mut it.transport(key).unwrap());
        if name == "close_write" {
            it.passes(2);
            if let Some(mut transport) = it.transport(key) {
                transport.resume_reading();
            }
        }
        it.until(|| seen.borrow().lost.is_some());
        let seen = seen.borrow();
        assert!(matches!(seen.ended(), Lost::Reset), "{name}: {seen:?}");
    }
}

/// The peer had ended its half, so nothing is read any more; then it reset the rest.
pub fn a_reset_after_a_half_close_is_one(backend: Backend) {
    type Do = fn(&mut Transport<'_>);
    let ways: [(&str, Do); 3] = [
        ("close", |transport| transport.close()),
        ("close_write", |transport| transport.close_write()),
        ("write", |transport| transport.write(b"x")),
    ];
    for (name, way) in ways {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (key, far) = it.connection(peer.on_read_closed(|_| ()));
        far.shutdown(Shutdown::Write).unwrap();
        it.until(|| seen.borrow().count("read_closed") == 1);
        reset(far);
        let there = Socket::from(it.clone_of(key));
        crate::support::sockets::wait(&there, readysock::Events::ERR);
        way(&mut it.transport(key).unwrap());
        it.until(|| seen.borrow().lost.is_some());
        let seen = seen.borrow();
        assert!(matches!(seen.ended(), Lost::Reset), "{name}: {seen:?}");
    }
}

/// What was sent before a reset can still be read, and is.
pub fn data_before_a_reset_is_not_lost(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, mut far) = it.connection(peer);
    it.transport(key).unwrap().pause_reading();
    it.passes(1);
    far.write_all(b"last words").unwrap();
    reset(far);
    it.transport(key).unwrap().resume_reading();
    it.until(|| seen.borrow().lost.is_some());
    assert_eq!(seen.borrow().data, b"last words");
    assert_reset(&seen);
}

/// Something waits to be written, which cannot be any more: first comes what can still be read, also where it takes several reads.
pub fn data_before_a_reset_is_not_lost_by_who_writes(backend: Backend) {
    fn comes<F: Write>(backend: Backend, near: Socket, mut far: F, length: usize, end: fn(F)) {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let key = it.attach(near, peer).unwrap();
        it.until(|| seen.borrow().made == 1);
        let mut transport = it.transport(key).unwrap();
        while transport.queued() == 0 {
            transport.write(&pattern(1 << 20));
        }
        far.write_all(&pattern(length)).unwrap();
        end(far);
        crate::support::sockets::wait(&Socket::from(it.clone_of(key)), readysock::Events::HUP);
        it.until(|| seen.borrow().lost.is_some());
        assert!(
            seen.borrow().data == pattern(length),
            "{length}: {} came, {:?}",
            seen.borrow().data.len(),
            (&seen.borrow().calls, &seen.borrow().lost)
        );
        assert_reset(&seen);
    }
    let (near, far) = crate::support::options::tcp();
    comes(backend, near.into(), far, 10_000, reset);
    // Closed with something unread, which is a reset, too.
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    comes(backend, near.into(), far, 150_000, drop);
}

pub fn paused_reading_and_a_reset_do_not_spin_and_resuming_tells(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, far) = it.connection(peer.on_made(|transport| transport.pause_reading()));
    it.passes(1);
    reset(far);
    let passes = it.passes_within(Duration::from_millis(50));
    assert!(passes <= 3, "{passes} passes: it spins");
    assert!(seen.borrow().lost.is_none());
    it.transport(key).unwrap().resume_reading();
    it.until(|| seen.borrow().lost.is_some());
    assert_reset(&seen);
    assert_eq!(seen.borrow().count("resume_reading"), 1);
}

pub fn paused_reading_leaves_the_bytes_with_the_kernel(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let peer = peer.on_data(|transport, _| {
        transport.pause_reading();
        assert!(transport.is_reading_paused());
    });
    let (key, mut far) = it.connection(peer);
    far.write_all(b"a").unwrap();
    it.until(|| seen.borrow().data == b"a");
    far.write_all(b"b").unwrap();
    assert!(it.passes_within(Duration::from_millis(20)) <= 3);
    assert_eq!(seen.borrow().data, b"a");
    for (expected, more) in [(&b"ab"[..], &b"c"[..]), (b"abc", b"d")] {
        // Resumed and paused and resumed: told once.
        for paused in [false, true, false] {
            let mut transport = it.transport(key).unwrap();
            if paused { transport.pause_reading() } else { transport.resume_reading() }
        }
        it.until(|| seen.borrow().data == expected);
        far.write_all(more).unwrap();
        it.passes(2);
        assert_eq!(seen.borrow().data, expected);
    }
    assert_eq!(seen.borrow().count("resume_reading"), 2);
    // Who was not paused is not told that he goes on.
    let (peer, seen) = Peer::new();
    let (key, _far) = it.connection(peer);
    it.transport(key).unwrap().resume_reading();
    it.passes(2);
    assert_eq!(seen.borrow().calls, ["made"]);
}

pub fn unix_streams(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let peer = std::cell::RefCell::new(Some(peer.on_data(|transport, data| transport.write(data))));
    let made = move |from: &Addr| {
        assert!(from.as_unix().is_some_and(UnixAddr::is_unnamed));
        peer.take().expect("one connection")
    };
    let listener = it.listen(UnixAddr::unnamed(), made).unwrap();
    let addr = it.local_addr(listener).unwrap();
    let (client, client_seen) = Peer::new();
    let client =
        client.on_made(|transport| transport.write(b"hello")).on_data(|transport, data| {
            assert_eq!(data, b"hello");
            transport.close();
        });
    it.connect([addr], None, client).unwrap();
    it.until(|| client_seen.borrow().lost.is_some() && seen.borrow().lost.is_some());
    assert_closed(&client_seen);
    assert_closed(&seen);
    // A Unix peer that is aborted reads end of stream.
    let (near, far) = UnixStream::pair().unwrap();
    let (peer, seen) = Peer::new();
    it.attach(near.into(), peer.on_made(|transport| transport.abort())).unwrap();
    it.until(|| seen.borrow().lost.is_some());
    assert_eq!((&far).read(&mut [0]).unwrap(), 0);
    assert!(matches!(seen.borrow().ended(), Lost::Aborted));
}

pub fn addresses_and_options_of_a_transport(backend: Backend) {
    use readysock::sockopt::{self, tcp::NoDelay};
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let peer = peer.on_made(|transport| {
        sockopt::set(&*transport, NoDelay, true).expect("set");
        assert!(sockopt::get(&*transport, NoDelay).expect("got"));
    });
    let (key, far) = it.connection(peer);
    let (local, remote) = (far.local_addr().unwrap(), far.peer_addr().unwrap());
    assert_eq!(it.local_addr(key).unwrap().as_internet(), Some(remote));
    let transport = it.transport(key).unwrap();
    assert_eq!(transport.local_addr().unwrap().as_internet(), Some(remote));
    assert_eq!(transport.peer_addr().unwrap().as_internet(), Some(local));
    assert_eq!(transport.key(), key);
    drop(far);
    it.until(|| seen.borrow().lost.is_some());
    assert_eq!(it.local_addr(key).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert!(it.transport(key).is_none() && !it.contains(key) && !it.remove(key));
}

/// A callback reaches any other connection, its own listener, and the reactor.
pub fn callbacks_reach_everything(backend: Backend) {
    let mut it = Loop::new(backend);
    let (first, first_seen) = Peer::new();
    let (second, second_seen) = Peer::new();
    let (key, mut far) = it.connection(first);
    let ticked = Rc::new(Cell::new(false));
    let tick = Rc::clone(&ticked);
    let second = second.on_data(move |transport, data| {
        let key_here = transport.key();
        let reactor = transport.reactor();
        reactor.transport(key).expect("it is there").write(data);
        assert!(reactor.transport(key_here).is_some());
        let tick = Rc::clone(&tick);
        reactor.call_later(Duration::ZERO, move |_| tick.set(true));
        let (inner, _) = Peer::new();
        let listener = reactor.listen(([127, 0, 0, 1], 0), |_| Peer::new().0).expect("a listener");
        let addr = reactor.local_addr(listener).expect("its address");
        reactor.connect([addr], None, inner.on_made(|t| t.close())).expect("begun");
        reactor.transport(key).expect("it is there").close();
        assert!(reactor.transport(key).is_none(), "it is closing");
    });
    let (_, mut other) = it.connection(second);
    other.write_all(b"across").unwrap();
    it.until(|| ticked.get());
    let mut bytes = [0; 6];
    far.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"across");
    drop((far, other));
    it.until(|| first_seen.borrow().lost.is_some() && second_seen.borrow().lost.is_some());
    assert_closed(&first_seen);
    assert_closed(&second_seen);
}
