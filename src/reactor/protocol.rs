//! What one writes: a protocol, told of everything that happens to its connection.

use std::fmt;
use std::io;

use super::{Reactor, Transport};

/// What happens to a connection, told to who writes for it. Each connection has a protocol of its own.
///
/// A call is never made while another one is at work, on whatever connection. In the order in which they come: once
/// [`connection_made`](Protocol::connection_made); then [`data_received`](Protocol::data_received) as often as something arrives; once
/// [`read_closed`](Protocol::read_closed), if the peer ends its half; and once, last, in any case,
/// [`connection_lost`](Protocol::connection_lost).
///
/// A closure `FnMut(&mut Transport, &[u8])` is a protocol that only receives:
///
/// ```
/// use readysock::reactor::{Backend, Reactor, Transport};
///
/// let mut reactor = Reactor::new(Backend::Poll)?;
/// let echo = |transport: &mut Transport<'_>, data: &[u8]| transport.write(data);
/// reactor.listen(([127, 0, 0, 1], 0), move |_| echo)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Protocol {
    /// The connection is there.
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        let _ = transport;
    }

    /// Some bytes have arrived: as many as came together, which need not be as many as were sent together.
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]);

    /// The peer sends no more. It may still read: unless this says otherwise, the connection is [closed](Transport::close).
    fn read_closed(&mut self, transport: &mut Transport<'_>) {
        transport.close();
    }

    /// More was queued than the high-water mark ([`Transport::set_marks`]): write no more for now. Each such call is followed by one of
    /// [`resume_writing`](Protocol::resume_writing), unless the connection is closed or ends before: also where the queue has been flushed by now.
    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        let _ = transport;
    }

    /// No more is queued than the low-water mark: go on writing.
    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        let _ = transport;
    }

    /// After [`resume_reading`](Transport::resume_reading): for protocols that hold back what they have received already.
    fn resume_reading(&mut self, transport: &mut Transport<'_>) {
        let _ = transport;
    }

    /// The connection is gone, and why.
    fn connection_lost(&mut self, reactor: &mut Reactor, why: Lost) {
        let (_, _) = (reactor, why);
    }

    /// There was no connection to be had, at any of the addresses, in time: in place of all the others.
    ///
    /// The error is that of the last address; without an errno, [`TimedOut`](io::ErrorKind::TimedOut) where the time was over, and
    /// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) where it was [removed](Reactor::remove) or the reactor dropped.
    fn connect_failed(&mut self, reactor: &mut Reactor, error: io::Error) {
        let (_, _) = (reactor, error);
    }
}

impl<F: FnMut(&mut Transport<'_>, &[u8])> Protocol for F {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self(transport, data);
    }
}

/// Why a connection is gone.
#[derive(Debug)]
#[non_exhaustive]
pub enum Lost {
    /// It was closed from this side; all that was written has been handed over.
    Closed,
    /// The peer has reset it: `ECONNRESET`, or `EPIPE` to who went on writing. What was on its way is lost.
    Reset,
    /// [`abort`](Transport::abort) was called here.
    Aborted,
    /// TCP has given up: `ETIMEDOUT`.
    TimedOut,
    /// Another error.
    Error(io::Error),
    /// A call to its protocol panicked; the text is the panic's.
    Panicked(String),
    /// The [`Reactor`] was dropped.
    Dropped,
}

impl Lost {
    pub(super) fn by(error: io::Error) -> Lost {
        match error.raw_os_error() {
            Some(libc::ECONNRESET | libc::EPIPE) => Lost::Reset,
            Some(libc::ETIMEDOUT) => Lost::TimedOut,
            _ => Lost::Error(error),
        }
    }

    /// Whether the connection ended in order: it was closed, and neither reset nor broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!(self, Lost::Closed)
    }
}

/// As in `reset by the peer`.
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Closed => f.pad("closed"),
            Lost::Reset => f.pad("reset by the peer"),
            Lost::Aborted => f.pad("aborted here"),
            Lost::TimedOut => f.pad("timed out"),
            Lost::Error(error) => error.fmt(f),
            Lost::Panicked(text) => write!(f, "panic: {text}"),
            Lost::Dropped => f.pad("the reactor is gone"),
        }
    }
}
