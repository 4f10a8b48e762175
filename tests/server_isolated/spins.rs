//! Servers that something keeps awake: news that nobody reads, an end that nobody may take in.

use std::cell::{Cell, OnceCell, RefCell};
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

use readysock::server::{
    Datagram, Handler, Hooked, Problem, Processes, Server, ShutdownHandle, Stream, Tcp, TcpServer,
    UdpServer,
};
use readysock::sockopt::{self, SndBuf, ip::RecvErr};
use readysock::{Domain, Events, PollFd, Socket, Type, poll};

use crate::support::cpu_time;
use crate::support::faults;
use crate::support::isolated::Case;
use crate::support::netns::{Cable, NEAR, ip};
use crate::support::servers::{LOOPBACK, beside, childless, connect, ended_well};
use crate::support::sockets::{LONG, SHORT, pair, wait};

pub const CASES: &[Case] = &[
    ("threads_that_end_together", threads_that_end_together),
    ("a_process_that_cannot_be_ended", a_process_that_cannot_be_ended),
    ("a_process_whose_end_nobody_may_take_in", a_process_whose_end_nobody_may_take_in),
    ("a_reply_that_finds_the_buffer_full", a_reply_that_finds_the_buffer_full),
];

/// The second one's news come when the first one's have been read, and both are known by then: nobody is left whom they are about.
fn threads_that_end_together() {
    let together = Arc::new(Barrier::new(3));
    let handler = {
        let together = Arc::clone(&together);
        move |_: &mut Stream| {
            together.wait();
            Ok(())
        }
    };
    let (go, told) = pair(Type::STREAM);
    let (started, passes) = (OnceLock::new(), AtomicU32::new(0));
    let ends: Arc<OnceLock<ShutdownHandle>> = Arc::default();
    let took = Arc::new(Mutex::new(Duration::ZERO));
    let handler = Hooked::new(handler).on_service({
        let (ends, took) = (Arc::clone(&ends), Arc::clone(&took));
        move || match passes.fetch_add(1, Ordering::Relaxed) {
            // Both are at work, and now at their end.
            1 => {
                together.wait();
                assert_eq!(told.recv(&mut [0]).unwrap(), 1);
                started.set(Instant::now()).unwrap();
            }
            4 => {
                *took.lock().unwrap() = started.get().unwrap().elapsed();
                ends.get().unwrap().shutdown();
            }
            _ => {}
        }
    });
    let builder = TcpServer::builder().service_every(SHORT).threads(2);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    ends.set(server.shutdown_handle()).unwrap();
    let addr = server.local_addr().unwrap();
    let _clients = [connect(&addr), connect(&addr)];
    let mut writes = 0;
    let faults = faults::inject_while(&[(&[libc::SYS_write], &[])], |_| {
        writes += 1;
        if writes == 2 {
            let mut news = eventfds();
            // The first one's news are there; the server goes on; it has read them.
            assert_eq!(poll(&mut news, LONG).unwrap(), 1);
            go.send_all(b"x").unwrap();
            while poll(&mut news, Duration::ZERO).unwrap() > 0 {
                thread::yield_now();
            }
        }
    });
    if faults.is_none() {
        return;
    }
    server.serve_forever().unwrap();
    // Three passes in which nothing happens.
    let took = *took.lock().unwrap();
    assert!(took >= 3 * (SHORT - Duration::from_millis(1)), "{took:?}");
}

fn eventfds() -> Vec<PollFd<'static>> {
    let is_one = |fd: &RawFd| {
        std::fs::read_link(format!("/proc/self/fd/{fd}"))
            .is_ok_and(|name| name.as_os_str() == "anon_inode:[eventfd]")
    };
    // SAFETY: they are open, and nobody closes them here.
    let slot = |fd| PollFd::new(unsafe { BorrowedFd::borrow_raw(fd) }, Events::IN);
    (0..100).filter(is_one).map(slot).collect()
}

/// A child that somebody traces is dead, and not to be waited for before he has noticed: the server lets go of it, and tells so once.
fn a_process_that_cannot_be_ended() {
    let problems = RefCell::new(Vec::new());
    let handler = Hooked::new(waits)
        .on_error(|problem: &Problem| problems.borrow_mut().push(problem.to_string()));
    let builder = TcpServer::builder().close_within(SHORT).processes(1);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let Some(traced) = traced(&mut server) else { return };
    server.close();
    traced.release();
    let text = "close: 1 cut off when the time was over, of which 1 left behind";
    assert_eq!(*problems.borrow(), [text]);
}

/// The same, while the server serves: its descriptor says that it has ended, and goes on saying so.
fn a_process_whose_end_nobody_may_take_in() {
    let (passes, ends) = (Cell::new(0), OnceCell::<ShutdownHandle>::new());
    let handler = Hooked::new(waits).on_service(|| {
        passes.set(passes.get() + 1);
        if passes.get() == 10 {
            ends.get().unwrap().shutdown();
        }
    });
    let builder = TcpServer::builder().close_within(SHORT).processes(1);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    ends.set(server.shutdown_handle()).unwrap();
    let Some(traced) = traced(&mut server) else { return };
    kill(traced.child, Signal::SIGKILL).unwrap();
    let (start, used) = (Instant::now(), cpu_time());
    server.serve_forever().unwrap();
    let (took, used) = (start.elapsed(), cpu_time() - used);
    drop(server);
    traced.release();
    // Ten passes, each after a moment, and a second for those that take no notice of their end.
    assert!(took >= Duration::from_secs(1) && used < took / 4, "{used:?} of CPU in {took:?}");
    assert!(took >= Duration::from_millis(1000 + 8 * 20), "{took:?}");
}

/// Lets itself be traced, says who it is, and waits behind the server's back, so that it has to be killed.
fn waits(stream: &mut Stream) -> io::Result<()> {
    // SAFETY: two numbers. It lets anybody trace this process, where only its parents may.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY) };
    stream.write_all(&getpid().as_raw().to_ne_bytes())?;
    stream.socket().recv(&mut [0]).map(drop)
}

/// A child of the server, and who traces it.
struct Traced {
    child: Pid,
    tracer: Pid,
    go: OwnedFd,
    _client: Socket,
}

/// None, and said, where nobody can.
fn traced<H: Handler<Stream>>(server: &mut Server<Tcp, H, Processes>) -> Option<Traced> {
    if crate::support::emulated() {
        crate::support::skipped("ptrace(2): the emulator has none");
        return None;
    }
    let client = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    let mut number = [0; 4];
    (&client).read_exact(&mut number).unwrap();
    let child = Pid::from_raw(i32::from_ne_bytes(number));
    let [(traces, said), (wait, go)] = [(); 2].map(|()| nix::unistd::pipe().unwrap());
    let tracer = beside(|| {
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: numbers only.
        let traced = unsafe { libc::ptrace(libc::PTRACE_SEIZE, child.as_raw(), nothing, nothing) };
        nix::unistd::write(&said, if traced == 0 { b"y" } else { b"n" }).unwrap();
        nix::unistd::read(&wait, &mut [0]).unwrap();
    });
    let mut traced = [0];
    nix::unistd::read(&traces, &mut traced).unwrap();
    if traced == *b"n" {
        crate::support::skipped("ptrace(2): not allowed here");
        nix::unistd::write(&go, b"x").unwrap();
        ended_well(tracer);
        return None;
    }
    Some(Traced { child, tracer, go, _client: client })
}

impl Traced {
    /// Lets the tracer go: the child can be waited for, and nobody has done so.
    #[track_caller]
    fn release(self) {
        nix::unistd::write(&self.go, b"x").unwrap();
        ended_well(self.tracer);
        let end = WaitStatus::Signaled(self.child, Signal::SIGKILL, false);
        assert_eq!(waitpid(self.child, None), Ok(end));
        assert!(childless());
    }
}

/// The send buffer is full, for nobody knows where the receiver is, and an earlier refusal waits in the queue of errors, which makes the
/// socket ready.
fn a_reply_that_finds_the_buffer_full() {
    const LOST: [u8; 4] = [10, 77, 0, 9];
    let Some(cable) = Cable::lay() else { return };
    let results = RefCell::new(None);
    let handler = |packet: &mut Datagram| {
        if packet.bytes() == b"gone" {
            return packet.reply(b"x");
        }
        wait(packet.socket(), Events::empty());
        let used = cpu_time();
        let error = (0..10_000).find_map(|_| packet.reply(&[0; 500]).err()).expect("a full buffer");
        results.replace(Some((error.kind(), cpu_time() - used)));
        Ok(())
    };
    let mut server = UdpServer::builder().bind((NEAR, 0), handler).unwrap();
    sockopt::set(server.socket(), SndBuf, 1).unwrap();
    sockopt::set(server.socket(), RecvErr, true).unwrap();
    let addr = server.local_addr().unwrap();
    let bound = |to: [u8; 4]| {
        let socket = Socket::new(Domain::INET, Type::DGRAM, None).unwrap();
        socket.bind((to, 0)).unwrap();
        socket
    };
    assert_eq!(bound(NEAR).send_to(b"gone", &addr).unwrap(), 4);
    assert!(server.handle_request().unwrap());
    cable.far(|| {
        ip("addr add 10.77.0.9/24 dev vfar");
        assert_eq!(bound(LOST).send_to(b"lost", &addr).unwrap(), 4);
        ip("addr del 10.77.0.9/24 dev vfar");
    });
    assert!(server.handle_request().unwrap());
    let (kind, used) = results.take().expect("it was asked");
    assert_eq!(kind, io::ErrorKind::WouldBlock);
    assert!(used < Duration::from_millis(300), "{used:?} of a second: it did not wait");
}
