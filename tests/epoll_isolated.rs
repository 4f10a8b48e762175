//! Epoll under signals, on a kernel without epoll_pwait2, and with sources that are closed behind its back.

mod support;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{SigSet, Signal, raise};
use readysock::Timeout;
use readysock::epoll::{Epoll, EpollFlags};
use readysock::reactor::{Backend, Reactor};
use support::cpu_time;
use support::epoll::{NOW, take};
use support::isolated::{self, Case};
use support::ticks::{self, handled};

fn main() {
    const CASES: &[Case] = &[
        ("a_restarted_wait_keeps_its_deadline_under_a_timer", deadline_under_a_timer),
        ("a_wait_that_does_not_restart_gives_the_signal_back", signal_comes_back),
        ("a_mask_lets_a_pending_signal_in_for_the_wait_only", pending_signal),
        ("without_a_mask_a_blocked_signal_stays_out", no_mask),
        ("what_is_ready_goes_before_a_pending_signal", ready_goes_first),
        ("a_kernel_without_nanoseconds_rounds_up", || without_pwait2(libc::ENOSYS)),
        ("a_kernel_without_nanoseconds_restarts_too", || under_signals(libc::ENOSYS)),
        ("who_forbids_what_it_does_not_know_rounds_up", || without_pwait2(libc::EPERM)),
        ("who_forbids_what_it_does_not_know_restarts_too", || under_signals(libc::EPERM)),
        ("a_source_that_was_closed_behind_its_back", closed_behind),
        ("a_number_that_was_closed_and_opened_again", opened_again),
        ("a_number_that_is_another_source_s_by_now", another_source_has_the_number),
        ("out_of_descriptors_for_a_new_instance", no_descriptor_for_a_new_instance),
        ("standard_output_is_a_descriptor_as_others", standard_output),
    ];
    isolated::main(CASES)
}

type Set = Epoll<UnixStream>;

const TICK: Duration = Duration::from_millis(5);

fn deadline_under_a_timer() {
    let _timer = ticks::every(TICK);
    let mut epoll = Set::new().unwrap();
    let wait = Duration::from_millis(60);
    for at in [false, true] {
        // Never early. A machine that is too busy may deliver one signal for several, and end late.
        let as_meant = (0..10).any(|_| {
            let (before, start) = (handled(), Instant::now());
            let timeout = if at { Timeout::At(start + wait) } else { Timeout::After(wait) };
            assert_eq!(epoll.wait(timeout).unwrap(), 0);
            let elapsed = start.elapsed();
            assert!(elapsed >= wait, "{timeout:?}: early");
            handled() > before + 1 && elapsed < 2 * wait
        });
        assert!(as_meant, "not once in ten did signals come and the wait end in time");
    }
}

fn signal_comes_back() {
    let _timer = ticks::every(TICK);
    let mut epoll = Set::new().unwrap();
    let times = [
        Timeout::Never,
        Timeout::After(Duration::MAX),
        Timeout::After(Duration::from_secs(3600)),
        Timeout::At(Instant::now() + Duration::from_secs(3600)),
    ];
    for timeout in times {
        let before = handled();
        let answers: [io::Result<usize>; 2] =
            [epoll.wait_once(timeout), epoll.pwait(timeout, None)];
        for answer in answers {
            assert_eq!(
                answer.expect_err("a signal").raw_os_error(),
                Some(libc::EINTR),
                "{timeout:?}"
            );
        }
        assert!(handled() > before + 1);
    }
}

fn block_and_raise() {
    ticks::handle();
    SigSet::from(Signal::SIGUSR1).thread_block().expect("blocked");
    raise(Signal::SIGUSR1).expect("raised");
}

fn pending_signal() {
    let mut epoll = Set::new().unwrap();
    // Each of the two system calls, of which one has no end.
    for timeout in [Timeout::Never, Timeout::After(Duration::from_secs(3600))] {
        block_and_raise();
        let before = handled();
        let error = epoll.pwait(timeout, Some(SigSet::empty().as_ref())).expect_err("a signal");
        assert_eq!((error.kind(), handled()), (io::ErrorKind::Interrupted, before + 1));
        assert!(
            SigSet::thread_get_mask().unwrap().contains(Signal::SIGUSR1),
            "the mask is as it was"
        );
    }
}

fn no_mask() {
    let mut epoll = Set::new().unwrap();
    block_and_raise();
    let before = handled();
    assert_eq!(epoll.pwait(Duration::from_millis(1), None).unwrap(), 0);
    assert_eq!(epoll.wait(Duration::from_millis(1)).unwrap(), 0);
    assert_eq!(handled(), before);
}

fn ready_goes_first() {
    let (near, _far) = UnixStream::pair().unwrap();
    let mut epoll = Set::new().unwrap();
    epoll.insert(near, EpollFlags::OUT).unwrap();
    block_and_raise();
    assert_eq!(epoll.pwait(None, Some(SigSet::empty().as_ref())).expect("ready goes first"), 1);
}

/// From here on epoll_pwait2 is unknown, as before Linux 5.11: ENOSYS, or EPERM as of old container runtimes. False, and said, where
/// this cannot be had.
fn forbid_pwait2(errno: i32) -> bool {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    if support::emulated() {
        support::skipped("a kernel without epoll_pwait2: the emulator makes calls of its own");
        return false;
    }
    let statement = |code: u32, k: u32, jf: u8| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: 0,
        jf,
        k,
    };
    // The same number on all machines but MIPS.
    let call = 441;
    let answer = libc::SECCOMP_RET_ERRNO | errno.unsigned_abs();
    let mut filter = [
        // The number of the call: the first field of struct seccomp_data.
        statement(BPF_LD | BPF_W | BPF_ABS, 0, 0),
        statement(BPF_JMP | BPF_JEQ | BPF_K, call, 1),
        statement(BPF_RET | BPF_K, answer, 0),
        statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: a number and zeros.
    let mut result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result == 0 {
        // SAFETY: the program has the four statements it says, and the kernel copies them.
        result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    }
    if result != 0 {
        support::skipped(&format!(
            "a kernel without epoll_pwait2: seccomp: {}",
            io::Error::last_os_error()
        ));
    }
    result == 0
}

fn without_pwait2(errno: i32) {
    if !forbid_pwait2(errno) {
        return;
    }
    let mut epoll = Set::new().unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let key = epoll.insert(far, EpollFlags::IN).unwrap();
    for time in [1, 300_000, 999_999, 1_000_001, 2_500_000].map(Duration::from_nanos) {
        let start = Instant::now();
        assert_eq!(epoll.wait(time).unwrap(), 0);
        assert!(start.elapsed() >= time, "{time:?}: early");
    }
    // It waits for less than a millisecond, too, and does not ask again and again.
    let before = cpu_time();
    for _ in 0..50 {
        assert_eq!(epoll.wait(Duration::from_micros(990)).unwrap(), 0);
    }
    let used = cpu_time() - before;
    assert!(used < Duration::from_millis(25), "it spins: {used:?}");
    // Times that an int of milliseconds does not hold.
    for secs in [2_147_484, 4_294_968, 1 << 40, u64::MAX] {
        let start = Instant::now();
        let writer = near.try_clone().unwrap();
        let other = std::thread::spawn(move || {
            use std::io::Write;
            (&writer).write_all(b"x").unwrap();
        });
        assert_eq!(epoll.wait(Duration::from_secs(secs)).unwrap(), 1, "{secs}");
        other.join().unwrap();
        use std::io::Read;
        assert_eq!(epoll.get(key).map(|mut far| far.read(&mut [0; 8]).unwrap()), Some(1));
        assert_eq!(epoll.next_ready().unwrap().key(), key);
        assert!(start.elapsed() < Duration::from_secs(60));
    }
    // And the loop: a timer of 9.5 ms.
    let mut reactor = Reactor::new(Backend::Epoll).unwrap();
    let (time, start) = (Duration::from_micros(9500), Instant::now());
    reactor.call_later(time, Reactor::stop);
    reactor.run().unwrap();
    assert!(start.elapsed() >= time);
}

fn under_signals(errno: i32) {
    if !forbid_pwait2(errno) {
        return;
    }
    deadline_under_a_timer();
    signal_comes_back();
    pending_signal();
    no_mask();
}

/// Whoever has it does not close it: somebody else has.
struct Leaked(RawFd);

impl AsFd for Leaked {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: as unsound as what the case is about; only the kernel looks at it.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

/// No number that a descriptor can have stands for "not registered". (Here it is a pipe.)
fn standard_output() {
    let mut epoll = Epoll::new().unwrap();
    let key = epoll.insert(io::stdout(), EpollFlags::OUT).unwrap();
    assert_eq!(epoll.get(key).unwrap().as_raw_fd(), 1);
    assert!(epoll.set_flags(key, EpollFlags::OUT).unwrap());
    let out = epoll.remove(key).unwrap();
    assert!(epoll.insert(out, EpollFlags::OUT).is_ok(), "it was taken out");
}

fn closed_behind() {
    for duplicate_lives in [false, true] {
        let mut epoll = Epoll::new().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        let (_quiet, other) = UnixStream::pair().unwrap();
        let other = epoll.insert(Leaked(other.into_raw_fd()), EpollFlags::OUT).unwrap();
        let duplicate = duplicate_lives.then(|| far.try_clone().unwrap());
        let number = far.into_raw_fd();
        let key = epoll.insert(Leaked(number), EpollFlags::IN).unwrap();
        // SAFETY: nobody else has it but Leaked, which closes nothing.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
        use std::io::Write;
        let _ = (&near).write_all(b"x");
        let error = epoll.set_flags(key, EpollFlags::OUT).expect_err("closed");
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        // Its removal is no error, and then its events end, also those of a file that lives on.
        assert!(epoll.remove(key).is_some());
        for _ in 0..3 {
            assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 1);
            assert_eq!(epoll.next_ready().unwrap().key(), other);
        }
        drop(duplicate);
        let Leaked(last) = epoll.remove(other).unwrap();
        // SAFETY: as above.
        drop(unsafe { OwnedFd::from_raw_fd(last) });
    }
}

/// The number is another file's by now: the source says the same number and means another file.
fn opened_again() {
    let mut epoll = Epoll::new().unwrap();
    let (_near, far) = UnixStream::pair().unwrap();
    let number = far.into_raw_fd();
    let key = epoll.insert(Leaked(number), EpollFlags::IN).unwrap();
    // SAFETY: as above.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
    let (other, again) = UnixStream::pair().unwrap();
    let again = if again.as_raw_fd() == number { again } else { other };
    assert_eq!(again.as_raw_fd(), number, "the lowest that is free");
    let error = epoll.set_flags(key, EpollFlags::OUT).expect_err("another one");
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    // Taken out and in again it is watched.
    let source = epoll.remove(key).unwrap();
    let key = epoll.insert(source, EpollFlags::OUT).unwrap();
    assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 1);
    assert_eq!(
        epoll.next_ready().map(|event| (event.key(), event.flags())),
        Some((key, EpollFlags::OUT))
    );
}

/// The number is that of another source here by now: what is registered under it is that one's, whatever becomes of the first.
fn another_source_has_the_number() {
    for what in ["removed", "set", "both"] {
        for duplicate_lives in [false, true] {
            let mut epoll = Epoll::new().unwrap();
            let (near, far) = UnixStream::pair().unwrap();
            let duplicate = duplicate_lives.then(|| far.try_clone().unwrap());
            let number = far.into_raw_fd();
            let old = epoll.insert(Leaked(number), EpollFlags::IN).unwrap();
            // SAFETY: as above.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
            let (a, b) = UnixStream::pair().unwrap();
            let (again, _peer) = if a.as_raw_fd() == number { (a, b) } else { (b, a) };
            assert_eq!(again.as_raw_fd(), number, "the lowest that is free");
            let new = epoll.insert(Leaked(again.into_raw_fd()), EpollFlags::OUT).unwrap();
            if what != "removed" {
                let error = epoll.set_flags(old, EpollFlags::IN).expect_err("another one's");
                assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
            }
            if what != "set" {
                assert!(epoll.remove(old).is_some());
            }
            for _ in 0..2 {
                assert_eq!(take(&mut epoll, NOW), [(new, EpollFlags::OUT)], "{what}");
            }
            // The first one's file may live on, and be told of until it is removed.
            use std::io::Write;
            let _ = (&near).write_all(b"x");
            if what == "set" && duplicate_lives {
                assert_eq!(take(&mut epoll, NOW).len(), 2);
                assert!(epoll.remove(old).is_some());
            }
            for _ in 0..2 {
                assert_eq!(take(&mut epoll, NOW), [(new, EpollFlags::OUT)], "{what}");
            }
            drop(duplicate);
            // SAFETY: as above.
            drop(epoll.remove(new).map(|Leaked(number)| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
}

/// It is told, and tried again at the next wait: nothing is lost.
fn no_descriptor_for_a_new_instance() {
    let mut epoll = Epoll::new().unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let key = epoll.insert(far, EpollFlags::IN).unwrap();
    let (_other, dead) = UnixStream::pair().unwrap();
    let number = dead.as_raw_fd();
    let dead = epoll.insert(dead, EpollFlags::OUT).unwrap();
    // Not deleted, as its number is not open any more; and its file lives on.
    let duplicate = epoll.get(dead).unwrap().try_clone().unwrap();
    nix::unistd::close(number).unwrap();
    std::mem::forget(epoll.remove(dead));
    use std::io::Write;
    (&near).write_all(b"x").unwrap();
    if !support::fds::lower_limit((duplicate.as_raw_fd() + 3).try_into().unwrap()) {
        return;
    }
    let fillers: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    for _ in 0..2 {
        let error = epoll.wait(Duration::ZERO).expect_err("no descriptor");
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    }
    drop(fillers);
    for _ in 0..2 {
        assert_eq!(epoll.wait(Duration::ZERO).unwrap(), 1);
        assert_eq!(epoll.next_ready().unwrap().key(), key);
    }
}
