//! Signals: which calls go on after one, with how much time, and which give it back.

mod support;

use std::ffi::c_long;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, kill, raise, sigaction, sigprocmask,
};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use readysock::epoll::Epoll;
use readysock::{Events, FdSet, PollFd, PollSet, Ready, Timeout, poll, poll_once, ppoll, pselect};
use readysock::{select, select_into, select_once};
use support::calls;
use support::isolated::{self, Case};
use support::servers::{beside, ended_well};
use support::ticks::{self, handled};

fn main() {
    const CASES: &[Case] = &[
        ("a_restarted_wait_keeps_its_deadline_under_a_timer", deadline_under_a_timer),
        ("a_wait_that_does_not_restart_gives_the_first_signal_back", first_signal_comes_back),
        ("the_longest_times_wait_for_what_comes", longest_times),
        ("an_error_after_an_interruption_is_no_interruption", error_after_interruption),
        ("a_mask_lets_a_pending_signal_in_for_the_wait_only", pending_signal),
        ("what_is_ready_goes_before_a_pending_signal", ready_goes_first),
        ("without_a_mask_a_blocked_signal_stays_out", no_mask),
        ("a_stop_counts_for_an_epoll_only", stop),
    ];
    isolated::main(CASES)
}

type Wait = fn(Timeout) -> io::Result<usize>;

static NONE: FdSet<'static> = FdSet::new();

const RESTARTING: [(&str, Wait); 4] = [
    ("poll", |timeout| poll(&mut [], timeout)),
    ("select", |timeout| Ok(select(&NONE, &NONE, &NONE, timeout)?.count())),
    ("select_into", |timeout| select_into(&NONE, &NONE, &NONE, &mut Ready::new(), timeout)),
    ("PollSet::wait", |timeout| PollSet::<UnixStream>::new().wait(timeout)),
];

const ONCE: [(&str, Wait); 5] = [
    ("poll_once", |timeout| poll_once(&mut [], timeout)),
    ("ppoll", |timeout| ppoll(&mut [], timeout, None)),
    ("select_once", |timeout| Ok(select_once(&NONE, &NONE, &NONE, timeout)?.count())),
    ("pselect", |timeout| Ok(pselect(&NONE, &NONE, &NONE, timeout, None)?.count())),
    ("PollSet::wait_once", |timeout| PollSet::<UnixStream>::new().wait_once(timeout)),
];

const TICK: Duration = Duration::from_millis(20);
const WAIT: Duration = Duration::from_millis(100);

fn deadline_under_a_timer() {
    let _timer = ticks::every(TICK);
    for (name, wait) in RESTARTING {
        for at in [false, true] {
            // Never early. A machine that is too busy may deliver one signal for several, and end late.
            let as_meant = (0..10).any(|_| {
                let (before, start) = (handled(), Instant::now());
                let timeout = if at { Timeout::At(start + WAIT) } else { Timeout::After(WAIT) };
                assert_eq!(wait(timeout).expect(name), 0, "{name}");
                let elapsed = start.elapsed();
                assert!(elapsed >= WAIT, "{name}, {timeout:?}: early, after {elapsed:?}");
                handled() > before + 1 && elapsed < 2 * WAIT
            });
            assert!(as_meant, "{name}: not once in ten did signals come and the wait end in time");
        }
    }
}

fn first_signal_comes_back() {
    let _timer = ticks::every(TICK);
    for (name, wait) in ONCE {
        for timeout in long_timeouts() {
            // On a busy machine a second one may come before this looks.
            let first = (0..10).any(|_| {
                let before = handled();
                let error = wait(timeout).expect_err(name);
                assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{name}, {timeout:?}");
                assert_eq!(error.raw_os_error(), Some(nix::libc::EINTR));
                handled() == before + 1
            });
            assert!(first, "{name}, {timeout:?}: not once in ten did the first signal end it");
        }
    }
}

/// None of these may be an error, nor wrap around to a time that is over soon.
fn long_timeouts() -> [Timeout; 8] {
    // Beyond this an Instant cannot be written.
    let mut farthest = Instant::now();
    for power in (0..64).rev() {
        farthest = farthest.checked_add(Duration::from_secs(1 << power)).unwrap_or(farthest);
    }
    let day = Duration::from_secs(24 * 3600);
    [
        Timeout::Never,
        Timeout::After(Duration::from_secs(3600)),
        // In milliseconds, 25 days are more than an int holds, and 50 days more than 32 bits.
        Timeout::After(25 * day),
        Timeout::After(50 * day),
        Timeout::After(Duration::from_secs(u64::MAX)),
        Timeout::After(Duration::MAX),
        Timeout::At(Instant::now() + 25 * day),
        Timeout::At(farthest),
    ]
}

/// The signal handler itself makes the descriptor ready, at the third signal: until then each call has to wait, and to
/// go on waiting.
fn longest_times() {
    static FD: AtomicI32 = AtomicI32::new(-1);
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn write_at_the_third(_: i32) {
        if COUNT.fetch_add(1, Ordering::Relaxed) == 2 {
            // SAFETY: write(2) may be called in a handler; the byte outlives the call.
            unsafe { nix::libc::write(FD.load(Ordering::Relaxed), b"x".as_ptr().cast(), 1) };
        }
    }
    type Wait = fn(&UnixStream, Timeout) -> io::Result<usize>;
    const CALLS: [(&str, Wait); 4] = [
        ("poll", |far, timeout| poll(&mut [PollFd::of(far, Events::IN)], timeout)),
        ("select", |far, timeout| {
            Ok(select(&FdSet::from_iter([far.as_fd()]), &NONE, &NONE, timeout)?.count())
        }),
        ("select_into", |far, timeout| {
            let read = FdSet::from_iter([far.as_fd()]);
            select_into(&read, &NONE, &NONE, &mut Ready::new(), timeout)
        }),
        ("PollSet::wait", |far, timeout| {
            let mut set = PollSet::new();
            set.insert(far, Events::IN);
            set.wait(timeout)
        }),
    ];
    let _timer = ticks::every(TICK);
    let handler = SigHandler::Handler(write_at_the_third);
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler calls write(2) and touches atomics, nothing else.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("a handler");
    for (name, wait) in CALLS {
        for timeout in long_timeouts() {
            let (near, far) = UnixStream::pair().expect("a pair");
            FD.store(near.as_raw_fd(), Ordering::Relaxed);
            COUNT.store(0, Ordering::Relaxed);
            assert_eq!(wait(&far, timeout).expect(name), 1, "{name}, {timeout:?}");
            assert!(COUNT.load(Ordering::Relaxed) > 2, "{name}, {timeout:?}: it came back early");
        }
    }
}

/// The signal handler closes the descriptor: what the restarted call says then is an error like any other.
fn error_after_interruption() {
    static FD: AtomicI32 = AtomicI32::new(-1);
    extern "C" fn close(_: i32) {
        // SAFETY: close(2) may be called in a handler; the test does not use the number again. (-1 is nobody's.)
        unsafe { nix::libc::close(FD.swap(-1, Ordering::Relaxed)) };
    }
    for into in [false, true] {
        let (near, _far) = UnixStream::pair().expect("a pair");
        let number = near.into_raw_fd();
        FD.store(number, Ordering::Relaxed);
        // SAFETY: it stays open until the call is interrupted, which is what this is about; nothing else is opened here.
        let near = unsafe { BorrowedFd::borrow_raw(number) };
        let read = FdSet::from_iter([near]);
        let _timer = ticks::every(TICK);
        let action = SigAction::new(SigHandler::Handler(close), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler calls close(2) and touches an atomic, nothing else.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("a handler");
        let mut ready = Ready::new();
        let error = if into {
            select_into(&read, &NONE, &NONE, &mut ready, None).map(drop)
        } else {
            select(&read, &NONE, &NONE, None).map(drop)
        };
        assert_eq!(error.expect_err("closed").raw_os_error(), Some(nix::libc::EBADF));
        assert_eq!(ready.count(), 0);
    }
}

fn blocked() -> SigSet {
    let mut mask = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, None, Some(&mut mask)).expect("the mask");
    mask
}

fn block_and_raise() -> SigSet {
    ticks::handle();
    SigSet::from(Signal::SIGUSR1).thread_block().expect("blocked");
    raise(Signal::SIGUSR1).expect("raised");
    let mask = blocked();
    assert!(mask.contains(Signal::SIGUSR1));
    mask
}

type MaskedWait = fn(Timeout, Option<&nix::libc::sigset_t>) -> io::Result<usize>;

const MASKED: [(&str, MaskedWait); 2] = [
    ("ppoll", |timeout, mask| ppoll(&mut [], timeout, mask)),
    ("pselect", |timeout, mask| Ok(pselect(&NONE, &NONE, &NONE, timeout, mask)?.count())),
];

fn pending_signal() {
    for (name, wait) in MASKED {
        for timeout in [Timeout::Never, Timeout::After(Duration::from_secs(3600))] {
            let (before, mask) = (handled(), block_and_raise());
            let error = wait(timeout, Some(SigSet::empty().as_ref())).expect_err(name);
            assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{name}, {timeout:?}: {error}");
            assert_eq!(handled(), before + 1, "{name}: it was let in once");
            assert_eq!(blocked(), mask, "{name}: the mask is as it was");
        }
    }
}

fn ready_goes_first() {
    let (near, _far) = UnixStream::pair().expect("a pair");
    let empty = SigSet::empty();
    let (before, mask) = (handled(), block_and_raise());
    let mut fds = [PollFd::of(&near, Events::OUT)];
    assert_eq!(ppoll(&mut fds, None, Some(empty.as_ref())).expect("ready goes first"), 1);
    assert_eq!(blocked(), mask);

    block_and_raise();
    let write = FdSet::from_iter([near.as_fd()]);
    let ready =
        pselect(&NONE, &write, &NONE, None, Some(empty.as_ref())).expect("ready goes first");
    assert_eq!(ready.count(), 1);
    assert_eq!(blocked(), mask);
    assert_eq!(handled(), before, "it was not let in");
}

fn no_mask() {
    for (name, wait) in MASKED {
        let before = handled();
        block_and_raise();
        assert_eq!(wait(Timeout::After(Duration::from_millis(1)), None).expect(name), 0);
        assert_eq!(handled(), before, "{name}: it stayed blocked");
    }
}

/// When a process that was stopped goes on, the kernel begins ppoll and pselect again with the time that was left, and tells
/// nobody. epoll_pwait2 comes back, and is asked again with what the clock has left.
fn stop() {
    if !calls::are_told() {
        return;
    }
    // A busy machine may stop one that has ended, or let one go on late.
    let as_meant = (0..10).any(|_| {
        let waits = RESTARTING.into_iter().chain([EPOLL]);
        let all =
            waits.flat_map(|(name, wait)| [false, true].map(|at| Waiting::new(name, wait, at)));
        let mut all: Vec<Waiting> = all.collect();
        let stopped = all.iter_mut().all(Waiting::stop);
        // The time is what this is about.
        poll(&mut [], SPAN + TICK).expect("waited");
        let epoll_ends_in_time = all.into_iter().all(Waiting::go_on);
        stopped && epoll_ends_in_time
    });
    assert!(
        as_meant,
        "not once in ten were all stopped and did an Epoll's wait end before what was left"
    );
}

const SPAN: Duration = Duration::from_millis(400);
const EPOLL: (&str, Wait) = ("Epoll", |timeout| Epoll::<UnixStream>::new()?.wait(timeout));

/// A process in a wait of `SPAN`.
struct Waiting {
    name: &'static str,
    child: Pid,
    tells: UnixStream,
    stopped: Option<Instant>,
}

impl Waiting {
    fn new(name: &'static str, wait: Wait, at: bool) -> Waiting {
        let (tells, mut far) = UnixStream::pair().expect("a pair");
        let child = beside(|| {
            let start = Instant::now();
            let timeout = if at { Timeout::At(start + SPAN) } else { Timeout::After(SPAN) };
            assert_eq!(wait(timeout).expect("waited"), 0);
            let elapsed = u64::try_from(start.elapsed().as_nanos()).expect("no centuries");
            far.write_all(&elapsed.to_ne_bytes()).expect("told");
        });
        Waiting { name, child, tells, stopped: None }
    }

    /// Stops it in its wait. Whether that was not over yet.
    fn stop(&mut self) -> bool {
        const WAITS: [c_long; 3] = [calls::PPOLL, calls::PSELECT, nix::libc::SYS_epoll_pwait2];
        let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while !calls::call_of(&self.child.to_string())
            .is_some_and(|(call, _)| WAITS.contains(&call))
        {
            if waitid(Id::Pid(self.child), peek).expect("its status") != WaitStatus::StillAlive {
                return false;
            }
            thread::yield_now();
        }
        kill(self.child, Signal::SIGSTOP).expect("stopped");
        let seen = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
        let status = waitid(Id::Pid(self.child), seen).expect("its status");
        self.stopped = matches!(status, WaitStatus::Stopped(..)).then(Instant::now);
        self.stopped.is_some()
    }

    /// Whether it was an Epoll's wait that did not add the time for which it was stopped, or is another one, which must.
    fn go_on(mut self) -> bool {
        let stopped = self.stopped.map_or(Duration::ZERO, |stop| stop.elapsed());
        kill(self.child, Signal::SIGCONT).expect("goes on");
        let mut elapsed = [0; 8];
        self.tells.read_exact(&mut elapsed).expect("told");
        let elapsed = Duration::from_nanos(u64::from_ne_bytes(elapsed));
        ended_well(self.child);
        if self.name == EPOLL.0 {
            assert!(elapsed >= SPAN, "early");
            return elapsed < SPAN + stopped;
        }
        let name = self.name;
        assert!(elapsed >= SPAN + stopped, "{name}: {elapsed:?}, of which {stopped:?} stopped");
        true
    }
}
