//! The loop itself: one pass waits, finds out what is ready, and calls back.

use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::connection::{Came, Due};
use super::protocol::{Lost, Protocol};
use super::selector::Selector;
use super::source::{Kind, Source};
use super::{Problem, Reactor, Transport};
use crate::contain::contain;
use crate::drain;
use crate::poll::Events;
use crate::slab::Key;
use crate::timeout::Timeout;

/// It runs for as long as this is there, also where a source's `as_fd` panics, which ends the run.
struct Running<'a>(&'a mut Reactor);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running = false;
    }
}

impl Reactor {
    /// Runs until it is [stopped](Reactor::stop).
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](ErrorKind::InvalidInput): called from a callback, where it runs already.
    /// - The backend's, after which it makes no sense to go on: `ENOMEM`; of epoll `EMFILE`, where a source's descriptor changed and there is
    ///   none for a new instance; of poll `EINVAL`, where the limit of descriptors was lowered below the number of sources.
    pub fn run(&mut self) -> io::Result<()> {
        let running = self.enter()?;
        while !running.0.shared.stop.swap(false, Ordering::AcqRel) {
            running.0.pass(Timeout::Never)?;
        }
        Ok(())
    }

    /// One pass: waits until something is ready or due, for this long at most, and does what is to do then.
    ///
    /// For a loop of one's own, or to put this one into another. `false` where such a loop is to end: [`stop`](Reactor::stop) was called since the
    /// last pass or in this one.
    ///
    /// # Errors
    ///
    /// As [`run`](Reactor::run).
    pub fn run_once(&mut self, timeout: impl Into<Timeout>) -> io::Result<bool> {
        let running = self.enter()?;
        running.0.pass(timeout.into().fixed())?;
        Ok(!running.0.shared.stop.swap(false, Ordering::AcqRel))
    }

    fn enter(&mut self) -> io::Result<Running<'_>> {
        if self.running {
            let text = "the reactor runs already: return from the callback, and it goes on";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        self.running = true;
        Ok(Running(self))
    }

    fn pass(&mut self, timeout: Timeout) -> io::Result<()> {
        self.ask();
        self.arm();
        let timeout = self.patience(timeout);
        let mut found = mem::take(&mut self.found);
        let result = self.selector.wait(&self.sources, timeout, &mut found);
        if result.is_ok() {
            self.make_due_calls();
            for &(key, events) in &found {
                self.deliver(key, events);
            }
        }
        found.clear();
        self.found = found;
        self.end_drains();
        // As many as there are now: what they lead to has its turn in the next pass.
        for _ in 0..self.due.len() {
            if let Some(key) = self.due.pop_front() {
                if let Some(source) = self.sources.get_mut(key) {
                    source.due = false;
                }
                self.attend(key);
            }
        }
        result
    }

    /// How long to wait, with all that is to come.
    fn patience(&mut self, timeout: Timeout) -> Timeout {
        if !self.due.is_empty() {
            return Duration::ZERO.into();
        }
        let drained = self.drains.front().map(|(until, _)| *until);
        let next = [self.timers.next(), drained].into_iter().flatten().min();
        match (timeout, next) {
            (Timeout::Never, Some(next)) => next.into(),
            (Timeout::At(until), Some(next)) => until.min(next).into(),
            (timeout, _) => timeout,
        }
    }

    fn make_due_calls(&mut self) {
        if self.timers.next().is_none() {
            return;
        }
        let now = Instant::now();
        let mut ripe = mem::take(&mut self.ripe);
        self.timers.due(now, &mut ripe);
        for timer in ripe.drain(..) {
            if let Some(call) = self.timers.take(timer, now) {
                self.contain(None, call);
            }
        }
        self.ripe = ripe;
    }

    /// A source is ready, unless a callback before this one has removed it.
    #[inline]
    fn deliver(&mut self, key: Key, events: Events) {
        let Some(source) = self.sources.get_mut(key) else { return };
        match &mut source.kind {
            Kind::Connection(connection) => {
                let (came, all) = connection.ready(&mut self.buffer, events);
                source.again = !all;
                self.came(key, came);
            }
            Kind::Listener(_) => self.listener_ready(key, events),
            Kind::Connecting(_) => self.connecting_ready(key),
            Kind::Watch { .. } => self.watch_ready(key, events),
            Kind::Waker(_) => {
                for call in self.shared.take() {
                    self.contain(None, call);
                }
            }
        }
    }

    #[inline]
    fn came(&mut self, key: Key, came: Came) {
        match came {
            Came::Data(n) => {
                let buffer = mem::take(&mut self.buffer);
                let data = buffer.get(..n).unwrap_or_default();
                self.call(key, |protocol, transport| protocol.data_received(transport, data));
                self.buffer = buffer;
            }
            Came::End => self.call(key, |protocol, transport| protocol.read_closed(transport)),
            Came::Nothing => self.settle(key),
        }
    }

    /// Calls a connection's protocol, and settles what follows from it. The protocol is out of its place meanwhile, so that it can be given
    /// the reactor.
    #[inline]
    fn call(&mut self, key: Key, call: impl FnOnce(&mut dyn Protocol, &mut Transport<'_>)) {
        let protocol = self.connection(key).and_then(|connection| connection.protocol.take());
        let Some(mut protocol) = protocol else { return };
        let called = self.contained(Some(key), |reactor| {
            call(&mut *protocol, &mut Transport::in_callback(reactor, key));
        });
        if let Some(connection) = self.connection(key) {
            connection.protocol = Some(protocol);
            if let Err(text) = called {
                connection.lose(Lost::Panicked(text));
            }
        }
        self.settle(key);
    }

    /// Tells a connection, or one that is being made, what is due, or ends it. When nothing else is at work.
    pub(super) fn attend(&mut self, key: Key) {
        let Some(connection) = self.connection(key) else { return self.attend_connecting(key) };
        match connection.due() {
            Due::Nothing => self.settle(key),
            Due::Tell(what) => self.call(key, what),
            Due::End(why) => {
                let protocol = connection.protocol.take();
                self.let_go(key); // The descriptor is free again before anybody hears of it.
                if let Some(mut protocol) = protocol {
                    self.contain(None, |reactor| protocol.connection_lost(reactor, why));
                    // For itself: a drop that panics while another panic unwinds ends the process.
                    self.contain(None, |_| drop(protocol));
                }
            }
        }
    }

    fn end_drains(&mut self) {
        while self.drains.front().is_some_and(|(until, _)| *until <= Instant::now()) {
            let Some((_, key)) = self.drains.pop_front() else { return };
            if let Some(connection) = self.connection(key) {
                connection.lose(Lost::Closed);
                self.settle(key);
            }
        }
    }

    /// Takes a new source, and has it watched. The selector may refuse it.
    pub(super) fn insert(&mut self, kind: Kind) -> io::Result<Key> {
        if self.ending {
            return Err(io::Error::other("the reactor is going: it takes nothing new"));
        }
        let mut source = Source::new(kind);
        arm(&mut *self.selector, self.sources.next_key(), &mut source)?;
        Ok(self.sources.insert(source))
    }

    /// After anything that may have changed what a source is to be watched for, or what is due for it.
    #[inline]
    pub(super) fn settle(&mut self, key: Key) {
        let Some(source) = self.sources.get_mut(key) else { return };
        // Mostly there is nothing to do: this is asked for each message.
        if let Kind::Connection(connection) = &source.kind {
            if source.armed == Events::IN && !source.again && connection.only_reads() {
                return;
            }
        }
        self.settle_changes(key);
    }

    #[inline(never)]
    fn settle_changes(&mut self, key: Key) {
        let Some(source) = self.sources.get_mut(key) else { return };
        if let Kind::Connection(connection) = &mut source.kind {
            connection.end_if_both_have();
            if connection.begins_to_drain() {
                self.drains.push_back((Instant::now() + drain::TIME, key));
            }
        } else if source.interest().is_empty() && !mem::take(&mut source.armed).is_empty() {
            // At once, not before the next wait: its descriptor may be another source's next. A connection's is its own.
            self.selector.forget(key);
        }
        if !source.dirty && (source.again || source.interest() != source.armed) {
            source.dirty = true;
            self.dirty.push(key);
        }
        if !source.due && source.is_due() {
            source.due = true;
            self.due.push_back(key);
        }
    }

    /// Tells the selector what has changed: once for each source, however often it changed its mind.
    fn arm(&mut self) {
        let count = self.dirty.len();
        for index in 0..count {
            let key = self.dirty[index];
            let Some(source) = self.sources.get_mut(key) else { continue };
            source.dirty = false;
            if mem::take(&mut source.again) || source.interest() != source.armed {
                if let Err(error) = arm(&mut *self.selector, key, source) {
                    // The selector watches it no more.
                    source.armed = Events::empty();
                    self.unwatchable(key, error);
                }
            }
        }
        // Not one by one: should a source's as_fd panic, the list is whole. And errors may have added some.
        self.dirty.drain(..count);
    }

    fn unwatchable(&mut self, key: Key, error: io::Error) {
        match self.sources.get_mut(key).map(|source| &mut source.kind) {
            Some(Kind::Connection(connection)) => {
                connection.lose(Lost::Error(error));
                self.settle(key);
            }
            Some(Kind::Connecting(_)) => self.connect_fails(key, error),
            _ => self.give_up(key, error),
        }
    }

    /// Has the selector forget it: before its descriptor is closed or changes hands.
    pub(super) fn disarm(&mut self, key: Key) {
        let Some(source) = self.sources.get_mut(key) else { return };
        if !mem::take(&mut source.armed).is_empty() {
            self.selector.forget(key);
        }
    }

    /// Takes a source out. Its drop may panic, and others are still to be told.
    pub(super) fn let_go(&mut self, key: Key) {
        self.disarm(key);
        let source = self.sources.remove(key);
        self.contain(None, |_| drop(source));
    }

    /// Makes a call that may panic, and tells the hook where it does. Whatever the panic left half done is the caller's own; the reactor's
    /// state is whole between two of its calls.
    #[inline]
    fn contained<T>(
        &mut self,
        source: Option<Key>,
        call: impl FnOnce(&mut Reactor) -> T,
    ) -> Result<T, String> {
        contain(|| call(self)).inspect_err(|text| {
            self.tell(Problem::Panic { source, text: text.clone() });
        })
    }

    pub(super) fn contain<T>(
        &mut self,
        source: Option<Key>,
        call: impl FnOnce(&mut Reactor) -> T,
    ) -> Option<T> {
        self.contained(source, call).ok()
    }

    /// Tells the hook. One that panics itself has nobody left to tell.
    #[cold]
    pub(super) fn tell(&mut self, problem: Problem) {
        if let Some(mut hook) = self.on_problem.take() {
            let _ = contain(|| hook(&problem));
            self.on_problem = Some(hook);
        }
    }

    /// Takes a source out that does not work any more, and says so.
    pub(super) fn give_up(&mut self, key: Key, error: io::Error) {
        self.contain(None, |reactor| reactor.remove(key));
        self.tell(Problem::Broken { source: key, error });
    }
}

/// Tells the selector what a source is to be watched for now.
fn arm(selector: &mut dyn Selector, key: Key, source: &mut Source) -> io::Result<()> {
    let interest = source.interest();
    match source.fd().filter(|_| !interest.is_empty()) {
        None => selector.forget(key),
        // It is legal in safe code, and none that could be watched: poll would pass over it in silence.
        Some(fd) if fd.as_raw_fd() < 0 => {
            selector.forget(key);
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        Some(fd) => selector.set(key, fd, interest, source.trigger())?,
    }
    source.armed = interest;
    Ok(())
}
