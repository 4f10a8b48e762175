//! Epoll where the kernel and we may come to know different things: registrations that outlive their source, sources whose
//! descriptor changes, and the new instance that mends it.

mod support;

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use readysock::epoll::{Epoll, EpollFlags};
use readysock::libc;
use support::epoll::{NOW, Shifty, pair, read, take, write};
use support::sockets::LONG;

/// A new instance was needed: that one-shot has had its shot is not forgotten.
#[test]
fn one_shot_is_one_after_a_new_instance() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    let flags = EpollFlags::IN | EpollFlags::ONESHOT;
    let key = epoll.insert(far, flags).unwrap();
    let (unspent_near, unspent) = pair();
    let unspent = epoll.insert(unspent, flags).unwrap();
    write(&near);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    renew(&mut epoll);
    assert_eq!(take(&mut epoll, NOW), []);
    write(&unspent_near);
    assert_eq!(take(&mut epoll, LONG), [(unspent, EpollFlags::IN)]);
    assert!(epoll.set_flags(key, flags).unwrap());
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    // Set again before the new instance, with its event not taken yet.
    assert!(epoll.set_flags(key, flags).unwrap());
    assert_eq!(epoll.wait(LONG).unwrap(), 1);
    assert!(epoll.set_flags(key, flags).unwrap());
    renew(&mut epoll);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    // Spent, and taken out: nothing of it is left.
    renew(&mut epoll);
    let far = epoll.remove(key).unwrap();
    assert_eq!(read(&far), 1);
    assert_eq!(take(&mut epoll, NOW), []);
}

/// Leaves a registration behind that outlives its source.
fn renew(epoll: &mut Epoll<UnixStream>) {
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
}

/// The kernel watches the open file: a duplicate keeps it open, and its events would come for ever.
#[test]
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
#[test]
fn an_event_of_nobody_is_not_reported_and_ends() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    write(&near);
    let key = epoll.insert(far, EpollFlags::IN).unwrap();
    renew(&mut epoll);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    assert_eq!(read(epoll.get(key).unwrap()), 1);
    let (time, start) = (Duration::from_millis(20), Instant::now());
    assert_eq!(take(&mut epoll, time), []);
    assert!(start.elapsed() >= time, "it ended the wait");
}

#[test]
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

#[test]
fn a_new_instance_is_close_on_exec_too() {
    let mut epoll = Epoll::new().unwrap();
    renew(&mut epoll);
    let flags = nix::fcntl::fcntl(&epoll, nix::fcntl::FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags, libc::FD_CLOEXEC);
}
