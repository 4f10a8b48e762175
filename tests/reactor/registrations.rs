//! What the kernel has registered is what is watched: also where a source's descriptor changes, is closed by somebody else, or lives on
//! in a duplicate.

use std::cell::Cell;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use readysock::reactor::{Backend, Lost};
use readysock::{Events, Socket};

use crate::selector::{Leaked, NOT_OPEN, OPEN, Shifty, pair_with_data, watch};
use crate::support::faults;
use crate::support::fds::{numbered, pipe};
use crate::tools::{Loop, Peer, add, count, pattern};

/// Sources that say now this descriptor, now that: none of it is anybody else's loss.
pub fn sources_whose_descriptor_changes_do_no_harm(backend: Backend) {
    let (near, far) = UnixStream::pair().unwrap();
    let (near, far) = (Socket::from(near), Rc::new(Socket::from(far)));
    near.send_all(b"x").unwrap();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let (quiet, _other) = UnixStream::pair().unwrap();
    let numbers =
        [NOT_OPEN, far.as_fd().as_raw_fd(), file.as_raw_fd(), quiet.as_raw_fd(), -100, OPEN];
    for (first, second, liar_first) in numbers
        .iter()
        .flat_map(|first| numbers.iter().map(move |second| (*first, *second)))
        .flat_map(|(first, second)| [false, true].map(|liar_first| (first, second, liar_first)))
    {
        let mut it = Loop::new(backend);
        let number = Rc::new(Cell::new(OPEN));
        let liar = |it: &mut Loop| watch(it, Shifty(Rc::clone(&number), pipe().0), Events::IN).0;
        let before = liar_first.then(|| liar(&mut it));
        let (_, told) = watch(&mut it, Rc::clone(&far), Events::IN);
        let key = before.unwrap_or_else(|| liar(&mut it));
        it.passes(1);
        for (events, number_now) in
            [(Events::IN, first), (Events::PRI, second), (Events::IN, first)]
        {
            number.set(number_now);
            it.passes(1);
            it.set_events(key, events);
            it.passes(2);
        }
        it.remove(key);
        it.passes(1);
        told.take();
        it.passes(2);
        assert_eq!(told.take(), [Events::IN; 2], "{first}, then {second}, {liar_first}");
        it.problems();
    }
}

/// Where a backend makes all registrations anew: one that says another one's number does not have its place.
pub fn a_number_that_two_say_is_whose_it_always_was(backend: Backend) {
    for liar_first in [true, false] {
        let mut it = Loop::new(backend);
        let shifty = |number: &Rc<Cell<RawFd>>| Shifty(Rc::clone(number), pipe().0);
        let (liar, gone) = (Rc::new(Cell::new(OPEN)), Rc::new(Cell::new(OPEN)));
        if liar_first {
            watch(&mut it, shifty(&liar), Events::IN);
        }
        let far = pair_with_data();
        let number = far.as_raw_fd();
        let (_, told) = watch(&mut it, far, Events::IN);
        if !liar_first {
            watch(&mut it, shifty(&liar), Events::IN);
        }
        let (changes, _) = watch(&mut it, shifty(&gone), Events::IN);
        it.passes(1);
        liar.set(number);
        // It cannot be taken out of an instance under the number that it had.
        gone.set(NOT_OPEN);
        assert!(it.remove(changes));
        it.passes(1);
        told.take();
        it.passes(2);
        assert_eq!(told.take(), [Events::IN; 2], "{backend:?}, {liar_first}");
        it.problems();
    }
}

/// It says another one at every look: that ends neither the loop nor the others' turn.
pub fn a_source_that_alternates_does_not_end_the_loop(backend: Backend) {
    struct Alternating(Cell<bool>, OwnedFd);
    impl AsFd for Alternating {
        fn as_fd(&self) -> BorrowedFd<'_> {
            if self.0.replace(!self.0.get()) {
                // SAFETY: as with Shifty.
                return unsafe { BorrowedFd::borrow_raw(NOT_OPEN) };
            }
            self.1.as_fd()
        }
    }
    for first in [false, true] {
        let mut it = Loop::new(backend);
        let (key, _) = watch(&mut it, Alternating(Cell::new(first), pipe().0), Events::IN);
        let (near, far) = UnixStream::pair().unwrap();
        (&near).write_all(b"x").unwrap();
        let (_, told) = watch(&mut it, far, Events::IN);
        it.until(|| told.borrow().len() > 3);
        for events in [Events::OUT, Events::IN, Events::PRI] {
            it.set_events(key, events);
            it.passes(2);
        }
        it.until(|| told.borrow().len() > 12);
    }
}

/// Two sources with one descriptor, one for each direction. epoll has one place for a descriptor and says so.
pub fn two_sources_with_one_descriptor(backend: Backend) {
    let mut it = Loop::new(backend);
    let (near, far) = UnixStream::pair().unwrap();
    let far = Rc::new(far);
    let (_, reader) = watch(&mut it, Rc::clone(&far), Events::IN);
    let second = it.watch(Rc::clone(&far), Events::IN, |_, _, _, _| ());
    if backend == Backend::Epoll {
        assert_eq!(second.expect_err("refused").raw_os_error(), Some(libc::EEXIST));
        return;
    }
    it.remove(second.unwrap());
    let (_, both) = watch(&mut it, Rc::clone(&far), Events::IN | Events::OUT);
    let (_, writer) = watch(&mut it, far, Events::OUT);
    it.passes(2);
    assert_eq!(
        (reader.take(), both.take(), writer.take()),
        (vec![], vec![Events::OUT; 2], vec![Events::OUT; 2])
    );
    (&near).write_all(b"x").unwrap();
    it.passes(1);
    assert_eq!(
        (reader.take(), both.take(), writer.take()),
        (vec![Events::IN], vec![Events::IN | Events::OUT], vec![Events::OUT])
    );
}

/// Nothing is ready: the pass waits.
#[track_caller]
fn assert_waits(it: &mut Loop, why: &str) {
    let (time, start) = (Duration::from_millis(20), Instant::now());
    it.run_once(time).unwrap();
    assert!(start.elapsed() >= time, "{why}: it ended the wait");
}

/// A source is removed, and its file lives on in a duplicate and is ready: the kernel may know it still, and nobody is told.
pub fn what_was_removed_ends_no_wait(backend: Backend) {
    // It says its number to the end; it says another one; somebody else has closed it.
    for how in ["as ever", "another number", "closed"] {
        let mut it = Loop::new(backend);
        let file = pair_with_data();
        let _duplicate = file.try_clone().unwrap();
        let key = if how == "closed" {
            let number = file.into_raw_fd();
            let (key, _) = watch(&mut it, Leaked(number), Events::IN);
            it.passes(1);
            nix::unistd::close(number).unwrap();
            key
        } else {
            let number = Rc::new(Cell::new(OPEN));
            let (key, _) = watch(&mut it, Shifty(Rc::clone(&number), file), Events::IN);
            it.passes(1);
            if how == "another number" {
                number.set(NOT_OPEN);
            }
            key
        };
        assert!(it.remove(key));
        assert_waits(&mut it, how);
        assert_waits(&mut it, how);
    }
}

/// The number that a source had before is free for another one, and for itself. (1 is a pipe here.)
pub fn a_number_that_was_left_can_be_watched_again(backend: Backend) {
    let (quiet, _writer) = pipe();
    for left in [quiet.as_raw_fd(), 1] {
        for itself in [false, true] {
            let mut it = Loop::new(backend);
            let number = Rc::new(Cell::new(left));
            let (key, _) = watch(&mut it, Shifty(Rc::clone(&number), pipe().0), Events::PRI);
            it.passes(1);
            number.set(OPEN);
            if itself {
                it.set_events(key, Events::IN);
                it.passes(1);
                number.set(left);
                it.set_events(key, Events::PRI);
            } else {
                it.remove(key);
                it.passes(1);
                watch(&mut it, Shifty(Rc::new(Cell::new(left)), pipe().0), Events::PRI);
            }
            it.passes(2);
            assert_eq!(it.contains(key), itself, "{left}");
            assert_eq!(it.problems().len(), 0, "{left}, {itself}");
        }
    }
}

/// The number is another file's now, because somebody has put it there: set again, that one is watched.
pub fn another_file_under_the_number(backend: Backend) {
    let mut it = Loop::new(backend);
    let (quiet, _writer) = pipe();
    let number = quiet.as_raw_fd();
    let (key, told) = watch(&mut it, quiet, Events::IN);
    it.passes(1);
    let other = pair_with_data();
    // SAFETY: the number stays the source's, which is what it says and closes.
    assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), number) }, number);
    it.set_events(key, Events::OUT);
    it.passes(1);
    it.set_events(key, Events::IN);
    it.passes(1);
    assert_eq!((told.take(), it.contains(key)), (vec![Events::IN], true));
}

/// The same, and the file before lives on in a duplicate, and is ready: it is not what the source says, and is not reported.
pub fn what_had_the_number_before_is_not_reported(backend: Backend) {
    for rests in [false, true] {
        let mut it = Loop::new(backend);
        let before = pair_with_data();
        let _duplicate = before.try_clone().unwrap();
        let number = before.as_raw_fd();
        let (key, told) = watch(&mut it, before, Events::IN);
        it.passes(1);
        assert_eq!(told.take(), [Events::IN]);
        let (quiet, writer) = pipe();
        // SAFETY: the number stays the source's, which is what it says and closes.
        assert_eq!(unsafe { libc::dup2(quiet.as_raw_fd(), number) }, number);
        // A pass would find what is there under the key of nobody.
        it.set_events(key, if rests { Events::empty() } else { Events::PRI });
        it.passes(usize::from(!rests));
        it.set_events(key, Events::IN);
        it.passes(2);
        assert_eq!(told.take(), [], "{rests}: of the file before");
        assert_waits(&mut it, "the file before");
        nix::unistd::write(&writer, b"x").unwrap();
        it.passes(1);
        assert_eq!((told.take(), it.contains(key)), (vec![Events::IN], true), "{rests}");
    }
}

/// A callback takes its own source out, or has it rest, and watches the descriptor anew: at once, on every backend.
pub fn one_descriptor_changes_hands_in_a_callback(backend: Backend) {
    for removes in [true, false] {
        let mut it = Loop::new(backend);
        let fd = Rc::new(pair_with_data());
        let (first, second) = (count(), count());
        let (again, told, next) = (Rc::clone(&fd), Rc::clone(&first), Rc::clone(&second));
        let key = it
            .watch(Rc::clone(&fd), Events::IN, move |reactor, key, _, _| {
                add(&told);
                if removes {
                    assert!(reactor.remove(key) && !reactor.contains(key));
                } else {
                    assert!(reactor.set_events(key, Events::empty()));
                }
                let next = Rc::clone(&next);
                reactor.watch(Rc::clone(&again), Events::IN, move |_, _, _, _| add(&next)).unwrap();
            })
            .unwrap();
        it.passes(3);
        assert_eq!((first.get(), second.get()), (1, 2), "{removes}");
        assert_eq!(it.contains(key), !removes);
        // What the first one held is let go of: its source is one of two that are left, or gone.
        assert_eq!(Rc::strong_count(&fd), if removes { 2 } else { 4 });
    }
}

/// Two sources over one descriptor, of which one rests: who is to be watched next may be told first.
pub fn one_descriptor_of_two_sources_that_take_turns(backend: Backend) {
    let mut it = Loop::new(backend);
    let fd = Rc::new(pair_with_data());
    let (one, one_told) = watch(&mut it, Rc::clone(&fd), Events::IN);
    let (two, two_told) = watch(&mut it, fd, Events::empty());
    for (watched, told, rests) in [(two, &two_told, one), (one, &one_told, two)] {
        it.passes(1);
        one_told.take();
        two_told.take();
        it.set_events(watched, Events::IN);
        it.set_events(rests, Events::empty());
        it.passes(2);
        assert_eq!(told.take(), [Events::IN; 2]);
        assert!(it.contains(one) && it.contains(two));
    }
    assert!(one_told.borrow().is_empty() && two_told.borrow().is_empty());
}

/// Somebody closed a source's descriptor, and its number is another source's: what becomes of the first is nothing to that one.
pub fn a_number_that_is_another_source_s_by_now(backend: Backend) {
    for removed in [true, false] {
        let mut it = Loop::new(backend);
        let (quiet, _writer) = pipe();
        let (data, number) = (pair_with_data(), quiet.into_raw_fd());
        let (old, _) = watch(&mut it, Leaked(number), Events::IN);
        it.passes(1);
        nix::unistd::close(number).unwrap();
        let new = numbered(data, number);
        assert_eq!(new.as_raw_fd(), number);
        let (_, told) = watch(&mut it, new, Events::IN);
        it.passes(1);
        if removed {
            assert!(it.remove(old));
        } else {
            it.set_events(old, Events::PRI);
        }
        it.passes(1);
        told.take();
        it.passes(2);
        assert_eq!(told.take(), [Events::IN; 2], "removed: {removed}");
        it.problems();
    }
}

/// The lowest number is one as others.
pub fn standard_input_can_be_watched(backend: Backend) {
    // SAFETY: nobody reads the standard input of a case.
    assert_eq!(unsafe { libc::dup2(pair_with_data().as_raw_fd(), 0) }, 0);
    let mut it = Loop::new(backend);
    let (_, told) = watch(&mut it, std::io::stdin(), Events::IN);
    it.passes(1);
    assert_eq!(told.take(), [Events::IN]);
}

/// The kernel refuses to watch a connection for something else, as it does without memory: it is lost, with the error. Only epoll is
/// told of each change; with the others there is nothing to refuse.
pub fn a_connection_that_cannot_be_watched_is_lost(backend: Backend) {
    let mut it = Loop::new(backend);
    let (peer, seen) = Peer::new();
    let (key, _far) = it.connection(peer);
    let script: faults::Script = &[(&[libc::SYS_epoll_ctl], &[libc::ENOMEM])];
    let Some(faults) = faults::inject(script) else { return };
    let mut transport = it.transport(key).unwrap();
    while transport.queued() == 0 {
        transport.write(&pattern(1 << 20));
    }
    if backend != Backend::Epoll {
        it.passes(3);
        assert!(seen.borrow().lost.is_none() && it.contains(key));
        return drop((it, faults));
    }
    it.until(|| seen.borrow().lost.is_some());
    let seen = seen.borrow();
    let Lost::Error(error) = seen.ended() else { panic!("{seen:?}") };
    assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
    assert!(!it.contains(key));
    drop((it, faults));
}

/// The same while it is being made: that is why it fails, and is nobody else's problem.
pub fn a_connect_that_cannot_be_watched_fails(backend: Backend) {
    let mut it = Loop::new(backend);
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    it.passes(1);
    let script: faults::Script = &[(&[libc::SYS_epoll_ctl], &[libc::ENOMEM])];
    let Some(faults) = faults::inject(script) else { return };
    let (peer, seen) = Peer::new();
    let key = it.connect([listener.local_addr().unwrap()], None, peer).unwrap();
    if backend != Backend::Epoll {
        it.until(|| seen.borrow().made == 1);
        return drop((it, faults));
    }
    it.until(|| seen.borrow().failed.is_some());
    let error = seen.borrow_mut().failed.take().expect("it failed");
    assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
    assert!(!it.contains(key) && it.problems().is_empty());
    drop((it, faults));
}
