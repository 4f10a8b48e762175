//! A server of packets, over UDP: what arrives goes back, in capitals.
//!
//! ```text
//! cargo run --example udp_server
//! ```
//!
//! It runs both ends and ends by itself. With `--listen 127.0.0.1:12345` the server stays.

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use readysock::server::{Datagram, UdpServer};
use readysock::{Addr, Socket, Type};

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
    let mut server = UdpServer::bind(arguments.address((Ipv4Addr::LOCALHOST, 0))?, shout)?;
    // ANCHOR_END: server
    arguments.serve(&mut server, &interrupts, converse)
}

fn converse(server: &Addr, say: Say) -> io::Result<()> {
    let socket = Socket::new(server.domain(), Type::DGRAM, None)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0))?;
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
