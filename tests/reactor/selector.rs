//! The contract of the backends, number by number: it stands at the top of src/reactor/selector.rs.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use readysock::reactor::{Backend, Problem};
use readysock::{Events, Key, Timeout};

use crate::support;
use crate::support::fds::{numbered, pipe};
use crate::support::options::tcp;
use crate::tools::{Count, LONG, Loop, add, count, fill, reset};

/// What a source was told, in order.
pub type Told = Rc<RefCell<Vec<Events>>>;

pub fn watch<S: AsFd + 'static>(it: &mut Loop, source: S, events: Events) -> (Key, Told) {
    let told = Told::default();
    let list = Rc::clone(&told);
    let watched = it.watch(source, events, move |_, _, _, events| list.borrow_mut().push(events));
    (watched.expect("watched"), told)
}

pub fn contract_1_what_is_ready_is_reported_as_long_as_it_is(backend: Backend) {
    let mut it = Loop::new(backend);
    let (mut near, far) = UnixStream::pair().unwrap();
    let mut reader = far.try_clone().unwrap();
    let (key, told) = watch(&mut it, far, Events::IN);
    it.passes(2);
    assert!(told.borrow().is_empty());
    near.write_all(b"x").unwrap();
    it.passes(3);
    assert_eq!(told.take(), [Events::IN; 3]);
    reader.read_exact(&mut [0]).unwrap();
    it.passes(2);
    assert!(told.borrow().is_empty());
    // The events last set.
    assert!(it.set_events(key, Events::OUT));
    near.write_all(b"x").unwrap();
    it.passes(2);
    assert_eq!(told.take(), [Events::OUT; 2]);
    // Others do not so much as end a wait.
    assert!(it.set_events(key, Events::PRI));
    let (time, start) = (Duration::from_millis(10), Instant::now());
    it.run_once(time).unwrap();
    assert!(start.elapsed() >= time, "it ended the wait");
    assert!(it.set_events(key, Events::IN | Events::OUT) && it.set_events(key, Events::IN));
    it.passes(1);
    assert_eq!(told.take(), [Events::IN]);
    // Many changes hold from the next wait on.
    let all: Vec<_> = (0..5).map(|_| watch(&mut it, pair_with_data(), Events::empty())).collect();
    for (key, _) in &all {
        assert!(it.set_events(*key, Events::IN));
    }
    it.passes(1);
    assert!(all.iter().all(|(_, told)| told.take() == [Events::IN]));
    // Urgent data.
    let (near, far) = tcp();
    let (_, told) = watch(&mut it, far, Events::PRI);
    it.passes(1);
    assert!(told.borrow().is_empty());
    assert_eq!(
        nix::sys::socket::send(near.as_raw_fd(), b"!", nix::sys::socket::MsgFlags::MSG_OOB),
        Ok(1)
    );
    it.set_events(key, Events::empty());
    it.until(|| !told.borrow().is_empty());
    assert_eq!(told.take(), [Events::PRI]);
}

/// The reading end of a pipe with something in it. The other end stays open as long as the case.
pub fn pair_with_data() -> OwnedFd {
    let (reader, writer) = pipe();
    nix::unistd::write(&writer, b"x").unwrap();
    std::mem::forget(writer);
    reader
}

pub fn contract_2_what_is_set_to_nothing_is_not_watched(backend: Backend) {
    let mut it = Loop::new(backend);
    let (mut near, far) = UnixStream::pair().unwrap();
    let (hung_up, of_hung_up) = watch(&mut it, far, Events::empty());
    near.write_all(b"x").unwrap();
    drop(near);
    let (near, far) = tcp();
    let (was_reset, of_reset) = watch(&mut it, near, Events::IN);
    it.passes(1);
    it.set_events(was_reset, Events::empty());
    it.passes(1);
    reset(far);
    let (time, start) = (Duration::from_millis(20), Instant::now());
    it.run_once(time).unwrap();
    assert!(start.elapsed() >= time, "it ended the wait");
    assert!(of_hung_up.borrow().is_empty() && of_reset.borrow().is_empty());
    // As if they had been watched all along.
    it.set_events(hung_up, Events::IN);
    it.set_events(was_reset, Events::OUT);
    it.until(|| !of_hung_up.borrow().is_empty() && !of_reset.borrow().is_empty());
    assert!(of_hung_up.borrow()[0].contains(Events::IN));
    assert!(of_reset.borrow()[0].contains(Events::OUT));
}

/// Two sources are ready; the first that is told removes the other one, and has another source get its number, at once: for
/// that one there is nothing.
pub fn contract_3_a_number_that_is_used_again(backend: Backend) {
    const NUMBERS: [RawFd; 2] = [700, 701];
    for duplicate_lives in [false, true] {
        let mut it = Loop::new(backend);
        let (mut near, far) = UnixStream::pair().unwrap();
        let (_silent, other) = UnixStream::pair().unwrap();
        let other = Rc::new(other);
        let (first_told, later_told) = (count(), count());
        let keys: Rc<Cell<[Option<Key>; 2]>> = Rc::default();
        let later: Rc<Cell<Option<Key>>> = Rc::default();
        let mut duplicates = Vec::new();
        for (index, number) in NUMBERS.into_iter().enumerate() {
            let source = numbered(&far, number);
            assert_eq!(source.as_raw_fd(), number);
            if duplicate_lives {
                duplicates.push(source.try_clone().unwrap());
            }
            let (told, later_told, other) =
                (Rc::clone(&first_told), Rc::clone(&later_told), Rc::clone(&other));
            let (all, later) = (Rc::clone(&keys), Rc::clone(&later));
            let key = it.watch(source, Events::IN, move |reactor, key, _, _| {
                add(&told);
                let another = all.get()[1 - index].expect("both are there");
                assert!(reactor.remove(another) && !reactor.contains(another));
                let again = numbered(&*other, NUMBERS[1 - index]);
                assert_eq!(again.as_raw_fd(), NUMBERS[1 - index]);
                let later_told = Rc::clone(&later_told);
                let told_wrongly = move |_: &mut _, _, _: &OwnedFd, _| add(&later_told);
                let new = reactor.watch(again, Events::IN, told_wrongly).expect("watched");
                assert_ne!(new, another);
                assert!(!reactor.contains(another) && !reactor.set_events(another, Events::OUT));
                later.set(Some(new));
                assert!(reactor.set_events(key, Events::empty()));
            });
            let mut both = keys.get();
            both[index] = Some(key.unwrap());
            keys.set(both);
        }
        near.write_all(b"x").unwrap();
        it.until(|| first_told.get() > 0);
        it.passes(3);
        assert_eq!((first_told.get(), later_told.get()), (1, 0));
        // It is watched all the same.
        (&_silent).write_all(b"x").unwrap();
        it.until(|| later_told.get() == 1);
    }
}

pub fn contract_4_one_report_with_all_that_was_found(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, far) = tcp();
    (&near).write_all(b"x").unwrap();
    assert_eq!(
        nix::sys::socket::send(near.as_raw_fd(), b"!", nix::sys::socket::MsgFlags::MSG_OOB),
        Ok(1)
    );
    let all = Events::IN | Events::OUT | Events::PRI;
    let (_, told) = watch(&mut it, far, all);
    it.until(|| told.borrow().last() == Some(&all));
    told.take();
    it.passes(2);
    assert_eq!(told.take(), [all; 2]);
}

pub fn contract_5_a_connection_that_has_ended_is_ready(backend: Backend) {
    fn half(far: TcpStream) -> Option<TcpStream> {
        far.shutdown(std::net::Shutdown::Write).unwrap();
        Some(far)
    }
    fn closed(far: TcpStream) -> Option<TcpStream> {
        drop(far);
        None
    }
    fn was_reset(far: TcpStream) -> Option<TcpStream> {
        reset(far);
        None
    }
    type End = fn(TcpStream) -> Option<TcpStream>;
    for (name, end, read) in [
        ("half", half as End, None),
        ("closed", closed, None),
        ("reset", was_reset, Some(libc::ECONNRESET)),
    ] {
        let mut it = Loop::new(backend);
        let (near, far) = tcp();
        let near = Rc::new(near);
        let (_, told) = watch(&mut it, Rc::clone(&near), Events::IN);
        it.passes(1);
        let _kept = end(far);
        it.until(|| !told.borrow().is_empty());
        assert!(told.borrow()[0].contains(Events::IN), "{name}");
        let answer = (&*near).read(&mut [0]);
        assert_eq!(
            answer.as_ref().err().and_then(|error| error.raw_os_error()),
            read,
            "{name}: {answer:?}"
        );
    }
    // Watched to be written to, and full: the reset is what makes it ready.
    let mut it = Loop::new(backend);
    let (near, far) = tcp();
    fill(&near);
    let near = Rc::new(near);
    let (_, told) = watch(&mut it, Rc::clone(&near), Events::OUT);
    it.passes(2);
    assert!(told.borrow().is_empty(), "there is no room");
    reset(far);
    it.until(|| !told.borrow().is_empty());
    assert!(told.borrow()[0].contains(Events::OUT));
    let error = (&*near).write(b"x").expect_err("there is no peer");
    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
}

/// A source whose descriptor is another one when it is told so: one that is closed, say, with a number that no file has.
pub struct Shifty(pub Rc<Cell<RawFd>>, pub OwnedFd);

impl AsFd for Shifty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        if self.0.get() == OPEN {
            return self.1.as_fd();
        }
        // SAFETY: as unsound as what the case is about: a number that is not open. Nothing but the kernel looks at it.
        unsafe { BorrowedFd::borrow_raw(self.0.get()) }
    }
}

pub const OPEN: RawFd = RawFd::MAX;
/// In the part of the table that every process has, so that select(2) looks at it; no case opens as many.
pub const NOT_OPEN: RawFd = 60;

pub fn contract_6_a_descriptor_that_is_not_open_any_more(backend: Backend) {
    let mut it = Loop::new(backend);
    let (end, _writer) = pipe();
    let number = Rc::new(Cell::new(OPEN));
    let (broken, told) = watch(&mut it, Shifty(Rc::clone(&number), end), Events::IN);
    let (near, far) = UnixStream::pair().unwrap();
    let (ready, of_ready) = watch(&mut it, far, Events::IN);
    it.passes(1);
    (&near).write_all(b"x").unwrap();
    number.set(NOT_OPEN);
    it.passes(2);
    assert_eq!(of_ready.take(), [Events::IN; 2], "the others as ever");
    if backend == Backend::Epoll {
        assert!(told.borrow().is_empty(), "the kernel does not tell");
        assert!(it.set_events(broken, Events::IN | Events::PRI));
        it.passes(2);
        assert_eq!(of_ready.take(), [Events::IN; 2], "the others as ever");
    }
    assert_eq!(told.take(), [Events::NVAL]);
    assert!(!it.contains(broken) && it.contains(ready));
}

/// Whoever has it does not close it: somebody else has.
pub struct Leaked(pub RawFd);

impl AsFd for Leaked {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: as with Shifty.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

/// The same with a close(2) behind its back.
pub fn contract_6_a_descriptor_that_somebody_else_has_closed(backend: Backend) {
    let mut it = Loop::new(backend);
    let (end, _writer) = pipe();
    let number = end.as_raw_fd();
    let (broken, told) = watch(&mut it, Leaked(end.into_raw_fd()), Events::IN);
    it.passes(1);
    nix::unistd::close(number).unwrap();
    it.passes(1);
    if backend == Backend::Epoll {
        assert!(it.set_events(broken, Events::PRI));
        it.passes(1);
    }
    assert_eq!(told.take(), [Events::NVAL]);
    assert!(!it.contains(broken));
    // Not open from the start.
    let (broken, told) = watch(&mut it, Shifty(Rc::new(Cell::new(NOT_OPEN)), pipe().0), Events::IN);
    it.passes(1);
    assert_eq!((told.take(), it.contains(broken)), (vec![Events::NVAL], false));
}

pub fn contract_7_a_wait_is_not_early_and_not_for_ever(backend: Backend) {
    let mut it = Loop::new(backend);
    it.run_once(Duration::ZERO).unwrap();
    it.run_once(Instant::now()).unwrap();
    for time in [Duration::from_nanos(1), Duration::from_micros(300), Duration::from_micros(9500)] {
        let start = Instant::now();
        it.run_once(time).unwrap();
        assert!(start.elapsed() >= time, "{time:?}: early, after {:?}", start.elapsed());
    }
    for time in [Timeout::Never, Timeout::After(Duration::MAX)] {
        let (near, far) = UnixStream::pair().unwrap();
        let (key, told) = watch(&mut it, far, Events::IN);
        let writer = thread::spawn(move || {
            (&near).write_all(b"x").unwrap();
            near
        });
        it.run_once(time).unwrap();
        assert_eq!(told.take(), [Events::IN], "{time:?}");
        writer.join().unwrap();
        it.remove(key);
    }
}

/// Every 2 ms there is one: a wait that began anew each time would not end, one that ended at each would be early.
pub fn contract_7_a_signal_does_not_end_a_wait(backend: Backend) {
    let _timer = support::ticks::every(Duration::from_millis(2));
    let mut it = Loop::new(backend);
    let (time, start) = (Duration::from_millis(30), Instant::now());
    let before = support::ticks::handled();
    it.run_once(time).unwrap();
    assert!(start.elapsed() >= time, "early");
    assert!(support::ticks::handled() > before, "no signal has come");
}

pub fn contract_8_however_many_are_ready_none_is_passed_over(backend: Backend) {
    const SOURCES: usize = 3000;
    if !support::fds::allow(4000) || (backend == Backend::Select && !support::fds::selectable(4000))
    {
        return;
    }
    let mut it = Loop::new(backend);
    let (near, far) = UnixStream::pair().unwrap();
    (&near).write_all(b"x").unwrap();
    let counts: Vec<Count> = (0..SOURCES)
        .map(|_| {
            let counted = count();
            let count = Rc::clone(&counted);
            it.watch(far.try_clone().unwrap(), Events::IN, move |_, _, _, _| add(&count)).unwrap();
            counted
        })
        .collect();
    let passes = it.until(|| counts.iter().all(|count| count.get() > 0));
    assert!(passes <= 4, "{passes} passes");
    it.passes(8);
    assert!(counts.iter().all(|count| count.get() > 2), "nor later");
}

pub fn contract_9_any_number_of_descriptors_and_any_number_of_one(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, far) = UnixStream::pair().unwrap();
    (&near).write_all(b"x").unwrap();
    for number in [1023, 1024, 4999] {
        if !support::fds::allow(number)
            || (backend == Backend::Select && !support::fds::selectable(number))
        {
            return;
        }
        let (key, told) = watch(&mut it, numbered(&far, number), Events::IN);
        it.run_once(LONG).unwrap();
        assert_eq!(told.take(), [Events::IN], "{number}");
        assert!(it.remove(key));
    }
    let file = || std::fs::File::open("/proc/self/exe").unwrap();
    let watched = it.watch(file(), Events::IN, |_, _, _, _| ());
    if backend == Backend::Epoll {
        assert_eq!(watched.expect_err("refused").raw_os_error(), Some(libc::EPERM));
        // Refused later, it is told, and goes.
        let (key, told) = watch(&mut it, file(), Events::empty());
        it.set_events(key, Events::IN);
        it.passes(1);
        let problems = it.problems();
        let [Problem::Broken { source, error }] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!((*source, error.raw_os_error()), (key, Some(libc::EPERM)));
        assert!(!it.contains(key) && told.borrow().is_empty());
    } else {
        let key = watched.expect("always ready");
        let called = it.remove(key);
        assert!(called);
    }
    it.passes(2);
}

/// A negative descriptor is legal in safe code: Rustix has one for the current directory.
pub fn a_negative_descriptor_is_refused(backend: Backend) {
    let mut it = Loop::new(backend);
    let number = Rc::new(Cell::new(-100));
    let watched = it.watch(Shifty(Rc::clone(&number), pipe().0), Events::IN, |_, _, _, _| ());
    assert_eq!(watched.expect_err("refused").raw_os_error(), Some(libc::EBADF));
    number.set(OPEN);
    let (key, told) = watch(&mut it, Shifty(Rc::clone(&number), pipe().0), Events::empty());
    number.set(-100);
    assert!(it.set_events(key, Events::OUT));
    it.passes(2);
    assert!(told.borrow().is_empty() && !it.contains(key));
    assert!(matches!(&it.problems()[..], [Problem::Broken { .. }]));
}
