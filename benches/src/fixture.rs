//! Descriptors to wait for: pairs of sockets, some of them with a byte to read.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// How many of the descriptors are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The one in the middle.
    One,
    /// Every other one.
    Half,
    /// All of them.
    All,
}

impl Share {
    /// All there are.
    pub const EACH: [Share; 3] = [Share::One, Share::Half, Share::All];

    /// As it stands in the name of a case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Share::One => "1 ready",
            Share::Half => "half ready",
            Share::All => "all ready",
        }
    }

    fn covers(self, index: usize, n: usize) -> bool {
        match self {
            Share::One => index == n / 2,
            Share::Half => index.is_multiple_of(2),
            Share::All => true,
        }
    }
}

/// The far ends go up here, so that the near ones, which are watched, have the lowest numbers: 1000 of them fit
/// below 1024, where C's select ends.
const FAR: RawFd = 4200;

/// Connected sockets that are watched, and their peers.
#[derive(Debug)]
pub struct Fixture {
    near: Vec<OwnedFd>,
    _far: Vec<OwnedFd>,
}

impl Fixture {
    /// `n` sockets, of which a share has a byte to read.
    ///
    /// # Errors
    ///
    /// The system's, if it does not allow so many.
    pub fn new(n: usize, share: Share) -> io::Result<Fixture> {
        allow()?;
        let mut fixture = Fixture { near: Vec::with_capacity(n), _far: Vec::with_capacity(n) };
        for index in 0..n {
            let (near, far) = UnixStream::pair()?;
            if share.covers(index, n) {
                (&far).write_all(b"x")?;
            }
            fixture.near.push(near.into());
            fixture._far.push(numbered(&far, FAR)?);
        }
        Ok(fixture)
    }

    /// One socket with something to read, that has this number or a higher one.
    ///
    /// # Errors
    ///
    /// The system's, if it does not allow so many.
    pub fn one_at(number: RawFd) -> io::Result<Fixture> {
        let mut fixture = Fixture::new(1, Share::All)?;
        fixture.near[0] = numbered(&fixture.near[0], number)?;
        Ok(fixture)
    }

    /// Those to watch.
    pub fn fds(&self) -> impl ExactSizeIterator<Item = BorrowedFd<'_>> + Clone {
        self.near.iter().map(AsFd::as_fd)
    }

    /// Their numbers.
    #[must_use]
    pub fn numbers(&self) -> Vec<RawFd> {
        self.near.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// The highest of them; -1 where there is none.
    #[must_use]
    pub fn highest(&self) -> RawFd {
        self.near.iter().map(AsRawFd::as_raw_fd).max().unwrap_or(-1)
    }
}

/// Raises the soft limit on descriptors to the hard one.
fn allow() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

fn numbered(source: impl AsFd, lowest: RawFd) -> io::Result<OwnedFd> {
    let number = fcntl(source, FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: the number was made just now and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
