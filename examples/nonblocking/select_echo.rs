//! The session of the notes in one command: the select server and its client with four sockets.
//!
//! ```text
//! cargo run --example select_echo
//! ```
//!
//! It ends by itself, when nothing has happened for a second.
#![allow(clippy::duplicate_mod)] // Both programs bring what all programs share.

#[allow(dead_code)]
#[path = "select_echo_client.rs"]
mod client;
#[allow(dead_code)]
#[path = "select_echo_server.rs"]
mod server;

use std::io;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;

use self::server::common::{self, Ended, Place, Say, seconds};

/// How long the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Both ends of the notes' echo session in one program
#[derive(Parser)]
struct Arguments {
    /// Where to listen: HOST:PORT or unix:PATH; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: Place,
    /// How many sockets the client opens
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..), allow_negative_numbers = true)]
    clients: u16,
    /// Quiet time after which the server ends
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Duration,
}

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let say = Say::with_prefix("server | ");
    let interrupts = common::interrupts()?;
    let listener = common::listen(&arguments.listen)?;
    let address = listener.socket.local_addr()?;
    say.line(format_args!("listening on {address}"))?;

    // The server has the listener for itself: when it ends, whoever still waits there is told.
    let quiet = arguments.timeout;
    let server = thread::spawn(move || server::serve(&listener.socket, &interrupts, quiet, say));

    let place = client::common::Place::Address(address);
    let say = client::common::Say::with_prefix("client | ");
    let conversed = client::converse(&place, arguments.clients, PATIENCE, say);

    match server.join().unwrap_or_else(|panic| resume_unwind(panic))? {
        Ended::Quiet => conversed,
        Ended::Interrupted => Ok(()), // So the client was cut short, which is no failure.
    }
}
