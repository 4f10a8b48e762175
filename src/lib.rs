//! Thin, safe wrappers over the system calls that tell a program which sockets are ready, select(2) and
//! poll(2), and over what they need around them: fd_set, byte order, socket options, a minimal socket.
//!
//! ```
//! use readysock::{FdSet, select};
//! use std::{io::Write, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};
//!
//! let (mut near, far) = UnixStream::pair()?;
//! near.write_all(b"hello")?;
//!
//! let read = FdSet::from_iter([near.as_fd(), far.as_fd()]);
//! let none = FdSet::new();
//! let ready = select(&read, &none, &none, Duration::from_secs(5))?;
//! assert!(ready.readable().contains(&far));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Where to start
//!
//! | to | use |
//! | --- | --- |
//! | wait for a handful of descriptors | [`poll()`], on an array of [`PollFd`] |
//! | wait for sources that come and go | [`PollSet`], which owns them |
//! | wait as the textbook does, with three sets | [`select`](fn@select), or [`select_into`] in a loop |
//! | say how long to wait, or until when | [`Timeout`]: a `Duration`, an `Instant`, or `None` |
//! | wait and let a signal in, without a gap | [`ppoll`], [`pselect`] |
//! | call socket, bind, listen, accept, connect, send, recv | [`Socket`], with [`Addr`] |
//! | read or set an option | [`sockopt::get`], [`sockopt::set`], and their integer and byte forms |
//! | write a server: TCP, UDP or Unix, in turn, with threads or with processes | module [`server`] |
//! | run many connections in one thread, with callbacks | module [`reactor`] |
//! | watch many sources of which few are ready | [`epoll::Epoll`] |
//! | convert a port or an address to network order | [`htons`], [`htonl`]: module [`byte_order`] |
//!
//! Everything takes and gives std's types: any [`AsFd`](std::os::fd::AsFd) can be waited for and asked for options, whether it is
//! std's socket, socket2's, tokio's, a pipe or a terminal, and a [`Socket`] becomes a
//! [`TcpStream`](std::net::TcpStream) by `into`.
//!
//! # Python, C and this crate
//!
//! | Python | C | here |
//! | --- | --- | --- |
//! | `socket.htons(x)`, `ntohs`, `htonl`, `ntohl` | `htons(x)`, ... | [`htons`], [`ntohs`], [`htonl`], [`ntohl`] |
//! | `socket.socket(AF_INET, SOCK_STREAM)` | `socket(AF_INET, SOCK_STREAM, 0)` | [`Socket::new`]`(Domain::INET, Type::STREAM, None)` |
//! | `s.bind(address)`, `s.listen(n)` | `bind`, `listen` | [`Socket::bind`], [`Socket::listen`] |
//! | `connection, address = s.accept()` | `accept4` | [`Socket::accept`] |
//! | `s.connect(address)`, `s.settimeout(t)` | `connect` | [`Socket::connect`], [`Socket::connect_timeout`] |
//! | `s.send(data)`, `s.sendall(data)` | `send`, and a loop | [`Socket::send`], [`Socket::send_all`] |
//! | `s.recv(1024)`, `s.recvfrom(1024)` | `recv`, `recvfrom` | [`Socket::recv`], [`Socket::recv_from`] |
//! | `s.setblocking(False)` | `fcntl(fd, F_SETFL, ...)` | [`Socket::set_nonblocking`] |
//! | `s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)` | `setsockopt` | [`sockopt::set`]`(&s, ReuseAddr, true)` |
//! | `s.getsockopt(level, name)` | `getsockopt` with an `int` | [`sockopt::get_int`], or typed [`sockopt::get`] |
//! | `s.getsockopt(level, name, buflen)` | `getsockopt` with a buffer | [`sockopt::get_bytes`] |
//! | `select.select(r, w, x, timeout)` | `select`, `FD_SET`, `FD_ISSET`, ... | [`select`](fn@select), [`FdSet`], [`Ready`] |
//! | `p = select.poll()`, `p.register(s, POLLIN)`, `p.poll(ms)` | `poll`, `struct pollfd` | [`poll()`], [`PollFd`], [`Events`]; [`PollSet`] |
//! | | `pselect`, `ppoll` | [`pselect`], [`ppoll`] |
//! | `select.epoll()` | `epoll_create1`, `epoll_ctl`, `epoll_wait` | [`epoll::Epoll`], which owns its sources |
//! | `asyncore`, `asynchat`, Twisted | | [`reactor::Reactor`], [`reactor::line`] |
//!
//! # What it does about the traps
//!
//! - A set or a slot borrows its descriptor: it cannot be closed, and its number given to another file, while
//!   it is watched.
//! - [`FdSet`] has no end at 1024. C's overruns its memory there.
//! - `select` does not change its sets, and reports nothing that was not asked or not answered.
//! - Times are in nanoseconds. A wait is never early, does not wrap after 24 days, and does not begin again
//!   when a signal interrupts it. The calls whose name ends in `_once` or begins with `p` give EINTR back.
//! - No send raises SIGPIPE; every descriptor is close-on-exec.
//! - Nothing here panics on what the kernel or a caller gives it. Errors are [`std::io::Error`]: the kernel's with their
//!   errno; what is found before the call is [`InvalidInput`](std::io::ErrorKind::InvalidInput), with a text that says what to do.
//!
//! Each trap is documented where it bites, under "Traps".
//!
//! # What it is not
//!
//! - No runtime: nothing runs in the background, there is no global state and no logging. (A signal handler that you ask for,
//!   [`reactor::signals`], needs a few numbers that it can reach.)
//! - No asynchronous functions: that is tokio's and smol's field.
//! - Linux only, and there not x32 nor 32-bit RISC-V. On macOS use a Linux virtual machine, on Windows WSL.
//! - No `no_std`.
#![deny(unsafe_code)]
#![warn(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    rustdoc::broken_intra_doc_links
)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "readysock 0.1 is for Linux only: on macOS use a Linux virtual machine, on Windows use WSL"
);

// There the kernel's words of an fd_set have 64 bits, and `long` has 32.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "32"))]
compile_error!("readysock 0.1 is not for x32: build for x86_64 with 64-bit pointers, or for i686");

// There the kernel has the calls with 64-bit times only, and libc no names for the others.
#[cfg(target_arch = "riscv32")]
compile_error!(
    "readysock 0.1 is not for 32-bit RISC-V, where nobody could try it: build for riscv64"
);

/// Its example is a doctest too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
mod must_not_compile;

#[macro_use]
mod man;
mod sys;

pub mod byte_order;
pub mod epoll;
pub mod reactor;
pub mod server;
pub mod sockopt;

mod accept;
mod addr;
mod contain;
mod drain;
mod fd_set;
mod holders;
mod poll;
mod poll_set;
mod select;
mod slab;
mod socket;
mod timeout;

pub use addr::{Addr, Domain, OtherAddr, Protocol, Type, UnixAddr};
pub use byte_order::{htonl, htonll, htons, ntohl, ntohll, ntohs};
pub use fd_set::{FdSet, FdSetIter};
pub use libc;
pub use poll::{Events, PollFd, poll, poll_once, ppoll, ready};
pub use poll_set::PollSet;
pub use select::{Ready, ReadyFds, ReadyFdsIter, pselect, select, select_into, select_once};
pub use slab::Key;
pub use socket::Socket;
pub use timeout::Timeout;
