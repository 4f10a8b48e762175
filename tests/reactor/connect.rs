//! Connecting: to the first address that answers, in time, and told how it went.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::{Duration, Instant};

use readysock::reactor::{Backend, Lost, Transport};
use readysock::{Addr, UnixAddr};

use crate::support::faults;
use crate::support::netns::{Cable, FAR, ip};
use crate::support::sockets::{unix, unix_listener};
use crate::support::waits::LONG;
use crate::tools::{Loop, Peer, add, assert_closed, count};

/// An address on this machine where nobody listens. (The port is held by nobody; but who would take it is not here.)
pub fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub fn a_connect_that_succeeds_is_told_later_and_once(backend: Backend) {
    let mut it = Loop::new(backend);
    let (_, addr) = it.serve(|| |transport: &mut Transport<'_>, data: &[u8]| transport.write(data));
    let (peer, seen) = Peer::new();
    let peer =
        peer.on_made(|transport| transport.write(b"x")).on_data(|transport, _| transport.close());
    let key = it.connect([addr], LONG, peer).unwrap();
    assert!(seen.borrow().calls.is_empty(), "not from within connect");
    assert!(it.transport(key).is_none() && it.contains(key), "it is being made");
    it.until(|| seen.borrow().lost.is_some());
    assert_closed(&seen);
    assert_eq!((seen.borrow().key, seen.borrow().count("failed")), (Some(key), 0));
    it.passes(2);
    assert_eq!(seen.borrow().calls, ["made", "data", "lost"]);
}

pub fn a_connect_outlives_the_time_that_was_given_for_it(backend: Backend) {
    let mut it = Loop::new(backend);
    let time = Duration::from_millis(50);
    // A machine that is very busy may take longer than that to begin.
    for _ in 0..20 {
        // One that came too late waits to be accepted all the same: another round must not meet it.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (peer, seen) = Peer::new();
        it.connect([listener.local_addr().unwrap()], time, peer).unwrap();
        it.until(|| !seen.borrow().calls.is_empty());
        if seen.borrow().made == 1 {
            it.passes_within(time);
            it.passes(2);
            // Nothing is done here that would have it looked at anew.
            listener.accept().unwrap().0.write_all(b"still there").unwrap();
            it.until(|| seen.borrow().data == b"still there");
            assert_eq!(seen.borrow().count("failed"), 0);
            return;
        }
    }
    panic!("not once in twenty within {time:?}");
}

/// Of TCP EAGAIN is no full queue that will have room again: it is what the connect fails by.
pub fn without_a_port_a_connect_fails(backend: Backend) {
    let mut it = Loop::new(backend);
    let script: faults::Script = &[(&[libc::SYS_connect], &[libc::EAGAIN])];
    let Some(faults) = faults::inject(script) else { return };
    let (peer, seen) = Peer::new();
    it.connect([nobody()], None, peer).unwrap();
    it.until(|| seen.borrow().failed.is_some());
    let error = seen.borrow_mut().failed.take().expect("it failed");
    assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
    drop((it, faults));
}

pub fn a_refused_connect_is_told_with_its_error(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let key = it.connect([nobody()], None, peer).unwrap();
    it.until(|| seen.borrow().failed.is_some());
    assert_eq!(seen.borrow().calls, ["failed"]);
    assert_eq!(
        seen.borrow().failed.as_ref().and_then(|error| error.raw_os_error()),
        Some(libc::ECONNREFUSED)
    );
    assert!(!it.contains(key));
    // Nobody there at all, and a socket that fails before it waits.
    let nowhere = Addr::from(UnixAddr::from_abstract_name("readysock: nobody is here").unwrap());
    let (peer, seen) = Peer::new();
    it.connect([nowhere], None, peer).unwrap();
    assert!(seen.borrow().calls.is_empty(), "not from within connect");
    it.until(|| seen.borrow().failed.is_some());
    assert_eq!(
        seen.borrow().failed.as_ref().map(|error| error.kind()),
        Some(ErrorKind::ConnectionRefused)
    );
    let none: [SocketAddr; 0] = [];
    let error = it.connect(none, None, Peer::new().0).expect_err("no address");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(it.passes_within(Duration::from_millis(20)) <= 3);
}

pub fn each_address_is_tried_in_order(backend: Backend) {
    let mut it = Loop::new(backend);
    let (first, second) = (count(), count());
    let counted = Rc::clone(&first);
    let (_, one) = it.serve(move || {
        add(&counted);
        Peer::new().0
    });
    let counted = Rc::clone(&second);
    let (_, two) = it.serve(move || {
        add(&counted);
        Peer::new().0
    });
    let absent = Addr::from(UnixAddr::from_abstract_name("readysock: nobody is here").unwrap());
    for bad in 0..4 {
        let mut addrs: Vec<Addr> = (0..bad).map(|_| nobody().into()).collect();
        addrs.insert(bad / 2, absent.clone());
        addrs.extend([Addr::from(one), Addr::from(two)]);
        let (peer, seen) = Peer::new();
        it.connect(addrs, LONG, peer.on_made(|transport| transport.abort())).unwrap();
        it.until(|| seen.borrow().lost.is_some());
        it.until(|| first.get() == bad + 1);
        assert_eq!((first.get(), second.get()), (bad + 1, 0));
        assert!(matches!(seen.borrow().ended(), Lost::Aborted));
    }
    // None of them: the last one's error.
    let (peer, seen) = Peer::new();
    let missing = Addr::from(UnixAddr::from_pathname("/nonexistent/readysock").unwrap());
    it.connect([nobody().into(), absent, missing], LONG, peer).unwrap();
    it.until(|| seen.borrow().failed.is_some());
    assert_eq!(seen.borrow().failed.as_ref().map(|error| error.kind()), Some(ErrorKind::NotFound));
    assert_eq!(seen.borrow().calls, ["failed"]);
}

/// No route, and an address that nobody answers for: in a network of its own.
pub fn unreachable_and_silent_addresses(backend: Backend) {
    let Some(cable) = Cable::lay() else { return };
    ip("route add unreachable 192.0.2.0/24");
    let unreachable: SocketAddr = "192.0.2.1:9".parse().unwrap();
    let nowhere: SocketAddr = "198.51.100.1:9".parse().unwrap();
    let far = cable.far(|| TcpListener::bind(SocketAddr::from((FAR, 0))).unwrap());
    let there = far.local_addr().unwrap();
    let mut it = Loop::new(backend);
    for (addr, errno) in [(unreachable, libc::EHOSTUNREACH), (nowhere, libc::ENETUNREACH)] {
        let (peer, seen) = Peer::new();
        it.connect([addr], None, peer).unwrap();
        it.until(|| seen.borrow().failed.is_some());
        assert_eq!(
            seen.borrow().failed.as_ref().and_then(|error| error.raw_os_error()),
            Some(errno)
        );
    }
    // Over these to one that answers.
    let (peer, seen) = Peer::new();
    it.connect([unreachable, nowhere, there], LONG, peer).unwrap();
    it.until(|| seen.borrow().made == 1);
    let open = it.transport(seen.borrow().key.unwrap()).is_some();
    assert!(open);
    // A cut cable: TCP's own limit ends a connection that has something to send.
    use readysock::sockopt::{self, tcp::UserTimeout};
    cable.cut();
    let key = seen.borrow().key.unwrap();
    let mut transport = it.transport(key).unwrap();
    sockopt::set(&transport, UserTimeout, Duration::from_millis(50)).unwrap();
    transport.write(b"x");
    it.until(|| seen.borrow().lost.is_some());
    assert!(matches!(seen.borrow().ended(), Lost::TimedOut), "{seen:?}");
    // And a connect gets no answer: the time for all of them together.
    let (peer, seen) = Peer::new();
    let (time, start) = (Duration::from_millis(50), Instant::now());
    it.connect([unreachable, there, there], time, peer).unwrap();
    let passes = it.until(|| seen.borrow().failed.is_some());
    assert!(start.elapsed() >= time && passes <= 5, "{passes} passes");
    let error = seen.borrow_mut().failed.take().unwrap();
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::TimedOut, None));
    // Given up before the answer.
    let (peer, seen) = Peer::new();
    let key = it.connect([there], None, peer).unwrap();
    it.passes(2);
    assert!(it.remove(key));
    assert!(seen.borrow().calls.is_empty(), "not from within remove");
    it.until(|| seen.borrow().failed.is_some());
    assert_eq!(
        seen.borrow().failed.as_ref().map(|error| error.kind()),
        Some(ErrorKind::ConnectionAborted)
    );
    assert!(!it.contains(key) && !it.remove(key));
}

/// A Unix listener whose queue is full answers neither yes nor no, and no descriptor tells when it will.
pub fn a_unix_listener_whose_queue_is_full(backend: Backend) {
    let mut it = Loop::new(backend);
    let (listener, addr) = unix_listener(0);
    let first = unix(readysock::Type::STREAM);
    first.connect(&addr).unwrap();
    let (waits, waits_seen) = Peer::new();
    it.connect([addr.clone()], LONG, waits.on_made(|transport| transport.write(b"in"))).unwrap();
    let (late, late_seen) = Peer::new();
    it.connect([addr], Duration::from_millis(40), late).unwrap();
    let passes = it.until(|| late_seen.borrow().failed.is_some());
    assert!(passes < 60, "{passes} passes: it spins");
    assert_eq!(
        late_seen.borrow().failed.as_ref().map(|error| error.kind()),
        Some(ErrorKind::TimedOut)
    );
    assert!(waits_seen.borrow().calls.is_empty());
    let (_accepted, _) = listener.accept().unwrap();
    it.until(|| waits_seen.borrow().made == 1);
    let (second, _) = listener.accept().unwrap();
    let mut bytes = [0; 2];
    (&second).read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"in");
}

/// A protocol that tries again when it failed, from within the callback that tells it.
pub fn a_failure_may_try_again(backend: Backend) {
    let mut it = Loop::new(backend);
    let (_, addr) = it.serve(|| Peer::new().0);
    let made = Rc::new(Cell::new(false));
    let done = Rc::clone(&made);
    let (peer, _) = Peer::new();
    let peer = peer.on_failed(move |reactor| {
        let done = Rc::clone(&done);
        let again = Peer::new().0.on_made(move |_| done.set(true));
        reactor.connect([addr], None, again).expect("begun");
    });
    it.connect([nobody()], None, peer).unwrap();
    it.until(|| made.get());
}
