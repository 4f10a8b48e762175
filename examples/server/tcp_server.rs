//! The notes' first server: in turn, over TCP, it thanks each client for connecting.
//!
//! ```text
//! cargo run --example tcp_server
//! ```
//!
//! It runs both ends and ends by itself. With `--listen 127.0.0.1:12345` the server stays: try `nc 127.0.0.1 12345`.

#[path = "../common/mod.rs"]
mod common;

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;

use readysock::server::{Stream, TcpServer};
use readysock::{Addr, Socket, Type};

use self::common::{Say, ServeArguments, Text};

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

fn run(arguments: &ServeArguments) -> io::Result<()> {
    let interrupts = common::interrupts()?;
    let say = arguments.say();
    // ANCHOR: server
    let thank = |client: &mut Stream| {
        say.line(format_args!("connection from {}", client.peer_addr()))?;
        client.write_all(b"Thank you for connecting")
    };
    let mut server = TcpServer::bind(arguments.address((Ipv4Addr::LOCALHOST, 0))?, thank)?;
    // ANCHOR_END: server
    arguments.serve(&mut server, &interrupts, converse)
}

fn converse(server: &Addr, say: Say) -> io::Result<()> {
    for _ in 0..2 {
        let mut socket = Socket::new(server.domain(), Type::STREAM, None)?;
        socket.connect(server)?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        say.line(format_args!("{} received {}", socket.local_addr()?, Text(&answer)))?;
    }
    Ok(())
}
