//! A datagram, as its handler sees it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shutdown::{Ending, ShutdownHandle};
use crate::accept::{Verdict, datagram_verdict};
use crate::addr::Addr;
use crate::poll::{Events, PollFd, poll};
use crate::socket::Socket;
use crate::timeout::Timeout;

/// How long a reply waits for a receiver whose queue is full.
const REPLY_TIME: Duration = Duration::from_secs(1);

/// One datagram: its bytes, whether it was cut, its sender, and the way back.
///
/// Nothing is sent unless [`reply`](Datagram::reply) is called. (The notes' `socketserver` answers each datagram,
/// with an empty one where the handler wrote nothing.)
pub struct Datagram {
    bytes: Vec<u8>,
    truncated: bool,
    sender: Addr,
    socket: Arc<Socket>,
    ending: Arc<Ending>,
}

impl Datagram {
    pub(super) fn new(
        (bytes, truncated, sender): (&[u8], bool, Addr),
        socket: &Arc<Socket>,
        ending: &Arc<Ending>,
    ) -> Datagram {
        let (socket, ending) = (Arc::clone(socket), Arc::clone(ending));
        Datagram { bytes: bytes.to_vec(), truncated, sender, socket, ending }
    }

    /// What was sent. May be empty: a datagram without bytes is one, and not the end of anything.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it was longer than [`largest_packet`](super::Builder::largest_packet): the rest of it is lost.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Who sent it. A Unix sender that is not bound is unnamed, and cannot be answered. One that is bound to a relative path is
    /// named by that: it is looked for in this process's folder, and not in the sender's.
    #[must_use]
    pub fn sender(&self) -> &Addr {
        &self.sender
    }

    /// The server's socket, which all its datagrams share. It does not block.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends one datagram back to the sender. May be called more than once, and with no bytes.
    ///
    /// Over IP, success says that it was sent, and not that anybody got it. What is found out about an earlier reply
    /// (ECONNREFUSED, with [`RecvErr`](crate::sockopt::ip::RecvErr)) is no error of this one.
    ///
    /// ```
    /// use readysock::server::{Datagram, UdpServer};
    /// use std::net::{Ipv4Addr, UdpSocket};
    ///
    /// let shout = |packet: &mut Datagram| packet.reply(&packet.bytes().to_ascii_uppercase());
    /// let mut server = UdpServer::bind((Ipv4Addr::LOCALHOST, 0), shout)?;
    /// let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    /// client.send_to(b"hello", server.local_addr()?.as_internet().unwrap())?;
    /// assert!(server.handle_request()?);
    /// let mut answer = [0; 10];
    /// let (n, _) = client.recv_from(&mut answer)?;
    /// assert_eq!(&answer[..n], b"HELLO");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](ErrorKind::InvalidInput): the sender has no name to be answered at.
    /// - `EMSGSIZE`: longer than a datagram can be (65507 bytes over IPv4).
    /// - `ECONNREFUSED`, `ENOENT`: a Unix sender that is gone.
    /// - `EAGAIN`: a Unix receiver whose queue, or a socket whose send buffer, stayed full for a second, or to the end of
    ///   [`close_within`](super::Builder::close_within) where that is sooner.
    pub fn reply(&self, bytes: &[u8]) -> io::Result<()> {
        if self.sender.as_unix().is_some_and(|addr| addr.is_unnamed()) {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "the sender has no name to reply to: have it bind its socket first",
            ));
        }
        let (mut until, mut again) = (None, true);
        let mut pause = Duration::from_millis(1);
        loop {
            match self.socket.send_to(bytes, &self.sender) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let until = *until.get_or_insert_with(|| self.until());
                    if Instant::now() >= until {
                        return Err(error);
                    }
                    let mut slot = [PollFd::of(&*self.socket, Events::OUT)];
                    poll(&mut slot, until)?;
                    // What else made it ready would do so again and again: its queue of errors, which no call empties.
                    self.socket.drop_queued_errors();
                    // Of a Unix socket that is not connected OUT says nothing about the receiver's queue, and nothing
                    // else does: look again, less and less often.
                    if self.sender.as_unix().is_some() {
                        std::thread::sleep(pause);
                        pause = (pause * 2).min(Duration::from_millis(20));
                    }
                }
                // Of UDP it may be about an earlier reply, to somebody who has gone: then nothing was sent, and the error is taken.
                Err(error)
                    if again
                        && self.sender.as_internet().is_some()
                        && datagram_verdict(&error) == Verdict::GoOn =>
                {
                    again = false;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn until(&self) -> Instant {
        let until = Instant::now() + REPLY_TIME;
        match self.ending.is_told().then(|| self.ending.deadline()) {
            Some(Timeout::At(end)) => end.min(until),
            _ => until,
        }
    }

    /// What ends the server that this datagram came to.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle { ending: Arc::clone(&self.ending) }
    }
}

impl AsFd for Datagram {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for Datagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagram")
            .field("length", &self.bytes.len())
            .field("truncated", &self.truncated)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}
