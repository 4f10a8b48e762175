//! Ten thousand connections on one thread, every one of them echoing, none lost. The clients are a process of their own: one
//! process may not have as many descriptors as both ends need.

mod support;

use std::cell::Cell;
use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::exit;
use std::rc::Rc;
use std::thread;

use readysock::reactor::{Backend, Lost, Protocol, Reactor, Transport};
use support::isolated::{self, Case};
use support::process::Program;

fn main() {
    const CASES: &[Case] = &[
        ("ten_thousand_connections_on_poll", || hold(Backend::Poll)),
        ("ten_thousand_connections_on_epoll", || hold(Backend::Epoll)),
    ];
    if let Ok(addr) = env::var(CLIENTS) {
        clients(addr.parse().expect("an address"));
        exit(0);
    }
    isolated::main(CASES)
}

/// With this in its environment this program is the clients.
const CLIENTS: &str = "READYSOCK_LOAD_CLIENTS";

/// An emulator is much slower, and its own descriptors count too.
fn connections() -> u32 {
    if support::emulated() { 500 } else { 10_000 }
}

fn enough_descriptors() -> bool {
    // And a few for everything else.
    support::fds::allow(i32::try_from(connections() + 100).expect("a number"))
}

#[derive(Default)]
struct Held {
    now: Cell<u32>,
    most: Cell<u32>,
    ended: Cell<u32>,
    in_order: Cell<u32>,
}

struct Echo(Rc<Held>);

impl Protocol for Echo {
    fn connection_made(&mut self, _: &mut Transport<'_>) {
        self.0.now.set(self.0.now.get() + 1);
        self.0.most.set(self.0.most.get().max(self.0.now.get()));
    }

    fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
        transport.write(data);
    }

    fn connection_lost(&mut self, _: &mut Reactor, why: Lost) {
        self.0.now.set(self.0.now.get() - 1);
        self.0.ended.set(self.0.ended.get() + 1);
        self.0.in_order.set(self.0.in_order.get() + u32::from(why.is_clean()));
    }
}

fn hold(backend: Backend) {
    if !enough_descriptors() {
        return;
    }
    let mut reactor = Reactor::new(backend).expect("a reactor");
    let held = Rc::new(Held::default());
    let every = Rc::clone(&held);
    let listener =
        reactor.listen(([127, 0, 0, 1], 0), move |_| Echo(Rc::clone(&every))).expect("a listener");
    let addr = reactor.local_addr(listener).expect("its address");
    let problems = Rc::new(Cell::new(0));
    let count = Rc::clone(&problems);
    reactor.on_problem(move |problem| {
        eprintln!("{problem}");
        count.set(count.get() + 1);
    });

    let handle = reactor.handle();
    let addr = addr.as_internet().expect("of the Internet").to_string();
    let clients = thread::spawn(move || {
        let mut command = support::program(env::current_exe().expect("this program"));
        let ended = Program::start(command.env(CLIENTS, addr)).end();
        handle.stop();
        assert!(ended.status.success() && ended.stdout == ["all echoed"], "{ended:?}");
    });
    reactor.run().expect("it runs");
    clients.join().expect("the clients had their echoes");
    while held.now.get() > 0 {
        reactor.run_once(support::sockets::LONG).expect("a pass");
    }
    let number = connections();
    assert_eq!(held.most.get(), number, "all at once");
    assert_eq!((held.ended.get(), held.in_order.get(), problems.get()), (number, number, 0));
}

/// All connect; then each says something of its own, and hears it, in three rounds.
fn clients(addr: SocketAddr) {
    assert!(enough_descriptors());
    let mut streams: Vec<TcpStream> = Vec::new();
    for number in 0..connections() {
        streams.push(TcpStream::connect(addr).expect("connected"));
        // Not more than the listener's queue holds: who has an echo was taken in, and so were those before.
        if number % 500 == 499 {
            let last = streams.last_mut().expect("one");
            last.write_all(b"?").expect("sent");
            last.read_exact(&mut [0]).expect("an echo");
        }
    }
    for round in 0..3 {
        for (number, stream) in streams.iter_mut().enumerate() {
            stream.write_all(format!("{round} {number:08}").as_bytes()).expect("sent");
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let mut echo = [0; 10];
            stream.read_exact(&mut echo).expect("an echo");
            assert_eq!(echo, format!("{round} {number:08}").as_bytes());
        }
    }
    println!("all echoed");
}
