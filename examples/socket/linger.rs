//! SO_LINGER: three ways to close a connection with data left to send, and what the peer sees of each.
//!
//! ```text
//! cargo run --example linger
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use readysock::sockopt::{self, Linger, RcvBuf, SndBuf, SoLinger};
use readysock::{Addr, Domain, Socket, Type};

use self::common::Say;

/// Three ways to close a connection, and what the peer sees
#[derive(Parser)]
struct Arguments {}

/// More than the client's buffer takes, less than the server's.
const BYTES: usize = 200_000;

fn main() -> ExitCode {
    let Arguments {} = common::arguments();
    common::finish(run())
}

fn run() -> io::Result<()> {
    for linger in [Linger::Off, Linger::For(Duration::from_secs(5)), Linger::Abort] {
        close(linger)?;
    }
    let say = Say::with_prefix("server | ");
    say.line(
        "look: Off and For lose nothing, and For knows so when it returns; Abort threw away what",
    )?;
    say.line("was left, and is the only one that leaves no TIME_WAIT behind")
}

fn close(linger: Linger) -> io::Result<()> {
    let (server, client) = (Say::with_prefix("server | "), Say::with_prefix("client | "));
    let stream = || Socket::new(Domain::INET, Type::STREAM, None);
    let (listener, peer) = (stream()?, stream()?);
    listener.bind("127.0.0.1:0".parse::<Addr>()?)?;
    listener.listen(1)?;
    let address = listener.local_addr()?;
    sockopt::set(&peer, RcvBuf, 4096)?; // the rest stays with the server
    peer.connect(&address)?;
    let (connection, _) = listener.accept()?;
    drop(listener);

    sockopt::set(&connection, SndBuf, 4 * BYTES)?;
    connection.send_all(&[0; BYTES])?;
    // ANCHOR: close
    sockopt::set(&connection, SoLinger, linger)?;
    server.line(format_args!("sent {BYTES} bytes, closes with Linger::{linger:?}"))?;
    let seen = if let Linger::For(_) = linger {
        // This close waits for the peer, so the peer must read meanwhile.
        let reader = thread::spawn(move || read_all(peer));
        drop(connection);
        server.line("close has returned: the peer has it all")?;
        reader.join().expect("reading does not panic")
    } else {
        drop(connection);
        server.line("close has returned, before the peer reads")?;
        read_all(peer)
    };
    // ANCHOR_END: close
    match seen {
        (BYTES, Ok(_)) => client.line("read all of it, then the end of the stream")?,
        (_, Ok(_)) => client.line("read a part of it, then the end of the stream")?,
        (_, Err(error)) => client.line(format_args!("read a part of it, then {error}"))?,
    }
    match stream()?.bind(&address) {
        Ok(()) => server.line("may bind its port again at once"),
        Err(error) => server.line(format_args!("may not bind its port again: {error}")),
    }
}

/// How much there was to read, and how it ended. The peer closes then, too.
fn read_all(peer: Socket) -> (usize, io::Result<usize>) {
    let (mut sum, mut buffer) = (0, [0; 16_384]);
    loop {
        match peer.recv(&mut buffer) {
            Ok(n @ 1..) => sum += n,
            end => return (sum, end),
        }
    }
}
