//! Epoll: edges and levels, one-shot, exclusive; what is taken out, what changes behind its back, what is not taken.

mod support;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use readysock::epoll::{Epoll, EpollEvent, EpollFlags, Refused};
use readysock::{Events, Key, PollSet, Timeout, libc};
use support::options::tcp;
use support::sockets::LONG;

const NOW: Duration = Duration::ZERO;

/// Waits, and takes what there is.
#[track_caller]
fn take<S: AsFd>(epoll: &mut Epoll<S>, timeout: impl Into<Timeout>) -> Vec<(Key, EpollFlags)> {
    let found = epoll.wait(timeout).expect("waited");
    let events: Vec<_> = std::iter::from_fn(|| epoll.next_ready()).collect();
    assert_eq!(events.len(), found);
    events.iter().map(|event| (event.key(), event.flags())).collect()
}

fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().expect("a pair");
    far.set_nonblocking(true).expect("set");
    (near, far)
}

fn write(mut stream: &UnixStream) {
    stream.write_all(b"x").expect("room");
}

fn read(mut stream: &UnixStream) -> usize {
    stream.read(&mut [0; 64]).expect("something")
}

#[test]
fn a_level_is_reported_as_long_as_it_is() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    let key = epoll.insert(far, EpollFlags::IN).unwrap();
    assert_eq!(take(&mut epoll, NOW), []);
    write(&near);
    for _ in 0..3 {
        assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    }
    assert_eq!(read(epoll.get(key).unwrap()), 1);
    assert_eq!(take(&mut epoll, NOW), []);
    // For other events.
    assert!(epoll.set_flags(key, EpollFlags::OUT).unwrap());
    write(&near);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::OUT)]);
    // With none it is watched for the end all the same.
    assert!(epoll.set_flags(key, EpollFlags::empty()).unwrap());
    assert_eq!(take(&mut epoll, NOW), []);
    drop(near);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::HUP)]);
    assert!(epoll.set_flags(key, EpollFlags::IN | EpollFlags::RDHUP).unwrap());
    let all = EpollFlags::IN | EpollFlags::RDHUP | EpollFlags::HUP;
    assert_eq!(take(&mut epoll, LONG), [(key, all)]);
}

#[test]
fn urgent_data_and_errors() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = tcp();
    let key = epoll.insert(far, EpollFlags::PRI).unwrap();
    let flags = nix::sys::socket::MsgFlags::MSG_OOB;
    nix::sys::socket::send(near.as_raw_fd(), b"!", flags).unwrap();
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::PRI)]);
    drop(near);
    let (reader, writer) = support::fds::pipe();
    let mut epoll = Epoll::new().unwrap();
    drop(reader);
    let key = epoll.insert(writer, EpollFlags::empty()).unwrap();
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::ERR)]);
}

#[test]
fn an_edge_is_reported_once_for_each_arrival() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    let key = epoll.insert(far, EpollFlags::IN | EpollFlags::ET).unwrap();
    for _ in 0..3 {
        write(&near);
        assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
        assert_eq!(take(&mut epoll, NOW), []);
    }
    assert_eq!(read(epoll.get(key).unwrap()), 3);
    // What is ready when it is asked for is an edge as well.
    write(&near);
    assert_eq!(take(&mut epoll, LONG).len(), 1);
    assert!(epoll.set_flags(key, EpollFlags::IN | EpollFlags::ET).unwrap());
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
}

#[test]
fn an_edge_that_was_not_taken_is_not_lost() {
    let mut epoll = Epoll::new().unwrap();
    let sources: Vec<_> = (0..3).map(|_| pair()).collect();
    let mut keys: Vec<Key> = sources
        .iter()
        .map(|(near, far)| {
            write(near);
            epoll.insert(far.try_clone().unwrap(), EpollFlags::IN | EpollFlags::ET).unwrap()
        })
        .collect();
    assert_eq!(epoll.wait(LONG).unwrap(), 3);
    let first = epoll.next_ready().unwrap().key();
    // The next wait does not ask the kernel: what is left is there.
    assert_eq!(epoll.wait(LONG).unwrap(), 2);
    assert_eq!(epoll.wait(LONG).unwrap(), 2);
    let second = epoll.next_ready().unwrap().key();
    assert_eq!(epoll.wait_once(LONG).unwrap(), 1);
    let third = epoll.next_ready().unwrap().key();
    assert_eq!(epoll.next_ready(), None);
    let mut told = vec![first, second, third];
    told.sort_unstable();
    keys.sort_unstable();
    assert_eq!(told, keys);
    assert_eq!(epoll.wait(NOW).unwrap(), 0);
}

#[test]
fn one_shot_is_one_until_it_is_set_again() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    let flags = EpollFlags::IN | EpollFlags::ONESHOT;
    let key = epoll.insert(far, flags).unwrap();
    write(&near);
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
    write(&near);
    assert_eq!(take(&mut epoll, NOW), []);
    for _ in 0..2 {
        assert!(epoll.set_flags(key, flags).unwrap());
        assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
        assert_eq!(take(&mut epoll, NOW), []);
    }
    drop(near);
    assert_eq!(take(&mut epoll, NOW), [], "nor its end");
    // It is taken out, and in again.
    let far = epoll.remove(key).unwrap();
    let key = epoll.insert(far, flags).unwrap();
    assert!(take(&mut epoll, LONG)[0].1.contains(EpollFlags::IN | EpollFlags::HUP));
    assert!(epoll.get(key).is_some());
}

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

/// Two instances wait for one listener: each client wakes one of them at least, so that none waits in vain.
#[test]
fn exclusive_leaves_no_client_waiting() {
    let (listener, addr) = support::sockets::unix_listener(8);
    listener.set_nonblocking(true).unwrap();
    let flags = EpollFlags::IN | EpollFlags::EXCLUSIVE;
    let (tell, told) = mpsc::channel();
    for _ in 0..2 {
        let (listener, tell) = (listener.try_clone().unwrap(), tell.clone());
        thread::spawn(move || {
            let mut epoll = Epoll::new().unwrap();
            let key = epoll.insert(listener, flags).unwrap();
            // It cannot be changed afterwards.
            let error = epoll.set_flags(key, EpollFlags::IN).expect_err("refused");
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
            // One client each. Who is woken for nothing waits again.
            loop {
                assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::IN)]);
                match epoll.get(key).unwrap().accept() {
                    Ok(_) => return tell.send(()).unwrap(),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
        });
    }
    for _ in 0..2 {
        let client = support::sockets::unix(readysock::Type::STREAM);
        client.connect(&addr).unwrap();
        told.recv_timeout(LONG).expect("one of them took it");
    }
}

#[test]
fn what_is_removed_is_not_reported() {
    let mut epoll = Epoll::new().unwrap();
    let sources: Vec<_> = (0..3).map(|_| pair()).collect();
    for (near, far) in &sources {
        write(near);
        epoll.insert(far.try_clone().unwrap(), EpollFlags::IN).unwrap();
    }
    assert_eq!(epoll.wait(LONG).unwrap(), 3);
    let first = epoll.next_ready().unwrap().key();
    let others: Vec<Key> = epoll.iter().map(|(key, _)| key).filter(|key| *key != first).collect();
    drop(epoll.remove(others[0]).unwrap());
    assert!(epoll.remove(others[0]).is_none() && epoll.get(others[0]).is_none());
    assert!(!epoll.set_flags(others[0], EpollFlags::OUT).unwrap());
    // Its slot is used again: the new one is not told of the old one's event.
    let (_near, far) = pair();
    let new = epoll.insert(far, EpollFlags::IN).unwrap();
    assert_ne!(new, others[0]);
    assert_eq!(epoll.next_ready().map(|event| event.key()), Some(others[1]));
    assert_eq!(epoll.next_ready(), None);
    // Where all that is left was removed, the wait asks the kernel.
    assert_eq!(epoll.wait(LONG).unwrap(), 2);
    for key in [first, others[1]] {
        assert_eq!(read(&epoll.remove(key).unwrap()), 1);
    }
    assert_eq!((epoll.wait(NOW).unwrap(), epoll.next_ready(), epoll.len()), (0, None, 1));
    assert!(epoll.remove(new).is_some() && epoll.is_empty());
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

/// A source that says another descriptor when it is told to.
#[derive(Debug)]
struct Shifty {
    stream: UnixStream,
    number: Rc<Cell<Option<RawFd>>>,
}

impl Shifty {
    fn new(stream: UnixStream) -> Shifty {
        Shifty { stream, number: Rc::default() }
    }
}

impl AsFd for Shifty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.number.get() {
            None => self.stream.as_fd(),
            // SAFETY: open for the length of the case, or of no file; only the kernel looks at it.
            Some(number) => unsafe { BorrowedFd::borrow_raw(number) },
        }
    }
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
fn what_cannot_be_watched_comes_back_with_the_reason() {
    let file = || File::open("/proc/self/exe").unwrap();
    let mut epoll = Epoll::new().unwrap();
    let Refused { source, error } =
        epoll.insert(file(), EpollFlags::IN).expect_err("a regular file");
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    assert!(source.metadata().unwrap().is_file());
    assert_eq!((epoll.len(), epoll.wait(NOW).unwrap()), (0, 0));
    let error: io::Error = epoll.insert(file(), EpollFlags::IN).expect_err("a regular file").into();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    // One descriptor twice.
    let (_near, far) = pair();
    let mut epoll = Epoll::new().unwrap();
    let key = epoll.insert(&far, EpollFlags::IN).unwrap();
    let error = epoll.insert(&far, EpollFlags::OUT).expect_err("there already").error;
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(epoll.len(), 1);
    assert!(epoll.remove(key).is_some());
    // Flags that do not go together, and what is not open.
    let error = epoll.insert(&far, EpollFlags::IN | EpollFlags::EXCLUSIVE | EpollFlags::ONESHOT);
    assert_eq!(error.expect_err("refused").error.raw_os_error(), Some(libc::EINVAL));
    let mut epoll = Epoll::new().unwrap();
    let source = Shifty::new(pair().1);
    source.number.set(Some(-100));
    let refused = epoll.insert(source, EpollFlags::IN).expect_err("not open");
    assert_eq!(refused.error.raw_os_error(), Some(libc::EBADF));
    refused.source.number.set(None);
    assert!(epoll.insert(refused.source, EpollFlags::IN).is_ok());
}

#[test]
fn more_than_one_wait_takes_come_at_the_next() {
    const SOURCES: usize = 400;
    let (near, far) = pair();
    write(&near);
    for flags in [EpollFlags::IN, EpollFlags::IN | EpollFlags::ET] {
        let mut epoll = Epoll::new().unwrap();
        for _ in 0..SOURCES {
            epoll.insert(far.try_clone().unwrap(), flags).unwrap();
        }
        let mut seen: Vec<Key> = Vec::new();
        let mut waits = 0;
        while seen.len() < SOURCES {
            let told = take(&mut epoll, NOW);
            assert!((1..=256).contains(&told.len()), "{}", told.len());
            seen.extend(told.iter().map(|(key, _)| *key));
            seen.sort_unstable();
            seen.dedup();
            waits += 1;
        }
        assert_eq!(waits, 2, "in turn: none is passed over");
    }
}

type Wait = fn(&mut Epoll<UnixStream>, Timeout) -> io::Result<usize>;

const WAITS: [(&str, Wait); 3] = [
    ("wait", |epoll, timeout| epoll.wait(timeout)),
    ("wait_once", |epoll, timeout| epoll.wait_once(timeout)),
    ("pwait", |epoll, timeout| epoll.pwait(timeout, None)),
];

#[test]
fn no_wait_is_early_and_none_is_for_ever() {
    let (near, far) = pair();
    let mut epoll = Epoll::new().unwrap();
    epoll.insert(far, EpollFlags::IN).unwrap();
    let times = [1, 1000, 300_000, 999_999, 1_000_001, 9_500_000].map(Duration::from_nanos);
    for (name, wait) in WAITS {
        for time in times {
            let start = Instant::now();
            assert_eq!(wait(&mut epoll, time.into()).expect(name), 0);
            assert!(start.elapsed() >= time, "{name}, {time:?}: early");
            let until = Instant::now() + time;
            assert_eq!(wait(&mut epoll, until.into()).expect(name), 0);
            assert!(Instant::now() >= until, "{name}, {time:?}: early");
        }
        assert_eq!(wait(&mut epoll, NOW.into()).expect(name), 0);
        assert_eq!(wait(&mut epoll, Instant::now().into()).expect(name), 0);
    }
    for (name, wait) in WAITS {
        for timeout in [
            Timeout::Never,
            Duration::MAX.into(),
            Duration::from_secs(1 << 40).into(),
            Duration::from_secs(u64::from(u32::MAX)).into(),
        ] {
            let mut writer = near.try_clone().unwrap();
            let other = thread::spawn(move || writer.write_all(b"x").unwrap());
            assert_eq!(wait(&mut epoll, timeout).expect(name), 1, "{name}, {timeout:?}");
            other.join().unwrap();
            let key = epoll.next_ready().unwrap().key();
            assert_eq!(read(epoll.get(key).unwrap()), 1);
        }
    }
    // Less than a millisecond is no zero, which would be a spin: one wait is all of it.
    let start = Instant::now();
    let mut waits = 0;
    while start.elapsed() < Duration::from_millis(2) {
        assert_eq!(epoll.wait(Duration::from_micros(500)).unwrap(), 0);
        waits += 1;
    }
    assert!(waits <= 4, "{waits} waits of half a millisecond in two");
}

/// It can itself be polled, and be a source of another.
#[test]
fn an_instance_is_readable_when_it_has_an_event() {
    let mut inner = Epoll::new().unwrap();
    let (near, far) = pair();
    let key = inner.insert(far, EpollFlags::IN).unwrap();
    let mut set = PollSet::new();
    let mut outer = Epoll::new().unwrap();
    assert_eq!(
        outer.insert(&inner, EpollFlags::IN).map(drop).map_err(|refused| refused.error.to_string()),
        Ok(())
    );
    set.insert(inner.as_fd(), Events::IN);
    assert_eq!((set.wait(NOW).unwrap(), outer.wait(NOW).unwrap()), (0, 0));
    write(&near);
    assert_eq!((set.wait(LONG).unwrap(), outer.wait(LONG).unwrap()), (1, 1));
    drop((set, outer));
    assert_eq!(take(&mut inner, LONG), [(key, EpollFlags::IN)]);
}

#[test]
fn what_it_prints_and_keeps() {
    let mut epoll = Epoll::new().unwrap();
    assert_eq!(format!("{epoll:?}"), "{}");
    let (near, far) = pair();
    let key = epoll.insert(far, EpollFlags::IN).unwrap();
    assert!(format!("{epoll:?}").starts_with("{Key"), "{epoll:?}");
    assert_eq!(epoll.iter().map(|(key, _)| key).collect::<Vec<_>>(), [key]);
    write(&near);
    epoll.wait(LONG).unwrap();
    let event: EpollEvent = epoll.next_ready().unwrap();
    assert_eq!(event, event.clone());
    assert!(format!("{event:?}").contains("EpollFlags(IN)"), "{event:?}");
    // Close-on-exec, both the first instance and a later one.
    let flags = |epoll: &Epoll<UnixStream>| {
        nix::fcntl::fcntl(epoll, nix::fcntl::FcntlArg::F_GETFD).unwrap()
    };
    assert_eq!(flags(&epoll), libc::FD_CLOEXEC);
    renew(&mut epoll);
    assert_eq!(flags(&epoll), libc::FD_CLOEXEC);
    // Bits without a name are kept.
    let unknown = EpollFlags::from_bits_retain(1 << 20);
    assert_eq!((unknown | EpollFlags::IN).bits(), (1 << 20) | 1);
    // When it goes, its sources go.
    drop(epoll);
    let mut near = near;
    assert_eq!(near.write(b"x").expect_err("nobody").kind(), ErrorKind::BrokenPipe);
}
