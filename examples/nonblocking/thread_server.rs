//! The notes' threading server: a thread for each client, so the second need not wait for the first.
//!
//! ```text
//! cargo run --example thread_server
//! ```
//!
//! It runs both ends and ends by itself. See `in_turn_server` for the difference.

#[path = "../common/mod.rs"]
mod common;

use std::io::{self, BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use readysock::server::{Stream, TcpServer};
use readysock::{Addr, Events, PollFd, Socket, Type, poll};

use self::common::{Say, ServeArguments};

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

fn run(arguments: &ServeArguments) -> io::Result<()> {
    let interrupts = common::interrupts()?;
    let say = arguments.say();
    // ANCHOR: server
    let echo = move |client: &mut Stream| {
        let peer = client.peer_addr().clone();
        say.line(format_args!("connection from {peer}"))?;
        let mut line = String::new();
        client.read_line(&mut line)?;
        client.write_all(line.as_bytes())?;
        say.line(format_args!("closing {peer}"))
    };
    let address = arguments.address((Ipv4Addr::LOCALHOST, 0))?;
    // At the end a client that keeps quiet is not waited for any longer.
    let builder = TcpServer::builder().close_within(Duration::from_millis(500));
    let mut server = builder.threads(64).bind(address, echo)?;
    // ANCHOR_END: server
    arguments.serve(&mut server, &interrupts, converse)
}

/// The first client connects and keeps quiet; the second asks meanwhile.
fn converse(server: &Addr, say: Say) -> io::Result<()> {
    let (first, second) = (connect(server)?, connect(server)?);
    second.send_all(b"This is the message\n")?;
    say.line("the first keeps quiet, the second has asked")?;
    let mut slot = [PollFd::of(&second, Events::IN)];
    match poll(&mut slot, Duration::from_millis(20_000))? {
        0 => say.line("the second waits")?,
        _ => say.line("the second is answered")?,
    }
    first.send_all(b"It will be sent\n")?;
    for (name, client) in [("first", first), ("second", second)] {
        let mut answer = String::new();
        BufReader::new(client).read_line(&mut answer)?;
        say.line(format_args!("the {name} received {}", answer.trim_end()))?;
    }
    Ok(())
}

fn connect(server: &Addr) -> io::Result<Socket> {
    let socket = Socket::new(server.domain(), Type::STREAM, None)?;
    socket.connect(server)?;
    Ok(socket)
}
