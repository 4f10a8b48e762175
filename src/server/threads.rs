//! A thread for each request, up to a limit.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{Builder, JoinHandle};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::handler::Handler;
use super::stream::Connection;
use super::transport::{Endpoint, Request};
use super::way::{Ended, Refused, Way, Works, sealed};
use super::work;
use crate::contain::contain;
use crate::poll::{Events, PollFd};

/// Work in threads, one for each request, up to a limit; over it requests wait in the socket's queue.
#[derive(Debug)]
pub struct Threads {
    limit: NonZeroUsize,
    detached: bool,
    running: HashMap<u64, Running>,
    next: u64,
    done: Arc<Done>,
}

#[derive(Debug)]
struct Running {
    /// Of a detached thread there is nothing to join.
    thread: Option<JoinHandle<()>>,
    connection: Weak<Connection>,
}

/// What the threads tell the server: that one has come to its end.
#[derive(Debug)]
struct Done {
    waker: EventFd,
    ended: Mutex<Vec<u64>>,
}

impl Done {
    fn ended(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells it when dropped: at the end of the thread, whatever end that is.
struct Tell(u64, Arc<Done>);

thread_local! {
    /// Put in first and so dropped last, after whatever else a handler keeps for its thread: what takes its time there is waited for
    /// as work in hand, and not by the loop.
    static TELL: RefCell<Option<Tell>> = const { RefCell::new(None) };
}

impl Drop for Tell {
    fn drop(&mut self) {
        self.1.ended().push(self.0);
        let _ = self.1.waker.write(1);
    }
}

impl Way for Threads {}

impl sealed::Way for Threads {
    type Held<H> = Arc<H>;

    fn make(limit: NonZeroUsize, detached: bool) -> io::Result<Threads> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let waker = EventFd::from_value_and_flags(0, flags)?;
        let done = Arc::new(Done { waker, ended: Mutex::default() });
        Ok(Threads { limit, detached, running: HashMap::new(), next: 0, done })
    }

    fn hold<H>(handler: H) -> Arc<H> {
        Arc::new(handler)
    }

    fn has_room(&self) -> bool {
        self.running.len() < self.limit.get()
    }

    fn in_hand(&self) -> usize {
        if self.detached { 0 } else { self.running.len() }
    }

    fn watch<'a>(&'a self, slots: &mut Vec<PollFd<'a>>) {
        // News may come after the end they are about is known. With nobody at work nobody would read them.
        if !self.running.is_empty() {
            slots.push(PollFd::new(self.done.waker.as_fd(), Events::IN));
        }
    }

    fn reap(&mut self, _: &mut dyn FnMut(Ended)) -> bool {
        if self.running.is_empty() {
            return false;
        }
        // The news first, and then what it is about: the other way round one could be missed.
        let _ = self.done.waker.read();
        let ended = std::mem::take(&mut *self.done.ended());
        let some = !ended.is_empty();
        for number in ended {
            if let Some(thread) = self.running.remove(&number).and_then(|it| it.thread) {
                // It is at its very end, behind its thread-local values, and what panicked in it was contained and told.
                let _ = thread.join();
            }
        }
        some
    }

    fn cut(&mut self) {
        for running in self.running.values().filter(|running| running.thread.is_some()) {
            if let Some(connection) = running.connection.upgrade() {
                let _ = connection.socket.shutdown(Shutdown::Both);
            }
        }
    }

    fn abandon(&mut self) {
        self.running.clear();
    }
}

impl<R: Request, H: Handler<R> + Send + Sync + 'static> Works<R, H> for Threads {}

impl<R: Request, H: Handler<R> + Send + Sync + 'static> sealed::Works<R, H> for Threads {
    fn start(&mut self, request: R, handler: &Arc<H>, _: &mut Endpoint) -> Result<(), Refused<R>> {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let connection = request.connection().map_or_else(Weak::new, |it| Arc::downgrade(&it));
        // A thread that cannot be started drops its closure, and the request with it: so it is handed over outside.
        let slot = Arc::new(Mutex::new(Some(request)));
        let (handler, done) = (Arc::clone(handler), Arc::clone(&self.done));
        let work = {
            let slot = Arc::clone(&slot);
            move || {
                TELL.set(Some(Tell(number, done)));
                let request = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                drop(slot);
                if let Some(request) = request {
                    work::serve(&*handler, request);
                }
                // When the server has joined its threads nobody else holds it. The last one who does may be this one, where the server
                // has left it behind.
                let _ = contain(|| drop(handler));
            }
        };
        match Builder::new().name(format!("request {number}")).spawn(work) {
            Ok(thread) => {
                let thread = (!self.detached).then_some(thread);
                self.running.insert(number, Running { thread, connection });
                Ok(())
            }
            Err(error) => {
                let request = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                match request {
                    Some(request) => Err(Refused { request, error }),
                    // Not to be had: a thread that did not start took nothing.
                    None => Ok(()),
                }
            }
        }
    }
}
