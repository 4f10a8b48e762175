//! Waiting with an Epoll, and pairs of streams to wait for.

use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use readysock::epoll::{Epoll, EpollFlags};
use readysock::{Key, Timeout};

pub const NOW: Duration = Duration::ZERO;

/// Waits, and takes what there is.
#[track_caller]
pub fn take<S: AsFd>(epoll: &mut Epoll<S>, timeout: impl Into<Timeout>) -> Vec<(Key, EpollFlags)> {
    let found = epoll.wait(timeout).expect("waited");
    let events: Vec<_> = std::iter::from_fn(|| epoll.next_ready()).collect();
    assert_eq!(events.len(), found);
    events.iter().map(|event| (event.key(), event.flags())).collect()
}

pub fn pair() -> (UnixStream, UnixStream) {
    // Every case begins with one, and many would wait for ever for an event that is lost.
    super::isolated::end_soon();
    let (near, far) = UnixStream::pair().expect("a pair");
    far.set_nonblocking(true).expect("set");
    (near, far)
}

pub fn write(mut stream: &UnixStream) {
    stream.write_all(b"x").expect("room");
}

pub fn read(mut stream: &UnixStream) -> usize {
    stream.read(&mut [0; 64]).expect("something")
}

/// A source that says another descriptor when it is told to.
#[derive(Debug)]
pub struct Shifty {
    pub stream: UnixStream,
    pub number: Rc<Cell<Option<RawFd>>>,
}

impl Shifty {
    pub fn new(stream: UnixStream) -> Shifty {
        Shifty { stream, number: Rc::default() }
    }
}

impl AsFd for Shifty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.number.get() {
            None => self.stream.as_fd(),
            // SAFETY: open for the length of the case, or of no file; only the kernel looks at it.
            Some(number) => unsafe { BorrowedFd::borrow_raw(number) },
        }
    }
}
