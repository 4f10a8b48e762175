//! The loop: waiting for a request, for the end of work, and for the end of the server.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::Server;
use super::handler::Handler;
use super::problem::{Problem, Step};
use super::transport::{Transport, sealed::Request};
use super::way::{Refused, Way, Works};
use super::work;
use crate::accept::{Verdict, datagram_verdict, verdict};
use crate::addr::Type;
use crate::poll::{Events, PollFd, poll};
use crate::timeout::Timeout;

/// How long to look another way after the system had no descriptor, memory, thread or process left: at first, and at most.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often to ask after a child for which there was no descriptor.
const BLIND: Duration = Duration::from_millis(20);
/// How long work that was cut off may take to notice.
const NOTICE: Duration = Duration::from_secs(1);

/// Where the system had nothing left to give.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
    last: Duration,
}

impl Pause {
    fn begin(&mut self) {
        self.last = (self.last * 2).clamp(PAUSE, LONGEST_PAUSE);
        self.until = Instant::now().checked_add(self.last);
    }

    /// Until when it goes on; `None`: it is over. Who acts on the one and waits for the other asks with one `now` for both: a
    /// second look at the clock could find it over, and nobody would wait for its end.
    fn left(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.left(now).is_none()
    }
}

/// What a pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// A request was taken on.
    Served,
    /// Something else happened, or nothing.
    Other,
    /// The time was over.
    TimedOut,
    /// The server has been told to end.
    Told,
}

impl<T, H, W> Server<T, H, W>
where
    T: Transport,
    H: Handler<T::Request>,
    W: Works<T::Request, H>,
{
    /// Waits for one request and serves it: handled when this returns, or, with threads or processes, started. Whether
    /// there was one.
    ///
    /// `false`: the [`timeout`](super::Builder::timeout) is over, or the server has been told to end. One that is refused by
    /// [`verify`](Handler::verify), or that ends before it is taken, does not count: the time that is left goes on.
    ///
    /// # Errors
    ///
    /// Those after which it makes no sense to go on, as `EBADF`; and from the forking way that this process has other threads
    /// ([`Unsupported`](ErrorKind::Unsupported)). Everything else is told to [`error`](Handler::error): see
    /// [`serve_forever`](Server::serve_forever).
    pub fn handle_request(&mut self) -> io::Result<bool> {
        self.way.check()?;
        let until = self.settings.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            match self.pass(until)? {
                Pass::Served => return Ok(true),
                Pass::TimedOut | Pass::Told => return Ok(false),
                // There may be one to refuse each time: none of them stretches the time.
                Pass::Other if is_over(until) => return Ok(false),
                Pass::Other => {}
            }
        }
    }

    /// Serves until a [`ShutdownHandle`](super::ShutdownHandle) tells it to end; then answers who is in its queue, for to close the
    /// listener would reset them, waits for the work in hand as long as [`close_within`](super::Builder::close_within) says, and returns.
    /// That is the time of both together: who is still in the queue when it is over is reset, and [`error`](Handler::error) is told.
    /// Packets that wait are not answered: over IP their senders know of no server; a Unix sender does, so let it wait for replies.
    ///
    /// Told before, it does only the latter.
    ///
    /// # When something goes wrong
    ///
    /// - A client that was reset before it was taken, or a listener with nobody there after all: the next one, please.
    /// - No descriptor, no memory (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`), or a rule of the system's that forbids it (`EPERM`): the listener stays ready, and a loop that just
    ///   tried again would spin. [`error`](Handler::error) is told, and a descriptor kept in reserve makes room for one client at a
    ///   time. Where that does not help either, the server waits a little, at first 10 milliseconds and at most a second,
    ///   and nobody in the queue is lost.
    /// - No thread, no process (`EAGAIN`, `ENOMEM`): the same, and the client that was taken already is kept.
    ///
    /// # Errors
    ///
    /// As [`handle_request`](Server::handle_request). It has not ended then: work in hand goes on, and it may be called again.
    pub fn serve_forever(&mut self) -> io::Result<()> {
        self.serve()?;
        self.wind_up();
        Ok(())
    }

    fn serve(&mut self) -> io::Result<()> {
        self.way.check()?;
        loop {
            let until =
                self.settings.service_every.and_then(|every| Instant::now().checked_add(every));
            let pass = self.pass(until)?;
            work::service::<T::Request, H>(&self.handler);
            if pass == Pass::Told {
                return Ok(());
            }
        }
    }

    /// Waits until something happens, and does what is to do then.
    fn pass(&mut self, until: Option<Instant>) -> io::Result<Pass> {
        self.reap();
        self.reserve.restore();
        let now = Instant::now();
        let open = self.way.has_room() && self.pause.is_over(now);
        if open && self.waiting.is_some() {
            // Its turn before everybody's in the queue, unless this is the end.
            if self.ending.is_told() {
                return Ok(Pass::Told);
            }
            return self.start_waiting();
        }
        let mut slots = vec![PollFd::new(self.ending.waker(), Events::IN)];
        // Nobody who cannot be taken on is waited for: the listener would be ready all the time.
        let listens = open && self.waiting.is_none();
        slots.push(if listens { PollFd::of(&self.endpoint, Events::IN) } else { PollFd::DISABLED });
        self.way.watch(&mut slots);
        wait(&mut slots, 2, earlier(until, self.look_again(now)))?;
        let is_ready = |slot: usize| slots.get(slot).is_some_and(|slot| !slot.revents().is_empty());
        if is_ready(0) {
            return Ok(Pass::Told);
        }
        if is_ready(1) {
            return self.take();
        }
        // By the clock: the wait may have been for less.
        Ok(if is_over(until) { Pass::TimedOut } else { Pass::Other })
    }

    /// Takes the next request from the socket and starts it.
    fn take(&mut self) -> io::Result<Pass> {
        let error = match T::Request::take(&mut self.endpoint) {
            Ok(request) => return self.start(request),
            Err(error) => error,
        };
        if error.kind() == ErrorKind::WouldBlock {
            // What else made it ready would do so again and again: its queue of errors, which no read empties.
            self.endpoint.socket().drop_queued_errors();
        }
        let verdict = if T::KIND == Type::DGRAM { datagram_verdict } else { verdict };
        match verdict(&error) {
            Verdict::GoOn => Ok(Pass::Other),
            Verdict::BackOff { descriptors } => {
                self.tell(&Problem::error_at(Step::Accept, None, error));
                // The reserve makes room for one, if it is taken at once; without it there is nothing to do but wait.
                if descriptors && self.reserve.release() {
                    if let Ok(request) = T::Request::take(&mut self.endpoint) {
                        return self.start(request);
                    }
                }
                self.pause.begin();
                Ok(Pass::Other)
            }
            Verdict::GiveUp => Err(error),
        }
    }

    fn start(&mut self, mut request: T::Request) -> io::Result<Pass> {
        if !work::verify(&*self.handler, &request) {
            request.refuse();
            return Ok(Pass::Other);
        }
        self.waiting = Some(request);
        self.start_waiting()
    }

    fn start_waiting(&mut self) -> io::Result<Pass> {
        let Some(request) = self.waiting.take() else { return Ok(Pass::Other) };
        match self.way.start(request, &self.handler, &mut self.endpoint) {
            Ok(()) => {
                self.pause = Pause::default();
                Ok(Pass::Served)
            }
            Err(Refused { request, error }) if error.kind() == ErrorKind::Unsupported => {
                self.waiting = Some(request);
                Err(error)
            }
            Err(Refused { request, error }) => {
                self.tell(&Problem::error_at(Step::Start, Some(request.peer()), error));
                self.waiting = Some(request);
                self.pause.begin();
                Ok(Pass::Other)
            }
        }
    }

    /// Ends what [`handle_request`](Server::handle_request) began: waits for the work in hand, as
    /// [`serve_forever`](Server::serve_forever) does, and closes the socket.
    pub fn close(mut self) {
        self.shutdown_handle().shutdown();
        self.wind_up();
    }

    fn wind_up(&mut self) {
        let until = self.until();
        // Who is in the queue has been told that there is a server: a close would be a reset. A packet's sender knows of none.
        let queued = if self.endpoint.stop() { self.endpoint.queue() } else { 0 };
        let mut left = queued + i64::from(self.waiting.is_some());
        while left > 0 && until.is_none_or(|until| Instant::now() < until) {
            self.reap();
            let now = Instant::now();
            if !self.way.has_room() || !self.pause.is_over(now) {
                self.wait_for_work(until, now);
                continue;
            }
            let pass =
                if self.waiting.is_some() { self.start_waiting() } else { self.take_queued() };
            match pass {
                Ok(Pass::Served) => left -= 1,
                // A pause that has begun: it is still there, to be tried again.
                Ok(Pass::Other) => left -= i64::from(self.pause.is_over(now)),
                // Told: there is nobody left.
                Ok(Pass::TimedOut | Pass::Told) => left = 0,
                Err(error) => {
                    self.tell(&Problem::error_at(Step::Accept, None, error));
                    break;
                }
            }
        }
        // Who was taken already is told of by himself.
        if left > i64::from(self.waiting.is_some()) && self.somebody_waits().unwrap_or(true) {
            let text = "somebody was left in the queue, and not answered when the server ended";
            let error = io::Error::new(ErrorKind::ConnectionAborted, text);
            self.tell(&Problem::error_at(Step::Close, None, error));
        }
        self.finish_work();
    }

    /// As `take`, and `Told` when the queue is empty.
    fn take_queued(&mut self) -> io::Result<Pass> {
        if self.somebody_waits()? { self.take() } else { Ok(Pass::Told) }
    }

    fn somebody_waits(&self) -> io::Result<bool> {
        Ok(poll(&mut [PollFd::of(&self.endpoint, Events::IN)], Duration::ZERO)? > 0)
    }
}

/// What starts no work.
impl<T: Transport, H, W: Way> Server<T, H, W> {
    fn tell(&self, problem: &Problem) {
        (self.report)(&self.handler, problem);
    }

    /// Takes in the work that has ended, and tells what ended badly.
    fn reap(&mut self) {
        let (handler, report) = (&*self.handler, self.report);
        let some = self.way.reap(&mut |ended| {
            if let Err(error) = ended {
                report(handler, &Problem::error_at(Step::Child, None, error));
            }
        });
        if some {
            // It gives back what was short.
            self.pause.until = None;
        }
    }

    /// Waits for the work in hand, and cuts it off when its time is over. What was not even started is told.
    pub(super) fn finish_work(&mut self) {
        let until = self.until();
        if let Some(request) = self.waiting.take() {
            let text = "taken from the queue, and not started when the server ended";
            let error = io::Error::new(ErrorKind::ConnectionAborted, text);
            self.tell(&Problem::error_at(Step::Close, Some(request.peer()), error));
        }
        self.wait_for_all(until, Server::reap);
        let left = self.way.in_hand();
        self.way.cut();
        // Those were ended by the server itself: how is no news.
        let quietly = |server: &mut Self| {
            server.way.reap(&mut |_| ());
        };
        self.wait_for_all(Instant::now().checked_add(NOTICE), quietly);
        let still = self.way.in_hand();
        self.way.abandon();
        if left > 0 {
            let text =
                format!("{left} cut off when the time was over, of which {still} left behind");
            let error = io::Error::new(ErrorKind::TimedOut, text);
            self.tell(&Problem::error_at(Step::Close, None, error));
        }
    }

    /// Until when work may go on, now that the server ends.
    fn until(&self) -> Option<Instant> {
        match self.ending.deadline() {
            Timeout::At(until) => Some(until),
            _ => None,
        }
    }

    fn wait_for_all(&mut self, until: Option<Instant>, reap: impl Fn(&mut Self)) {
        loop {
            reap(self);
            if self.way.in_hand() == 0 || until.is_some_and(|until| Instant::now() >= until) {
                return;
            }
            self.wait_for_work(until, Instant::now());
        }
    }

    /// Waits until some work ends, or a pause does.
    fn wait_for_work(&self, until: Option<Instant>, now: Instant) {
        let mut slots = Vec::new();
        self.way.watch(&mut slots);
        // Whatever it says, the caller looks for himself.
        let _ = wait(&mut slots, 0, earlier(until, self.look_again(now)));
    }

    /// When to look again although nothing is ready.
    fn look_again(&self, now: Instant) -> Option<Instant> {
        let blind = if self.way.blind() { now.checked_add(BLIND) } else { None };
        earlier(self.pause.left(now), blind)
    }
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| until <= Instant::now())
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

/// poll(2). Where there are more slots than the limit on descriptors allows now, it refuses: then the first ones, which may not be
/// missed, for a moment.
fn wait(slots: &mut [PollFd<'_>], first: usize, until: Option<Instant>) -> io::Result<()> {
    poll(slots, until.map_or(Timeout::Never, Timeout::At))
        .or_else(|error| slots.get_mut(..first).map_or(Err(error), |slots| poll(slots, BLIND)))
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the clock says: with one look at it there is no third case, in which the listener is left out and nobody waits.
    #[test]
    fn a_pause_is_over_or_waited_for() {
        let mut pause = Pause::default();
        assert!(pause.is_over(Instant::now()));
        for longer in [1, 2, 4, 8, 16, 32, 64, 100, 100] {
            pause.begin();
            assert_eq!(pause.last, longer * PAUSE);
            let until = pause.until.unwrap();
            let before = until.checked_sub(Duration::from_nanos(1)).unwrap();
            assert_eq!((pause.is_over(before), pause.left(before)), (false, Some(until)));
            for now in [until, until + LONGEST_PAUSE] {
                assert_eq!((pause.is_over(now), pause.left(now)), (true, None));
            }
        }
    }
}
