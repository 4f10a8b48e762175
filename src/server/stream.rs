//! A connection, as its handler sees it.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shutdown::{Ending, ShutdownHandle, Waited};
use crate::addr::Addr;
use crate::drain;
use crate::poll::{Events, PollFd, poll};
use crate::socket::Socket;
use crate::sys::socket as sys;

/// A connection to a client: a buffered reader and an unbuffered writer, the notes' `rfile` and `wfile` in one.
///
/// It is [`Read`], [`BufRead`] and [`Write`]: what is written goes at once, with nothing to flush. One `write` may take a part, of a
/// long answer to a client that reads slowly: `write_all` takes all of it. A client that has gone is an error (`EPIPE`, `ECONNRESET`)
/// and never SIGPIPE. To read and write in one expression take it apart with [`split`](Stream::split).
///
/// Reading and writing wait no longer than [`client_timeout`](super::Builder::client_timeout) (`TimedOut`), and when the server ends no longer than
/// [`close_within`](super::Builder::close_within) (`ConnectionAborted`).
///
/// # How it ends
///
/// When the handler is done, the server sends the end of the stream. A client of which something lies unread by then is listened to
/// for up to a second, and not longer than 64 MiB: a close with unread input would be a reset, and a reset can
/// destroy the answer on its way. Nobody else is waited for: what a client sends after the close is answered by a reset.
pub struct Stream {
    reader: Reader,
    writer: Writer,
    peer: Addr,
}

/// The buffered reading half of a [`Stream`].
pub type Reader = BufReader<Source>;

/// What [`Reader`] reads from: the socket, with the server's limits on waiting.
pub struct Source(Arc<Connection>);

/// The unbuffered writing half of a [`Stream`].
pub struct Writer(Arc<Connection>);

#[derive(Debug)]
pub struct Connection {
    pub(super) socket: Socket,
    ending: Arc<Ending>,
    timeout: Option<Duration>,
}

impl Stream {
    pub(super) fn new(
        socket: Socket,
        peer: Addr,
        ending: &Arc<Ending>,
        timeout: Option<Duration>,
    ) -> Stream {
        let connection = Arc::new(Connection { socket, ending: Arc::clone(ending), timeout });
        let writer = Writer(Arc::clone(&connection));
        Stream { reader: BufReader::new(Source(connection)), writer, peer }
    }

    /// The client's address. Of a Unix client it is mostly unnamed.
    #[must_use]
    pub fn peer_addr(&self) -> &Addr {
        &self.peer
    }

    /// The socket, for its options. What the reader has buffered is no longer in it.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.writer.0.socket
    }

    /// Both halves at once, so that one can write while reading.
    ///
    /// ```
    /// use readysock::server::{Stream, TcpServer};
    /// use std::io::{BufRead, Write};
    ///
    /// let shout = |stream: &mut Stream| {
    ///     let (reader, writer) = stream.split();
    ///     for line in reader.lines() {
    ///         writeln!(writer, "{}", line?.to_uppercase())?;
    ///     }
    ///     Ok(())
    /// };
    /// let server = TcpServer::bind(([127, 0, 0, 1], 0), shout)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn split(&mut self) -> (&mut Reader, &mut Writer) {
        (&mut self.reader, &mut self.writer)
    }

    /// What ends the server that this client came to.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle { ending: Arc::clone(&self.writer.0.ending) }
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.writer.0
    }

    /// Ends the connection so that the client gets all that was written.
    pub(super) fn close(&mut self) {
        // Gone, or shut down by the handler: then there is nobody to be careful with.
        if self.socket().shutdown(Shutdown::Write).is_err() {
            return;
        }
        let mut buffer = [0; 8192];
        let until = Instant::now() + drain::TIME;
        let mut taken = 0;
        while taken < drain::BYTES && Instant::now() < until {
            // Only a client that talks over our answer is waited for: each other one would cost its whole round trip.
            match sys::recv_now(self.socket().as_fd(), &mut buffer) {
                Ok(n @ 1..) => taken += n,
                // What else made it ready: messages in its queue of errors.
                Err(error) if error.kind() == ErrorKind::WouldBlock && taken > 0 => {
                    self.socket().drop_queued_errors();
                }
                _ => return,
            }
            if !matches!(poll(&mut [PollFd::of(self.socket(), Events::IN)], until), Ok(1..)) {
                return;
            }
        }
    }

    /// Ends the connection at once. What has arrived is read, up to a bound: to a client that said little this is the end of the
    /// stream, and to one that goes on it may be a reset.
    pub(super) fn refuse(&mut self) {
        let _ = self.socket().shutdown(Shutdown::Write);
        let mut buffer = [0; 8192];
        for _ in 0..8 {
            if !matches!(sys::recv_now(self.socket().as_fd(), &mut buffer), Ok(1..)) {
                return;
            }
        }
    }
}

impl Connection {
    /// A call that does not wait, and the wait for it.
    fn patiently(
        &self,
        events: Events,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let (mut until, mut woken) = (None, false);
        loop {
            // A client that always has something to say, or always listens, is never waited for.
            if self.ending.is_cut() {
                return Err(cut());
            }
            match call(self.socket.as_fd()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            if woken {
                // What else made it ready would do so again and again: its queue of errors, which no read empties.
                self.socket.drop_queued_errors();
            }
            let limit = || self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let until = *until.get_or_insert_with(limit);
            match self.ending.wait(self.socket.as_fd(), events, until)? {
                Waited::Ready => woken = true,
                Waited::TimedOut => {
                    let text = "the client kept still for longer than client_timeout";
                    return Err(io::Error::new(ErrorKind::TimedOut, text));
                }
                Waited::Cut => return Err(cut()),
            }
        }
    }
}

fn cut() -> io::Error {
    let text = "the server ends and its time for work in hand is over";
    io::Error::new(ErrorKind::ConnectionAborted, text)
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.0.patiently(Events::IN, |fd| sys::recv_now(fd, buffer))?;
        // A connection that the server has cut off must not look like one whose client has said all.
        if read == 0 && self.0.ending.is_over() { Err(cut()) } else { Ok(read) }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.0.patiently(Events::OUT, |fd| sys::send_now(fd, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// To wait for it, or to ask for its options.
impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("socket", self.socket())
            .field("buffered", &self.reader.buffer().len())
            .finish()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.0.socket).finish()
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Writer").field(&self.0.socket).finish()
    }
}
