//! Thin, safe wrappers over select(2), poll(2) and socket options.
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

#[macro_use]
mod man;
mod sys;

pub mod byte_order;

mod addr;
mod fd_set;
mod poll;
mod poll_set;
mod select;
mod socket;
mod timeout;

pub use addr::{Addr, Domain, OtherAddr, Protocol, Type, UnixAddr};
pub use byte_order::{htonl, htonll, htons, ntohl, ntohll, ntohs};
pub use fd_set::{FdSet, FdSetIter};
pub use libc;
pub use poll::{Events, PollFd, poll, poll_once, ppoll, ready};
pub use poll_set::{Key, PollSet};
pub use select::{Ready, ReadyFds, ReadyFdsIter, pselect, select, select_into, select_once};
pub use socket::Socket;
pub use timeout::Timeout;
