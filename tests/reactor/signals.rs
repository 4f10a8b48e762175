//! Signals that stop the reactor: opt-in, one reactor at a time, and undone at the end.

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigHandler, SigSet, Signal, kill, raise, signal};
use nix::unistd::getpid;
use readysock::reactor::{Backend, signals};

use crate::support::servers::beside;
use crate::tools::{Loop, add, count};

const BOTH: [i32; 2] = [libc::SIGINT, libc::SIGTERM];

/// What a signal does: its handler's address, or SIG_DFL.
fn action(signal: i32) -> libc::sighandler_t {
    // SAFETY: sigaction is C data, for which zeros are values.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: nothing is set; the kernel writes `now`.
    assert_eq!(unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut now) }, 0);
    now.sa_sigaction
}

pub fn signals_stop_the_reactor(backend: Backend) {
    let mut it = Loop::new(backend);
    let key = signals::stop_on(&mut it, &BOTH).unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // Before the run, and twice.
        raise(signal).unwrap();
        raise(signal).unwrap();
        it.run().unwrap();
        // From a callback.
        it.call_later(Duration::ZERO, move |_| raise(signal).unwrap());
        it.run().unwrap();
        // While it waits, in whichever thread the signal arrives.
        let killer = thread::spawn(move || kill(getpid(), signal).unwrap());
        it.run().unwrap();
        killer.join().unwrap();
        let raiser = thread::spawn(move || raise(signal).unwrap());
        it.run().unwrap();
        raiser.join().unwrap();
        // While this thread does not take it.
        let mask =
            SigSet::from(signal).thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK).unwrap();
        let raiser = thread::spawn(move || {
            SigSet::from(signal).thread_unblock().unwrap();
            raise(signal).unwrap();
        });
        it.run().unwrap();
        raiser.join().unwrap();
        mask.thread_set_mask().unwrap();
    }
    // None is left over.
    let called = count();
    let calls = Rc::clone(&called);
    it.call_later(Duration::from_millis(2), move |reactor| {
        add(&calls);
        reactor.stop();
    });
    it.run().unwrap();
    assert_eq!(called.get(), 1);
    assert!(it.contains(key));
}

/// A child that was forked has the handler, too, and shares what it writes to: what is sent to it is its own all the same.
pub fn a_signal_to_a_child_is_the_child_s(backend: Backend) {
    for (number, to) in
        [(Signal::SIGTERM, SigHandler::SigDfl), (Signal::SIGHUP, SigHandler::SigIgn)]
    {
        // SAFETY: that is no handler.
        unsafe { signal(number, to) }.unwrap();
    }
    let mut it = Loop::new(backend);
    signals::stop_on(&mut it, &[libc::SIGTERM, libc::SIGHUP]).unwrap();
    let child = beside(|| {
        // Ignored before, it is so there.
        raise(Signal::SIGHUP).unwrap();
        raise(Signal::SIGTERM).unwrap();
    });
    let status = nix::sys::wait::waitpid(child, None).unwrap();
    assert_eq!(status, nix::sys::wait::WaitStatus::Signaled(child, Signal::SIGTERM, false));
    assert!(it.run_once(Duration::ZERO).unwrap(), "it was stopped");
    raise(Signal::SIGHUP).unwrap();
    assert!(!it.run_once(Duration::ZERO).unwrap(), "its own stops it");
}

pub fn signals_are_given_back(backend: Backend) {
    for number in [Signal::SIGINT, Signal::SIGTERM] {
        // Who starts this in the background may have it ignored.
        // SAFETY: that is no handler.
        unsafe { signal(number, SigHandler::SigDfl) }.unwrap();
    }
    let before = BOTH.map(action);
    assert_eq!(before, [libc::SIG_DFL; 2]);
    let mut it = Loop::new(backend);
    let key = signals::stop_on(&mut it, &BOTH).unwrap();
    assert!(BOTH.iter().all(|signal| action(*signal) != libc::SIG_DFL));
    // There can be one.
    let mut other = Loop::new(backend);
    for reactor in [&mut *it, &mut *other] {
        let error = signals::stop_on(reactor, &[libc::SIGUSR1]).expect_err("taken");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
    assert_eq!(action(libc::SIGUSR1), libc::SIG_DFL);
    assert!(it.remove(key));
    assert_eq!(BOTH.map(action), before);
    // And then another one; what goes with its reactor is given back too.
    signals::stop_on(&mut other, &BOTH).unwrap();
    raise(Signal::SIGTERM).unwrap();
    other.run().unwrap();
    drop(other);
    assert_eq!(BOTH.map(action), before);
    // One that cannot be caught, after one that can: nothing is left of it.
    let error = signals::stop_on(&mut it, &[libc::SIGINT, libc::SIGKILL]).expect_err("refused");
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    let error = signals::stop_on(&mut it, &[libc::SIGINT, 12345]).expect_err("refused");
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    assert_eq!(BOTH.map(action), before);
    // The same one twice is given back as it was at first.
    let key = signals::stop_on(&mut it, &[libc::SIGINT, libc::SIGINT]).unwrap();
    raise(Signal::SIGINT).unwrap();
    it.run().unwrap();
    it.remove(key);
    assert_eq!(BOTH.map(action), before);
    // A handler of the program's own is its own again, and what was ignored is ignored.
    extern "C" fn own(_: i32) {}
    for handler in [SigHandler::Handler(own), SigHandler::SigIgn] {
        // SAFETY: the handler does nothing.
        unsafe { signal(Signal::SIGINT, handler) }.unwrap();
        let before = action(libc::SIGINT);
        let key = signals::stop_on(&mut it, &BOTH).unwrap();
        assert_ne!(action(libc::SIGINT), before);
        it.remove(key);
        assert_eq!(action(libc::SIGINT), before);
    }
}

/// errno is the interrupted code's, and calls go on by themselves (SA_RESTART).
pub fn a_caught_signal_disturbs_nothing(backend: Backend) {
    let mut it = Loop::new(backend);
    signals::stop_on(&mut it, &BOTH).unwrap();
    let raise_quietly = || {
        nix::errno::Errno::EXDEV.set();
        // SAFETY: a number.
        assert_eq!(unsafe { libc::raise(libc::SIGINT) }, 0);
        assert_eq!(nix::errno::Errno::last_raw(), libc::EXDEV);
    };
    raise_quietly();
    it.run().unwrap();
    // A counter that is full: the handler does not block, and what its write says then is nobody's errno.
    fill_eventfds();
    raise_quietly();
    it.run().unwrap();
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let killer = thread::spawn(move || {
        // Then it goes to the thread that reads.
        SigSet::from(Signal::SIGINT).thread_block().unwrap();
        for _ in 0..20 {
            while !first_thread_sleeps() {
                thread::yield_now();
            }
            kill(getpid(), Signal::SIGINT).unwrap();
        }
        nix::unistd::write(&writer, b"x").unwrap();
    });
    assert_eq!(nix::unistd::read(&reader, &mut [0; 2]), Ok(1), "it was not interrupted");
    killer.join().unwrap();
    it.run().unwrap();
}

/// Whether this process's first thread waits in a system call.
fn first_thread_sleeps() -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", getpid())).unwrap();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

/// Counts every eventfd of this process up as far as it goes.
fn fill_eventfds() {
    let mut filled = 0;
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let entry = entry.unwrap();
        let is_eventfd =
            std::fs::read_link(entry.path()).is_ok_and(|to| to.ends_with("anon_inode:[eventfd]"));
        if is_eventfd {
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok()).unwrap();
            // SAFETY: open, as the reactor and the handler keep theirs.
            let fd = unsafe { BorrowedFd::borrow_raw(number) };
            // From nothing: what is there is of before.
            let _ = nix::unistd::read(fd, &mut [0; 8]);
            nix::unistd::write(fd, &(u64::MAX - 1).to_ne_bytes()).unwrap();
            filled += 1;
        }
    }
    assert!(filled >= 2, "the waker's and the handler's: {filled}");
}
