//! Out of descriptors: a listener rests, tells, spins for nobody, lets one in by its reserve, and recovers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use readysock::reactor::{Backend, Problem};

use crate::support::fds::lower_limit;
use crate::tools::{Loop, Peer, add, count};

/// So that there is room for so many more, whatever numbers were taken before. False, and said, where the limit is not the kernel's.
fn leave(room: usize) -> bool {
    let free: Vec<_> = (0..room).map(|_| fs::File::open("/dev/null").unwrap()).collect();
    let last = free.iter().map(AsRawFd::as_raw_fd).max().unwrap();
    drop(free);
    lower_limit((last + 1).try_into().unwrap())
}

pub fn out_of_descriptors_a_listener_rests_and_recovers(backend: Backend) {
    const CLIENTS: usize = 30;
    let mut it = Loop::new(backend);
    let (made, lost) = (count(), count());
    let (counted, gone) = (Rc::clone(&made), Rc::clone(&lost));
    let (listener, addr) = it.serve(move || {
        add(&counted);
        let gone = Rc::clone(&gone);
        Peer::new().0.on_data(|transport, data| transport.write(data)).on_lost(move |_| add(&gone))
    });
    // They wait in the queue until there is a descriptor for them.
    let mut clients: Vec<TcpStream> =
        (0..CLIENTS).map(|_| TcpStream::connect(addr).unwrap()).collect();
    if !leave(10) {
        return;
    }
    let room = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect::<Vec<_>>().len();
    it.until(|| made.get() > 0);
    // So many as there is room for, one by the reserve, and that is all; it is told, seldom, and little happens.
    let passes = it.passes_within(Duration::from_millis(150));
    assert!(passes < 20, "{passes} passes: it spins");
    assert_eq!(made.get(), room + 1);
    let problems = it.problems();
    assert!((1..=8).contains(&problems.len()), "{} times", problems.len());
    for problem in &problems {
        let Problem::Accept { listener: source, error } = problem else { panic!("{problem}") };
        assert_eq!((*source, error.raw_os_error()), (listener, Some(libc::EMFILE)));
    }
    // Those who are in are served meanwhile.
    clients[0].write_all(b"x").unwrap();
    it.until(|| readable(&clients[0]));
    assert_eq!(clients[0].read(&mut [0; 2]).unwrap(), 1);
    // Some go, and others come in by themselves.
    for _ in 0..3 {
        let before = lost.get();
        clients.drain(..5);
        it.until(|| lost.get() == before + 5);
    }
    it.until(|| made.get() == CLIENTS);
    it.problems();
    // Now there is room: nothing is told any more.
    let client = TcpStream::connect(addr).unwrap();
    it.until(|| made.get() == CLIENTS + 1);
    drop(client);
    it.until(|| lost.get() == 16);
    assert!(it.problems().is_empty());
}

/// The last descriptor went to a client, and nobody else waits: the spare one stays for the next.
pub fn the_spare_descriptor_is_not_given_away_for_nobody(backend: Backend) {
    let mut it = Loop::new(backend);
    let made = count();
    let counted = Rc::clone(&made);
    let (_, addr) = it.serve(move || {
        add(&counted);
        Peer::new().0
    });
    let clients = [TcpStream::connect(addr).unwrap()];
    if !leave(1) {
        return;
    }
    // Whatever numbers are free below, but one.
    let mut fillers: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    fillers.pop();
    it.until(|| made.get() == 1);
    it.passes(2);
    let more = fs::File::open("/dev/null");
    assert_eq!(more.expect_err("there is none").raw_os_error(), Some(libc::EMFILE));
    let problems = it.problems();
    assert!(problems.is_empty(), "{problems:?}: nobody waits");
    drop((clients, fillers));
}

/// What would never have a connection to take, and be ready all the same.
pub fn what_does_not_listen_is_refused(backend: Backend) {
    let mut it = Loop::new(backend);
    let udp = crate::support::sockets::udp();
    let tcp = readysock::Socket::new(readysock::Domain::INET, readysock::Type::STREAM, None);
    for socket in [udp, tcp.unwrap()] {
        let refused = it.listen_on(socket, |_| Peer::new().0);
        assert_eq!(refused.expect_err("refused").kind(), std::io::ErrorKind::InvalidInput);
    }
    // One of messages that listens: its connections would be no streams.
    let (packets, name) = (readysock::Type::SEQPACKET, readysock::UnixAddr::unnamed());
    let packets = readysock::Socket::new(readysock::Domain::UNIX, packets, None).unwrap();
    packets.bind(name).unwrap();
    packets.listen(1).unwrap();
    let refused = it.listen_on(packets, |_| Peer::new().0);
    crate::support::options::assert_refused(refused, "listen on one of Type::STREAM");
    let pipe = readysock::Socket::from(crate::support::fds::pipe().0);
    let refused = it.listen_on(pipe, |_| Peer::new().0);
    assert_eq!(refused.expect_err("refused").raw_os_error(), Some(libc::ENOTSOCK));
}

fn readable(stream: &TcpStream) -> bool {
    let mut slots = [readysock::PollFd::of(stream, readysock::Events::IN)];
    readysock::poll(&mut slots, Duration::ZERO).unwrap() == 1
}

/// A connect that has no descriptor fails, and is told.
pub fn out_of_descriptors_a_connect_fails(backend: Backend) {
    let mut it = Loop::new(backend);
    let (_, addr) = it.serve(|| Peer::new().0);
    if !leave(3) {
        return;
    }
    // Whatever numbers are free below.
    let mut fillers = Vec::new();
    while let Ok(file) = fs::File::open("/dev/null") {
        fillers.push(file);
    }
    let (peer, seen) = Peer::new();
    it.connect([addr], None, peer.on_made(|transport| transport.abort())).unwrap();
    it.until(|| seen.borrow().failed.is_some());
    assert_eq!(
        seen.borrow().failed.as_ref().and_then(|error| error.raw_os_error()),
        Some(libc::EMFILE)
    );
    assert!(it.listen(([127, 0, 0, 1], 0), |_| Peer::new().0).is_err());
    fillers.clear();
}

/// A listener that rests may be removed, and the end of its rest finds nobody.
pub fn a_resting_listener_may_be_removed(backend: Backend) {
    let mut it = Loop::new(backend);
    let made = count();
    let counted = Rc::clone(&made);
    let (listener, addr) = it.serve(move || {
        add(&counted);
        Peer::new().0
    });
    let clients: Vec<_> = (0..4).map(|_| TcpStream::connect(addr).unwrap()).collect();
    if !leave(2) {
        return;
    }
    let fillers: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    it.until(|| made.get() == 1);
    it.passes(2);
    assert!(!it.problems().is_empty());
    assert!(it.remove(listener));
    drop(fillers);
    it.passes_within(Duration::from_millis(30));
    assert_eq!(made.get(), 1);
    drop(clients);
}
