//! A panic in each step, in each way of working: that request ends, the hook is told, the server goes on.

use std::error;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Lines, prelude::*};
use std::os::fd::OwnedFd;
use std::time::Duration;

use readysock::server::{
    Builder, Connections, Datagram, Handler, Internet, Problem, Step, Stream, TcpServer, Transport,
    UdpServer, Works,
};
use readysock::{Addr, Socket};

use crate::support::isolated::Case;
use crate::support::servers::{LOOPBACK, beside, childless, connect, ended_well, read_all};
use crate::support::sockets::udp;

pub const CASES: &[Case] = &[
    ("connections_in_turn", || connections(|| TcpServer::builder().in_turn(), false)),
    // One thread or child at a time, so that the steps of two clients do not mix.
    ("connections_threads", || connections(|| TcpServer::builder().threads(1), false)),
    ("connections_processes", || connections(|| TcpServer::builder().processes(1), true)),
    ("packets_in_turn", || packets(|| UdpServer::builder().in_turn(), false)),
    ("packets_threads", || packets(|| UdpServer::builder().threads(1), false)),
    ("packets_processes", || packets(|| UdpServer::builder().processes(1), true)),
    ("service_in_turn", || service(TcpServer::builder().in_turn())),
    ("service_threads", || service(TcpServer::builder().threads(1))),
    ("service_processes", || service(TcpServer::builder().processes(1))),
    ("what_a_panic_says", what_a_panic_says),
    ("a_session_that_panics_when_dropped", a_session_that_panics_when_dropped),
    ("a_handler_that_panics_when_a_thread_drops_it", a_handler_that_panics_when_a_thread_drops_it),
    ("an_error_that_panics_when_dropped_in_turn", || cursed(TcpServer::builder().in_turn(), false)),
    ("an_error_that_panics_when_dropped_threads", || {
        cursed(TcpServer::builder().threads(1), false)
    }),
    ("an_error_that_panics_when_dropped_processes", || {
        cursed(TcpServer::builder().processes(1), true)
    }),
];

/// Says in a pipe which steps were taken, from whatever thread or process, and panics in one of them, and in the hook.
struct Steps {
    panics_in: Option<Step>,
    log: File,
}

struct Session(u32);

impl Steps {
    fn say(&self, line: &str) {
        (&self.log).write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn step(&self, step: Step) {
        self.say(&step.to_string());
        assert!(self.panics_in != Some(step), "in {step}");
    }
}

/// What both kinds of requests can do.
trait Answer {
    fn answer(&mut self) -> io::Result<()>;
}

impl Answer for Stream {
    fn answer(&mut self) -> io::Result<()> {
        self.write_all(b"hello")
    }
}

impl Answer for Datagram {
    fn answer(&mut self) -> io::Result<()> {
        self.reply(b"hello")
    }
}

impl<R: Answer> Handler<R> for Steps {
    type Session = Session;

    fn set_up(&self, _: &mut R) -> io::Result<Session> {
        self.step(Step::SetUp);
        Ok(Session(7))
    }

    fn handle(&self, request: &mut R, session: &mut Session) -> io::Result<()> {
        request.answer()?;
        session.0 += 1;
        self.step(Step::Handle);
        Ok(())
    }

    fn finish(&self, _: &mut R, session: Session) -> io::Result<()> {
        assert_eq!(session.0, 8);
        self.step(Step::Finish);
        Ok(())
    }

    fn verify(&self, _: &R) -> bool {
        self.step(Step::Verify);
        true
    }

    fn error(&self, problem: &Problem) {
        match problem.step() {
            Step::Child => {
                assert!(problem.peer().is_none() && problem.panic().is_none());
                self.say("child");
            }
            step => {
                assert!(problem.error().is_none());
                assert_eq!(problem.peer().is_some(), step != Step::Service);
                self.say(&format!("told: {}", problem.panic().unwrap()));
            }
        }
        panic!("also in the hook");
    }

    fn service(&self) {
        if self.panics_in == Some(Step::Service) {
            self.step(Step::Service);
        }
    }
}

/// The handler, and what it says.
fn steps(panics_in: Option<Step>) -> (Steps, Lines<BufReader<File>>) {
    let (read, write): (OwnedFd, OwnedFd) = nix::unistd::pipe().unwrap();
    (Steps { panics_in, log: File::from(write) }, BufReader::new(File::from(read)).lines())
}

/// Where it panics, whether there is an answer even so, and which steps are taken and told of.
const EXPECTED: [(Option<Step>, bool, &[&str]); 5] = [
    (None, true, &["verify", "set up", "handle", "finish"]),
    (Some(Step::Verify), false, &["verify", "told: in verify"]),
    (Some(Step::SetUp), false, &["verify", "set up", "told: in set up"]),
    (Some(Step::Handle), true, &["verify", "set up", "handle", "told: in handle", "finish"]),
    (Some(Step::Finish), true, &["verify", "set up", "handle", "finish", "told: in finish"]),
];

fn connections<T, W>(builder: impl Fn() -> Builder<T, W>, forks: bool)
where
    T: Connections + Internet,
    W: Works<Stream, Steps>,
{
    each_step(builder, forks, |addr, answered| {
        let expected: &[u8] = if answered { b"hello" } else { b"" };
        // Closed in any case.
        assert_eq!(read_all(&connect(addr)), expected);
    });
}

fn packets<T, W>(builder: impl Fn() -> Builder<T, W>, forks: bool)
where
    T: Transport<Request = Datagram> + Internet,
    W: Works<Datagram, Steps>,
{
    each_step(builder, forks, |addr, answered| {
        let client = udp();
        assert_eq!(client.send_to(b"x", addr).unwrap(), 1);
        if answered {
            let mut buffer = [0; 10];
            assert_eq!(client.recv(&mut buffer).unwrap(), 5);
        }
    });
}

fn each_step<T, W>(builder: impl Fn() -> Builder<T, W>, forks: bool, ask: fn(&Addr, bool))
where
    T: Transport + Internet,
    T::Request: Answer,
    W: Works<T::Request, Steps>,
{
    for (panics_in, answered, expected) in EXPECTED {
        let (handler, said) = steps(panics_in);
        let mut server = builder().bind(LOOPBACK, handler).unwrap();
        let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
        // The parent is told of a child in which a step went wrong; a refused request gets none.
        let fails = forks && !matches!(panics_in, None | Some(Step::Verify));
        let mut expected: Vec<&str> = expected.to_vec();
        expected.extend(fails.then_some("child"));
        let mut said = said.map(Result::unwrap);
        let client = beside(|| {
            for _ in 0..2 {
                ask(&addr, answered);
                for step in &expected {
                    assert_eq!(said.next().as_deref(), Some(*step), "{panics_in:?}");
                }
            }
            handle.shutdown();
        });
        server.serve_forever().unwrap();
        ended_well(client);
        drop(server);
        assert!(childless());
        assert_eq!(said.next(), None);
    }
}

/// Serves two clients, one after the other, who get what they came for.
fn says_hello<T, H, W>(builder: Builder<T, W>, handler: H)
where
    T: Connections + Internet,
    H: Handler<Stream>,
    W: Works<Stream, H>,
{
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let client = beside(|| {
        for _ in 0..2 {
            assert_eq!(read_all(&connect(&addr)), b"hello");
        }
        handle.shutdown();
    });
    server.serve_forever().unwrap();
    ended_well(client);
    drop(server);
    assert!(childless());
}

/// The hook after each pass panics each time; clients notice nothing.
fn service<T, W>(builder: Builder<T, W>)
where
    T: Connections + Internet,
    W: Works<Stream, Steps>,
{
    let (handler, said) = steps(Some(Step::Service));
    says_hello(builder, handler);
    let said: Vec<String> = said.map(Result::unwrap).collect();
    let count = |what: &str| said.iter().filter(|line| *line == what).count();
    assert!(count("service") >= 2 && count("service") == count("told: in service"), "{said:?}");
    assert_eq!((count("handle"), count("finish"), count("child")), (2, 2, 0), "{said:?}");
}

/// A value whose own end panics.
struct Twice;

impl Drop for Twice {
    fn drop(&mut self) {
        // Without a text: whoever catches this can only let the value go, and a sanitizer would count it.
        std::panic::panic_any(());
    }
}

/// The text of a panic is told, whatever it was made with; a value that is no text, also one that panics again, does no harm.
fn what_a_panic_says() {
    let said = std::cell::RefCell::new(Vec::new());
    let asked = std::cell::Cell::new(0);
    let handler = readysock::server::Hooked::new(|_: &mut Stream| {
        asked.set(asked.get() + 1);
        match asked.get() {
            1 => panic!("plain"),
            2 => panic!("with {}", asked.get()),
            3 => std::panic::panic_any(3),
            _ => std::panic::panic_any(Twice),
        }
    })
    .on_error(|problem: &Problem| said.borrow_mut().push(problem.to_string()));
    let mut server = TcpServer::bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let clients: Vec<Socket> = (0..4).map(|_| connect(&addr)).collect();
    let mut expected = Vec::new();
    let texts = ["plain", "with 2", "(a value that is no text)", "(a value that is no text)"];
    for (client, text) in clients.iter().zip(texts) {
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(client), b"");
        expected.push(format!("handle for {}: panic: {text}", client.local_addr().unwrap()));
    }
    drop(server);
    assert_eq!(said.into_inner(), expected);
}

/// Its handler ends well, and its session does not.
struct Burdened(std::cell::RefCell<Vec<String>>);

impl Handler<Stream> for Burdened {
    type Session = Twice;

    fn set_up(&self, _: &mut Stream) -> io::Result<Twice> {
        Ok(Twice)
    }

    fn handle(&self, stream: &mut Stream, _: &mut Twice) -> io::Result<()> {
        stream.write_all(b"hello")
    }

    fn error(&self, problem: &Problem) {
        let text = problem.panic().unwrap();
        self.0.borrow_mut().push(format!("{}: {text}", problem.step()));
    }
}

fn a_session_that_panics_when_dropped() {
    let mut server = TcpServer::bind(LOOPBACK, Burdened(Vec::new().into())).unwrap();
    let client = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client), b"hello");
    assert_eq!(*server.handler().0.borrow(), ["finish: (a value that is no text)"]);
}

/// An error of the handler's own, whose end panics with something whose end panics as well.
#[derive(Debug)]
pub struct Cursed;

impl fmt::Display for Cursed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cursed")
    }
}

impl error::Error for Cursed {}

impl Drop for Cursed {
    fn drop(&mut self) {
        std::panic::panic_any(Twice);
    }
}

/// Says in a pipe what it is told.
struct Curses(File);

impl Handler<Stream> for Curses {
    type Session = ();

    fn set_up(&self, _: &mut Stream) -> io::Result<()> {
        Ok(())
    }

    fn handle(&self, stream: &mut Stream, (): &mut ()) -> io::Result<()> {
        stream.write_all(b"hello")?;
        Err(io::Error::other(Cursed))
    }

    fn error(&self, problem: &Problem) {
        let text = problem.error().unwrap().to_string();
        let how = text.split_once(" ended ").map_or(&*text, |(_, how)| how);
        (&self.0).write_all(format!("{}: {how}\n", problem.step()).as_bytes()).unwrap();
    }
}

fn cursed<T, W>(builder: Builder<T, W>, forks: bool)
where
    T: Connections + Internet,
    W: Works<Stream, Curses>,
{
    let (read, write): (OwnedFd, OwnedFd) = nix::unistd::pipe().unwrap();
    says_hello(builder, Curses(write.into()));
    let mut said: Vec<String> =
        BufReader::new(File::from(read)).lines().map(Result::unwrap).collect();
    said.sort();
    let child = ["child: with status 1"; 2];
    let child = if forks { &child[..] } else { &[] };
    assert_eq!(said, [child, &["handle: cursed"; 2]].concat());
}

/// The server has left its thread behind, which is the last one who has the handler.
fn a_handler_that_panics_when_a_thread_drops_it() {
    // More than one under an emulator.
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    let (until_dropped, whole) = nix::unistd::pipe().unwrap();
    let (go, goes_on) = nix::unistd::pipe().unwrap();
    let cursed = (File::from(whole), Cursed);
    let handler = move |stream: &mut Stream| {
        let _ = &cursed;
        stream.write_all(b"hello")?;
        nix::unistd::read(&go, &mut [0]).map(drop)?;
        Ok(())
    };
    let builder = TcpServer::builder().close_within(Duration::ZERO).threads(1).detached(true);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let client = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    let mut hello = [0; 5];
    (&client).read_exact(&mut hello).unwrap();
    server.close();
    drop(goes_on);
    assert_eq!(nix::unistd::read(&until_dropped, &mut [0]), Ok(0));
    // The end of the thread is where the process would be aborted.
    while threads() > before {
        std::thread::yield_now();
    }
}
