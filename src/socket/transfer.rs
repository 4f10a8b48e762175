//! Sending and receiving.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::AsFd;

use super::Socket;
use super::interrupt::{RECEIVE, SEND};
use crate::addr::Addr;
use crate::poll::{Events, PollFd, poll};
use crate::sys::socket as sys;

impl Socket {
    /// `send(2)`: sends to the peer, and says how many of the bytes the kernel took. Restarts after EINTR.
    ///
    /// A stream may take fewer than it is given, a non-blocking one mostly does when its buffer fills up:
    /// [`send_all`](Socket::send_all) goes on. A datagram is taken whole or not at all; one without bytes is a
    /// message like any other.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let (near, far) = Socket::pair(Domain::UNIX, Type::DGRAM, None)?;
    /// assert_eq!(near.send(b"hello")?, 5);
    /// assert_eq!(far.recv(&mut [0; 16])?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - `EAGAIN`: non-blocking and no room, or SO_SNDTIMEO is over.
    /// - `EPIPE`: the peer is gone, or the writing half is shut down. No signal comes with it.
    /// - `ECONNRESET`: the peer has reset the connection.
    /// - `ECONNREFUSED`: of connected UDP, nobody had listened when an earlier datagram arrived. It comes once, and the socket goes on.
    /// - `EMSGSIZE`: too long for one datagram.
    /// - `ENOTCONN`, `EDESTADDRREQ`: not connected; of TCP, `EPIPE`.
    ///
    /// There are no flags: MSG_NOSIGNAL is always set, and some of the others would let the kernel use the bytes
    /// after the call.
    #[doc = concat!(man_page!("send", 2))]
    #[inline]
    #[must_use = "fewer bytes may have gone than were given: use the count, or send_all"]
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.restart(SEND, || sys::send(self.as_fd(), bytes))
    }

    /// `send(2)` until every byte is taken; on a non-blocking socket it waits for room with [`poll`].
    ///
    /// For streams. With no bytes it does nothing; for a datagram use [`send`](Socket::send).
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    /// near.set_nonblocking(true)?;
    /// let reader = std::thread::spawn(move || std::io::copy(&mut &far, &mut std::io::sink()));
    /// near.send_all(&[0; 1 << 20])?; // more than fits at once
    /// drop(near);
    /// assert_eq!(reader.join().unwrap()?, 1 << 20);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Socket::send); `EAGAIN` only of a blocking socket, whose SO_SNDTIMEO is over. After an error an unknown
    /// part of the bytes has gone, and of what the kernel took nobody knows whether it arrived: give the connection up. Who
    /// needs the count calls `send` in a loop.
    #[doc = concat!(man_page!("send", 2))]
    #[doc(alias = "sendall")]
    pub fn send_all(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.send(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.is_nonblocking()? => {
                    poll(&mut [PollFd::of(self, Events::OUT)], None)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// `sendto(2)`: sends a datagram to an address. Restarts after EINTR.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let far = Socket::new(Domain::INET, Type::DGRAM, None)?;
    /// far.bind(([127, 0, 0, 1], 0))?;
    /// let near = Socket::new(Domain::INET, Type::DGRAM, None)?;
    /// assert_eq!(near.send_to(b"hello", far.local_addr()?)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Socket::send), with those of the address: `ENOENT` or `ECONNREFUSED` for a Unix path, `EINVAL` or
    /// `EAFNOSUPPORT` for one of another domain, `EACCES` for a broadcast address without SO_BROADCAST, `EPERM` for a Unix socket that
    /// is connected to somebody else, `EISCONN` on a connected Unix stream and `EOPNOTSUPP` on one that is not connected.
    ///
    /// # Traps
    ///
    /// - A connected TCP socket ignores the address; a connected datagram socket sends there, and not to its peer.
    #[doc = concat!(man_page!("sendto", 2))]
    #[doc(alias = "sendto")]
    #[must_use = "of a stream, fewer bytes may have gone than were given"]
    pub fn send_to(&self, bytes: &[u8], addr: impl Into<Addr>) -> io::Result<usize> {
        let addr = addr.into().to_raw();
        self.restart(SEND, || sys::send_to(self.as_fd(), bytes, &addr))
    }

    /// `recv(2)`: receives into the buffer, and says how many bytes. Restarts after EINTR.
    ///
    /// Of a stream, 0 is its end: the peer sends no more. Of a datagram socket, 0 is a datagram without bytes, and of one
    /// longer than the buffer the rest is lost: [`recv_from`](Socket::recv_from) tells.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    /// near.send_all(b"hello")?;
    /// let mut buffer = [0; 4];
    /// assert_eq!((far.recv(&mut buffer)?, &buffer), (4, b"hell"));
    /// drop(near);
    /// assert_eq!((far.recv(&mut buffer)?, far.recv(&mut buffer)?), (1, 0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](ErrorKind::InvalidInput): the buffer is empty. recv(2) would answer 0, which looks like the end
    ///   of a stream, and throw a datagram away.
    /// - `EAGAIN`: non-blocking and nothing there, or SO_RCVTIMEO is over.
    /// - `ECONNRESET`: the peer has reset the connection.
    /// - `ECONNREFUSED`: of a connected UDP socket, nobody listened for what was sent. It comes once, and the socket goes on.
    /// - `ENOTCONN`: a stream that is not connected; of a Unix one, `EINVAL`.
    #[doc = concat!(man_page!("recv", 2))]
    #[inline]
    #[must_use = "only so many bytes of the buffer are new; of a stream, 0 is its end"]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Err(empty_buffer());
        }
        self.restart(RECEIVE, || sys::recv(self.as_fd(), buffer))
    }

    /// `recvmsg(2)`: receives a datagram: its length in the buffer, whether it was cut to fit, and its sender. Restarts after
    /// EINTR.
    ///
    /// Of a datagram socket, a length of 0 is a datagram without bytes, and no end of file: more may come.
    ///
    /// A Unix sender that is not bound is [`UnixAddr::unnamed`](crate::UnixAddr::unnamed): it cannot be answered. On a TCP
    /// connection the data has no sender of its own; the address is then an [`OtherAddr`](crate::OtherAddr) without bytes
    /// ([`peer_addr`](Socket::peer_addr) knows the peer).
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let far = Socket::new(Domain::INET, Type::DGRAM, None)?;
    /// far.bind(([127, 0, 0, 1], 0))?;
    /// let near = Socket::new(Domain::INET, Type::DGRAM, None)?;
    /// near.send_to(b"hello", far.local_addr()?)?;
    /// let (n, truncated, sender) = far.recv_from(&mut [0; 4])?;
    /// assert_eq!((n, truncated), (4, true)); // the fifth byte is lost
    /// assert_eq!(sender.as_internet().unwrap().port(), near.local_addr()?.as_internet().unwrap().port());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Socket::recv).
    #[doc = concat!(man_page!("recv", 2))]
    #[doc(alias = "recvfrom")]
    #[doc(alias = "recvmsg")]
    #[doc(alias = "MSG_TRUNC")]
    #[must_use = "only so many bytes of the buffer are new, and the datagram may have been cut"]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, bool, Addr)> {
        if buffer.is_empty() {
            return Err(empty_buffer());
        }
        let (len, truncated, addr) =
            self.restart(RECEIVE, || sys::recv_from(self.as_fd(), buffer))?;
        Ok((len, truncated, self.addr(addr)))
    }

    /// Whether something is there to be read, as far as one can tell: not at the end of the stream, or where a read would fail.
    #[cold]
    pub(crate) fn may_be_read(&self) -> bool {
        match sys::peek(self.as_fd(), &mut [0]) {
            Ok(n) => n > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    /// Throws away messages of the queue of errors: timestamps, say. They make a socket ready, and no read takes them.
    #[cold]
    pub(crate) fn drop_queued_errors(&self) {
        // To other sockets the flag means nothing, and it would be a read.
        if self.local_addr().is_ok_and(|addr| addr.as_internet().is_some()) {
            sys::drop_queued_errors(self.as_fd());
        }
    }
}

fn empty_buffer() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        "the buffer is empty: pass one with room for at least a byte",
    )
}

/// [`recv`](Socket::recv), but that reading into an empty buffer is 0 without a call, as std wants it.
impl Read for &Socket {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() { Ok(0) } else { self.recv(buffer) }
    }

    /// recvmsg(2) into the slices, of which it takes 1024 at most.
    fn read_vectored(&mut self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        // From the first with room on: 1024 slices without any would read as the end of the stream.
        let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or(slices.len());
        match slices.get_mut(first..) {
            None | Some([]) => Ok(0),
            Some(slices) => self.restart(RECEIVE, || sys::recv_vectored(self.as_fd(), slices)),
        }
    }
}

/// [`send`](Socket::send). Nothing is kept back: `flush` does nothing.
impl Write for &Socket {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }

    /// sendmsg(2) with the slices, of which it takes 1024 at most.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or(slices.len());
        let slices = slices.get(first..).unwrap_or_default();
        self.restart(SEND, || sys::send_vectored(self.as_fd(), slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Socket {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    fn read_vectored(&mut self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(slices)
    }
}

impl Write for Socket {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Domain, Socket, Type};

    #[test]
    fn what_may_be_read_is_told_and_left() {
        let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair");
        assert!(far.may_be_read(), "the peer may yet send");
        near.send_all(b"x").expect("sent");
        assert!(far.may_be_read());
        assert_eq!(far.recv(&mut [0; 2]).expect("it is still there"), 1);
        drop(near);
        assert!(!far.may_be_read(), "the end of the stream is all that is left");
        let alone = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
        assert!(!alone.may_be_read(), "a read would fail");
    }
}
