//! Epoll where the kernel and we may come to know different things: registrations that outlive their source, sources whose
//! descriptor changes, and the new instance that mends it.

mod support;

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use readysock::epoll::{Epoll, EpollFlags};
use readysock::{Key, libc};
use support::epoll::{NOW, Shifty, pair, read, take, write};
use support::isolated::{self, Case};
use support::sockets::LONG;

// Each in a process of its own, which ends where a wait does not.
fn main() {
    const CASES: &[Case] = &[
        ("one_shot_is_one_after_a_new_instance", one_shot_is_one_after_a_new_instance),
        (
            "a_registration_that_outlives_its_source_is_ended",
            a_registration_that_outlives_its_source_is_ended,
        ),
        (
            "an_event_of_nobody_is_not_reported_and_ends",
            an_event_of_nobody_is_not_reported_and_ends,
        ),
        ("a_source_that_lies_is_nobody_else_s_loss", a_source_that_lies_is_nobody_else_s_loss),
        ("a_new_instance_is_close_on_exec_too", a_new_instance_is_close_on_exec_too),
        ("the_old_instance_goes_before_the_new_one_is_filled", the_old_instance_goes_first),
        ("a_panic_while_a_new_instance_is_filled_is_mended", a_panic_while_it_is_filled),
        ("what_is_left_of_a_removed_source_is_in_nobody_s_way", what_is_left_is_in_nobody_s_way),
    ];
    isolated::main(CASES)
}

/// A new instance was needed: that one-shot has had its shot is not forgotten.
fn one_shot_is_one_after_a_new_instance() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    let flags = EpollFlags::IN | EpollFlags::ONESHOT;
    let key = epoll.insert(far, flags).unwrap();
    let (unspent_near, unspent) = pair();
    let unspent = epoll.insert(unspent, flags).unwrap();
    write(&near);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    let _lives = renew(&mut epoll);
    assert_eq!(take(&mut epoll, NOW), []);
    write(&unspent_near);
    assert_eq!(take(&mut epoll, LONG), [(unspent, EpollFlags::IN)]);
    assert!(epoll.set_flags(key, flags).unwrap());
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    // Set again before the new instance, with its event not taken yet.
    assert!(epoll.set_flags(key, flags).unwrap());
    assert_eq!(epoll.wait(LONG).unwrap(), 1);
    assert!(epoll.set_flags(key, flags).unwrap());
    assert_eq!(read(epoll.get(key).unwrap()), 1);
    assert_eq!(epoll.next_ready().map(|event| event.key()), Some(key));
    let _lives = renew(&mut epoll);
    write(&near);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    // Spent, and taken out: nothing of it is left.
    let _lives = renew(&mut epoll);
    let far = epoll.remove(key).unwrap();
    assert_eq!(read(&far), 1);
    assert_eq!(take(&mut epoll, NOW), []);
}

/// Leaves a registration behind that outlives its source: as long as the duplicate lives that comes back.
fn renew(epoll: &mut Epoll<UnixStream>) -> UnixStream {
    let before = epoll.as_fd().as_raw_fd();
    let (near, far) = pair();
    let duplicate = far.try_clone().unwrap();
    let key = epoll.insert(far, EpollFlags::IN).unwrap();
    write(&near);
    // Removed, closed, and deleted from the instance; so the registration of the duplicate is made by hand.
    drop(epoll.remove(key));
    let mut event = libc::epoll_event { events: EpollFlags::IN.bits(), u64: 0xFFFF_FFF0 };
    let (instance, fd) = (epoll.as_fd().as_raw_fd(), duplicate.as_raw_fd());
    // SAFETY: the kernel reads one epoll_event.
    let added = unsafe { libc::epoll_ctl(instance, libc::EPOLL_CTL_ADD, fd, &raw mut event) };
    assert_eq!(added, 0, "{}", io::Error::last_os_error());
    let left = epoll.wait(NOW).unwrap();
    if left == 0 {
        assert_ne!(epoll.as_fd().as_raw_fd(), before, "a new instance");
    }
    duplicate
}

/// The kernel watches the open file: a duplicate keeps it open, and its events would come for ever.
fn a_registration_that_outlives_its_source_is_ended() {
    let mut epoll: Epoll<Shifty> = Epoll::new().unwrap();
    let (near, far) = pair();
    let (other_near, other) = pair();
    let (quiet_near, quiet) = pair();
    let quiet = epoll.insert(Shifty::new(quiet), EpollFlags::IN).unwrap();
    let source = Shifty::new(far);
    let (number, duplicate) = (Rc::clone(&source.number), source.stream.try_clone().unwrap());
    let key = epoll.insert(source, EpollFlags::IN).unwrap();
    // It says another descriptor by now, so that the kernel cannot be asked to forget the first.
    number.set(Some(other.as_raw_fd()));
    drop(epoll.remove(key).unwrap());
    write(&near);
    write(&other_near);
    assert_eq!(take(&mut epoll, NOW), []);
    let (time, start) = (Duration::from_millis(20), Instant::now());
    assert_eq!(take(&mut epoll, time), []);
    assert!(start.elapsed() >= time, "it ended the wait");
    assert_eq!(read(&duplicate), 1);
    write(&quiet_near);
    assert_eq!(take(&mut epoll, LONG), [(quiet, EpollFlags::IN)]);
}

/// The same, found out by its event.
fn an_event_of_nobody_is_not_reported_and_ends() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    write(&near);
    let key = epoll.insert(far, EpollFlags::IN).unwrap();
    let _lives = renew(&mut epoll);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    assert_eq!(read(epoll.get(key).unwrap()), 1);
    let (time, start) = (Duration::from_millis(20), Instant::now());
    assert_eq!(take(&mut epoll, time), []);
    assert!(start.elapsed() >= time, "it ended the wait");
}

fn a_source_that_lies_is_nobody_else_s_loss() {
    let mut epoll = Epoll::new().unwrap();
    let ((near, far), (other_near, other)) = (pair(), pair());
    let source = Shifty::new(far);
    let (number, victim) = (Rc::clone(&source.number), Shifty::new(other));
    let key = epoll.insert(source, EpollFlags::IN).unwrap();
    let victims_number = victim.stream.as_raw_fd();
    let victim = epoll.insert(victim, EpollFlags::IN).unwrap();
    write(&other_near);
    // It says the other's: that one's registration stays that one's.
    for says in [victims_number, 1_000_000, -100] {
        number.set(Some(says));
        let error = epoll.set_flags(key, EpollFlags::OUT).expect_err("not its own");
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{says}");
        assert_eq!(take(&mut epoll, LONG), [(victim, EpollFlags::IN)]);
        number.set(None);
        assert!(epoll.set_flags(key, EpollFlags::IN).unwrap());
    }
    // The file lives on, and so does its registration: until it has an event.
    let duplicate = epoll.get(key).unwrap().stream.try_clone().unwrap();
    number.set(Some(victims_number));
    drop(epoll.remove(key).unwrap());
    assert_eq!(take(&mut epoll, LONG), [(victim, EpollFlags::IN)]);
    write(&near);
    assert_eq!(take(&mut epoll, LONG), [(victim, EpollFlags::IN)]);
    assert_eq!(take(&mut epoll, LONG), [(victim, EpollFlags::IN)]);
    drop(duplicate);
    // It says so when a new instance is made: then it cannot be watched, and is told.
    let ((_near, far), source) = (pair(), Shifty::new(pair().1));
    let second = Rc::clone(&source.number);
    let key = epoll.insert(source, EpollFlags::IN).unwrap();
    second.set(Some(victims_number));
    let liar = Shifty::new(far);
    let third = Rc::clone(&liar.number);
    let removed = epoll.insert(liar, EpollFlags::IN).unwrap();
    third.set(Some(1_000_000));
    drop(epoll.remove(removed).unwrap());
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::ERR)]);
    second.set(None);
    assert!(epoll.set_flags(key, EpollFlags::OUT).unwrap(), "its own again: it is watched again");
    assert!(epoll.remove(key).is_some());
    assert_eq!(take(&mut epoll, LONG), [(victim, EpollFlags::IN)]);
}

fn a_new_instance_is_close_on_exec_too() {
    let mut epoll = Epoll::new().unwrap();
    let _lives = renew(&mut epoll);
    let flags = nix::fcntl::fcntl(&epoll, nix::fcntl::FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags, libc::FD_CLOEXEC);
}

/// Calls whenever it is asked for its descriptor.
struct Telling {
    source: Shifty,
    tell: Rc<dyn Fn()>,
}

impl Telling {
    fn insert(epoll: &mut Epoll<Telling>, stream: UnixStream, tell: impl Fn() + 'static) -> Key {
        let source = Telling { source: Shifty::new(stream), tell: Rc::new(tell) };
        epoll.insert(source, EpollFlags::IN).unwrap()
    }

    /// Takes out a source whose registration stays: the next wait makes a new instance.
    fn leave_behind(epoll: &mut Epoll<Telling>) {
        let key = Telling::insert(epoll, pair().1, || ());
        epoll.get(key).unwrap().source.number.set(Some(1_000_000));
        assert!(epoll.remove(key).is_some());
    }
}

impl AsFd for Telling {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (self.tell)();
        self.source.as_fd()
    }
}

/// The user's limit to what is watched (fs.epoll.max_user_watches) counts what both have.
fn the_old_instance_goes_first() {
    let (near, far) = pair();
    let open = Rc::new(Cell::new(true));
    let mut epoll = Epoll::new().unwrap();
    let (instance, last) = (epoll.as_fd().as_raw_fd(), Rc::clone(&open));
    // SAFETY: the call looks at a number.
    let is_open = move || last.set(unsafe { libc::fcntl(instance, libc::F_GETFD) } != -1);
    let key = Telling::insert(&mut epoll, far, is_open);
    Telling::leave_behind(&mut epoll);
    assert!(open.get());
    write(&near);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    assert!(!open.get(), "when the source was asked last, to be registered");
}

fn a_panic_while_it_is_filled() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    let calm = Telling::insert(&mut epoll, far, || ());
    let (nervous_near, far) = pair();
    // From now on how many calls it bears: two for each new instance.
    let bears = Rc::new(Cell::new(u32::MAX));
    let left = Rc::clone(&bears);
    let nervous = Telling::insert(&mut epoll, far, move || {
        left.set(left.get().checked_sub(1).expect("a panic, as the case has it"));
    });
    let (last_near, far) = pair();
    let last = Telling::insert(&mut epoll, far, || ());
    for stream in [&near, &nervous_near, &last_near] {
        write(stream);
    }
    for calls in [0, 1] {
        Telling::leave_behind(&mut epoll);
        bears.set(calls);
        let wait = AssertUnwindSafe(|| epoll.wait(NOW));
        assert!(catch_unwind(wait).is_err(), "{calls}");
        bears.set(u32::MAX);
        let mut told = take(&mut epoll, LONG);
        told.sort_unstable_by_key(|(key, _)| *key);
        assert_eq!(told, [calm, nervous, last].map(|key| (key, EpollFlags::IN)), "{calls}");
    }
    // What was half done stands in nobody's way.
    Telling::leave_behind(&mut epoll);
    bears.set(1);
    assert!(catch_unwind(AssertUnwindSafe(|| epoll.wait(NOW))).is_err());
    bears.set(u32::MAX);
    for key in [calm, nervous, last] {
        assert!(epoll.set_flags(key, EpollFlags::OUT).unwrap());
        let source = epoll.remove(key).unwrap();
        assert!(epoll.insert(source, EpollFlags::OUT).is_ok());
    }
    assert_eq!(take(&mut epoll, LONG).len(), 3);
}

/// It is here no longer, so that no source has this descriptor: it can be watched.
fn what_is_left_is_in_nobody_s_way() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    write(&near);
    let source = leave_behind(&mut epoll, Shifty::new(far));
    let key = epoll.insert(source, EpollFlags::IN).unwrap();
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    // Where another source has it, it is as it was.
    let second = Shifty::new(pair().1);
    let (says, own) = (Rc::clone(&second.number), epoll.get(key).unwrap().stream.as_raw_fd());
    says.set(Some(own));
    let error = epoll.insert(second, EpollFlags::IN).expect_err("there already").error;
    assert_eq!(error.raw_os_error(), Some(libc::EEXIST));

    // The same of one that was told that it could not be watched, and is set again.
    let second = Shifty::new(pair().1);
    let says = Rc::clone(&second.number);
    let again = epoll.insert(second, EpollFlags::IN).unwrap();
    says.set(Some(1_000_000));
    let source = epoll.remove(key).unwrap();
    let source = leave_behind(&mut epoll, source);
    assert_eq!(take(&mut epoll, NOW), [(again, EpollFlags::ERR)]);
    let _source = leave_behind(&mut epoll, source);
    says.set(Some(own));
    assert!(epoll.set_flags(again, EpollFlags::IN).unwrap());
    assert_eq!(take(&mut epoll, LONG), [(again, EpollFlags::IN)]);
}

/// Inserts it and takes it out while it says another number: its registration stays.
fn leave_behind(epoll: &mut Epoll<Shifty>, source: Shifty) -> Shifty {
    let key = epoll.insert(source, EpollFlags::IN).unwrap();
    epoll.get(key).unwrap().number.set(Some(1_000_000));
    let source = epoll.remove(key).unwrap();
    source.number.set(None);
    source
}
