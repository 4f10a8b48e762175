//! epoll(7): the instance, and its three calls.

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::{Duration, Instant};

use super::time::Timespec;
use super::{MIPS32, MIPS64, SIGSET_BYTES, cvt, cvt_count, is_unknown};
use crate::timeout::Timeout;

/// `struct epoll_event`: flags, and a number that the kernel hands back.
pub(crate) type Event = libc::epoll_event;

#[derive(Debug)]
pub(crate) struct Instance {
    fd: OwnedFd,
    /// Whether the kernel has epoll_pwait2, as far as we know: Linux 5.11 has.
    nanoseconds: bool,
}

impl Instance {
    /// epoll_create1(2), close-on-exec.
    pub(crate) fn new() -> io::Result<Instance> {
        // SAFETY: the call takes a number only.
        let fd = cvt(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
        Ok(Instance { fd: unsafe { OwnedFd::from_raw_fd(fd) }, nanoseconds: true })
    }

    /// epoll_ctl(2) with EPOLL_CTL_ADD. The kernel watches the open file, not the number: it goes on after `fd` is closed, as
    /// long as a duplicate lives.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, flags: u32, data: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), flags, data)
    }

    /// epoll_ctl(2) with EPOLL_CTL_MOD.
    pub(crate) fn modify(&self, fd: BorrowedFd<'_>, flags: u32, data: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd.as_raw_fd(), flags, data)
    }

    /// epoll_ctl(2) with EPOLL_CTL_DEL: of what is registered under this number here. Nobody's descriptor is touched, so it need not be lent.
    pub(crate) fn delete(&self, number: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, number, 0, 0)
    }

    fn control(&self, operation: c_int, fd: RawFd, flags: u32, data: u64) -> io::Result<()> {
        let mut event = Event { events: flags, u64: data };
        // SAFETY: the kernel reads one epoll_event, and is done with it when the call returns.
        cvt(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &raw mut event) })
            .map(drop)
    }

    /// One epoll_pwait2(2) call, or epoll_pwait(2) where the wait is none or has no end: the events are put behind those that
    /// `events` has, as many as there is room for without growing it.
    ///
    /// The kernel writes no time left: after EINTR the caller has to know what is left.
    pub(crate) fn wait(
        &mut self,
        events: &mut Vec<Event>,
        timeout: Timeout,
        mask: Option<&libc::sigset_t>,
    ) -> io::Result<usize> {
        let time = match timeout.timespec() {
            None => return self.call(events, Call::Milliseconds(-1), mask),
            Some(Timespec::ZERO) => return self.call(events, Call::Milliseconds(0), mask),
            Some(time) => time,
        };
        if self.nanoseconds {
            match self.call(events, Call::Timespec(&time), mask) {
                Err(error) if is_unknown(&error) => self.nanoseconds = false,
                result => return result,
            }
        }
        self.wait_in_milliseconds(events, time.to_duration(), mask)
    }

    /// Rounded up, and in slices of at most 24 days.
    #[cold]
    fn wait_in_milliseconds(
        &self,
        events: &mut Vec<Event>,
        time: Duration,
        mask: Option<&libc::sigset_t>,
    ) -> io::Result<usize> {
        let until = Instant::now().checked_add(time);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let slice = left.map_or(c_int::MAX, |left| {
                c_int::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
            });
            let found = self.call(events, Call::Milliseconds(slice), mask)?;
            if found > 0 || left.is_some_and(|left| left.is_zero()) {
                return Ok(found);
            }
        }
    }

    fn call(
        &self,
        events: &mut Vec<Event>,
        call: Call<'_>,
        mask: Option<&libc::sigset_t>,
    ) -> io::Result<usize> {
        let fd = self.fd.as_raw_fd();
        let room = events.spare_capacity_mut();
        // As many as the kernel can count.
        let most = c_int::try_from(room.len()).unwrap_or(c_int::MAX);
        let place: *mut Event = room.as_mut_ptr().cast();
        let mask: *const libc::sigset_t = mask.map_or(ptr::null(), ptr::from_ref);
        let found = match call {
            // SAFETY: the kernel writes at most `most` epoll_events at `place`, which is uninitialised memory for as many; it reads
            // SIGSET_BYTES of `mask`, null or a sigset_t, which is larger.
            Call::Milliseconds(time) => cvt_count(unsafe {
                libc::syscall(libc::SYS_epoll_pwait, fd, place, most, time, mask, SIGSET_BYTES)
            }),
            Call::Timespec(time) => {
                let time = ptr::from_ref(time);
                // SAFETY: as above; and it reads one timespec with 64-bit fields, on every machine.
                cvt_count(unsafe {
                    libc::syscall(SYS_EPOLL_PWAIT2, fd, place, most, time, mask, SIGSET_BYTES)
                })
            }
        }?;
        // SAFETY: the kernel has written `found` events from the end of the old ones on, and no more than `most`, which is
        // within the capacity.
        unsafe { events.set_len(events.len() + found) };
        Ok(found)
    }
}

enum Call<'a> {
    Milliseconds(c_int),
    Timespec(&'a Timespec),
}

// The same number on all machines but for the MIPS offsets; libc lacks it for some.
const SYS_EPOLL_PWAIT2: c_long = if MIPS64 {
    5441
} else if MIPS32 {
    4441
} else {
    441
};

impl AsFd for Instance {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

// The events that both calls have are the same bits: the loop's backend takes those of poll.
const _: () = assert!(
    libc::POLLIN as i32 == libc::EPOLLIN
        && libc::POLLPRI as i32 == libc::EPOLLPRI
        && libc::POLLOUT as i32 == libc::EPOLLOUT
        && libc::POLLERR as i32 == libc::EPOLLERR
        && libc::POLLHUP as i32 == libc::EPOLLHUP
        && libc::POLLRDHUP as i32 == libc::EPOLLRDHUP
);
