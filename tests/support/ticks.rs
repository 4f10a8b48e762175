//! SIGUSR1 at intervals, counted: for cases that have a process of their own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{
    SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, Signal, sigaction,
};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: i32) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// How many have come.
pub fn handled() -> usize {
    HANDLED.load(Ordering::Relaxed)
}

/// Handles SIGUSR1 by counting it, with SA_RESTART: poll, select and epoll_wait are not restarted all the same.
pub fn handle() {
    let action = SigAction::new(SigHandler::Handler(count), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler touches one atomic and nothing else.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("a handler");
}

/// One each time that so much time is over, until it is dropped.
pub fn every(interval: Duration) -> Timer {
    handle();
    sent(Expiration::Interval(interval.into()))
}

/// For a handler of the case's own.
pub fn sent(times: Expiration) -> Timer {
    let event = SigEvent::new(SigevNotify::SigevSignal { signal: Signal::SIGUSR1, si_value: 0 });
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, event).expect("a timer");
    timer.set(times, TimerSetTimeFlags::empty()).expect("set");
    timer
}
