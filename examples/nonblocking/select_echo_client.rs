//! The notes' client: several sockets to one server, three messages on each, and the echo of each.
//!
//! ```text
//! cargo run --example select_echo_server -- --listen 127.0.0.1:10001
//! cargo run --example select_echo_client -- --connect 127.0.0.1:10001     # in a second terminal
//! ```

#[path = "../common/mod.rs"]
pub mod common;

use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use readysock::{Events, PollFd, Socket, poll};

use self::common::{Place, Say, Text};

/// As in the notes, with the space at the end of the last: "in parts  version 9".
const MESSAGES: [&str; 3] = ["This is the message", "It will be sent", "in parts "];

/// A client with several sockets, for the echo servers
#[derive(Parser)]
struct Arguments {
    /// Where the server listens: HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDR")]
    connect: Place,
    /// How many sockets to open
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..), allow_negative_numbers = true)]
    clients: u16,
    /// How long to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = common::seconds, allow_negative_numbers = true)]
    timeout: Duration,
}

fn main() -> ExitCode {
    let arguments: Arguments = common::arguments();
    common::finish(common::end_on_interrupt().and_then(|()| {
        converse(&arguments.connect, arguments.clients, arguments.timeout, Say::plain())
    }))
}

// ANCHOR: converse
/// Sends each message from all sockets, then reads the echo on all of them.
pub fn converse(server: &Place, clients: u16, patience: Duration, say: Say) -> io::Result<()> {
    let sockets = (0..clients)
        .map(|_| common::connect(server, patience))
        .collect::<io::Result<Vec<Socket>>>()?;
    let mut version = 0;
    for message in MESSAGES {
        let mut lengths = Vec::new();
        for socket in &sockets {
            version += 1;
            let text = format!("{message} version {version}");
            say.line(format_args!("{} sending {text}", socket.peer_addr()?))?;
            socket.send_all(text.as_bytes())?;
            lengths.push(text.len());
        }
        for (socket, length) in sockets.iter().zip(lengths) {
            let echo = receive(socket, length, patience)?;
            say.line(format_args!("{} received {}", socket.peer_addr()?, Text(&echo)))?;
        }
    }
    Ok(())
}

/// The whole echo. A stream has no messages: one may arrive in pieces, and two in one.
fn receive(socket: &Socket, length: usize, patience: Duration) -> io::Result<Vec<u8>> {
    let mut echo = vec![0; length];
    let mut arrived = 0;
    while arrived < length {
        if poll(&mut [PollFd::of(socket, Events::IN)], patience)? == 0 {
            return Err(io::Error::new(ErrorKind::TimedOut, "the server does not answer"));
        }
        match socket.recv(&mut echo[arrived..])? {
            0 => {
                return Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "the server closed too early",
                ));
            }
            more => arrived += more,
        }
    }
    Ok(echo)
}
// ANCHOR_END: converse
