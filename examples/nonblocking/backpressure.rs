//! A fast writer and a slow reader: the queue between them has marks, so that it does not grow without end.
//!
//! ```text
//! cargo run --example backpressure
//! ```
//!
//! It runs both ends and ends by itself.

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use readysock::reactor::{Lost, Protocol, Reactor, Transport};

use self::common::{LoopArguments, Say, Talk};

const ALL: usize = 64 << 20;
const CHUNK: usize = 64 << 10;
const LOW: usize = 256 << 10;
const HIGH: usize = 1 << 20;

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

// ANCHOR: writer
/// Writes until it is asked to pause, and goes on when it is told.
struct Writer {
    talk: Talk,
    left: usize,
    pauses: usize,
    most: usize,
}

impl Writer {
    fn write_on(&mut self, transport: &mut Transport<'_>) {
        // The call to pause comes when this one is over: until then the queue itself tells.
        while self.left > 0 && transport.queued() <= HIGH {
            transport.write(&[0; CHUNK]);
            self.left -= CHUNK;
            self.most = self.most.max(transport.queued());
        }
        if self.left == 0 {
            transport.close(); // what is queued still goes
        }
    }
}

impl Protocol for Writer {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.set_marks(LOW, HIGH);
        self.write_on(transport);
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.pauses += 1;
        if self.pauses == 1 {
            self.talk.line(transport.reactor(), "the queue is above its high mark: pausing");
        }
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        if self.pauses == 1 {
            self.talk.line(transport.reactor(), "the queue is down at its low mark: going on");
        }
        self.write_on(transport);
    }

    fn data_received(&mut self, _: &mut Transport<'_>, _: &[u8]) {}

    fn connection_lost(&mut self, reactor: &mut Reactor, why: Lost) {
        self.talk.line(reactor, why);
        if self.most > HIGH + CHUNK {
            return self.talk.fail(reactor, io::Error::other("the marks did not hold"));
        }
        reactor.stop();
        self.talk
            .line(reactor, format_args!("never more than {} KiB queued", (HIGH + CHUNK) >> 10));
    }
}
// ANCHOR_END: writer

// ANCHOR: reader
/// Takes what comes, and then none for a while: the kernel's buffers fill up, and then the writer's queue.
struct Reader {
    talk: Talk,
    received: usize,
    rests: u32,
}

impl Protocol for Reader {
    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.received += data.len();
        if self.rests > 0 {
            self.rests -= 1;
            transport.pause_reading();
            let key = transport.key();
            transport.reactor().call_later(Duration::from_millis(20), move |reactor| {
                if let Some(mut transport) = reactor.transport(key) {
                    transport.resume_reading();
                }
            });
        }
    }

    fn connection_lost(&mut self, reactor: &mut Reactor, _: Lost) {
        self.talk.line(reactor, format_args!("received {} MiB", self.received >> 20));
    }
}
// ANCHOR_END: reader

fn run(arguments: &LoopArguments) -> io::Result<()> {
    let mut reactor = arguments.reactor()?;
    let talk = Talk::new(Say::with_prefix("server | "));
    let client = talk.with_prefix("client | ");
    let server = talk.clone();
    let listener = reactor.listen((Ipv4Addr::LOCALHOST, 0), move |_| Writer {
        talk: server.clone(),
        left: ALL,
        pauses: 0,
        most: 0,
    })?;
    let address = reactor.local_addr(listener)?;
    talk.line(&mut reactor, format_args!("listening on {address}"));
    let reader = Reader { talk: client, received: 0, rests: 3 };
    reactor.connect([address], Duration::from_secs(20), reader)?;
    talk.run(&mut reactor)
}
