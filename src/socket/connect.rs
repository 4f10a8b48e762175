//! connect(2), with and without a limit to the wait.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::Socket;
use super::interrupt::{SEND, interrupted};
use crate::addr::Addr;
use crate::poll::{Events, PollFd, poll};
use crate::sys::addr::RawAddr;
use crate::sys::socket as sys;
use crate::timeout::Timeout;

impl Socket {
    /// `connect(2)`: connects to a peer; of a datagram socket, sets where [`send`](Socket::send) goes and from whom it receives.
    ///
    /// A signal does not end it: where connect(2) gives EINTR and goes on in the background, this waits for the
    /// outcome.
    ///
    /// On a non-blocking socket a TCP connect begins, and the error `EINPROGRESS` says so: wait for
    /// [`OUT`](Events::OUT), then ask [`take_error`](Socket::take_error). [`connect_timeout`](Socket::connect_timeout) does both.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    /// use std::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let socket = Socket::new(Domain::INET, Type::STREAM, None)?;
    /// socket.connect(listener.local_addr()?)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `ECONNREFUSED`: nobody listens there; for a Unix path also a file that a socket left behind.
    /// - `ENOENT`: no such path.
    /// - `ETIMEDOUT`: no answer to any of TCP's attempts; with Linux's defaults that takes about two minutes.
    /// - `EINPROGRESS`: begun, on a non-blocking socket or when SO_SNDTIMEO is over. `EALREADY`: begun before.
    /// - `EAGAIN`: the queue of a Unix listener is full, and the socket is non-blocking or its SO_SNDTIMEO is over.
    ///   Nothing has begun: there is nothing to wait for with poll.
    /// - `EISCONN`: connected already.
    /// - `ENETUNREACH`, `EHOSTUNREACH`: no way there.
    /// - `EADDRNOTAVAIL`: no free port of our own is left.
    /// - `EPROTOTYPE`: the Unix path is of a socket of another type.
    /// - `EACCES`: a broadcast address without SO_BROADCAST, or a Unix path that may not be written.
    /// - `EINVAL` or `EAFNOSUPPORT`: an address of another domain.
    ///
    /// After an error make a new socket for the next attempt: not every system can use the old one again.
    ///
    /// # Traps
    ///
    /// - A connect to a port of this machine where nobody listens can succeed, when the system happens to choose that same
    ///   port for our end: TCP then connects the socket with itself.
    #[doc = concat!(man_page!("connect", 2))]
    pub fn connect(&self, addr: impl Into<Addr>) -> io::Result<()> {
        let addr = addr.into();
        let raw = addr.to_raw();
        match sys::connect(self.as_fd(), &raw) {
            Err(error) if interrupted(&error) => self.connect_interrupted(&addr, &raw),
            result => result,
        }
    }

    /// After a signal TCP goes on connecting. The second connect(2) of a blocking socket joins the wait and gets the outcome;
    /// where there was nothing to go on with (a Unix listener's full queue) it begins again.
    #[cold]
    fn connect_interrupted(&self, addr: &Addr, raw: &RawAddr) -> io::Result<()> {
        let result = self.restart(SEND, || sys::connect(self.as_fd(), raw));
        match result.as_ref().err().and_then(io::Error::raw_os_error) {
            // It ended between the two calls. POSIX has this answer; TCP on Linux answers 0.
            Some(libc::EISCONN) => Ok(()),
            // SO_SNDTIMEO is over. Without a signal the kernel would have said EINPROGRESS.
            Some(libc::EALREADY) => Err(io::Error::from_raw_os_error(libc::EINPROGRESS)),
            Some(libc::EAGAIN) if addr.as_unix().is_none() => {
                Err(io::Error::from_raw_os_error(libc::EINPROGRESS))
            }
            _ => result,
        }
    }

    /// `connect(2)` with a limit: fails with [`TimedOut`](ErrorKind::TimedOut) when it is not connected by then.
    ///
    /// Blocking or non-blocking, the socket is afterwards what it was before, whatever the outcome. In between it is
    /// changed, for every holder of the socket. A limit of zero succeeds only where nothing has to be waited for.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    /// use std::{net::TcpListener, time::Duration};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let socket = Socket::new(Domain::INET, Type::STREAM, None)?;
    /// socket.connect_timeout(listener.local_addr()?, Duration::from_secs(5))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`connect`](Socket::connect) on a blocking socket, and [`TimedOut`](ErrorKind::TimedOut). That one has no errno;
    /// `ETIMEDOUT` has the same kind, and means that TCP itself gave up.
    ///
    /// # Traps
    ///
    /// - After `TimedOut` TCP goes on trying, and may yet connect: drop the socket. A second attempt on it fails with
    ///   `EALREADY`.
    /// - Whether it connected is in SO_ERROR, which reading clears. Where another holder of the socket has read it meanwhile, a refusal
    ///   is an error all the same and not a success, with what the kernel says of the peer: `ENOTCONN`.
    #[doc = concat!(man_page!("connect", 2))]
    pub fn connect_timeout(
        &self,
        addr: impl Into<Addr>,
        timeout: impl Into<Timeout>,
    ) -> io::Result<()> {
        let addr = addr.into();
        let raw = addr.to_raw();
        let timeout = timeout.into();
        let _mode = RestoreMode { socket: self, nonblocking: self.is_nonblocking()? };
        self.set_nonblocking(true)?;
        let deadline = deadline(timeout);
        let Err(error) = sys::connect(self.as_fd(), &raw) else {
            return Ok(());
        };
        match error.raw_os_error() {
            Some(libc::EINPROGRESS) => self.finish_connect(timeout),
            Some(libc::EAGAIN) if addr.as_unix().is_some() => self.wait_for_room(&raw, deadline),
            _ => Err(error),
        }
    }

    /// Waits until a connect that has begun has ended, and says how.
    fn finish_connect(&self, timeout: Timeout) -> io::Result<()> {
        if poll(&mut [PollFd::of(self, Events::OUT)], timeout)? == 0 {
            return Err(timed_out());
        }
        match self.take_error()? {
            Some(error) => Err(error),
            // If another holder of the socket has taken the error, that there is no peer still tells.
            None => self.peer_addr().map(drop),
        }
    }

    /// Connects to a Unix listener whose queue is full.
    ///
    /// poll cannot wait for that: it calls a Unix socket that is not connected ready. A blocking connect can, and
    /// SO_SNDTIMEO limits it.
    fn wait_for_room(&self, addr: &RawAddr, deadline: Option<Instant>) -> io::Result<()> {
        let before = self.own_time(SEND)?;
        let _time = RestoreTime { socket: self, time: before };
        self.set_nonblocking(false)?;
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(timed_out());
            }
            self.set_own_time(SEND, left.map(|left| left.min(SLICE)))?;
            match sys::connect(self.as_fd(), addr) {
                Err(error) if interrupted(&error) => {}
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
                result => return result,
            }
        }
    }
}

/// How long a connect may block in one go: the kernel takes times near the end of their type for none at all.
const SLICE: Duration = Duration::from_secs(24 * 60 * 60);

fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "not connected within the time given")
}

/// `None` is never; so is an instant beyond the clock's range.
fn deadline(timeout: Timeout) -> Option<Instant> {
    match timeout {
        Timeout::Never => None,
        Timeout::After(duration) => Instant::now().checked_add(duration),
        Timeout::At(instant) => Some(instant),
    }
}

struct RestoreMode<'a> {
    socket: &'a Socket,
    nonblocking: bool,
}

impl Drop for RestoreMode<'_> {
    fn drop(&mut self) {
        // Of an open socket, as this one is, fcntl(2) knows no error for it.
        let _ = self.socket.set_nonblocking(self.nonblocking);
    }
}

struct RestoreTime<'a> {
    socket: &'a Socket,
    time: Option<Duration>,
}

impl Drop for RestoreTime<'_> {
    fn drop(&mut self) {
        // The kernel takes back what it gave.
        let _ = self.socket.set_own_time(SEND, self.time);
    }
}
