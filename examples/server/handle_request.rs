//! One request at a time, and how long to wait for it: what serve_forever repeats.
//!
//! ```text
//! cargo run --example handle_request
//! ```
//!
//! It runs both ends and ends by itself.

#[path = "../common/mod.rs"]
mod common;

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use readysock::server::{Stream, TcpServer};
use readysock::{Domain, Socket, Type};

use self::common::{Say, Text, seconds};

/// One request at a time, with a limit on the wait
#[derive(Parser)]
struct Arguments {
    /// How long the server waits for a request
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Duration,
}

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

fn run(arguments: &Arguments) -> io::Result<()> {
    common::end_on_interrupt()?;
    let (server_says, client_says) = (Say::with_prefix("server | "), Say::with_prefix("client | "));
    let thank = |client: &mut Stream| client.write_all(b"Thank you for connecting");
    let mut server =
        TcpServer::builder().timeout(arguments.timeout).bind((Ipv4Addr::LOCALHOST, 0), thank)?;
    server_says.line(format_args!("listening on {}", server.local_addr()?))?;

    // The kernel connects them and queues what they are sent: no thread is needed for that.
    let mut clients = Vec::new();
    for _ in 0..2 {
        let client = Socket::new(Domain::INET, Type::STREAM, None)?;
        client.connect(server.local_addr()?)?;
        clients.push(client);
    }
    // ANCHOR: handle
    while server.handle_request()? {
        server_says.line("served a request")?;
    }
    server_says.line("timed out")?;
    // ANCHOR_END: handle
    for client in &mut clients {
        let mut answer = Vec::new();
        client.read_to_end(&mut answer)?;
        client_says.line(format_args!("{} received {}", client.local_addr()?, Text(&answer)))?;
    }
    Ok(())
}
