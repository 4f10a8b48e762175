//! Epoll: edges and levels, one-shot, exclusive; what is taken out, what changes behind its back, what is not taken.

mod support;

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use readysock::epoll::{Epoll, EpollEvent, EpollFlags, Refused};
use readysock::{Events, Key, PollSet, Timeout, libc};
use support::epoll::{NOW, Shifty, pair, read, take, write};
use support::options::tcp;
use support::sockets::LONG;

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

/// What was reported and not taken yet is masked by what is asked for since, as in a `PollSet`; the end is told unasked.
#[test]
fn an_event_that_waits_is_of_what_is_asked_for_since() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = pair();
    let key = epoll.insert(far, EpollFlags::IN).unwrap();
    write(&near);
    assert_eq!(epoll.wait(LONG).unwrap(), 1);
    assert!(epoll.set_flags(key, EpollFlags::OUT).unwrap());
    assert_eq!(epoll.next_ready(), None);
    // Not one of those that were left.
    assert_eq!(take(&mut epoll, LONG), [(key, EpollFlags::OUT)]);
    assert!(epoll.set_flags(key, EpollFlags::IN).unwrap());
    assert_eq!(epoll.wait(LONG).unwrap(), 1);
    assert!(epoll.set_flags(key, EpollFlags::PRI).unwrap());
    assert_eq!(take(&mut epoll, NOW), [], "nor does it end a wait");
    assert!(epoll.set_flags(key, EpollFlags::IN | EpollFlags::OUT).unwrap());
    assert_eq!(epoll.wait(LONG).unwrap(), 1);
    let (_other_near, other) = pair();
    let other = epoll.insert(other, EpollFlags::OUT).unwrap();
    assert!(epoll.set_flags(other, EpollFlags::IN).unwrap());
    assert!(epoll.set_flags(key, EpollFlags::IN | EpollFlags::ET).unwrap());
    let left = epoll.next_ready().map(|event| (event.key(), event.flags()));
    assert_eq!((left, epoll.next_ready()), (Some((key, EpollFlags::IN)), None));
    drop(near);
    assert_eq!(epoll.wait(LONG).unwrap(), 1);
    assert!(epoll.set_flags(key, EpollFlags::empty()).unwrap());
    assert_eq!(epoll.next_ready().map(|event| event.flags()), Some(EpollFlags::HUP));
    // Also to who has asked.
    for asked in [EpollFlags::HUP, EpollFlags::HUP | EpollFlags::ERR] {
        assert_eq!(epoll.wait(LONG).unwrap(), 1);
        assert!(epoll.set_flags(key, asked).unwrap());
        assert_eq!(epoll.next_ready().map(|event| event.flags()), Some(EpollFlags::HUP));
    }
    let mut epoll = Epoll::new().unwrap();
    let (reader, writer) = support::fds::pipe();
    drop(reader);
    let key = epoll.insert(writer, EpollFlags::OUT).unwrap();
    assert_eq!(epoll.wait(LONG).unwrap(), 1);
    assert!(epoll.set_flags(key, EpollFlags::ERR).unwrap());
    assert_eq!(epoll.next_ready().map(|event| event.flags()), Some(EpollFlags::ERR));
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

#[test]
fn what_cannot_be_watched_comes_back_with_the_reason() {
    let file = || File::open("/proc/self/exe").unwrap();
    let mut epoll = Epoll::new().unwrap();
    let Refused { source, error } =
        epoll.insert(file(), EpollFlags::IN).expect_err("a regular file");
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    assert!(source.metadata().unwrap().is_file());
    assert_eq!((epoll.len(), epoll.wait(NOW).unwrap()), (0, 0));
    let refused = epoll.insert(file(), EpollFlags::IN).expect_err("a regular file");
    let printed = format!("{refused:?}");
    assert!(printed.starts_with("Refused") && printed.contains("code: 1"), "{printed}");
    let error: io::Error = refused.into();
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
    assert_eq!((format!("{epoll:?}"), epoll.is_empty()), ("{}".to_owned(), true));
    let (near, far) = pair();
    let key = epoll.insert(far, EpollFlags::IN).unwrap();
    assert!(!epoll.is_empty());
    assert!(format!("{epoll:?}").starts_with("{Key"), "{epoll:?}");
    assert_eq!(epoll.iter().map(|(key, _)| key).collect::<Vec<_>>(), [key]);
    write(&near);
    epoll.wait(LONG).unwrap();
    let event: EpollEvent = epoll.next_ready().unwrap();
    assert_eq!(event, event.clone());
    assert!(format!("{event:?}").contains("EpollFlags(IN)"), "{event:?}");
    let flags = nix::fcntl::fcntl(&epoll, nix::fcntl::FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags, libc::FD_CLOEXEC);
    // Bits without a name are kept.
    let unknown = EpollFlags::from_bits_retain(1 << 20);
    assert_eq!((unknown | EpollFlags::IN).bits(), (1 << 20) | 1);
    // When it goes, its sources go.
    drop(epoll);
    let mut near = near;
    assert_eq!(near.write(b"x").expect_err("nobody").kind(), ErrorKind::BrokenPipe);
}
