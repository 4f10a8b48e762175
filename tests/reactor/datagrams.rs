//! Datagrams: each a message, also the empty one and the one that is cut; the socket goes on.

use std::cell::{Cell, RefCell};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::rc::Rc;
use std::time::Duration;

use readysock::reactor::{Backend, Packet, Problem};
use readysock::{Addr, Events, UnixAddr};

use crate::support;
use crate::support::fds::pipe;
use crate::tools::{Loop, add, count};

/// What arrived: how many bytes, whether they were cut, and the first of them.
type Got = Rc<RefCell<Vec<(usize, bool, Option<u8>)>>>;

pub fn each_datagram_is_a_message(backend: Backend) {
    let mut it = Loop::new(backend);
    let got = Got::default();
    let list = Rc::clone(&got);
    let key = it
        .datagrams(([127, 0, 0, 1], 0), move |reactor, key, packet: &Packet<'_>| {
            assert!(reactor.contains(key) && reactor.local_addr(key).is_err(), "it is at work");
            list.borrow_mut().push((
                packet.bytes.len(),
                packet.truncated,
                packet.bytes.first().copied(),
            ));
            packet.socket.send_to(packet.bytes, packet.sender).expect("an answer");
        })
        .unwrap();
    let addr = it.local_addr(key).unwrap().as_internet().unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(addr).unwrap();
    for message in [&b""[..], b"one", b"", b"two", &[b'x'; 60_000]] {
        client.send(message).unwrap();
    }
    it.until(|| got.borrow().len() == 5);
    let first = |message: &[u8]| message.first().copied();
    let expected = [
        (0, false, None),
        (3, false, first(b"o")),
        (0, false, None),
        (3, false, first(b"t")),
        (60_000, false, first(b"x")),
    ];
    assert_eq!(got.take(), expected);
    let mut buffer = vec![0; 65536];
    for length in [0, 3, 0, 3, 60_000] {
        assert_eq!(client.recv(&mut buffer).unwrap(), length);
    }
}

/// A Unix datagram may be longer than what is read at once.
pub fn a_datagram_that_is_cut_says_so(backend: Backend) {
    let mut it = Loop::new(backend);
    let got = Got::default();
    let list = Rc::clone(&got);
    let key = it
        .datagrams(UnixAddr::unnamed(), move |_, _, packet: &Packet<'_>| {
            assert!(packet.sender.as_unix().is_some_and(UnixAddr::is_unnamed));
            list.borrow_mut().push((
                packet.bytes.len(),
                packet.truncated,
                packet.bytes.first().copied(),
            ));
        })
        .unwrap();
    let Addr::Unix(addr) = it.local_addr(key).unwrap() else { panic!("a Unix socket") };
    use std::os::linux::net::SocketAddrExt;
    let name = std::os::unix::net::SocketAddr::from_abstract_name(addr.as_abstract_name().unwrap())
        .unwrap();
    let client = UnixDatagram::unbound().unwrap();
    client.connect_addr(&name).unwrap();
    client.send(&vec![b'a'; 65_536]).unwrap();
    client.send(&vec![b'b'; 65_537]).unwrap();
    client.send(b"c").unwrap();
    it.until(|| got.borrow().len() == 3);
    assert_eq!(
        got.take(),
        [(65_536, false, Some(b'a')), (65_536, true, Some(b'b')), (1, false, Some(b'c'))]
    );
}

/// Nobody listens any more for an answer. That is told to the socket at its next call, once, and it goes on.
pub fn a_late_refusal_ends_nothing(backend: Backend) {
    let mut it = Loop::new(backend);
    let got = count();
    let received = Rc::clone(&got);
    let key = it
        .datagrams(([127, 0, 0, 1], 0), move |_, _, packet: &Packet<'_>| {
            add(&received);
            if packet.bytes == b"connect to me" {
                // Only a connected socket is told.
                packet.socket.connect(packet.sender).expect("connected");
            } else if packet.bytes == b"answer me" {
                packet.socket.send(b"nobody is there").expect("sent");
            }
        })
        .unwrap();
    let addr = it.local_addr(key).unwrap().as_internet().unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own = client.local_addr().unwrap();
    client.send_to(b"connect to me", addr).unwrap();
    it.until(|| got.get() == 1);
    client.send_to(b"answer me", addr).unwrap();
    drop(client);
    it.until(|| got.get() == 2);
    it.passes(2);
    // The same port again.
    let client = UdpSocket::bind(own).unwrap();
    client.send_to(b"still there?", addr).unwrap();
    it.until(|| got.get() == 3);
    assert!(it.contains(key));
}

/// A callback may remove its own socket, or have it rest, with more waiting.
pub fn a_socket_that_is_removed_or_rests_brings_no_more(backend: Backend) {
    for remove in [false, true] {
        let mut it = Loop::new(backend);
        let got = count();
        let received = Rc::clone(&got);
        let key = it
            .datagrams(([127, 0, 0, 1], 0), move |reactor, key, _: &Packet<'_>| {
                add(&received);
                assert!(if remove {
                    reactor.remove(key)
                } else {
                    reactor.set_events(key, Events::empty())
                });
            })
            .unwrap();
        let addr = it.local_addr(key).unwrap().as_internet().unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 {
            client.send_to(b"x", addr).unwrap();
        }
        it.until(|| got.get() > 0);
        it.passes(3);
        assert_eq!((got.get(), it.contains(key)), (1, !remove));
        if !remove {
            it.set_events(key, Events::IN);
            it.until(|| got.get() == 2);
        }
    }
}

/// A flood of datagrams: 64 in a pass.
pub fn a_flood_of_datagrams_keeps_nobody_waiting(backend: Backend) {
    let mut it = Loop::new(backend);
    let (got, most, ticks) = (count(), Rc::new(Cell::new(0)), count());
    let received = Rc::clone(&got);
    let key =
        it.datagrams(([127, 0, 0, 1], 0), move |_, _, _: &Packet<'_>| add(&received)).unwrap();
    let addr = it.local_addr(key).unwrap().as_internet().unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..150 {
        client.send_to(b"x", addr).unwrap();
    }
    let tick = Rc::clone(&ticks);
    it.call_later(std::time::Duration::ZERO, move |_| add(&tick));
    while got.get() < 150 {
        let before = got.get();
        it.passes(1);
        most.set(most.get().max(got.get() - before));
    }
    assert_eq!((most.get(), ticks.get()), (64, 1));
}

/// They wait in the queue of errors, which no read empties.
pub fn timestamps_of_answers_do_not_spin(backend: Backend) {
    use readysock::sockopt::{self, TimestampFlags, Timestamping};
    let mut it = Loop::new(backend);
    let (got, stamps) = (count(), TimestampFlags::TX_SOFTWARE | TimestampFlags::SOFTWARE);
    let calls = Rc::clone(&got);
    let datagrams = it.datagrams(([127, 0, 0, 1], 0), move |_, _, packet: &Packet<'_>| {
        if let Err(error) = sockopt::set(packet.socket, Timestamping, stamps) {
            support::skipped(&format!("timestamps of what is sent: {error}"));
        }
        packet.socket.send_to(b"answer", packet.sender).unwrap();
        add(&calls);
    });
    let addr = it.local_addr(datagrams.unwrap()).unwrap().as_internet().unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for round in 1..=2 {
        client.send_to(b"question", addr).unwrap();
        it.until(|| got.get() == round);
        assert_eq!(client.recv(&mut [0; 10]).unwrap(), 6);
        it.passes(3);
        assert!(it.passes_within(Duration::from_millis(10)) <= 3, "it spins");
    }
}

/// What is no error of one packet ends it, and is told. (That its file is another one by now is told to select and poll only.)
pub fn a_socket_that_cannot_receive_any_more_is_given_up(backend: Backend) {
    let mut it = Loop::new(backend);
    let number = Rc::new(Cell::new(None));
    let tell = Rc::clone(&number);
    let datagrams = it.datagrams(([127, 0, 0, 1], 0), move |_, _, packet: &Packet<'_>| {
        tell.set(Some(packet.socket.as_fd().as_raw_fd()));
    });
    let key = datagrams.unwrap();
    let addr = it.local_addr(key).unwrap().as_internet().unwrap();
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", addr).unwrap();
    it.until(|| number.get().is_some());
    let (reader, writer) = pipe();
    nix::unistd::write(&writer, b"no datagram").unwrap();
    let number = number.get().unwrap();
    // SAFETY: the number stays the reactor's, which closes it.
    assert_eq!(unsafe { nix::libc::dup2(reader.as_raw_fd(), number) }, number);
    it.passes(2);
    assert_eq!(it.contains(key), backend == Backend::Epoll);
    let problems = it.problems();
    let told =
        |problem: &Problem| matches!(problem, Problem::Broken { source, .. } if *source == key);
    assert_eq!(problems.iter().filter(|problem| told(problem)).count(), problems.len());
    assert_eq!(problems.len(), usize::from(backend != Backend::Epoll), "{problems:?}");
}
