//! A callback that panics loses its own connection, and nothing else.

use std::cell::Cell;
use std::io::Write;
use std::net::{Shutdown, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use readysock::reactor::{Backend, Dispatcher, Lost, Packet, Problem, Reactor, Transport};
use readysock::{Events, Key};

use crate::tools::{Loop, Peer, Record, add, count, pattern, reset};

fn panic(_: &mut Transport<'_>) {
    panic!("as told")
}

/// What a panic of a connection was told as: with the key of the connection, or without.
#[track_caller]
fn assert_told(problems: &[Problem], source: Option<Key>) {
    let [Problem::Panic { source: told, text }] = problems else { panic!("{problems:?}") };
    assert_eq!((*told, &text[..]), (source, "as told"));
}

/// An echo of one byte by a bystander: the loop goes on, and its memory is whole.
#[track_caller]
fn goes_on(it: &mut Loop) {
    let (peer, seen) = Peer::new();
    let (_, mut far) = it.connection(peer);
    far.write_all(&pattern(100_000)).unwrap();
    it.until(|| seen.borrow().data.len() == 100_000);
    drop(far);
    it.until(|| seen.borrow().lost.is_some());
    assert!(matches!(seen.borrow().ended(), Lost::Closed), "{seen:?}");
}

pub fn a_panic_in_each_callback_of_a_connection(backend: Backend) {
    type Provoke = fn(&mut Loop, Key, &mut std::net::TcpStream);
    type With = fn(Peer) -> Peer;
    let cases: [(&str, With, Provoke); 6] = [
        ("made", |peer| peer.on_made(panic), |_, _, _| ()),
        (
            "data",
            |peer| peer.on_data(|_, _| panic!("as told")),
            |_, _, far| far.write_all(b"x").unwrap(),
        ),
        (
            "read_closed",
            |peer| peer.on_read_closed(panic),
            |_, _, far| {
                far.shutdown(Shutdown::Write).unwrap();
            },
        ),
        (
            "pause_writing",
            |peer| peer.on_pause_writing(panic),
            |it, key, _| {
                it.transport(key).unwrap().write(&pattern(8 << 20));
            },
        ),
        (
            "resume_writing",
            |peer| peer.on_resume_writing(panic),
            |it, key, far| {
                let mut transport = it.transport(key).unwrap();
                transport.write(&pattern(8 << 20));
                let sum = 8 << 20;
                let mut far = far.try_clone().unwrap();
                std::thread::spawn(move || {
                    use std::io::Read;
                    let mut left = sum;
                    let mut buffer = vec![0; 65536];
                    while left > 0 {
                        match far.read(&mut buffer) {
                            Ok(n) if n > 0 => left -= n,
                            _ => return,
                        }
                    }
                });
            },
        ),
        (
            "resume_reading",
            |peer| peer.on_resume_reading(panic),
            |it, key, _| {
                it.transport(key).unwrap().pause_reading();
                it.transport(key).unwrap().resume_reading();
            },
        ),
    ];
    for (name, with, provoke) in cases {
        let mut it = Loop::new(backend);
        let (peer, seen) = Peer::new();
        let (key, mut far) = it.connection(with(peer));
        provoke(&mut it, key, &mut far);
        it.until(|| seen.borrow().lost.is_some());
        let why = format!("{:?}", seen.borrow().ended());
        assert_eq!(why, r#"Panicked("as told")"#, "{name}");
        assert_told(&it.problems(), Some(key));
        assert!(!it.contains(key));
        goes_on(&mut it);
    }
}

pub fn a_panic_when_it_is_lost_or_not_had(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (_, far) = it.connection(peer.on_lost(|_| panic!("as told")));
    reset(far);
    it.until(|| seen.borrow().lost.is_some());
    assert!(matches!(seen.borrow().ended(), Lost::Reset));
    assert_told(&it.problems(), None);

    let (peer, seen) = Peer::new();
    it.connect([crate::connect::nobody()], None, peer.on_failed(|_| panic!("as told"))).unwrap();
    it.until(|| seen.borrow().failed.is_some());
    it.passes(1);
    assert_eq!(seen.borrow().calls, ["failed"]);
    assert_told(&it.problems(), None);
    goes_on(&mut it);
}

/// A protocol whose drop panics, wherever it is let go of.
pub fn a_panic_when_a_protocol_is_let_go_of(backend: Backend) {
    let mut it = Loop::new(backend);
    let bomb = |seen: &Record| Peer::of(seen).on_drop(|()| panic!("as told"));
    let seen = Record::default();
    let (_, far) = it.connection(bomb(&seen));
    drop(far);
    it.until(|| seen.borrow().lost.is_some());
    assert_told(&it.problems(), None);
    let seen = Record::default();
    it.connect([crate::connect::nobody()], None, bomb(&seen)).unwrap();
    it.until(|| seen.borrow().failed.is_some());
    it.passes(1);
    assert_told(&it.problems(), None);
    // A source that is not open any more, with such a callback.
    let (held, _) = Peer::new();
    let held = held.on_drop(|()| panic!("as told"));
    let (near, far) = UnixStream::pair().unwrap();
    drop(near);
    it.watch(far, Events::IN, move |reactor, key, _, _| {
        let _ = &held;
        reactor.remove(key);
    })
    .unwrap();
    it.passes(1);
    assert_told(&it.problems(), None);
    goes_on(&mut it);
}

pub fn a_panic_of_a_factory_a_timer_a_posted_call(backend: Backend) {
    let mut it = Loop::new(backend);
    let calls = count();
    let made = Rc::clone(&calls);
    let (listener, addr) = it.serve(move || {
        add(&made);
        assert!(made.get() > 1, "as told");
        Peer::new().0
    });
    let first = std::net::TcpStream::connect(addr).unwrap();
    it.until(|| calls.get() == 1);
    assert_told(&it.problems(), Some(listener));
    let second = std::net::TcpStream::connect(addr).unwrap();
    it.until(|| calls.get() == 2);
    drop((first, second));

    let later = count();
    it.call_later(Duration::ZERO, |_| panic!("as told"));
    let called = Rc::clone(&later);
    it.call_later(Duration::ZERO, move |_| add(&called));
    it.until(|| later.get() == 1);
    assert_told(&it.problems(), None);

    let handle = it.handle();
    let reached = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reach = std::sync::Arc::clone(&reached);
    handle.post(|_| std::panic::panic_any("as told".to_owned()));
    handle.post(move |_| reach.store(true, std::sync::atomic::Ordering::SeqCst));
    it.until(|| reached.load(std::sync::atomic::Ordering::SeqCst));
    assert_told(&it.problems(), None);
    goes_on(&mut it);
}

/// A source that panics goes on: it is asked again, until it is removed.
pub fn a_panic_of_a_watched_source(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, far) = UnixStream::pair().unwrap();
    let calls = count();
    let called = Rc::clone(&calls);
    let key = it
        .watch(far, Events::IN, move |_, _, _, _| {
            add(&called);
            panic!("as told");
        })
        .unwrap();
    (&near).write_all(b"x").unwrap();
    for number in 1..3 {
        it.until(|| calls.get() == number);
        assert_told(&it.problems(), Some(key));
    }
    assert!(it.remove(key));
    goes_on(&mut it);
}

/// The memory that it was receiving into is there for the next.
pub fn a_panic_over_a_datagram(backend: Backend) {
    let mut it = Loop::new(backend);
    let received = Rc::new(Cell::new(0));
    let sum = Rc::clone(&received);
    let key = it
        .datagrams(([127, 0, 0, 1], 0), move |_, _, packet: &Packet<'_>| {
            assert!(packet.bytes != b"bad", "as told");
            sum.set(sum.get() + packet.bytes.len());
        })
        .unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(it.local_addr(key).unwrap().as_internet().unwrap()).unwrap();
    client.send(b"bad").unwrap();
    client.send(b"good").unwrap();
    it.until(|| received.get() == 4);
    assert_told(&it.problems(), Some(key));
    client.send(b"and good").unwrap();
    it.until(|| received.get() == 12);
    goes_on(&mut it);
}

struct Moody {
    source: UnixStream,
    asks: Rc<Cell<usize>>,
    reads: Rc<Cell<usize>>,
}

impl AsFd for Moody {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl Dispatcher for Moody {
    fn readable(&self) -> bool {
        self.asks.set(self.asks.get() + 1);
        assert!(self.asks.get() != 2, "as told");
        true
    }

    fn writable(&self) -> bool {
        false
    }

    fn handle_read(&mut self, _: &mut Reactor, _: Key) {
        use std::io::Read;
        assert_eq!(self.source.read(&mut [0; 8]).expect("there"), 1);
        self.reads.set(self.reads.get() + 1);
    }
}

pub fn a_panic_of_a_dispatcher_that_is_asked(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, far) = UnixStream::pair().unwrap();
    let (asks, reads) = (count(), count());
    let moody = Moody { source: far, asks: Rc::clone(&asks), reads: Rc::clone(&reads) };
    let key = it.dispatch(moody).unwrap();
    it.passes(2);
    assert_told(&it.problems(), Some(key));
    (&near).write_all(b"x").unwrap();
    it.until(|| reads.get() == 1);
    let asked = asks.get();
    it.passes(2);
    assert!(asks.get() > asked, "it is asked as ever");
    goes_on(&mut it);
}

/// A hook that panics has nobody left to tell, and what a panic throws may panic when it is dropped.
pub fn a_panic_of_the_hook_and_of_what_was_thrown(backend: Backend) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                // Without a text: whoever catches this can only let it go, and a sanitizer would count it.
                std::panic::panic_any(());
            }
        }
    }
    let mut it = Loop::new(backend);
    let told = count();
    let hooked = Rc::clone(&told);
    it.on_problem(move |_| {
        add(&hooked);
        panic!("so do I");
    });
    it.call_later(Duration::ZERO, |_| std::panic::panic_any(Bomb));
    it.until(|| told.get() == 1);
    it.call_later(Duration::ZERO, |_| panic!("once more"));
    it.until(|| told.get() == 2);
    goes_on(&mut it);
}

/// Callbacks that panic in a reactor that is dropped: the others are told all the same.
pub fn panics_while_the_reactor_is_dropped(backend: Backend) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("as told");
        }
    }
    let mut it = Loop::new(backend);
    let (first, first_seen) = Peer::new();
    let (_, _far) = it.connection(first.on_lost(|_| panic!("as told")));
    let (second, second_seen) = Peer::new();
    let (_, _other) = it.connection(second);
    let bomb = Bomb;
    assert!(it.handle().post(move |_| drop(bomb)));
    for bomb in [Bomb, Bomb] {
        it.call_later(Duration::from_secs(3600), move |_| drop(bomb));
    }
    let bomb = Bomb;
    it.on_problem(move |_| {
        let _ = &bomb;
    });
    it.drop_reactor();
    assert!(matches!(first_seen.borrow().ended(), Lost::Dropped));
    assert!(matches!(second_seen.borrow().ended(), Lost::Dropped));
}

/// Callbacks of the end that panic, of protocols whose drop panics, too: each is told for itself, and the process goes on.
pub fn a_panic_at_the_end_and_one_in_the_drop(backend: Backend) {
    let both = |problems: &[Problem]| {
        let [one, two] = problems else { panic!("{problems:?}") };
        for problem in [one, two] {
            assert_told(std::slice::from_ref(problem), None);
        }
    };
    let bomb = |seen: &Record| {
        let peer = Peer::of(seen).on_drop(|()| panic!("as told"));
        peer.on_lost(|_| panic!("as told")).on_failed(|_| panic!("as told"))
    };
    let mut it = Loop::new(backend);
    let seen = Record::default();
    let (_, far) = it.connection(bomb(&seen));
    reset(far);
    it.until(|| seen.borrow().lost.is_some());
    both(&it.problems());
    let seen = Record::default();
    it.connect([crate::connect::nobody()], None, bomb(&seen)).unwrap();
    it.until(|| seen.borrow().failed.is_some());
    it.passes(1);
    both(&it.problems());
    goes_on(&mut it);
    // And in a reactor that is dropped.
    let seen = Record::default();
    let (_, _far) = it.connection(bomb(&seen));
    it.drop_reactor();
    assert!(matches!(seen.borrow().ended(), Lost::Dropped));
    both(&it.problems());
}

/// The reactor goes, and who is told sets a timer: what that holds is let go of with the others, though it panics.
pub fn a_timer_that_is_set_while_the_reactor_is_dropped(backend: Backend) {
    struct Bomb(crate::tools::Count);
    impl Drop for Bomb {
        fn drop(&mut self) {
            add(&self.0);
            panic!("as told");
        }
    }
    let mut it = Loop::new(backend);
    let dropped = count();
    let set = |dropped: &crate::tools::Count| {
        let dropped = Rc::clone(dropped);
        move |reactor: &mut Reactor| {
            let bomb = Bomb(Rc::clone(&dropped));
            reactor.call_later(Duration::ZERO, move |_| drop(bomb));
        }
    };
    let (peer, seen) = Peer::new();
    let (_, _far) = it.connection(peer.on_lost(set(&dropped)));
    let (peer, _) = Peer::new();
    it.connect([crate::connect::nobody()], None, peer.on_failed(set(&dropped))).unwrap();
    it.drop_reactor();
    assert!(matches!(seen.borrow().ended(), Lost::Dropped));
    assert_eq!((dropped.get(), it.problems().len()), (2, 2));
}

/// The reactor goes, and one source's as_fd would panic: it is not asked any more, and those behind it are told.
pub fn a_panic_of_as_fd_while_the_reactor_is_dropped(backend: Backend) {
    let mut it = Loop::new(backend);
    let refuses = Rc::new(Cell::new(false));
    it.watch(
        Refusing(UnixStream::pair().unwrap().1, Rc::clone(&refuses)),
        Events::IN,
        |_, _, _, _| (),
    )
    .unwrap();
    let (peer, seen) = Peer::new();
    let (_, _far) = it.connection(peer);
    refuses.set(true);
    it.drop_reactor();
    assert!(matches!(seen.borrow().ended(), Lost::Dropped));
    let problems = it.problems();
    assert!(problems.is_empty(), "{problems:?}");
}

struct Refusing(UnixStream, Rc<Cell<bool>>);

impl AsFd for Refusing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        assert!(!self.1.get(), "as told");
        self.0.as_fd()
    }
}

/// A source whose as_fd panics ends the run, as any panic would; the reactor itself is whole.
pub fn a_panic_of_as_fd_leaves_the_reactor_whole(backend: Backend) {
    let mut it = Loop::new(backend);
    let refuses = Rc::new(Cell::new(false));
    let (near, far) = UnixStream::pair().unwrap();
    let source = Refusing(far, Rc::clone(&refuses));
    let key = it.watch(source, Events::IN, |reactor, _, _, _| reactor.stop()).unwrap();
    it.passes(1);
    refuses.set(true);
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        it.set_events(key, Events::OUT);
        it.run_once(Duration::ZERO)
    }));
    assert!(asked.is_err());
    refuses.set(false);
    assert!(it.set_events(key, Events::IN));
    (&near).write_all(b"x").unwrap();
    it.run().expect("it runs again");
    goes_on(&mut it);
}
