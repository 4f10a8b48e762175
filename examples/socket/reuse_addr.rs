//! SO_REUSEADDR: the restart of a server that fails, and the one that does not.
//!
//! ```text
//! cargo run --example reuse_addr
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use readysock::sockopt::{self, ReuseAddr};
use readysock::{Addr, Domain, Socket, Type};

use self::common::Say;

/// The restart of a server, without SO_REUSEADDR and with it
#[derive(Parser)]
struct Arguments {}

fn main() -> ExitCode {
    let Arguments {} = common::arguments();
    common::finish(run())
}

// ANCHOR: start
/// std's `TcpListener::bind` always sets the option; this socket only if it is told to.
fn start(address: &Addr, reuse: bool) -> io::Result<Socket> {
    let listener = Socket::new(Domain::INET, Type::STREAM, None)?;
    sockopt::set(&listener, ReuseAddr, reuse)?;
    listener.bind(address)?;
    listener.listen(1)?;
    Ok(listener)
}
// ANCHOR_END: start

fn run() -> io::Result<()> {
    let server = Say::with_prefix("server | ");
    for (old, new) in [(true, false), (true, true), (false, true)] {
        let address = serve_once(old)?;
        match start(&address, new) {
            Ok(_) => {
                server.line(format_args!("starts again {}: listening on {address}", how(new)))?
            }
            Err(error) => server.line(format_args!("starts again {}: {error}", how(new)))?,
        }
    }
    server.line("look: nobody listens there any more, yet the address is in use. The side that closes first keeps")?;
    server.line("the connection for a minute, in TIME_WAIT. The option lets a server bind over it, if the one that")?;
    server.line("left it behind had set the option, too: so set it in every server, from the first start on")
}

/// A server that has one client, closes first, and ends: where it listened.
fn serve_once(reuse: bool) -> io::Result<Addr> {
    let (server, client) = (Say::with_prefix("server | "), Say::with_prefix("client | "));
    let listener = start(&"127.0.0.1:0".parse()?, reuse)?;
    let address = listener.local_addr()?;
    server.line(format_args!("listening on {address}, {}", how(reuse)))?;
    let peer = Socket::new(Domain::INET, Type::STREAM, None)?;
    peer.connect(&address)?;
    let (connection, from) = listener.accept()?;
    client.line(format_args!("{from} connected"))?;
    drop((connection, listener));
    server.line("closes the connection, closes the listener, ends")?;
    if peer.recv(&mut [0; 1])? == 0 {
        client.line("end of stream; closes, too")?;
    }
    Ok(address)
}

fn how(reuse: bool) -> &'static str {
    if reuse { "with SO_REUSEADDR" } else { "without SO_REUSEADDR" }
}
