//! What tokio is made of: an executor for async functions on the event loop, in 150 lines.
//!
//! ```text
//! cargo run --example async_await
//! ```
//!
//! It runs both ends and ends by itself.

#[path = "../common/mod.rs"]
mod common;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use readysock::reactor::{Handle, Reactor};
use readysock::{Addr, Domain, Events, Key, Socket, Type};

use self::common::{LoopArguments, Say, Text};

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

// ANCHOR: executor
/// The reactor, where every future can reach it. One thread: `Rc` and `RefCell` will do.
type Shared = Rc<RefCell<Reactor>>;

/// A future that runs by itself. To wake it is to have the reactor's next pass poll it.
struct Task {
    woken: AtomicBool,
    handle: Handle,
}

impl Wake for Task {
    fn wake(self: Arc<Task>) {
        // The handle's descriptor ends the wait; who is woken is found by the flag.
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.handle.post(|_| ());
        }
    }
}

/// Whoever waits there, if anybody does.
fn wake(waiting: &RefCell<Option<Waker>>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}

type Work = Pin<Box<dyn Future<Output = ()>>>;

struct Executor {
    reactor: Shared,
    tasks: Vec<(Arc<Task>, Work)>,
    /// Spawned by a task that is just being polled.
    new: Rc<RefCell<Vec<Work>>>,
}

/// What the async functions are given: it sleeps, accepts, reads, writes and spawns.
#[derive(Clone)]
struct Io {
    reactor: Shared,
    new: Rc<RefCell<Vec<Work>>>,
}

impl Executor {
    fn new(reactor: Reactor) -> Executor {
        Executor { reactor: Rc::new(RefCell::new(reactor)), tasks: Vec::new(), new: Rc::default() }
    }

    fn io(&self) -> Io {
        Io { reactor: Rc::clone(&self.reactor), new: Rc::clone(&self.new) }
    }

    /// Runs this future and all that it spawns: polls who was woken, and lets the reactor wait for the next wake-up. Until the future
    /// is done, or Ctrl-C: `None`.
    fn run<T: 'static>(
        &mut self,
        work: impl Future<Output = T> + 'static,
    ) -> io::Result<Option<T>> {
        let result = Rc::new(RefCell::new(None));
        let place = Rc::clone(&result);
        self.new.borrow_mut().push(Box::pin(async move { drop(place.replace(Some(work.await))) }));
        loop {
            for work in self.new.take() {
                let handle = self.reactor.borrow().handle();
                self.tasks.push((Arc::new(Task { woken: true.into(), handle }), work));
            }
            self.tasks.retain_mut(|(task, work)| {
                if !task.woken.swap(false, Ordering::AcqRel) {
                    return true;
                }
                let waker = Waker::from(Arc::clone(task));
                work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
            });
            if result.borrow().is_some() {
                return Ok(result.take());
            }
            let patience = if self.new.borrow().is_empty() { None } else { Some(Duration::ZERO) };
            if !self.reactor.borrow_mut().run_once(patience)? {
                return Ok(None);
            }
        }
    }
}
// ANCHOR_END: executor

// ANCHOR: futures
impl Io {
    /// Runs a future beside this one; awaited, the result is its result: a join.
    fn spawn<T, W>(&self, work: W) -> impl Future<Output = T> + use<T, W>
    where
        T: 'static,
        W: Future<Output = T> + 'static,
    {
        let (result, waiting) = (Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
        let (place, waiter) = (Rc::clone(&result), Rc::clone(&waiting));
        self.new.borrow_mut().push(Box::pin(async move {
            place.replace(Some(work.await));
            wake(&waiter);
        }));
        poll_fn(move |context| {
            waiting.replace(Some(context.waker().clone()));
            result.take().map_or(Poll::Pending, Poll::Ready)
        })
    }

    async fn sleep(&self, time: Duration) {
        let timer: RefCell<Option<_>> = RefCell::new(None);
        poll_fn(|context| {
            let mut reactor = self.reactor.borrow_mut();
            match *timer.borrow_mut() {
                Some(timer) if reactor.is_active(timer) => Poll::Pending,
                Some(_) => Poll::Ready(()),
                ref mut timer => {
                    let waker = context.waker().clone();
                    *timer = Some(reactor.call_later(time, move |_| waker.wake()));
                    Poll::Pending
                }
            }
        })
        .await;
    }

    /// Has the reactor own the socket; it watches for nothing until somebody waits.
    fn register(&self, socket: Socket) -> io::Result<Async> {
        socket.set_nonblocking(true)?;
        let socket = Rc::new(socket);
        let waiting: Rc<RefCell<Option<Waker>>> = Rc::default();
        let waker = Rc::clone(&waiting);
        let watch = self.reactor.borrow_mut().watch(Rc::clone(&socket), Events::empty(), {
            move |reactor, key, _, _| {
                // Once is enough: who is woken tries, and waits again if need be.
                reactor.set_events(key, Events::empty());
                wake(&waker);
            }
        })?;
        Ok(Async { socket, watch, waiting, io: self.clone() })
    }
}

/// A socket whose calls can be awaited: each is tried, and tried again when the reactor says that it is ready.
struct Async {
    socket: Rc<Socket>,
    watch: Key,
    waiting: Rc<RefCell<Option<Waker>>>,
    io: Io,
}

impl Async {
    async fn call<T>(
        &self,
        events: Events,
        call: impl Fn(&Socket) -> io::Result<T>,
    ) -> io::Result<T> {
        poll_fn(|context| match call(&self.socket) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.waiting.replace(Some(context.waker().clone()));
                self.io.reactor.borrow_mut().set_events(self.watch, events);
                Poll::Pending
            }
            result => Poll::Ready(result),
        })
        .await
    }

    async fn accept(&self) -> io::Result<(Async, Addr)> {
        let (socket, peer) = self.call(Events::IN, Socket::accept).await?;
        Ok((self.io.register(socket)?, peer))
    }

    async fn read(&self) -> io::Result<Vec<u8>> {
        self.call(Events::IN, |socket| {
            let mut buffer = [0; 1024];
            socket.recv(&mut buffer).map(|n| buffer[..n].to_vec())
        })
        .await
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = self.call(Events::OUT, |socket| socket.send(bytes)).await?;
            bytes = &bytes[n..];
        }
        Ok(())
    }
}

impl Drop for Async {
    fn drop(&mut self) {
        self.io.reactor.borrow_mut().remove(self.watch);
    }
}
// ANCHOR_END: futures

// ANCHOR: echo
async fn echo(client: Async, peer: Addr, say: Say) -> io::Result<()> {
    loop {
        let message = client.read().await?;
        if message.is_empty() {
            return say.line(format_args!("closing {peer}"));
        }
        say.line(format_args!("received {} from {peer}", Text(&message)))?;
        client.write(&message).await?;
    }
}

async fn serve(door: Async, clients: usize, say: Say) -> io::Result<()> {
    let mut echoes = Vec::new();
    for _ in 0..clients {
        let (client, peer) = door.accept().await?;
        say.line(format_args!("connection from {peer}"))?;
        echoes.push(door.io.spawn(echo(client, peer, say)));
    }
    for echo in echoes {
        echo.await?;
    }
    Ok(())
}

async fn ask(io: Io, server: Addr, message: &'static str, pause: Duration) -> io::Result<()> {
    let socket = Socket::new(Domain::INET, Type::STREAM, None)?;
    socket.connect(server)?;
    let server = io.register(socket)?;
    io.sleep(pause).await;
    server.write(message.as_bytes()).await?;
    let answer = server.read().await?;
    Say::with_prefix("client | ").line(format_args!("received {}", Text(&answer)))
}
// ANCHOR_END: echo

fn run(arguments: &LoopArguments) -> io::Result<()> {
    let mut executor = Executor::new(arguments.reactor()?);
    let io = executor.io();
    let server = Say::with_prefix("server | ");
    let door = Socket::new(Domain::INET, Type::STREAM, None)?;
    door.bind((Ipv4Addr::LOCALHOST, 0))?;
    door.listen(10)?;
    let address = door.local_addr()?;
    server.line(format_args!("listening on {address}"))?;
    let door = io.register(door)?;

    let outcome = executor.run(async move {
        let served = io.spawn(serve(door, 2, server));
        let (slow, fast) = (Duration::from_millis(50), Duration::from_millis(10));
        let fast = io.spawn(ask(io.clone(), address.clone(), "This is the message", fast));
        let slow = io.spawn(ask(io.clone(), address, "It will be sent", slow));
        let (served, slow, fast) = (served.await, slow.await, fast.await);
        // Where the server has failed, the clients have only felt it.
        served.and(slow).and(fast)
    })?;
    outcome.unwrap_or(Ok(())) // Ctrl-C is no failure.
}
