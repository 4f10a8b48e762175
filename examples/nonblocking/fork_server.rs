//! The forking server, which the notes leave out: a child process for each client.
//!
//! ```text
//! cargo run --example fork_server
//! ```
//!
//! It runs both ends and ends by itself; `--clients N` says how many. With `--listen ADDR` the server stays.

#[path = "../common/mod.rs"]
mod common;

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::process::{self, ExitCode};

use clap::Parser;
use readysock::server::{Stream, TcpServer};
use readysock::{Socket, Type};

use self::common::{Say, ServeArguments, Text};

/// A child process for each client
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    serve: ServeArguments,
    /// How many clients there are, where both ends run here
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100), allow_negative_numbers = true)]
    clients: u16,
}

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let interrupts = common::interrupts()?;
    let say = arguments.serve.say();
    // ANCHOR: server
    let parent = process::id();
    let thank = |client: &mut Stream| {
        let own = if process::id() == parent { "the parent" } else { "a child of its own" };
        say.line(format_args!("connection from {}, in {own}", client.peer_addr()))?;
        client.write_all(b"Thank you for connecting")
    };
    let address = arguments.serve.address((Ipv4Addr::LOCALHOST, 0))?;
    let mut server = TcpServer::builder().processes(8).bind(address, thank)?;
    // ANCHOR_END: server
    let address = server.local_addr()?;
    say.line(format_args!("listening on {address}"))?;
    if arguments.serve.listen.is_some() {
        common::keep_up(&mut server, &interrupts, arguments.serve.timeout, say)?;
        return Ok(());
    }
    // fork copies one thread, so a program that forks had better have one: the clients are in it too, and
    // the kernel connects them before anybody serves.
    let mut clients = Vec::new();
    for _ in 0..arguments.clients {
        let client = Socket::new(address.domain(), Type::STREAM, None)?;
        client.connect(&address)?;
        clients.push(client);
    }
    for _ in &clients {
        server.handle_request()?;
    }
    let client_says = Say::with_prefix("client | ");
    for client in &mut clients {
        let mut answer = Vec::new();
        client.read_to_end(&mut answer)?;
        client_says.line(format_args!("{} received {}", client.local_addr()?, Text(&answer)))?;
    }
    Ok(())
}
