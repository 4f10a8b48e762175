//! The three lists of select, all at once: what puts a socket into each of them, and what takes it out.
//!
//! ```text
//! cargo run --example select_lists
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::net::{Ipv4Addr, Shutdown};
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use nix::sys::socket::{MsgFlags, recv, send};
use nix::unistd;
use readysock::{Domain, Events, FdSet, PollFd, Socket, Type, poll, select};

use self::common::{Say, Text};

/// What puts a socket into each of select's three lists
#[derive(Parser)]
struct Arguments {}

fn main() -> ExitCode {
    let Arguments {} = common::arguments();
    common::finish(run(Say::with_prefix("server | "), Say::with_prefix("client | ")))
}

// ANCHOR: ask
/// One call that does not wait, with all sockets in all lists; before it, `news` of the last.
fn ask(sockets: &[&Socket], news: Events, say: Say) -> io::Result<()> {
    let limit = news.is_empty().then_some(Duration::ZERO);
    poll(&mut [PollFd::of(sockets[sockets.len() - 1], news)], limit)?;
    let set = FdSet::from_iter(sockets.iter().map(|socket| socket.as_fd()));
    let ready = select(&set, &set, &set, Duration::ZERO)?;
    let (read, write, except) = (ready.readable(), ready.writable(), ready.exceptional());
    say.line(format_args!("{}: read {read:?} write {write:?} except {except:?}", ready.count()))
}
// ANCHOR_END: ask

fn run(server: Say, client: Say) -> io::Result<()> {
    let listener = Socket::new(Domain::INET, Type::STREAM, None)?;
    listener.bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.listen(1)?;
    server.line(format_args!("listening on {}", listener.local_addr()?))?;
    ask(&[&listener], Events::empty(), server)?;

    let peer = Socket::new(Domain::INET, Type::STREAM, None)?;
    peer.connect(listener.local_addr()?)?;
    client.line("has connected")?;
    ask(&[&listener], Events::IN, server)?;
    let (connection, address) = listener.accept_nonblocking()?;
    server
        .line(format_args!("connection from {address}, descriptor {}", connection.as_raw_fd()))?;
    let both = [&listener, &connection];
    ask(&both, Events::OUT, server)?;

    // ANCHOR: out_of_band
    peer.send_all(b"hello")?;
    client.line("has sent 5 bytes")?;
    ask(&both, Events::IN, server)?;
    send(peer.as_raw_fd(), b"!", MsgFlags::MSG_OOB)?;
    client.line("has sent an out-of-band byte")?;
    ask(&both, Events::PRI, server)?;
    let mut buffer = [0; 1024];
    recv(connection.as_raw_fd(), &mut buffer[..1], MsgFlags::MSG_OOB)?;
    server.line(format_args!("has read the out-of-band byte: {}", Text(&buffer[..1])))?;
    ask(&both, Events::IN, server)?;
    // ANCHOR_END: out_of_band
    let length = connection.recv(&mut buffer)?;
    server.line(format_args!("has read {length} bytes: {}", Text(&buffer[..length])))?;
    ask(&both, Events::OUT, server)?;

    let mut unread = 0;
    // The kernel moves bytes to the peer's buffer meanwhile. There is no more room when none comes for a while.
    while poll(&mut [PollFd::of(&connection, Events::OUT)], Duration::from_millis(100))? > 0 {
        unread += unistd::write(&connection, &[0; 4096]).unwrap_or(0);
    }
    server.line("has sent until no more was taken")?;
    ask(&both, Events::empty(), server)?;
    while unread > 0 {
        unread -= unistd::read(&peer, &mut [0; 65536])?;
    }
    client.line("has read all of it")?;
    ask(&both, Events::OUT, server)?;

    peer.shutdown(Shutdown::Write)?;
    client.line("will send no more")?;
    ask(&both, Events::IN, server)?;
    let length = connection.recv(&mut buffer)?;
    server.line(format_args!("has read {length} bytes: the end of the stream"))?;
    ask(&both, Events::IN, server)
}
