//! Sockets and signals: which calls go on after one, and that no send raises SIGPIPE.

mod support;

use std::fs;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{setsockopt, sockopt as nix_opt};
use nix::sys::time::TimeVal;
use nix::sys::timer::{Expiration, Timer};
use readysock::sockopt::{self, KeepAlive, Linger, SoLinger};
use readysock::{Addr, Domain, Events, Socket, Type, UnixAddr, libc};
use support::fds::lower_limit;
use support::isolated::{self, Case};
use support::sockets::{errno, now, pair, tcp_listener, tcp_pair, udp, unix_listener, wait};
use support::ticks;

fn main() {
    const CASES: &[Case] = &[
        ("no_send_raises_sigpipe", no_sigpipe),
        ("a_receive_goes_on_after_signals", receive_goes_on),
        ("a_send_goes_on_after_signals", send_goes_on),
        ("an_accept_goes_on_after_signals", accept_goes_on),
        ("a_tcp_connect_goes_on_after_signals", tcp_connect_goes_on),
        ("a_unix_connect_goes_on_after_signals", unix_connect_goes_on),
        ("a_time_of_the_socket_s_own_ends_under_a_timer", own_time_ends),
        ("a_connect_with_a_time_of_its_own_ends_under_a_timer", own_time_of_connect_ends),
        ("connect_timeout_keeps_its_deadline_under_a_timer", connect_timeout_ends),
        ("a_connect_with_a_time_of_its_own_ends_after_one_signal", own_time_of_connect_ends_late),
        ("what_ends_a_call_after_signals_is_its_error", errors_end_it),
        ("without_a_port_connect_timeout_fails_at_once", no_port),
        ("what_was_ready_may_be_gone", may_be_gone),
        ("without_descriptors_accept_fails_and_the_listener_stays_ready", no_descriptors),
        ("a_closed_socket_is_an_error_to_every_call", closed),
    ];
    isolated::main(CASES)
}

fn no_sigpipe() {
    // A Rust program starts with SIGPIPE ignored. Put back what a C program has: it would end this one.
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler is installed.
    let before = unsafe { sigaction(Signal::SIGPIPE, &default) }.expect("SIGPIPE");
    assert!(matches!(before.handler(), SigHandler::SigIgn), "as the runtime of Rust sets it");

    let (near, far) = pair(Type::STREAM);
    drop(far);
    assert_eq!(errno(near.send(b"x")), libc::EPIPE);
    assert_eq!(errno(near.send_all(b"x")), libc::EPIPE);
    assert_eq!(errno((&near).write(b"x")), libc::EPIPE);
    assert_eq!(errno((&near).write_vectored(&[IoSlice::new(b"x")])), libc::EPIPE);
    let nowhere = UnixAddr::from_abstract_name("nowhere").expect("a name");
    assert!(near.send_to(b"x", nowhere).is_err());

    // A stream whose writing half is shut down, with an address that TCP ignores.
    let (listener, addr) = listener(Domain::INET);
    let client = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
    client.connect(&addr).expect("connect");
    client.shutdown(std::net::Shutdown::Write).expect("shutdown");
    assert_eq!(errno(client.send_to(b"x", &addr)), libc::EPIPE);
    drop(listener);
}

// The handler counts; from the fifth signal on it also does, once, what the test has been waiting for.

static HANDLED: AtomicUsize = AtomicUsize::new(0);
/// What to do, and with which descriptor. The handler takes it.
static ACTION: AtomicI32 = AtomicI32::new(NOTHING);
static FD: AtomicI32 = AtomicI32::new(-1);

const NOTHING: i32 = 0;
const WRITE: i32 = 1;
const DRAIN: i32 = 2;
const ACCEPT: i32 = 3;
const LISTEN: i32 = 4;
const CLOSE: i32 = 5;

extern "C" fn handler(_: i32) {
    if HANDLED.fetch_add(1, Ordering::Relaxed) < 4 {
        return;
    }
    let fd = FD.load(Ordering::Relaxed);
    match ACTION.swap(NOTHING, Ordering::Relaxed) {
        // SAFETY: write(2) may be called in a handler; the byte outlives the call.
        WRITE => assert_done(unsafe { libc::write(fd, b"x".as_ptr().cast(), 1) }),
        DRAIN => {
            let mut buffer = [MaybeUninit::<u8>::uninit(); 1 << 16];
            for _ in 0..64 {
                let data = buffer.as_mut_ptr().cast();
                // SAFETY: recv(2) may be called in a handler; it writes at most the length of the buffer.
                unsafe { libc::recv(fd, data, buffer.len(), libc::MSG_DONTWAIT) };
            }
        }
        ACCEPT => {
            // SAFETY: accept4(2) may be called in a handler; there is no address to write.
            let fd = unsafe {
                libc::accept4(fd, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC)
            };
            assert_done(isize::try_from(fd).unwrap_or(-1));
            // SAFETY: close(2) may be called in a handler; the descriptor is new and no one else's.
            unsafe { libc::close(fd) };
        }
        // SAFETY: listen(2) may be called in a handler; it takes numbers only.
        LISTEN => assert_done(isize::try_from(unsafe { libc::listen(fd, 16) }).unwrap_or(-1)),
        // SAFETY: close(2) may be called in a handler; the test has given the descriptor away.
        CLOSE => assert_done(isize::try_from(unsafe { libc::close(fd) }).unwrap_or(-1)),
        _ => {}
    }
}

/// In a handler nothing can be printed: a failure ends the process, and the test with it.
fn assert_done(result: isize) {
    if result < 0 {
        // SAFETY: abort(3) may be called in a handler.
        unsafe { libc::abort() };
    }
}

const EVERY: Duration = Duration::from_millis(20);

/// SIGUSR1 every 20 ms until it is dropped, without SA_RESTART: each one ends a call that blocks.
fn signals(action: i32, socket: &impl AsRawFd) -> Timer {
    signals_at(Expiration::Interval(EVERY.into()), action, socket)
}

fn signals_at(times: Expiration, action: i32, socket: &impl AsRawFd) -> Timer {
    HANDLED.store(0, Ordering::Relaxed);
    FD.store(socket.as_raw_fd(), Ordering::Relaxed);
    ACTION.store(action, Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(handler), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler makes calls that are allowed there and touches atomics.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("a handler");
    ticks::sent(times)
}

fn handled() -> usize {
    HANDLED.load(Ordering::Relaxed)
}

#[track_caller]
fn interrupted() {
    assert!(handled() >= 5, "it did not wait: {} signals", handled());
}

fn listener(domain: Domain) -> (Socket, Addr) {
    if domain == Domain::UNIX { unix_listener(0) } else { tcp_listener(0) }
}

/// A listener whose queue, of one, is taken.
fn full_listener(domain: Domain) -> (Socket, Addr, Socket) {
    let (listener, addr) = listener(domain);
    let first = Socket::new(domain, Type::STREAM, None).expect("a socket");
    first.connect(&addr).expect("the one that fits");
    (listener, addr, first)
}

fn receive_goes_on() {
    type Receive = fn(&Socket) -> io::Result<usize>;
    const CALLS: [(&str, Receive); 4] = [
        ("recv", |socket| socket.recv(&mut [0; 8])),
        ("recv_from", |socket| socket.recv_from(&mut [0; 8]).map(|(n, ..)| n)),
        ("read", |mut socket| socket.read(&mut [0; 8])),
        ("read_vectored", |mut socket| {
            socket.read_vectored(&mut [io::IoSliceMut::new(&mut [0; 8])])
        }),
    ];
    for (name, call) in CALLS {
        let (near, far) = pair(Type::STREAM);
        let _timer = signals(WRITE, &near);
        assert_eq!(call(&far).expect(name), 1, "{name}");
        interrupted();
    }
}

fn send_goes_on() {
    type Send = fn(&Socket) -> io::Result<usize>;
    const CALLS: [(&str, Send); 4] = [
        ("send", |socket| socket.send(&[0; 4096])),
        ("write", |mut socket| socket.write(&[0; 4096])),
        ("write_vectored", |mut socket| socket.write_vectored(&[IoSlice::new(&[0; 4096])])),
        ("send_all", |socket| socket.send_all(&[0; 4096]).map(|()| 4096)),
    ];
    for (name, call) in CALLS {
        let (near, far) = pair(Type::STREAM);
        fill(|| near.send(&[0; 4096]), &near);
        let _timer = signals(DRAIN, &far);
        assert_eq!(call(&near).expect(name), 4096, "{name}");
        interrupted();
    }

    // A stream ignores or refuses the address, so this one is a datagram.
    let (near, far) = [(); 2].map(|()| Socket::new(Domain::UNIX, Type::DGRAM, None)).into();
    let (near, far) = (near.expect("a socket"), far.expect("a socket"));
    far.bind(UnixAddr::unnamed()).expect("autobind");
    let addr = far.local_addr().expect("its address");
    fill(|| near.send_to(b"x", &addr), &near);
    let _timer = signals(DRAIN, &far);
    assert_eq!(near.send_to(b"x", &addr).expect("send_to"), 1);
    interrupted();
}

/// Sends until there is no more room.
fn fill(mut send: impl FnMut() -> io::Result<usize>, socket: &Socket) {
    socket.set_nonblocking(true).expect("set");
    let error = loop {
        if let Err(error) = send() {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    socket.set_nonblocking(false).expect("set");
}

fn accept_goes_on() {
    type Accept = fn(&Socket) -> io::Result<(Socket, Addr)>;
    const CALLS: [(&str, Accept); 2] =
        [("accept", Socket::accept), ("accept_nonblocking", Socket::accept_nonblocking)];
    for (name, call) in CALLS {
        // A SYN that found the queue full is sent again after a second: the connection arrives while accept waits.
        let (listener, addr, _first) = full_listener(Domain::INET);
        let late = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
        late.set_nonblocking(true).expect("set");
        assert_eq!(errno(late.connect(&addr)), libc::EINPROGRESS);
        listener.accept().expect("the first");
        let _timer = signals(NOTHING, &listener);
        let (_, peer) = call(&listener).expect(name);
        assert_eq!(peer, late.local_addr().expect("its address"), "{name}");
        interrupted();
    }
}

fn tcp_connect_goes_on() {
    let (listener, addr, _first) = full_listener(Domain::INET);
    let socket = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
    let _timer = signals(ACCEPT, &listener);
    socket.connect(&addr).expect("connected in the end");
    interrupted();
    assert_eq!(socket.peer_addr().expect("the peer"), addr);
    assert!(socket.take_error().expect("SO_ERROR").is_none());
}

fn unix_connect_goes_on() {
    let (listener, addr, _first) = full_listener(Domain::UNIX);
    for action in [ACCEPT, LISTEN] {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        let _timer = signals(action, &listener);
        socket.connect(&addr).expect("connected in the end");
        interrupted();
        assert_eq!(socket.peer_addr().expect("the peer"), addr);
        socket.send_all(b"x").expect("it is a connection");
    }
}

const TIME: Duration = Duration::from_millis(100);

/// The time is over at the earliest after TIME. Late it may be because the machine is busy, but not ten times
/// in a row; a wait that begins again after each signal does not end at all, and the case's own alarm would.
#[track_caller]
fn ends_in_time(name: &str, mut call: impl FnMut() -> io::Result<()>) -> io::Error {
    let mut last = None;
    for _ in 0..10 {
        let (before, start) = (handled(), Instant::now());
        let error = call().expect_err(name);
        let elapsed = start.elapsed();
        assert!(elapsed >= TIME, "{name}: early, after {elapsed:?}");
        assert!(handled() > before, "{name}: no signal came");
        if elapsed < 3 * TIME {
            return error;
        }
        last = Some(elapsed);
    }
    panic!("{name}: late, after {last:?}");
}

fn own_time() -> TimeVal {
    TimeVal::new(0, 100_000)
}

fn own_time_ends() {
    let (near, far) = pair(Type::STREAM);
    fill(|| near.send(&[0; 4096]), &near);
    setsockopt(&near, nix_opt::SendTimeout, &own_time()).expect("SO_SNDTIMEO");
    setsockopt(&near, nix_opt::ReceiveTimeout, &own_time()).expect("SO_RCVTIMEO");
    let (listener, _) = listener(Domain::UNIX);
    setsockopt(&listener, nix_opt::ReceiveTimeout, &own_time()).expect("SO_RCVTIMEO");

    let _timer = signals(NOTHING, &far);
    let calls: [(&str, &dyn Fn() -> io::Result<()>); 5] = [
        ("recv", &|| near.recv(&mut [0; 8]).map(drop)),
        ("recv_from", &|| near.recv_from(&mut [0; 8]).map(drop)),
        ("send", &|| near.send(&[0; 1 << 16]).map(drop)),
        ("send_all", &|| near.send_all(&[0; 1 << 16])),
        ("accept", &|| listener.accept().map(drop)),
    ];
    for (name, call) in calls {
        let error = ends_in_time(name, call);
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{name}: {error}");
    }
}

fn own_time_of_connect_ends() {
    for (domain, expected) in [(Domain::INET, libc::EINPROGRESS), (Domain::UNIX, libc::EAGAIN)] {
        let (listener, addr, _first) = full_listener(domain);
        let _timer = signals(NOTHING, &listener);
        let error = ends_in_time("connect", || {
            let socket = Socket::new(domain, Type::STREAM, None)?;
            setsockopt(&socket, nix_opt::SendTimeout, &own_time())?;
            socket.connect(&addr)
        });
        assert_eq!(error.raw_os_error(), Some(expected), "{domain:?}: {error}");
    }
}

fn connect_timeout_ends() {
    for domain in [Domain::INET, Domain::UNIX] {
        let (listener, addr, _first) = full_listener(domain);
        let _timer = signals(NOTHING, &listener);
        let error = ends_in_time("connect_timeout", || {
            let socket = Socket::new(domain, Type::STREAM, None)?;
            let result = socket.connect_timeout(&addr, TIME);
            assert!(!socket.is_nonblocking()?);
            result
        });
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::TimedOut, None), "{domain:?}");
    }
}

/// The kernel says of the second call what POSIX has for a third holder: the connect is under way.
fn own_time_of_connect_ends_late() {
    let (listener, addr, _first) = full_listener(Domain::INET);
    let _timer = signals_at(Expiration::OneShot(EVERY.into()), NOTHING, &listener);
    let socket = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
    setsockopt(&socket, nix_opt::SendTimeout, &own_time()).expect("SO_SNDTIMEO");
    assert_eq!(errno(socket.connect(&addr)), libc::EINPROGRESS);
    assert_eq!(handled(), 1);
}

fn errors_end_it() {
    // A reset: the error comes once, and whoever asks again is told that the stream has ended.
    let (near, far) = tcp_pair();
    sockopt::set(&near, SoLinger, Linger::Abort).expect("SO_LINGER");
    let _timer = signals(CLOSE, &near.into_raw_fd());
    assert_eq!(errno(far.recv(&mut [0; 8])), libc::ECONNRESET);
    interrupted();

    // A listener that goes while somebody waits in its queue.
    type Connect = fn(&Socket, &Addr) -> io::Result<()>;
    const CONNECTS: [Connect; 2] = [
        |socket, addr| socket.connect(addr),
        |socket, addr| socket.connect_timeout(addr, 10 * TIME),
    ];
    for connect in CONNECTS {
        let (listener, addr, _first) = full_listener(Domain::UNIX);
        let _timer = signals(CLOSE, &listener.into_raw_fd());
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        assert_eq!(errno(connect(&socket, &addr)), libc::ECONNREFUSED);
        interrupted();
    }
}

/// EAGAIN is what a full queue of a Unix listener says, and can be waited for; here it says that no port is free.
fn no_port() {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        return support::skipped(&format!("a namespace with one port: {error}"));
    }
    let range = "/proc/sys/net/ipv4/ip_local_port_range";
    fs::write(range, "40000 40000").expect("the ports of this namespace");
    let _taken = udp();
    let socket = Socket::new(Domain::INET, Type::DGRAM, None).expect("a socket");
    assert_eq!(errno(socket.connect_timeout(([127, 0, 0, 1], 9), 10 * TIME)), libc::EAGAIN);
}

/// Another holder of the socket may be faster. A call that waited for the next one then would be ended by the alarm.
fn may_be_gone() {
    let (listener, addr) = tcp_listener(1);
    listener.set_nonblocking(true).expect("set");
    let other = listener.try_clone().expect("clone");
    let client = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
    client.connect(addr).expect("connect");
    wait(&listener, Events::IN);
    let (server, _) = other.accept().expect("the other one is faster");
    assert_eq!(errno(listener.accept()), libc::EAGAIN);
    assert_eq!(errno(listener.accept_nonblocking()), libc::EAGAIN);

    server.set_nonblocking(true).expect("set");
    let other = server.try_clone().expect("clone");
    client.send_all(b"x").expect("send");
    wait(&server, Events::IN);
    assert_eq!(other.recv(&mut [0; 8]).expect("the other one is faster"), 1);
    assert_eq!(errno(server.recv(&mut [0; 8])), libc::EAGAIN);
}

fn no_descriptors() {
    let (listener, addr) = tcp_listener(1);
    let client = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
    client.connect(addr).expect("connect");
    wait(&listener, Events::IN);
    if !lower_limit(64) {
        return;
    }
    let mut all: Vec<Socket> = Vec::new();
    let error = loop {
        match listener.try_clone() {
            Ok(clone) => all.push(clone),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    for _ in 0..3 {
        assert_eq!(errno(listener.accept()), libc::EMFILE);
        assert_eq!(errno(listener.accept_nonblocking()), libc::EMFILE);
        assert_eq!(now(&listener, Events::IN), Events::IN, "a loop that only tries again spins");
    }
    all.pop();
    let (_, peer) = listener.accept().expect("the same connection, still there");
    assert_eq!(peer, client.local_addr().expect("its address"));
}

fn closed() {
    let (socket, _peer) = pair(Type::STREAM);
    let number = socket.as_raw_fd();
    nix::unistd::close(socket.into_raw_fd()).expect("closed");
    // SAFETY: nothing else opens a descriptor here, so that nobody's is used; it is never closed.
    let socket = ManuallyDrop::new(unsafe { Socket::from_raw_fd(number) });
    let (level, name) = (libc::SOL_SOCKET, libc::SO_KEEPALIVE);
    let mut bytes = [1; 4];
    let errors = [
        errno(socket.recv(&mut bytes)),
        errno(socket.send(b"x")),
        errno(socket.accept()),
        errno(socket.connect(UnixAddr::unnamed())),
        errno(socket.connect_timeout(UnixAddr::unnamed(), TIME)),
        errno(socket.local_addr()),
        errno(socket.take_error()),
        errno(socket.set_nonblocking(true)),
        errno(sockopt::get(&*socket, KeepAlive)),
        errno(sockopt::set(&*socket, KeepAlive, true)),
        errno(sockopt::get_int(&*socket, level, name)),
        errno(sockopt::set_int(&*socket, level, name, 1)),
        errno(sockopt::get_bytes(&*socket, level, name, &mut bytes)),
        // SAFETY: to SO_KEEPALIVE the bytes are an int.
        errno(unsafe { sockopt::set_bytes(&*socket, level, name, &[0; 4]) }),
    ];
    assert_eq!(errors, [libc::EBADF; 14]);
    assert_eq!(bytes, [0; 4], "an error leaves zeros");
}
