//! What the cases share: a reactor whose problems are looked at, and a protocol that keeps a record and does as told.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::{Duration, Instant};

use readysock::reactor::{Backend, Lost, Problem, Protocol, Reactor, Transport};
use readysock::{Key, Socket};

use crate::support::options::tcp;

/// What is waited for comes before. A case that has to wait for this is broken.
pub const LONG: Duration = Duration::from_secs(60);

/// A reactor. When it goes, there must be no problem that the case has not looked at: a callback's failed assertion is one.
pub struct Loop {
    reactor: Option<Reactor>,
    problems: Rc<RefCell<Vec<Problem>>>,
}

impl Loop {
    pub fn new(backend: Backend) -> Loop {
        let mut reactor = Reactor::new(backend).expect("a reactor");
        let problems = Rc::new(RefCell::new(Vec::new()));
        let list = Rc::clone(&problems);
        // A Problem is lent: what the cases ask for is copied.
        reactor.on_problem(move |problem| list.borrow_mut().push(copy(problem)));
        Loop { reactor: Some(reactor), problems }
    }

    /// Passes until this holds; how many.
    #[track_caller]
    pub fn until(&mut self, mut done: impl FnMut() -> bool) -> usize {
        let deadline = Instant::now() + LONG;
        let mut passes = 0;
        while !done() {
            self.run_once(LONG).expect("a pass");
            passes += 1;
            // Also where it came in the end: nothing told that it was there.
            let problems = self.problems.borrow();
            assert!(Instant::now() < deadline, "{passes} passes, and too late: {problems:?}");
        }
        passes
    }

    /// So many passes that do not wait.
    #[track_caller]
    pub fn passes(&mut self, number: usize) {
        for _ in 0..number {
            self.run_once(Duration::ZERO).expect("a pass");
        }
    }

    /// The passes that it takes until so much time is over: many, where something is ready all the time.
    #[track_caller]
    pub fn passes_within(&mut self, time: Duration) -> usize {
        let over = Rc::new(Cell::new(false));
        let flag = Rc::clone(&over);
        self.call_later(time, move |_| flag.set(true));
        self.until(|| over.get())
    }

    /// What went wrong since this was asked last.
    pub fn problems(&mut self) -> Vec<Problem> {
        self.problems.take()
    }

    /// One end of a TCP connection is the reactor's, and the protocol has been told; the other one is not.
    #[track_caller]
    pub fn connection(&mut self, peer: Peer) -> (Key, TcpStream) {
        let (near, far) = tcp();
        let seen = Rc::clone(&peer.seen);
        let key = self.attach(Socket::from(near), peer).expect("attached");
        self.until(|| seen.borrow().made == 1);
        (key, far)
    }

    /// A listener, each of whose connections gets one of these.
    #[track_caller]
    pub fn serve<P: Protocol + 'static>(
        &mut self,
        mut make: impl FnMut() -> P + 'static,
    ) -> (Key, SocketAddr) {
        let key = self.listen(([127, 0, 0, 1], 0), move |_| make()).expect("a listener");
        let addr = self.local_addr(key).expect("its address");
        (key, addr.as_internet().expect("of the Internet"))
    }

    /// The end, with what the protocols are told of it.
    pub fn drop_reactor(&mut self) {
        self.reactor = None;
    }
}

fn copy(problem: &Problem) -> Problem {
    let same = |error: &io::Error| {
        error.raw_os_error().map_or_else(
            || io::Error::new(error.kind(), error.to_string()),
            io::Error::from_raw_os_error,
        )
    };
    match problem {
        Problem::Accept { listener, error } => {
            Problem::Accept { listener: *listener, error: same(error) }
        }
        Problem::Broken { source, error } => {
            Problem::Broken { source: *source, error: same(error) }
        }
        Problem::Panic { source, text } => Problem::Panic { source: *source, text: text.clone() },
        other => panic!("a new problem: {other}"),
    }
}

impl Deref for Loop {
    type Target = Reactor;

    fn deref(&self) -> &Reactor {
        self.reactor.as_ref().expect("not dropped")
    }
}

impl DerefMut for Loop {
    fn deref_mut(&mut self) -> &mut Reactor {
        self.reactor.as_mut().expect("not dropped")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.drop_reactor();
        let problems = self.problems.take();
        assert!(problems.is_empty() || std::thread::panicking(), "{problems:?}");
    }
}

/// What a protocol was told.
#[derive(Debug, Default)]
pub struct Seen {
    /// All calls, in order.
    pub calls: Vec<&'static str>,
    pub made: usize,
    pub data: Vec<u8>,
    pub key: Option<Key>,
    pub lost: Option<Lost>,
    pub failed: Option<io::Error>,
}

impl Seen {
    pub fn count(&self, call: &str) -> usize {
        self.calls.iter().filter(|other| **other == call).count()
    }

    /// It is over. Whether the calls were in the order that is promised: made once and first, lost once and last.
    #[track_caller]
    pub fn ended(&self) -> &Lost {
        let calls = &self.calls;
        assert_eq!((calls.first(), calls.last()), (Some(&"made"), Some(&"lost")), "{calls:?}");
        assert_eq!((self.count("made"), self.count("lost")), (1, 1), "{calls:?}");
        let closed = calls.iter().position(|call| *call == "read_closed").unwrap_or(calls.len());
        assert!(
            calls.iter().skip(closed + 1).all(|call| !matches!(*call, "data" | "read_closed")),
            "{calls:?}"
        );
        self.lost.as_ref().expect("lost")
    }
}

pub type Record = Rc<RefCell<Seen>>;

#[track_caller]
pub fn assert_closed(seen: &Record) {
    let seen = seen.borrow();
    assert!(matches!(seen.ended(), Lost::Closed), "{seen:?}");
}

#[track_caller]
pub fn assert_reset(seen: &Record) {
    let seen = seen.borrow();
    assert!(matches!(seen.ended(), Lost::Reset), "{seen:?}");
}

type OnDrop = Option<Box<dyn FnMut(())>>;
type OnTransport = Option<Box<dyn FnMut(&mut Transport<'_>)>>;
type OnData = Option<Box<dyn FnMut(&mut Transport<'_>, &[u8])>>;
type OnEnd = Option<Box<dyn FnMut(&mut Reactor)>>;

/// A protocol that keeps a record and does as told.
#[derive(Default)]
pub struct Peer {
    pub seen: Record,
    made: OnTransport,
    data: OnData,
    read_closed: OnTransport,
    pause_writing: OnTransport,
    resume_writing: OnTransport,
    resume_reading: OnTransport,
    lost: OnEnd,
    failed: OnEnd,
    dropped: OnDrop,
}

macro_rules! hooks {
    ($($name:ident: $field:ident($($argument:ty),*);)*) => {
        $(pub fn $name(mut self, hook: impl FnMut($($argument),*) + 'static) -> Peer {
            self.$field = Some(Box::new(hook));
            self
        })*
    };
}

impl Peer {
    pub fn new() -> (Peer, Record) {
        let peer = Peer::default();
        let seen = Rc::clone(&peer.seen);
        (peer, seen)
    }

    /// One more, whose record is this one.
    pub fn of(seen: &Record) -> Peer {
        let mut peer = Peer::default();
        peer.seen = Rc::clone(seen);
        peer
    }

    hooks! {
        on_made: made(&mut Transport<'_>);
        on_data: data(&mut Transport<'_>, &[u8]);
        on_read_closed: read_closed(&mut Transport<'_>);
        on_pause_writing: pause_writing(&mut Transport<'_>);
        on_resume_writing: resume_writing(&mut Transport<'_>);
        on_resume_reading: resume_reading(&mut Transport<'_>);
        on_lost: lost(&mut Reactor);
        on_failed: failed(&mut Reactor);
        on_drop: dropped(());
    }

    fn told(&self, call: &'static str) {
        self.seen.borrow_mut().calls.push(call);
    }
}

fn call(hook: &mut OnTransport, transport: &mut Transport<'_>) {
    if let Some(hook) = hook {
        hook(transport);
    }
}

impl Protocol for Peer {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        self.told("made");
        self.seen.borrow_mut().made += 1;
        self.seen.borrow_mut().key = Some(transport.key());
        call(&mut self.made, transport);
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        self.told("data");
        self.seen.borrow_mut().data.extend_from_slice(data);
        if let Some(hook) = &mut self.data {
            hook(transport, data);
        }
    }

    fn read_closed(&mut self, transport: &mut Transport<'_>) {
        self.told("read_closed");
        match &mut self.read_closed {
            Some(hook) => hook(transport),
            None => transport.close(),
        }
    }

    fn pause_writing(&mut self, transport: &mut Transport<'_>) {
        self.told("pause_writing");
        call(&mut self.pause_writing, transport);
    }

    fn resume_writing(&mut self, transport: &mut Transport<'_>) {
        self.told("resume_writing");
        call(&mut self.resume_writing, transport);
    }

    fn resume_reading(&mut self, transport: &mut Transport<'_>) {
        self.told("resume_reading");
        call(&mut self.resume_reading, transport);
    }

    fn connection_lost(&mut self, reactor: &mut Reactor, why: Lost) {
        self.told("lost");
        self.seen.borrow_mut().lost = Some(why);
        if let Some(hook) = &mut self.lost {
            hook(reactor);
        }
    }

    fn connect_failed(&mut self, reactor: &mut Reactor, error: io::Error) {
        self.told("failed");
        self.seen.borrow_mut().failed = Some(error);
        if let Some(hook) = &mut self.failed {
            hook(reactor);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(hook) = &mut self.dropped {
            hook(());
        }
    }
}

/// Something that is counted from within a callback.
pub type Count = Rc<Cell<usize>>;

pub fn count() -> Count {
    Rc::default()
}

pub fn add(count: &Count) {
    count.set(count.get() + 1);
}

/// Bytes that differ from place to place.
pub fn pattern(length: usize) -> Vec<u8> {
    let some: Vec<u8> =
        (0..251_u16).map(|at| u8::try_from(at * 7 % 251).expect("below 251")).collect();
    let mut bytes = some.repeat(length / some.len() + 1);
    bytes.truncate(length);
    bytes
}

/// Fills what the kernel takes of a stream whose peer does not read. How much that was.
pub fn fill(stream: &TcpStream) -> usize {
    stream.set_nonblocking(true).expect("non-blocking");
    let (mut writer, mut sum) = (stream, 0);
    loop {
        match writer.write(&[b'x'; 65536]) {
            Ok(n) => sum += n,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return sum;
            }
        }
    }
}

/// Closed with something unread: TCP sends a reset.
pub fn reset(stream: TcpStream) {
    let socket = Socket::from(stream);
    readysock::sockopt::set(
        &socket,
        readysock::sockopt::SoLinger,
        readysock::sockopt::Linger::Abort,
    )
    .expect("set");
}

/// To its end, and how that was.
pub fn read_all(stream: &mut TcpStream) -> (Vec<u8>, io::Result<()>) {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).map(drop);
    (bytes, end)
}

impl Loop {
    /// A duplicate of the descriptor of a connection: to look at it from outside.
    #[track_caller]
    pub fn clone_of(&mut self, key: Key) -> std::os::fd::OwnedFd {
        use std::os::fd::AsFd;
        let transport = self.transport(key).expect("a connection");
        transport.as_fd().try_clone_to_owned().expect("a duplicate")
    }
}
