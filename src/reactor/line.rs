//! Lines, or counted bytes, out of a stream: the notes' asynchat.
//!
//! ```no_run
//! use readysock::reactor::line::{LineTransport, Lines};
//! use readysock::reactor::{Backend, Reactor};
//!
//! let mut reactor = Reactor::new(Backend::Poll)?;
//! reactor.listen(([127, 0, 0, 1], 8000), |_| {
//!     Lines::new(|transport: &mut LineTransport<'_, '_>, line: &[u8]| {
//!         transport.write_line(&line.to_ascii_uppercase());
//!     })
//! })?;
//! reactor.run()?;
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fmt;
use std::io;
use std::mem;
use std::ops::{Deref, DerefMut};

use super::{Lost, Protocol, Reactor, Transport};

/// The longest line unless set.
const LONGEST: usize = 16 << 10;

/// What happens to a connection of lines. The same lines come, however the stream was cut on its way.
pub trait LineProtocol {
    /// The connection is there.
    fn connection_made(&mut self, transport: &mut LineTransport<'_, '_>) {
        let _ = transport;
    }

    /// A line, without its terminator; or the bytes that were counted off by [`set_count`](LineTransport::set_count).
    fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]);

    /// In raw mode: what is there. The answer is how many bytes of it were taken; the others come again, with more behind them, or as lines if
    /// this has gone [back to them](LineTransport::set_terminator). All are taken unless it says otherwise.
    fn raw_received(&mut self, transport: &mut LineTransport<'_, '_>, data: &[u8]) -> usize {
        let _ = transport;
        data.len()
    }

    /// A line was longer than the longest. Nothing is received after that; unless this says otherwise, the connection is closed.
    fn line_too_long(&mut self, transport: &mut LineTransport<'_, '_>) {
        transport.close();
    }

    /// The peer sends no more. `rest` is the beginning of a line that will not end. Unless this says otherwise, the connection is closed.
    fn read_closed(&mut self, transport: &mut LineTransport<'_, '_>, rest: &[u8]) {
        let _ = rest;
        transport.close();
    }

    /// As [`Protocol::pause_writing`].
    fn pause_writing(&mut self, transport: &mut LineTransport<'_, '_>) {
        let _ = transport;
    }

    /// As [`Protocol::resume_writing`].
    fn resume_writing(&mut self, transport: &mut LineTransport<'_, '_>) {
        let _ = transport;
    }

    /// As [`Protocol::connection_lost`].
    fn connection_lost(&mut self, reactor: &mut Reactor, why: Lost) {
        let (_, _) = (reactor, why);
    }

    /// As [`Protocol::connect_failed`].
    fn connect_failed(&mut self, reactor: &mut Reactor, error: io::Error) {
        let (_, _) = (reactor, error);
    }
}

impl<F: FnMut(&mut LineTransport<'_, '_>, &[u8])> LineProtocol for F {
    fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
        self(transport, line);
    }
}

/// Makes a [`Protocol`] of a [`LineProtocol`].
pub struct Lines<P> {
    protocol: P,
    framing: Framing,
    /// What was received and not handed on: the beginning of a line, or more while reading is paused.
    held: Vec<u8>,
}

/// How the stream is to be cut.
struct Framing {
    mode: Mode,
    terminator: Vec<u8>,
    longest: usize,
    /// Of what is held, so much has no terminator in it.
    searched: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Lines,
    Count(usize),
    Raw,
    /// After a line that was too long.
    Deaf,
}

impl<P: LineProtocol> Lines<P> {
    /// Lines that end with CR LF, as in most protocols of the Internet, and have 16 KiB at most.
    pub fn new(protocol: P) -> Lines<P> {
        let terminator = b"\r\n".to_vec();
        let framing = Framing { mode: Mode::Lines, terminator, longest: LONGEST, searched: 0 };
        Lines { protocol, framing, held: Vec::new() }
    }

    /// Lines that end with these bytes. (None of them: raw mode.)
    #[must_use]
    pub fn ended_by(mut self, terminator: &[u8]) -> Lines<P> {
        self.framing.set_terminator(terminator);
        self
    }

    /// The most bytes that a line may have, its terminator not counted.
    #[must_use]
    pub fn longest(mut self, bytes: usize) -> Lines<P> {
        self.framing.longest = bytes;
        self
    }

    fn with<T>(
        &mut self,
        transport: &mut Transport<'_>,
        call: impl FnOnce(&mut P, &mut LineTransport<'_, '_>) -> T,
    ) -> T {
        call(&mut self.protocol, &mut LineTransport { transport, framing: &mut self.framing })
    }

    /// Hands on what is complete, and holds the rest.
    fn feed(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        if self.held.is_empty() {
            let taken = self.hand_on(transport, data);
            self.held.extend_from_slice(data.get(taken..).unwrap_or_default());
        } else {
            let mut held = mem::take(&mut self.held);
            held.extend_from_slice(data);
            let taken = self.hand_on(transport, &held);
            held.drain(..taken);
            self.held = held;
        }
    }

    /// How many bytes were handed on.
    fn hand_on(&mut self, transport: &mut Transport<'_>, data: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            if self.framing.mode == Mode::Deaf || transport.is_over() {
                return data.len();
            }
            if transport.is_reading_paused() {
                return taken;
            }
            let rest = data.get(taken..).unwrap_or_default();
            taken += match self.framing.mode {
                Mode::Raw if rest.is_empty() => return taken,
                Mode::Raw => {
                    let n = self.with(transport, |p, t| p.raw_received(t, rest)).min(rest.len());
                    if n < rest.len() && self.framing.mode == Mode::Raw {
                        return taken + n;
                    }
                    n
                }
                Mode::Count(count) => {
                    let Some(piece) = rest.get(..count) else { return taken };
                    self.framing.set_mode(Mode::Lines);
                    self.with(transport, |p, t| p.line_received(t, piece));
                    count
                }
                _ => match self.framing.cut(rest) {
                    Cut::Line(line, with_terminator) => {
                        self.with(transport, |p, t| p.line_received(t, line));
                        with_terminator
                    }
                    Cut::Incomplete => return taken,
                    Cut::TooLong => {
                        self.framing.mode = Mode::Deaf;
                        self.with(transport, |p, t| p.line_too_long(t));
                        0
                    }
                },
            };
        }
    }
}

enum Cut<'a> {
    /// The line, and its length with its terminator.
    Line(&'a [u8], usize),
    Incomplete,
    TooLong,
}

impl Framing {
    fn set_mode(&mut self, mode: Mode) {
        let no_lines = mode == Mode::Lines && self.terminator.is_empty();
        let mode = if no_lines { Mode::Raw } else { mode };
        if self.mode != Mode::Deaf {
            (self.mode, self.searched) = (mode, 0);
        }
    }

    fn set_terminator(&mut self, terminator: &[u8]) {
        self.terminator = terminator.to_vec();
        self.set_mode(Mode::Lines);
    }

    /// The first line of what is there. What was searched before is not searched again.
    fn cut<'a>(&mut self, data: &'a [u8]) -> Cut<'a> {
        let size = self.terminator.len();
        // A terminator that begins later than this makes the line too long.
        let end = self.longest.saturating_add(size).min(data.len());
        let window = data.get(self.searched..end).unwrap_or_default();
        if let Some(at) = find(window, &self.terminator) {
            let at = self.searched + at;
            self.searched = 0;
            return Cut::Line(data.get(..at).unwrap_or_default(), at + size);
        }
        if data.len() >= self.longest.saturating_add(size) {
            return Cut::TooLong;
        }
        // The last bytes may be the beginning of a terminator.
        self.searched = data.len().saturating_sub(size - 1);
        Cut::Incomplete
    }
}

/// Where `pattern`, which is not empty, begins.
fn find(data: &[u8], pattern: &[u8]) -> Option<usize> {
    let first = pattern.first()?;
    let mut from = 0;
    loop {
        let rest = data.get(from..)?;
        let at = from + rest.iter().position(|byte| byte == first)?;
        if data.get(at..)?.starts_with(pattern) {
            return Some(at);
        }
        from = at + 1;
    }
}

impl<P: LineProtocol> Protocol for Lines<P> {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.with(transport, |p, t| p.connection_made(t));
        // It may have counted off nothing, which is there already.
        self.feed(transport, b"");
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.feed(transport, data);
    }

    fn resume_reading(&mut self, transport: &mut Transport<'_>) {
        self.feed(transport, b"");
    }

    fn read_closed(&mut self, transport: &mut Transport<'_>) {
        let rest = mem::take(&mut self.held);
        self.with(transport, |p, t| p.read_closed(t, &rest));
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.with(transport, |p, t| p.pause_writing(t));
        self.feed(transport, b"");
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.with(transport, |p, t| p.resume_writing(t));
        // It may have said how what is held is to be cut.
        self.feed(transport, b"");
    }

    fn connection_lost(&mut self, reactor: &mut Reactor, why: Lost) {
        self.protocol.connection_lost(reactor, why);
    }

    fn connect_failed(&mut self, reactor: &mut Reactor, error: io::Error) {
        self.protocol.connect_failed(reactor, error);
    }
}

impl<P: fmt::Debug> fmt::Debug for Lines<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// A [`Transport`] that knows how its stream is cut. What is set holds from the next byte on, also in the middle of what was received.
#[derive(Debug)]
pub struct LineTransport<'a, 'b> {
    transport: &'a mut Transport<'b>,
    framing: &'a mut Framing,
}

impl LineTransport<'_, '_> {
    /// Lines that end with these bytes, from here on. (None of them: raw mode.)
    pub fn set_terminator(&mut self, terminator: &[u8]) {
        self.framing.set_terminator(terminator);
    }

    /// The next so many bytes come as one piece; after them, lines. Their number has no limit but memory: check what a peer asks for.
    pub fn set_count(&mut self, bytes: usize) {
        self.framing.set_mode(Mode::Count(bytes));
    }

    /// No lines from here on: [`raw_received`](LineProtocol::raw_received).
    pub fn set_raw(&mut self) {
        self.framing.set_mode(Mode::Raw);
    }

    /// Lines again, with the terminator that was set last.
    pub fn set_lines(&mut self) {
        self.framing.set_mode(Mode::Lines);
    }

    /// Writes a line and the terminator.
    pub fn write_line(&mut self, line: &[u8]) {
        let line = [line, &self.framing.terminator].concat();
        self.transport.write(&line);
    }
}

impl<'b> Deref for LineTransport<'_, 'b> {
    type Target = Transport<'b>;

    fn deref(&self) -> &Transport<'b> {
        self.transport
    }
}

impl<'b> DerefMut for LineTransport<'_, 'b> {
    fn deref_mut(&mut self) -> &mut Transport<'b> {
        self.transport
    }
}

impl fmt::Debug for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framing").field("longest", &self.longest).finish_non_exhaustive()
    }
}
