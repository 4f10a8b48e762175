//! The load: connections with one message each under way, and connections without any.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use readysock::sockopt::tcp::NoDelay;
use readysock::sockopt::{self, Linger, SoLinger};

/// How long a message is.
pub const MESSAGE: usize = 64;
/// How many answers are taken at once.
const AT_ONCE: usize = 512;
/// A server that says nothing for so long has lost something.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connections to a server.
#[derive(Debug)]
pub struct Load {
    epoll: Epoll,
    active: Vec<Active>,
    idle: Vec<TcpStream>,
    /// Of each message since the counters were reset, how long its answer took, in nanoseconds.
    times: Vec<u32>,
}

#[derive(Debug)]
struct Active {
    stream: TcpStream,
    sent: Instant,
    received: usize,
}

impl Load {
    /// Connects, the idle ones first. When it returns, the server has taken all of them in.
    ///
    /// # Errors
    ///
    /// The server refuses, or does not answer.
    pub fn connect(addr: SocketAddr, active: usize, idle: usize) -> io::Result<Load> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut load = Load { epoll, active: Vec::new(), idle: Vec::new(), times: Vec::new() };
        for number in 0..idle {
            let stream = connect(addr)?;
            // The listener's queue has 1024 places, and is taken in order: none is to find it full, and be tried again later.
            if number % 512 == 511 || number + 1 == idle {
                ask(&stream, number)?;
            }
            load.idle.push(stream);
        }
        for number in 0..active {
            let stream = connect(addr)?;
            ask(&stream, number)?;
            stream.set_nonblocking(true)?;
            // Edge-triggered: it costs the least, and here each answer is awaited.
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
            load.epoll.add(&stream, EpollEvent::new(flags, u64::try_from(number).unwrap_or(0)))?;
            load.active.push(Active { stream, sent: Instant::now(), received: 0 });
        }
        Ok(load)
    }

    /// Sends the first message on each of the active connections.
    ///
    /// # Errors
    ///
    /// A connection is broken.
    pub fn begin(&mut self) -> io::Result<()> {
        self.active.iter_mut().try_for_each(Active::send)
    }

    /// Answers each answer by the next message, for this long; how long it was.
    ///
    /// # Errors
    ///
    /// A connection is broken, or the server does not answer.
    pub fn run(&mut self, time: Duration) -> io::Result<Duration> {
        self.times.clear();
        let mut events = [EpollEvent::empty(); AT_ONCE];
        let patience = EpollTimeout::try_from(PATIENCE).unwrap_or(EpollTimeout::NONE);
        let start = Instant::now();
        loop {
            let found = self.epoll.wait(&mut events, patience)?;
            if found == 0 {
                return Err(io::Error::new(ErrorKind::TimedOut, "the server does not answer"));
            }
            let mut now = start;
            for event in &events[..found] {
                let active = usize::try_from(event.data()).ok();
                let Some(active) = active.and_then(|at| self.active.get_mut(at)) else { continue };
                now = active.receive(&mut self.times)?;
            }
            if now - start > time {
                return Ok(now - start);
            }
        }
    }

    /// How long the answers of the last run took, in nanoseconds.
    #[must_use]
    pub fn times(&self) -> &[u32] {
        &self.times
    }
}

impl Active {
    fn send(&mut self) -> io::Result<()> {
        self.sent = Instant::now();
        self.send_one()
    }

    fn send_one(&mut self) -> io::Result<()> {
        self.received = 0;
        // One message at a time: there is always room for it.
        self.stream.write_all(&[b'.'; MESSAGE])
    }

    /// Receives what there is; and once the answer is whole, sends the next message. The time that it is.
    fn receive(&mut self, times: &mut Vec<u32>) -> io::Result<Instant> {
        let mut buffer = [0; 2 * MESSAGE];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => self.received += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        match self.received {
            MESSAGE => {
                times.push(u32::try_from((now - self.sent).as_nanos()).unwrap_or(u32::MAX));
                self.sent = now;
                self.send_one()?;
            }
            0..MESSAGE => {}
            _ => return Err(io::Error::other("more came back than was sent")),
        }
        Ok(now)
    }
}

/// It leaves nothing behind when it is closed: a reset, and no TIME_WAIT.
fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    sockopt::set(&stream, SoLinger, Linger::Abort)?;
    sockopt::set(&stream, NoDelay, true)?;
    Ok(stream)
}

/// One message, and its answer, which has to be the same.
fn ask(mut stream: &TcpStream, number: usize) -> io::Result<()> {
    let message = format!("{number:0MESSAGE$}").into_bytes();
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&message)?;
    let mut answer = vec![0; MESSAGE];
    stream.read_exact(&mut answer)?;
    if answer == message { Ok(()) } else { Err(io::Error::other("another answer")) }
}
