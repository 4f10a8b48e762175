//! One client of an echo server: its socket, its address, and the queue of what it is still owed.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use readysock::{Addr, Socket, libc};

use super::common::{Say, Text};

/// As much as one `recv` takes; so the longest message of the queue.
const MESSAGE: usize = 1024;

/// A client that sends and does not read is owed more and more. At this many bytes the server
/// stops reading from it; TCP then stops the client, and nobody's memory fills up.
const MOST_OWED: usize = 32 << 20;

pub struct Connection {
    /// Shared with the epoll that watches it; select and poll borrow it for each wait.
    pub socket: Rc<Socket>,
    peer: Addr,
    queue: VecDeque<Vec<u8>>,
    owed: usize,
    reading: bool,
    writing: bool,
}

/// What came of asking the listener for the next client.
pub enum Accepted {
    Client(Connection),
    Nobody,
    /// No descriptor or no memory is left. The listener stays readable: who watches on will spin.
    Full(io::Error),
}

/// Takes one client who waits. One who is gone already, or who came with an error, is nobody.
pub fn accept(listener: &Socket, say: Say) -> io::Result<Accepted> {
    match listener.accept_nonblocking() {
        Ok((socket, peer)) => {
            say.line(format_args!("connection from {peer}"))?;
            let (socket, queue) = (Rc::new(socket), VecDeque::new());
            let client = Connection { socket, peer, queue, owed: 0, reading: true, writing: false };
            Ok(Accepted::Client(client))
        }
        Err(error) => Ok(match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                Accepted::Full(error)
            }
            Some(libc::EAGAIN | libc::ECONNABORTED) => Accepted::Nobody,
            _ => {
                say.problem(format_args!("accept: {error}"));
                Accepted::Nobody
            }
        }),
    }
}

/// Methods that report on the client. Their `Err` is that of standard output; what goes wrong with
/// the client itself is said in one line and closes this connection only.
impl Connection {
    pub fn wants_input(&self) -> bool {
        self.reading && self.owed < MOST_OWED
    }

    /// Also when the queue has just become empty: the next event finds that out and says so.
    pub fn wants_output(&self) -> bool {
        self.writing
    }

    /// A client that sends no more is kept until it has got its echo.
    pub fn is_open(&self) -> bool {
        self.reading || self.writing
    }

    // ANCHOR: queue
    /// After "readable": queues what has arrived, or learns that nothing will.
    pub fn receive(&mut self, say: Say) -> io::Result<()> {
        if !self.wants_input() {
            return Ok(());
        }
        let mut buffer = [0; MESSAGE];
        match self.socket.recv(&mut buffer) {
            Ok(0) => {
                self.reading = false;
                self.close_if_done(say)
            }
            Ok(length) => {
                let message = &buffer[..length];
                say.line(format_args!("received {} from {}", Text(message), self.peer))?;
                self.queue.push_back(message.to_vec());
                self.owed += length;
                self.writing = true;
                Ok(())
            }
            Err(error) => self.failed(&error, say),
        }
    }

    /// After "writable": sends one message. What does not fit stays at the head of the queue.
    pub fn send_next(&mut self, say: Say) -> io::Result<()> {
        if !self.writing {
            return Ok(());
        }
        let Some(message) = self.queue.front_mut() else {
            say.line(format_args!("{} queue empty", self.peer))?;
            self.writing = false;
            return self.close_if_done(say);
        };
        say.line(format_args!("sending {} to {}", Text(message), self.peer))?;
        match self.socket.send(message) {
            Ok(sent) => {
                self.owed -= sent;
                message.drain(..sent);
                if message.is_empty() {
                    self.queue.pop_front();
                }
                Ok(())
            }
            Err(error) => self.failed(&error, say),
        }
    }
    // ANCHOR_END: queue

    /// Ends it from this side; the reason goes to standard error.
    pub fn give_up(&mut self, reason: impl Display, say: Say) -> io::Result<()> {
        if !self.is_open() {
            return Ok(()); // Readable and exceptional at once: the end of the stream was seen first.
        }
        say.problem(format_args!("{}: {reason}", self.peer));
        (self.reading, self.writing) = (false, false);
        self.close_if_done(say)
    }

    fn failed(&mut self, error: &io::Error, say: Say) -> io::Result<()> {
        match error.kind() {
            // Ready was a hint: somebody else was faster, or the kernel changed its mind.
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
            _ => self.give_up(error, say),
        }
    }

    fn close_if_done(&self, say: Say) -> io::Result<()> {
        if self.is_open() { Ok(()) } else { say.line(format_args!("closing {}", self.peer)) }
    }
}
