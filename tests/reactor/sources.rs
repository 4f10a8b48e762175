//! Sources that are no connections: whatever can be polled, and asyncore's dispatchers.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};
use readysock::reactor::{Backend, Dispatcher, Reactor};
use readysock::{Events, Key};

use crate::support::fds::pipe;
use crate::tools::{Loop, Peer, add, count};

pub fn pipes_and_eventfds(backend: Backend) {
    let mut it = Loop::new(backend);
    let (reader, writer) = pipe();
    let read: Rc<RefCell<Vec<u8>>> = Rc::default();
    let (list, ended) = (Rc::clone(&read), count());
    let end = Rc::clone(&ended);
    it.watch(reader, Events::IN, move |reactor, key, fd: &OwnedFd, _| {
        let mut buffer = [0; 16];
        match nix::unistd::read(fd, &mut buffer).expect("ready") {
            0 => {
                assert!(reactor.remove(key) && !reactor.remove(key) && !reactor.contains(key));
                assert!(!reactor.set_events(key, Events::IN));
                add(&end);
            }
            n => list.borrow_mut().extend_from_slice(&buffer[..n]),
        }
    })
    .unwrap();
    nix::unistd::write(&writer, b"through a pipe").unwrap();
    it.until(|| read.borrow().len() == 14);
    drop(writer);
    it.until(|| ended.get() == 1);
    it.passes(2);
    // The writing end of a pipe whose reader has gone.
    let (reader, writer) = pipe();
    drop(reader);
    let told = Rc::new(Cell::new(Events::empty()));
    let tell = Rc::clone(&told);
    it.watch(writer, Events::OUT, move |reactor, key, _, events| {
        tell.set(events);
        reactor.remove(key);
    })
    .unwrap();
    it.until(|| !told.get().is_empty());
    assert!(told.get().is_writable());
    // An eventfd, which another thread counts up.
    let eventfd = Rc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
    let sum = Rc::new(Cell::new(0));
    let total = Rc::clone(&sum);
    it.watch(Rc::clone(&eventfd), Events::IN, move |_, _, fd, _| {
        total.set(total.get() + fd.read().expect("ready"))
    })
    .unwrap();
    for number in 1..=3 {
        eventfd.write(number).unwrap();
        it.passes(usize::from(number == 2));
    }
    it.until(|| sum.get() == 6);
}

/// A source may take itself out, be taken out by another one, and take in others, from within its callback.
pub fn sources_come_and_go_from_within_callbacks(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, far) = UnixStream::pair().unwrap();
    (&near).write_all(b"x").unwrap();
    let rounds = count();
    fn next(reactor: &mut Reactor, far: UnixStream, rounds: crate::tools::Count) {
        let again = far.try_clone().unwrap();
        let mut again = Some(again);
        reactor
            .watch(far, Events::IN, move |reactor, key, _, _| {
                add(&rounds);
                assert!(reactor.remove(key));
                next(reactor, again.take().expect("once"), Rc::clone(&rounds));
            })
            .unwrap();
    }
    next(&mut it, far, Rc::clone(&rounds));
    it.until(|| rounds.get() == 20);
    let before = rounds.get();
    it.passes(5);
    assert_eq!(rounds.get(), before + 5, "what is new has its turn in the next pass");
}

/// Two sources are ready; whichever is first says that the other one is wanted for something else.
pub fn a_source_that_was_set_to_something_else_is_not_told_of_before(backend: Backend) {
    for to in [Events::empty(), Events::PRI] {
        let mut it = Loop::new(backend);
        let keys: Rc<Cell<[Option<Key>; 2]>> = Rc::default();
        let told = count();
        let (near, far) = UnixStream::pair().unwrap();
        (&near).write_all(b"x").unwrap();
        for index in 0..2 {
            let (all, told) = (Rc::clone(&keys), Rc::clone(&told));
            let key = it.watch(far.try_clone().unwrap(), Events::IN, move |reactor, key, _, _| {
                add(&told);
                for key in all.get().into_iter().flatten().filter(|other| *other != key) {
                    assert!(reactor.set_events(key, to));
                }
                reactor.set_events(key, to);
            });
            let mut both = keys.get();
            both[index] = Some(key.unwrap());
            keys.set(both);
        }
        it.passes(3);
        assert_eq!(told.get(), 1, "{to:?}");
    }
}

/// asyncore's predicates: asked before each wait; what they say hangs on anything.
struct Both {
    stream: UnixStream,
    reads: bool,
    writes: Rc<Cell<bool>>,
    told: Rc<RefCell<Vec<&'static str>>>,
    takes: bool,
}

impl AsFd for Both {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Dispatcher for Both {
    fn readable(&self) -> bool {
        self.reads
    }

    fn writable(&self) -> bool {
        self.writes.get()
    }

    fn handle_read(&mut self, reactor: &mut Reactor, key: Key) {
        self.told.borrow_mut().push("read");
        if self.takes && self.stream.read(&mut [0; 64]).expect("ready") == 0 {
            reactor.remove(key);
        }
    }

    fn handle_write(&mut self, _: &mut Reactor, _: Key) {
        self.told.borrow_mut().push("write");
        self.writes.set(false);
    }
}

pub fn a_dispatcher_is_asked_before_each_wait(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, far) = UnixStream::pair().unwrap();
    let (told, writes) = (Rc::default(), Rc::new(Cell::new(false)));
    let both = Both {
        stream: far,
        reads: true,
        writes: Rc::clone(&writes),
        told: Rc::clone(&told),
        takes: true,
    };
    let key = it.dispatch(both).unwrap();
    it.passes(2);
    assert!(told.borrow().is_empty());
    writes.set(true);
    it.passes(3);
    assert_eq!(told.take(), ["write"]);
    (&near).write_all(b"x").unwrap();
    writes.set(true);
    it.passes(2);
    assert_eq!(told.take(), ["read", "write"]);
    // The end counts as something to read.
    drop(near);
    it.until(|| !told.borrow().is_empty());
    it.passes(2);
    assert_eq!((told.take(), it.contains(key)), (vec!["read"], false));
}

/// A dispatcher that wants nothing is left alone, also by a peer that hangs up.
pub fn a_dispatcher_that_wants_nothing_does_not_spin(backend: Backend) {
    for (reads, writes) in [(false, false), (true, false), (false, true)] {
        let mut it = Loop::new(backend);
        let (near, far) = UnixStream::pair().unwrap();
        let told: Rc<RefCell<Vec<&str>>> = Rc::default();
        let wanted = Rc::new(Cell::new(false));
        let both = Both {
            stream: far,
            reads: false,
            writes: Rc::clone(&wanted),
            told: Rc::clone(&told),
            takes: false,
        };
        it.dispatch(Both { reads, ..both }).unwrap();
        it.passes(1);
        drop(near);
        wanted.set(writes);
        if reads || writes {
            it.until(|| !told.borrow().is_empty());
        }
        if !reads {
            let passes = it.passes_within(Duration::from_millis(20));
            assert!(passes <= 4, "reads {reads}, writes {writes}: {passes} passes");
        }
        assert!(reads || writes || told.borrow().is_empty());
    }
    // A pipe's reading end that is asked for writing: the hang-up is told to that.
    let mut it = Loop::new(backend);
    struct Reader(OwnedFd, crate::tools::Count);
    impl AsFd for Reader {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
    impl Dispatcher for Reader {
        fn handle_read(&mut self, reactor: &mut Reactor, key: Key) {
            add(&self.1);
            reactor.remove(key);
        }
        fn handle_write(&mut self, _: &mut Reactor, _: Key) {
            add(&self.1);
        }
    }
    let (reader, writer) = pipe();
    drop(writer);
    let told = count();
    it.dispatch(Reader(reader, Rc::clone(&told))).unwrap();
    it.until(|| told.get() > 0);
    it.passes(2);
    assert_eq!(told.get(), 1, "removed by the first, it is not told of the second");
}

/// What is told unasked may be asked for, and is told all the same: by what knows of it.
pub fn what_is_told_unasked_may_be_asked_for(backend: Backend) {
    struct Gone;
    impl AsFd for Gone {
        fn as_fd(&self) -> BorrowedFd<'_> {
            // SAFETY: not open, which is what is to be told; only the kernel looks at it.
            unsafe { BorrowedFd::borrow_raw(60) }
        }
    }
    fn told(backend: Backend, source: impl AsFd + 'static, asked: Events) -> Events {
        let mut it = Loop::new(backend);
        let told = Rc::new(Cell::new(Events::empty()));
        let tell = Rc::clone(&told);
        it.watch(source, asked, move |reactor, key, _, events| {
            tell.set(events);
            reactor.remove(key);
        })
        .unwrap();
        it.passes(2);
        told.get()
    }
    let (reader, writer) = pipe();
    drop(reader);
    let knows = backend != Backend::Select;
    assert_eq!(told(backend, writer, Events::ERR).contains(Events::ERR), knows);
    let (reader, writer) = pipe();
    drop(writer);
    assert_eq!(told(backend, reader, Events::HUP).contains(Events::HUP), knows);
    assert!(told(backend, Gone, Events::IN | Events::NVAL).contains(Events::NVAL));
}

/// Urgent data, and a descriptor that is gone.
pub fn a_dispatcher_is_told_of_urgent_data_and_of_its_end(backend: Backend) {
    struct Urgent(std::net::TcpStream, Rc<RefCell<Vec<&'static str>>>, Rc<Cell<bool>>);
    impl AsFd for Urgent {
        fn as_fd(&self) -> BorrowedFd<'_> {
            if self.2.get() {
                // SAFETY: not open, which is what the case is about; only the kernel looks at it.
                return unsafe { BorrowedFd::borrow_raw(60) };
            }
            self.0.as_fd()
        }
    }
    impl Dispatcher for Urgent {
        fn writable(&self) -> bool {
            false
        }
        fn handle_read(&mut self, _: &mut Reactor, _: Key) {
            self.1.borrow_mut().push("read");
        }
        fn handle_except(&mut self, _: &mut Reactor, _: Key) {
            self.1.borrow_mut().push("except");
        }
        fn handle_close(&mut self, reactor: &mut Reactor, key: Key) {
            assert!(!reactor.contains(key));
            self.1.borrow_mut().push("close");
        }
        fn readable(&self) -> bool {
            !self.2.get()
        }
    }
    let mut it = Loop::new(backend);
    let (near, far) = crate::support::options::tcp();
    let (told, closed) = (Rc::default(), Rc::new(Cell::new(false)));
    it.dispatch(Urgent(far, Rc::clone(&told), Rc::clone(&closed))).unwrap();
    it.passes(1);
    use std::os::fd::AsRawFd;
    nix::sys::socket::send(near.as_raw_fd(), b"!", nix::sys::socket::MsgFlags::MSG_OOB).unwrap();
    it.until(|| told.borrow().contains(&"except"));
    told.take();
    if backend == Backend::Epoll {
        return; // It is not told of a descriptor that changes while it is watched.
    }
    let (near, far) = crate::support::options::tcp();
    let closed = Rc::new(Cell::new(false));
    struct Reading(Urgent);
    impl AsFd for Reading {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
    impl Dispatcher for Reading {
        fn writable(&self) -> bool {
            false
        }
        fn handle_close(&mut self, reactor: &mut Reactor, key: Key) {
            self.0.handle_close(reactor, key);
        }
    }
    let told: Rc<RefCell<Vec<&str>>> = Rc::default();
    let key = it.dispatch(Reading(Urgent(far, Rc::clone(&told), Rc::clone(&closed)))).unwrap();
    it.passes(1);
    closed.set(true);
    it.passes(2);
    assert_eq!((told.take(), it.contains(key)), (vec!["close"], false));
    drop(near);
}

/// One urgent byte, and nobody who handles such: it is reported once, and ends no wait after that. What is read comes as ever.
pub fn a_dispatcher_that_handles_no_urgent_data_does_not_spin(backend: Backend) {
    struct Plain(std::net::TcpStream, bool, Rc<RefCell<Vec<u8>>>);
    impl AsFd for Plain {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
    impl Dispatcher for Plain {
        fn readable(&self) -> bool {
            self.1
        }
        fn writable(&self) -> bool {
            !self.1
        }
        fn handle_read(&mut self, _: &mut Reactor, _: Key) {
            let mut buffer = [0; 64];
            let n = self.0.read(&mut buffer).expect("ready");
            self.2.borrow_mut().extend_from_slice(&buffer[..n]);
        }
    }
    use nix::sys::socket::{MsgFlags, send};
    use std::os::fd::AsRawFd;
    for reads in [true, false] {
        let mut it = Loop::new(backend);
        let (mut near, far) = crate::support::options::tcp();
        // Where it wants to write, there is no room.
        let _ = crate::tools::fill(&far);
        let (there, read) = (far.try_clone().unwrap(), Rc::default());
        it.dispatch(Plain(far, reads, Rc::clone(&read))).unwrap();
        send(near.as_raw_fd(), b"!", MsgFlags::MSG_OOB).unwrap();
        crate::support::sockets::wait(&there.into(), Events::PRI);
        it.passes(1);
        let passes = it.passes_within(Duration::from_millis(20));
        assert!(passes <= 3, "reads {reads}: {passes} passes: it spins");
        if reads {
            near.write_all(b"after it").unwrap();
            it.until(|| read.borrow().len() == 8);
            send(near.as_raw_fd(), b"!", MsgFlags::MSG_OOB).unwrap();
            near.write_all(b", and more").unwrap();
            it.until(|| read.borrow().len() == 18);
            assert_eq!(&read.borrow()[..], b"after it, and more");
        }
    }
}

/// What a watched source holds is let go of when it is removed, and when the reactor goes.
pub fn what_a_source_holds_is_let_go_of(backend: Backend) {
    let mut it = Loop::new(backend);
    let dropped = count();
    for how in 0..3 {
        let (near, far) = UnixStream::pair().unwrap();
        (&near).write_all(b"x").unwrap();
        let counted = Rc::clone(&dropped);
        let (held, _) = Peer::new();
        let held = held.on_drop(move |()| add(&counted));
        let key = it
            .watch(far, Events::IN, move |reactor, key, _, _| {
                let _ = &held;
                if how == 1 {
                    reactor.remove(key);
                }
            })
            .unwrap();
        it.passes(1);
        if how == 0 {
            assert!(it.remove(key));
        }
        assert_eq!(dropped.get(), if how == 2 { 2 } else { how + 1 });
    }
    it.drop_reactor();
    assert_eq!(dropped.get(), 3);
}
