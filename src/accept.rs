//! What to do after accept(2) or recvmsg(2) has failed.

use std::fs::File;
use std::io::{self, ErrorKind};

/// What an error of the listener means for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was about one client, or nothing at all: the next one please.
    GoOn,
    /// The system had nothing left: the same again a little later. Whether descriptors were short.
    BackOff { descriptors: bool },
    /// It is about the listener itself and will not pass.
    GiveUp,
}

pub(crate) fn verdict(error: &io::Error) -> Verdict {
    if error.kind() == ErrorKind::WouldBlock {
        // Another process took it, or it was a packet with a bad checksum.
        return Verdict::GoOn;
    }
    match error.raw_os_error() {
        Some(
            libc::EINTR
            // The client has gone again.
            | libc::ECONNABORTED
            | libc::ECONNRESET
            // accept(2): what waits at the new connection already is told here, on Linux.
            | libc::ENETDOWN
            | libc::EPROTO
            | libc::ENOPROTOOPT
            | libc::EHOSTDOWN
            | libc::ENONET
            | libc::EHOSTUNREACH
            | libc::EOPNOTSUPP
            | libc::ENETUNREACH
            | libc::ETIMEDOUT
            // Of UDP: somebody did not listen any more when an earlier reply arrived.
            | libc::ECONNREFUSED,
        ) => Verdict::GoOn,
        Some(_) if no_descriptors(error) => Verdict::BackOff { descriptors: true },
        // EPERM: a firewall's answer, which may be about one client, or a rule of the system's, which is about all of them and leaves the
        // connection where it is.
        Some(libc::ENOBUFS | libc::ENOMEM | libc::ENOSR | libc::EPERM) => {
            Verdict::BackOff { descriptors: false }
        }
        _ => Verdict::GiveUp,
    }
}

/// The same of recvmsg(2) for a datagram, which tells of an earlier one that was sent, too: an ICMP message says, once, that it was too
/// long for the way (`EMSGSIZE`) or is not allowed there (`EACCES`). Of accept(2) the latter is about the listener.
pub(crate) fn datagram_verdict(error: &io::Error) -> Verdict {
    match error.raw_os_error() {
        Some(libc::EMSGSIZE | libc::EACCES) => Verdict::GoOn,
        _ => verdict(error),
    }
}

/// Whether this process, or the system, has no descriptor left.
pub(crate) fn no_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// A descriptor kept for the day there is no other: given away, it makes room for one more connection.
///
/// So a server that is out of descriptors goes on, one client at a time, and does not lose the ones who wait.
#[derive(Debug)]
pub(crate) struct Reserve(Option<File>);

impl Reserve {
    pub(crate) fn new() -> Reserve {
        let mut reserve = Reserve(None);
        reserve.restore();
        reserve
    }

    /// Gives it away. False where it is away already.
    pub(crate) fn release(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// Gets it back, if there is one to be had.
    pub(crate) fn restore(&mut self) {
        if self.0.is_none() {
            self.0 = File::open("/dev/null").ok();
        }
    }
}
