//! What must not compile, each with its error code, below what must: the two differ in one place. Only rustdoc's
//! tests read this file; what a user should see of it stands in the documentation of the item as well.
//!
//! # A descriptor is borrowed by its set
//!
//! A set may be used up to the moment before its descriptor goes:
//!
//! ```
//! use readysock::FdSet;
//! use std::os::fd::AsFd;
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let mut set = FdSet::new();
//! set.insert(near.as_fd());
//! assert_eq!(set.len(), 1);
//! drop(near);
//! ```
//!
//! ```compile_fail,E0505
//! use readysock::FdSet;
//! use std::os::fd::AsFd;
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let mut set = FdSet::new();
//! set.insert(near.as_fd());
//! drop(near);
//! assert_eq!(set.len(), 1);
//! ```
//!
//! Taking it out does not end the borrow, for the set does not know what the compiler knows; `into_empty` does:
//!
//! ```
//! use readysock::FdSet;
//! use std::os::fd::AsFd;
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let mut set = FdSet::new();
//! set.insert(near.as_fd());
//! let set = set.into_empty();
//! drop(near);
//! assert_eq!(set.len(), 0);
//! ```
//!
//! ```compile_fail,E0505
//! use readysock::FdSet;
//! use std::os::fd::AsFd;
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let mut set = FdSet::new();
//! set.insert(near.as_fd());
//! set.remove(&near);
//! drop(near);
//! assert_eq!(set.len(), 0);
//! ```
//!
//! What its iterator gives outlives the set, and not the descriptor:
//!
//! ```
//! use readysock::FdSet;
//! use std::os::fd::{AsFd, AsRawFd};
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let set = FdSet::from_iter([near.as_fd()]);
//! let first = set.iter().next().unwrap();
//! drop(set);
//! assert_eq!(first.as_raw_fd(), near.as_raw_fd());
//! ```
//!
//! ```compile_fail,E0505
//! use readysock::FdSet;
//! use std::os::fd::{AsFd, AsRawFd};
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let set = FdSet::from_iter([near.as_fd()]);
//! let first = set.iter().next().unwrap();
//! drop(near);
//! first.as_raw_fd();
//! ```
//!
//! The answer of select borrows nothing, neither of its sets nor of their descriptors (`tests/select.rs` closes them).
//!
//! # A descriptor is borrowed by its slot
//!
//! ```
//! use readysock::{Events, PollFd, poll};
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let mut fds = vec![PollFd::of(&near, Events::OUT)];
//! assert_eq!(poll(&mut fds, None).unwrap(), 1);
//! fds.clear();
//! drop(fds);
//! drop(near);
//! ```
//!
//! ```compile_fail,E0505
//! use readysock::{Events, PollFd, poll};
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let mut fds = vec![PollFd::of(&near, Events::OUT)];
//! drop(near);
//! assert_eq!(poll(&mut fds, None).unwrap(), 1);
//! ```
//!
//! No slot outlives its descriptor, and what `fd` gives is not free of the borrow:
//!
//! ```compile_fail,E0597
//! use readysock::{Events, PollFd, poll};
//!
//! let mut fds = [PollFd::DISABLED];
//! {
//!     let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//!     fds[0] = PollFd::of(&near, Events::OUT);
//! }
//! assert_eq!(poll(&mut fds, None).unwrap(), 1);
//! ```
//!
//! ```
//! use readysock::{Events, PollFd};
//! use std::os::fd::AsRawFd;
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let slot = PollFd::of(&near, Events::OUT);
//! let lent = slot.fd().unwrap();
//! assert_eq!(lent.as_raw_fd(), near.as_raw_fd());
//! drop(near);
//! ```
//!
//! ```compile_fail,E0505
//! use readysock::{Events, PollFd};
//! use std::os::fd::AsRawFd;
//!
//! let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
//! let slot = PollFd::of(&near, Events::OUT);
//! let lent = slot.fd().unwrap();
//! drop(near);
//! lent.as_raw_fd();
//! ```
//!
//! # A stream cannot be given away where it is to be watched
//!
//! ```
//! use readysock::{Events, FdSet, PollFd, sockopt};
//! use std::os::fd::AsFd;
//!
//! let stream = std::os::unix::net::UnixStream::pair().unwrap().0;
//! FdSet::new().insert(stream.as_fd());
//! let slot = PollFd::new(stream.as_fd(), Events::IN);
//! let slot = PollFd::of(&stream, Events::IN);
//! sockopt::get(&stream, sockopt::SndBuf).unwrap();
//! ```
//!
//! ```compile_fail,E0308
//! # let stream = std::os::unix::net::UnixStream::pair().unwrap().0;
//! readysock::FdSet::new().insert(stream);
//! ```
//!
//! ```compile_fail,E0308
//! # let stream = std::os::unix::net::UnixStream::pair().unwrap().0;
//! let slot = readysock::PollFd::new(stream, readysock::Events::IN);
//! ```
//!
//! ```compile_fail,E0308
//! # let stream = std::os::unix::net::UnixStream::pair().unwrap().0;
//! let slot = readysock::PollFd::of(stream, readysock::Events::IN);
//! ```
//!
//! ```compile_fail,E0308
//! # let stream = std::os::unix::net::UnixStream::pair().unwrap().0;
//! readysock::sockopt::get(stream, readysock::sockopt::SndBuf).unwrap();
//! ```
//!
//! # A source belongs to its set
//!
//! It comes out by `remove`, is looked at between two waits and not across one, and its key is the set's to make:
//!
//! ```
//! use readysock::{Events, PollSet};
//! use std::{net::UdpSocket, time::Duration};
//!
//! let mut set = PollSet::new();
//! let key = set.insert(UdpSocket::bind("127.0.0.1:0").unwrap(), Events::IN);
//! let source: &UdpSocket = set.get(key).unwrap();
//! source.local_addr().unwrap();
//! set.wait(Duration::ZERO).unwrap();
//! let source: UdpSocket = set.remove(key).unwrap();
//! ```
//!
//! ```compile_fail,E0507
//! use readysock::{Events, PollSet};
//! use std::net::UdpSocket;
//!
//! let mut set = PollSet::new();
//! let key = set.insert(UdpSocket::bind("127.0.0.1:0").unwrap(), Events::IN);
//! let source: UdpSocket = *set.get(key).unwrap();
//! ```
//!
//! ```compile_fail,E0502
//! use readysock::{Events, PollSet};
//! use std::{net::UdpSocket, time::Duration};
//!
//! let mut set = PollSet::new();
//! let key = set.insert(UdpSocket::bind("127.0.0.1:0").unwrap(), Events::IN);
//! let source: &UdpSocket = set.get(key).unwrap();
//! set.wait(Duration::ZERO).unwrap();
//! source.local_addr().unwrap();
//! ```
//!
//! ```compile_fail,E0451
//! let key = readysock::Key { slot: 0, generation: 0 };
//! ```
//!
//! # A time is a time
//!
//! ```
//! use readysock::{Timeout, poll};
//! use std::time::{Duration, Instant};
//!
//! let [never, short, at] = [None.into(), Duration::ZERO.into(), Timeout::from(Instant::now())];
//! assert_eq!(never, Timeout::Never);
//! assert_eq!(poll(&mut [], short).unwrap() + poll(&mut [], at).unwrap(), 0);
//! ```
//!
//! Neither a number of milliseconds, negative or not, nor an instant that may be missing (with that, the `None` of
//! `poll(&mut fds, None)` could be either):
//!
//! ```compile_fail,E0277
//! readysock::poll(&mut [], -1).unwrap();
//! ```
//!
//! ```compile_fail,E0277
//! readysock::poll(&mut [], 100).unwrap();
//! ```
//!
//! ```compile_fail,E0277
//! readysock::poll(&mut [], Some(std::time::Instant::now())).unwrap();
//! ```
//!
//! # An option has a type
//!
//! ```
//! use readysock::{libc, sockopt};
//!
//! let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
//! sockopt::set(&socket, sockopt::ReuseAddr, true).unwrap();
//! sockopt::set(&socket, sockopt::SndBuf, 65_536).unwrap();
//! let one = 1_i32.to_ne_bytes();
//! // SAFETY: to SO_KEEPALIVE the bytes are an int, and an int is plain data.
//! unsafe { sockopt::set_bytes(&socket, libc::SOL_SOCKET, libc::SO_KEEPALIVE, &one) }.unwrap();
//! ```
//!
//! ```compile_fail,E0308
//! # let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
//! readysock::sockopt::set(&socket, readysock::sockopt::ReuseAddr, 1).unwrap();
//! ```
//!
//! ```compile_fail,E0308
//! # let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
//! readysock::sockopt::set(&socket, readysock::sockopt::SndBuf, -1_i32).unwrap();
//! ```
//!
//! ```compile_fail,E0277
//! # let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
//! readysock::sockopt::set(&socket, readysock::sockopt::SoType, readysock::Type::STREAM).unwrap();
//! ```
//!
//! ```compile_fail,E0133
//! # use readysock::{libc, sockopt};
//! # let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
//! # let one = 1_i32.to_ne_bytes();
//! sockopt::set_bytes(&socket, libc::SOL_SOCKET, libc::SO_KEEPALIVE, &one).unwrap();
//! ```
//!
//! The types of the values are a closed set: whoever could add one could read an option into anything.
//!
//! ```compile_fail,E0277
//! struct Congestion;
//!
//! impl readysock::sockopt::GetOption for Congestion {
//!     const LEVEL: i32 = readysock::libc::IPPROTO_TCP;
//!     const NAME: i32 = readysock::libc::TCP_CONGESTION;
//!     type Value = [u8; 16];
//! }
//! ```
//!
//! ```compile_fail,E0119
//! struct Own;
//!
//! impl<O: ?Sized> readysock::sockopt::GetValue<O> for Own {}
//! ```
