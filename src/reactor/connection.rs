//! One connection: its socket, what is queued for it, and how far it has come on its way to the end.

use std::io::{self, ErrorKind};
use std::net::Shutdown;

use super::protocol::Lost;
use super::selector::Trigger;
use super::{Protocol, Transport};
use crate::drain;
use crate::poll::Events;
use crate::socket::Socket;
use crate::sockopt::{self, Linger, SoLinger, SoProtocol, SoType};

/// The marks unless set: above the one, who writes is asked to pause; at the other, to go on.
const HIGH: usize = 64 << 10;
const LOW: usize = 16 << 10;

pub(super) struct Connection {
    pub(super) socket: Socket,
    /// By edges where a read that fills the buffer in part says that nothing is left. Of TCP that is true, but at urgent data, and with
    /// no protocol of messages on it; a Unix socket's read stops where the sender's credentials change, one of a message socket after
    /// each message.
    pub(super) trigger: Trigger,
    phase: Phase,
    /// The protocol was told that it is there: first, whatever has happened to it since.
    made: bool,
    /// This half ends when the queue is empty, or has ended.
    writing: Writing,
    reading: Reading,
    pub(super) read_closed: bool,
    marks: Marks,
    drained: u32,
    /// The clock for the drain runs.
    clocked: bool,
    /// None while it is at work.
    pub(super) protocol: Option<Box<dyn Protocol>>,
    queue: Option<Box<Queue>>,
    lost: Option<Lost>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The queue is flushed; what arrives is thrown away.
    Closing,
    /// All was sent and the peer told; what arrives until it has closed, too, is thrown away.
    Draining,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Writing {
    Open,
    Ending,
    Ended,
    /// It found a reset: what came before that is still to be read.
    Failed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Going,
    Paused,
    /// It goes on, and the protocol has not been told: who held something back is told first.
    Resumed,
}

/// What the protocol was told last about the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marks {
    Resumed,
    /// It went above the high mark since. Told also where it is flushed by then: who stops writing there waits for the other call.
    Crossed,
    Paused,
}

/// What is to be sent. There is one only where something is queued or a mark was set: most connections are idle.
struct Queue {
    bytes: Vec<u8>,
    sent: usize,
    high: usize,
    low: usize,
}

impl Queue {
    fn new() -> Box<Queue> {
        Box::new(Queue { bytes: Vec::new(), sent: 0, high: HIGH, low: LOW })
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }
}

/// What a connection has to be told, or to have done to it, when no callback is at work.
pub(super) enum Due {
    Nothing,
    Tell(fn(&mut dyn Protocol, &mut Transport<'_>)),
    End(Lost),
}

/// What has come in, for the protocol.
pub(super) enum Came {
    Nothing,
    Data(usize),
    End,
}

impl Connection {
    /// The socket is non-blocking.
    pub(super) fn new(socket: Socket, protocol: Box<dyn Protocol>) -> Connection {
        let is_tcp = sockopt::get(&socket, SoProtocol).is_ok_and(|it| it == crate::Protocol::TCP)
            && sockopt::get(&socket, SoType).is_ok_and(|it| it == crate::Type::STREAM);
        Connection {
            socket,
            trigger: if is_tcp { Trigger::Edge } else { Trigger::Level },
            phase: Phase::Open,
            made: false,
            writing: Writing::Open,
            reading: Reading::Going,
            read_closed: false,
            marks: Marks::Resumed,
            drained: 0,
            clocked: false,
            protocol: Some(protocol),
            queue: None,
            lost: None,
        }
    }

    #[inline]
    pub(super) fn interest(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, self.wants_in());
        events.set(Events::OUT, self.wants_out());
        events
    }

    #[inline]
    pub(super) fn wants_in(&self) -> bool {
        let wanted = match self.phase {
            Phase::Open => self.made && self.reading == Reading::Going,
            Phase::Closing | Phase::Draining => true,
        };
        wanted && !self.read_closed && self.lost.is_none()
    }

    #[inline]
    pub(super) fn wants_out(&self) -> bool {
        self.queued() > 0 && self.lost.is_none()
    }

    /// Whether it is to be watched for `IN`, and nothing is due for it: the short answer to [`interest`](Connection::interest),
    /// [`is_due`](Connection::is_due) and [`begins_to_drain`](Connection::begins_to_drain), for nearly all connections at nearly all times.
    #[inline]
    pub(super) fn only_reads(&self) -> bool {
        self.phase == Phase::Open
            && self.made
            && self.lost.is_none()
            && self.queue.is_none()
            && self.marks == Marks::Resumed
            && self.reading == Reading::Going
            && !self.read_closed
    }

    #[inline]
    pub(super) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.len())
    }

    /// Whether the clock for its drain is to be started: once.
    #[inline]
    pub(super) fn begins_to_drain(&mut self) -> bool {
        self.phase == Phase::Draining
            && self.lost.is_none()
            && !std::mem::replace(&mut self.clocked, true)
    }

    /// Whether it is over, or will be without anybody's doing: nothing is told of it but the end.
    pub(super) fn is_over(&self) -> bool {
        self.lost.is_some() || matches!(self.phase, Phase::Closing | Phase::Draining)
    }

    /// Whether what is written goes nowhere, by a close or by a reset.
    pub(super) fn is_closing(&self) -> bool {
        self.is_over() || self.writing == Writing::Failed
    }

    /// The first reason counts.
    pub(super) fn lose(&mut self, why: Lost) {
        if self.lost.is_none() {
            self.lost = Some(if self.writing == Writing::Failed { Lost::Reset } else { why });
        }
    }

    /// Another call than a read found an error. After a reset there may be something to read still, and then there is an end for sure.
    /// Who has paused reading comes to it later, and where there is nothing, not at all.
    #[cold]
    fn fail(&mut self, error: io::Error) {
        let reads = !self.is_reading_paused() || self.socket.may_be_read();
        match Lost::by(error) {
            // Where the end was read already, this was the other half of it: see `end_if_both_have`.
            Lost::Reset if self.phase == Phase::Open && reads => {
                (self.writing, self.queue) = (Writing::Failed, None);
            }
            why => self.lose(why),
        }
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.lost.is_some()
            || !self.made
            || self.reading == Reading::Resumed
            || self.marks == Marks::Crossed
            || (self.queue.is_some() || self.marks == Marks::Paused)
                && self.is_full() != (self.marks == Marks::Paused)
    }

    pub(super) fn due(&mut self) -> Due {
        if !std::mem::replace(&mut self.made, true) {
            return Due::Tell(|protocol, transport| protocol.connection_made(transport));
        }
        if let Some(why) = self.lost.take() {
            return Due::End(why);
        }
        let paused = self.marks == Marks::Paused;
        let due = if self.marks == Marks::Crossed || self.is_full() != paused {
            self.marks = if paused { Marks::Resumed } else { Marks::Paused };
            Due::Tell(if paused {
                |protocol, transport| protocol.resume_writing(transport)
            } else {
                |protocol, transport| protocol.pause_writing(transport)
            })
        } else if self.reading == Reading::Resumed {
            self.reading = Reading::Going;
            Due::Tell(|protocol, transport| protocol.resume_reading(transport))
        } else {
            Due::Nothing
        };
        if self.is_over() { Due::Nothing } else { due }
    }

    /// Above the high-water mark, and from there until the low one.
    fn is_full(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| {
            let paused = self.marks == Marks::Paused;
            queue.len() > if paused { queue.low } else { queue.high }
        })
    }

    pub(super) fn set_marks(&mut self, low: usize, high: usize) {
        let queue = self.queue.get_or_insert_with(Queue::new);
        (queue.low, queue.high) = (low.min(high), high);
    }

    pub(super) fn pause_reading(&mut self) {
        self.reading = Reading::Paused;
    }

    pub(super) fn resume_reading(&mut self) {
        if self.is_reading_paused() {
            self.reading = Reading::Resumed;
        }
    }

    pub(super) fn is_reading_paused(&self) -> bool {
        self.reading == Reading::Paused
    }

    /// Sends at once what the kernel takes, and queues the rest.
    #[inline]
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.writing != Writing::Open || self.is_closing() || bytes.is_empty() {
            return;
        }
        let mut rest = bytes;
        if self.queued() == 0 {
            match self.socket.send(bytes) {
                Ok(n) if n == bytes.len() => return,
                Ok(n) => rest = bytes.get(n..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return self.fail(error),
            }
        }
        let queue = self.queue.get_or_insert_with(Queue::new);
        queue.bytes.extend_from_slice(rest);
        if self.marks == Marks::Resumed && queue.len() > queue.high {
            self.marks = Marks::Crossed;
        }
    }

    /// Sends of the queue what the kernel takes, and goes on to the end if that was all.
    pub(super) fn flush(&mut self) {
        let Some(queue) = &mut self.queue else { return };
        match self.socket.send(queue.bytes.get(queue.sent..).unwrap_or_default()) {
            Ok(n) => queue.sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return self.take_what_waits(),
            Err(error) => return self.fail(error),
        }
        if queue.len() > 0 {
            // What was sent is let go of when it is the larger part.
            if queue.sent > queue.len() {
                queue.bytes.drain(..queue.sent);
                queue.sent = 0;
            }
            return;
        }
        if (queue.low, queue.high) == (LOW, HIGH) {
            self.queue = None;
        } else {
            (queue.bytes, queue.sent) = (Vec::new(), 0);
        }
        self.end_writing_if_due();
    }

    /// Does what can be done at once: sends, and reads once. What has come in, and whether that was all for sure.
    #[inline]
    pub(super) fn ready(&mut self, buffer: &mut [u8], events: Events) -> (Came, bool) {
        let ended = Events::ERR | Events::HUP;
        if events.contains(Events::NVAL) {
            self.lose(Lost::Error(io::Error::from_raw_os_error(libc::EBADF)));
        }
        // What is wanted now: a callback before this one may have paused it.
        if self.wants_out() && events.intersects(Events::OUT | ended) {
            self.flush();
        }
        let (mut came, mut all) = (Came::Nothing, false);
        if self.wants_in() && events.intersects(Events::IN | Events::PRI | ended) {
            (came, all) = self.read(buffer, events);
        }
        (came, all || self.trigger == Trigger::Level)
    }

    #[inline]
    fn read(&mut self, buffer: &mut [u8], events: Events) -> (Came, bool) {
        match self.socket.recv(buffer) {
            // It was short: that was all, but where something else was reported that may have stopped it.
            Ok(n) if n > 0 && self.phase == Phase::Open => {
                return (Came::Data(n), n < buffer.len() && events == Events::IN);
            }
            Ok(0) => {
                self.read_closed = true;
                match self.phase {
                    Phase::Draining => self.lose(Lost::Closed),
                    Phase::Open if self.writing < Writing::Failed => return (Came::End, false),
                    Phase::Open | Phase::Closing => {}
                }
            }
            Ok(n) if self.phase == Phase::Draining => {
                self.drained = self.drained.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
                if self.drained as usize > drain::BYTES {
                    self.lose(Lost::Closed);
                }
            }
            // What comes while the queue is flushed has no limit: the peer may lose what is still to be sent.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.take_what_waits();
                // At urgent data with more behind it a signal can be the reason, too.
                return (Came::Nothing, !events.contains(Events::IN | Events::PRI));
            }
            Err(error) => self.lose(Lost::by(error)),
        }
        (Came::Nothing, false)
    }

    /// It was ready, and the call found nothing. What made it so, and is told by no call, would do so again and again: an error, or a
    /// message in the queue of errors, as of timestamps that the socket was told to make.
    fn take_what_waits(&mut self) {
        self.lose_by_pending_error();
        self.socket.drop_queued_errors();
    }

    fn lose_by_pending_error(&mut self) {
        match self.socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => self.fail(error),
        }
    }

    pub(super) fn close(&mut self) {
        if !self.is_over() {
            self.phase = Phase::Closing;
            self.end_writing_if_due();
        }
    }

    pub(super) fn close_write(&mut self) {
        if self.writing == Writing::Open {
            self.writing = Writing::Ending;
            self.end_writing_if_due();
        }
    }

    fn end_writing_if_due(&mut self) {
        let closing = self.phase == Phase::Closing;
        if self.queued() > 0 || self.lost.is_some() || !(closing || self.writing == Writing::Ending)
        {
            return;
        }
        if self.writing < Writing::Ended {
            self.writing = Writing::Ended;
            if let Err(error) = self.socket.shutdown(Shutdown::Write) {
                // Not connected any more: was it reset?
                self.lose_by_pending_error();
                if error.raw_os_error() != Some(libc::ENOTCONN) {
                    self.lose(Lost::by(error));
                }
            }
        }
        if closing {
            self.phase = Phase::Draining;
        }
    }

    /// Both halves have ended: that is all of it.
    pub(super) fn end_if_both_have(&mut self) {
        if self.read_closed && self.writing >= Writing::Ended {
            self.lose(Lost::Closed);
        }
    }

    /// Has the close, which comes next, be a reset.
    pub(super) fn abort(&mut self) {
        if self.lost.is_none() {
            // Of a Unix socket it means nothing, and is no error.
            let _ = sockopt::set(&self.socket, SoLinger, Linger::Abort);
        }
        self.queue = None;
        self.lose(Lost::Aborted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::Transport;
    use crate::{Domain, Type};

    /// A connection in each of its states, as far as they matter to what it waits for and is told.
    fn each_state(mut look: impl FnMut(&mut Connection)) {
        let (socket, _peer) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair");
        let protocol = Box::new(|_: &mut Transport<'_>, _: &[u8]| ());
        let mut connection = Connection::new(socket, protocol);
        for phase in [Phase::Open, Phase::Closing, Phase::Draining] {
            for marks in [Marks::Resumed, Marks::Crossed, Marks::Paused] {
                for queued in [None, Some(0), Some(1), Some(LOW + 1), Some(HIGH + 1)] {
                    for flags in 0..1 << 4 {
                        let flag = |at: u32| flags >> at & 1 == 1;
                        (connection.phase, connection.marks) = (phase, marks);
                        connection.queue =
                            queued.map(|n| Box::new(Queue { bytes: vec![0; n], ..*Queue::new() }));
                        (connection.made, connection.read_closed) = (flag(0), flag(1));
                        (connection.clocked, connection.lost) =
                            (flag(2), flag(3).then_some(Lost::Closed));
                        for reading in [Reading::Going, Reading::Paused, Reading::Resumed] {
                            connection.reading = reading;
                            look(&mut connection);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_short_answer_is_the_long_one() {
        let mut short = 0;
        each_state(|connection| {
            let only_reads = connection.only_reads();
            let long = connection.interest() == Events::IN
                && !connection.is_due()
                && !connection.begins_to_drain();
            assert!(long || !only_reads, "there was something to do");
            // What has a queue takes the long way, be it empty.
            let takes_it = long && connection.queue.is_none() && connection.phase == Phase::Open;
            assert_eq!(only_reads, takes_it, "it is for nearly all connections");
            short += i32::from(only_reads);
        });
        assert!(short > 0);
    }
}
