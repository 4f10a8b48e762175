//! A server of packets at a Unix address: what arrives goes back, in capitals.
//!
//! ```text
//! cargo run --example unix_datagram_server
//! ```
//!
//! It runs both ends and ends by itself. With `--listen unix:/tmp/capitals` the server stays.

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::process::ExitCode;

use readysock::server::{Datagram, UnixDatagramServer};
use readysock::{Addr, Socket, Type, UnixAddr};

use self::common::{Say, ServeArguments, Text};

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

fn run(arguments: &ServeArguments) -> io::Result<()> {
    let interrupts = common::interrupts()?;
    let say = arguments.say();
    // ANCHOR: server
    let shout = |packet: &mut Datagram| {
        let (text, sender) = (packet.bytes(), packet.sender());
        say.line(format_args!("received {} from {sender}", Text(text)))?;
        // A packet without bytes is one too. To answer nothing is to send nothing.
        if text.is_empty() { Ok(()) } else { packet.reply(&text.to_ascii_uppercase()) }
    };
    // Without a name of its own the server gets an abstract one.
    let address = arguments.address(UnixAddr::unnamed())?;
    let mut server = UnixDatagramServer::builder().replace_stale(true).bind(address, shout)?;
    // ANCHOR_END: server
    arguments.serve(&mut server, &interrupts, converse)
}

fn converse(server: &Addr, say: Say) -> io::Result<()> {
    let socket = Socket::new(server.domain(), Type::DGRAM, None)?;
    socket.bind(UnixAddr::unnamed())?; // without a name it could not be answered
    let mut buffer = [0; 1024];
    for message in ["This is the message", "", "in parts"] {
        let _ = socket.send_to(message.as_bytes(), server)?;
        if message.is_empty() {
            continue; // nothing comes back
        }
        let (length, _, from) = socket.recv_from(&mut buffer)?;
        let answer = Text(buffer.get(..length).unwrap_or_default());
        say.line(format_args!("received {answer} from {from}"))?;
    }
    Ok(())
}
