//! The same server at a Unix address: only the address differs.
//!
//! ```text
//! cargo run --example unix_stream_server
//! ```
//!
//! It runs both ends and ends by itself. With `--listen unix:/tmp/thanks` the server stays, and removes its file at the end.

#[path = "../common/mod.rs"]
mod common;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use readysock::server::{Stream, UnixStreamServer};
use readysock::{Addr, Domain, Socket, Type, UnixAddr};

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
    // Without a name of its own the server gets an abstract one.
    let address = arguments.address(UnixAddr::unnamed())?;
    let mut server = UnixStreamServer::builder().replace_stale(true).bind(address, thank)?;
    // ANCHOR_END: server
    arguments.serve(&mut server, &interrupts, converse)
}

fn converse(server: &Addr, say: Say) -> io::Result<()> {
    let mut socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(UnixAddr::unnamed())?; // so that the server can tell whom it talks to
    socket.connect(server)?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    say.line(format_args!("{} received {}", socket.local_addr()?, Text(&answer)))
}
