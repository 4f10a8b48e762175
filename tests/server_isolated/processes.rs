//! Servers whose clients each have a process: how children end, who waits for them, what is theirs and what their parent's.

use std::cell::RefCell;
use std::io::{self, BufRead, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, pause};

use readysock::server::{Datagram, Hooked, Problem, Step, Stream, TcpServer, UdpServer};
use readysock::{Addr, Socket};

use crate::panics::Cursed;
use crate::support::isolated::Case;
use crate::support::servers::{
    Folder, LOOPBACK, beside, childless, connect, ended_well, ends_with, read_all,
};
use crate::support::sockets::{SHORT, tcp, udp};

pub const CASES: &[Case] = &[
    ("a_panic_or_a_crash_ends_its_child_only", a_panic_or_a_crash_ends_its_child_only),
    ("other_children_are_left_alone", other_children_are_left_alone),
    ("a_child_that_somebody_else_waits_for", a_child_that_somebody_else_waits_for),
    ("a_child_that_nobody_waits_for", a_child_that_nobody_waits_for),
    ("a_child_process_that_a_signal_ends", a_child_that_a_signal_ends),
    ("processes_are_refused_without_proc", processes_are_refused_without_proc),
    ("over_the_limit_clients_wait_for_a_child", over_the_limit_clients_wait_for_a_child),
    ("work_in_hand_ends_within_the_limit", work_in_hand_ends_within_the_limit),
    ("a_child_ends_the_server", a_child_ends_the_server),
    ("what_a_child_changes_is_its_own", what_a_child_changes_is_its_own),
    ("a_child_that_outlives_its_server", || a_child_that_outlives_its_server(1024)),
    // One for the connection and one to look at the threads.
    ("a_child_that_outlives_its_server_and_its_limit", || a_child_that_outlives_its_server(2)),
    ("a_child_leaves_what_is_its_parents", a_child_leaves_what_is_its_parents),
    ("a_number_that_is_somebody_elses_by_now", a_number_that_is_somebody_elses_by_now),
];

fn a_panic_or_a_crash_ends_its_child_only() {
    let problems = Mutex::new(Vec::new());
    let handler = Hooked::new(|stream: &mut Stream| {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim() {
            "panic" => panic!("as asked"),
            "crash" => kill(Pid::this(), Signal::SIGKILL).map_err(io::Error::from),
            "fail" => Err(io::Error::other("as asked")),
            _ => stream.write_all(b"well"),
        }
    })
    .on_error(|problem: &Problem| {
        if problem.step() == Step::Child {
            problems.lock().unwrap().push(problem.to_string());
        }
    });
    let mut server = TcpServer::builder().processes(1).bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    for (what, answer) in [("panic", ""), ("crash", ""), ("fail", ""), ("nothing", "well")] {
        let client = connect(&addr);
        client.send_all(format!("{what}\n").as_bytes()).unwrap();
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(&client), answer.as_bytes(), "{what}");
    }
    server.close();
    let problems = problems.into_inner().unwrap();
    let ends = ["ended with status 1", "was ended by SIGKILL", "ended with status 1"];
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, end) in problems.iter().zip(ends) {
        assert!(problem.starts_with("child: process ") && problem.ends_with(end), "{problem}");
    }
    assert!(childless());
}

fn other_children_are_left_alone() {
    let other = beside(|| ());
    let thanks = |stream: &mut Stream| stream.write_all(b"thanks");
    let mut server = TcpServer::builder().processes(4).bind(LOOPBACK, thanks).unwrap();
    for _ in 0..10 {
        let client = connect(&server.local_addr().unwrap());
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(&client), b"thanks");
    }
    server.close();
    ended_well(other);
    assert!(childless());
}

fn a_child_that_somebody_else_waits_for() {
    let problems = RefCell::new(Vec::new());
    let handler = Hooked::new(|stream: &mut Stream| stream.write_all(b"thanks"))
        .on_error(|problem: &Problem| problems.borrow_mut().push(problem.to_string()));
    let mut server = TcpServer::builder().processes(1).bind(LOOPBACK, handler).unwrap();
    for _ in 0..5 {
        let client = connect(&server.local_addr().unwrap());
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(&client), b"thanks");
        assert!(matches!(waitpid(None, None), Ok(WaitStatus::Exited(_, 0))));
    }
    server.close();
    assert!(childless());
    assert!(problems.borrow().is_empty(), "{problems:?}");
}

/// Also by one of the signals that have no name.
fn a_child_that_a_signal_ends() {
    for signal in [libc::SIGKILL, libc::SIGRTMIN() + 1] {
        let problems = RefCell::new(Vec::new());
        let handler = Hooked::new(|_: &mut Stream| {
            // SAFETY: it takes a number.
            assert_eq!(unsafe { libc::raise(signal) }, 0);
            loop {
                pause();
            }
        })
        .on_error(|problem: &Problem| problems.borrow_mut().push(problem.to_string()));
        let mut server = TcpServer::builder().processes(1).bind(LOOPBACK, handler).unwrap();
        let client = connect(&server.local_addr().unwrap());
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(&client), b"");
        server.close();
        assert!(childless());
        let name = if signal == libc::SIGKILL { "SIGKILL".into() } else { signal.to_string() };
        let [problem] = &problems.borrow()[..] else { panic!("{problems:?}") };
        assert!(problem.starts_with("child: process "), "{problem}");
        assert!(problem.ends_with(&format!(" was ended by {name}")), "{problem}");
    }
}

/// In an empty root nobody can tell how many threads this process has.
fn processes_are_refused_without_proc() {
    let root = Folder::new("root");
    let child = beside(|| {
        let thanks = |stream: &mut Stream| stream.write_all(b"thanks");
        let mut server = TcpServer::builder().processes(1).bind(LOOPBACK, thanks).unwrap();
        if let Err(error) = nix::unistd::chroot(&root.path(".")) {
            return crate::support::skipped(&format!("an empty root: {error}"));
        }
        nix::unistd::chdir("/").unwrap();
        let error = server.serve_forever().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("/proc"), "{error}");
    });
    ended_well(child);
}

fn a_child_that_nobody_waits_for() {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler is installed.
    unsafe { sigaction(Signal::SIGCHLD, &ignore) }.unwrap();
    let thanks = |stream: &mut Stream| stream.write_all(b"thanks");
    let mut server = TcpServer::builder().processes(2).bind(LOOPBACK, thanks).unwrap();
    for _ in 0..10 {
        let client = connect(&server.local_addr().unwrap());
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(&client), b"thanks");
    }
    server.close();
    assert!(childless());
}

fn over_the_limit_clients_wait_for_a_child() {
    const CLIENTS: usize = 200;
    let (from_children, to_parent) = nix::unistd::pipe().unwrap();
    let (started, start) = nix::unistd::pipe().unwrap();
    let handler = |stream: &mut Stream| {
        nix::unistd::write(&to_parent, b"+")?;
        nix::unistd::write(&start, b"+")?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        stream.write_all(line.as_bytes())?;
        nix::unistd::write(&to_parent, b"-")?;
        Ok(())
    };
    let builder = TcpServer::builder().backlog(256).processes(8);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let clients = beside(|| {
        let clients: Vec<Socket> = (0..CLIENTS).map(|_| connect(&addr)).collect();
        // Eight have started; none of them is told to go on before all the others have been sent what they wait for.
        std::fs::File::from(started.try_clone().unwrap()).read_exact(&mut [0; 8]).unwrap();
        for (number, client) in clients.iter().enumerate().rev() {
            client.send_all(format!("{number}\n").as_bytes()).unwrap();
        }
        for (number, client) in clients.iter().enumerate() {
            assert_eq!(read_all(client), format!("{number}\n").as_bytes());
        }
    });
    for _ in 0..CLIENTS {
        assert!(server.handle_request().unwrap());
        assert!(server.in_hand() <= 8);
    }
    server.close();
    ended_well(clients);
    drop(to_parent);
    let (mut now, mut most, mut served) = (0, 0, 0);
    let mut events = Vec::new();
    std::fs::File::from(from_children).read_to_end(&mut events).unwrap();
    for event in events {
        if event == b'+' {
            now += 1;
            served += 1;
        } else {
            now -= 1;
        }
        most = most.max(now);
    }
    assert_eq!((most, served, now), (8, CLIENTS, 0));
    assert!(childless());
}

fn work_in_hand_ends_within_the_limit() {
    let builder = TcpServer::builder().close_within(SHORT).processes(4);
    let handler = |stream: &mut Stream| {
        stream.write_all(b"started")?;
        let mut line = String::new();
        if stream.read_line(&mut line)? > 0 {
            nix::unistd::alarm::set(60); // not for ever, where it is not killed
            loop {
                pause(); // it computes, so to speak
            }
        }
        Ok(())
    };
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let clients = [connect(&addr), connect(&addr)];
    for client in &clients {
        assert!(server.handle_request().unwrap());
        assert_eq!(client.recv(&mut [0; 7]).unwrap(), 7);
    }
    clients[0].send_all(b"compute\n").unwrap();
    let start = Instant::now();
    server.close();
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    assert!(childless());
}

fn a_child_ends_the_server() {
    let handler = |datagram: &mut Datagram| {
        datagram.shutdown_handle().shutdown();
        datagram.reply(b"ends")
    };
    let mut server = UdpServer::builder().processes(2).bind(LOOPBACK, handler).unwrap();
    let client = udp();
    assert_eq!(client.send_to(b"", server.local_addr().unwrap()).unwrap(), 0);
    server.serve_forever().unwrap();
    assert_eq!(client.recv(&mut [0; 10]).unwrap(), 4);
    assert!(server.shutdown_handle().is_shut_down());
    assert!(childless());
}

fn what_a_child_changes_is_its_own() {
    let count = std::cell::Cell::new(0);
    let handler = |stream: &mut Stream| {
        count.set(count.get() + 1);
        write!(stream, "{}", count.get())
    };
    let mut server = TcpServer::builder().processes(2).bind(LOOPBACK, handler).unwrap();
    for _ in 0..3 {
        let client = connect(&server.local_addr().unwrap());
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(&client), b"1");
    }
    server.close();
    assert_eq!(count.get(), 0);
}

/// The server's process ends in the middle: nobody is let in where nobody accepts, and who was in is served to the end.
fn a_child_that_outlives_its_server(descriptors: nix::libc::rlim_t) {
    if crate::support::emulated() {
        return crate::support::skipped(
            "not tried under an emulator: valgrind counts what stays open to the end of a process",
        );
    }
    let (where_it_is, tell) = nix::unistd::pipe().unwrap();
    let server = beside(|| {
        let echo = |stream: &mut Stream| {
            let mut line = String::new();
            stream.write_all(b"started")?;
            stream.read_line(&mut line)?;
            stream.write_all(line.as_bytes())
        };
        let mut server = TcpServer::builder().processes(2).bind(LOOPBACK, echo).unwrap();
        let addr = server.local_addr().unwrap().to_string();
        nix::unistd::write(&tell, addr.as_bytes()).unwrap();
        let next = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
        let limit = nix::libc::rlim_t::try_from(next).unwrap() + descriptors;
        setrlimit(Resource::RLIMIT_NOFILE, limit, limit).unwrap();
        assert!(server.handle_request().unwrap());
        // No destructor, and no end of the work in hand.
        std::mem::forget(server);
    });
    let mut addr = [0; 100];
    let len = nix::unistd::read(&where_it_is, &mut addr).unwrap();
    let addr: Addr = std::str::from_utf8(&addr[..len]).unwrap().parse().unwrap();
    let client = connect(&addr);
    (&client).read_exact(&mut [0; 7]).unwrap();
    ended_well(server);
    let refused = tcp().connect(&addr).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    client.send_all(b"still here\n").unwrap();
    assert_eq!(read_all(&client), b"still here\n");
}

/// Says in a pipe that it is dropped.
struct Dropped(OwnedFd);

impl Drop for Dropped {
    fn drop(&mut self) {
        nix::unistd::write(&self.0, b"d").unwrap();
    }
}

/// Where `at_exit` says that it runs; below 0, it keeps still.
static AT_EXIT: AtomicI32 = AtomicI32::new(-1);

extern "C" fn at_exit() {
    // SAFETY: one byte, which is there; a number that is no descriptor is refused.
    unsafe { libc::write(AT_EXIT.load(Ordering::SeqCst), b"e".as_ptr().cast(), 1) };
}

/// The child has copies of the parent's values, of what it does at exit and of its unwritten output. They stay the parent's.
fn a_child_leaves_what_is_its_parents() {
    let (read, write) = nix::unistd::pipe().unwrap();
    let (said, stdout) = nix::unistd::pipe().unwrap();
    nix::unistd::dup2_stdout(&stdout).unwrap();
    drop(stdout);
    AT_EXIT.store(write.as_raw_fd(), Ordering::SeqCst);
    // SAFETY: the function touches nothing but a static.
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
    let of_the_handler = Dropped(write.try_clone().unwrap());
    let of_the_caller = Dropped(write);
    let handler = move |stream: &mut Stream| {
        let _ = &of_the_handler;
        stream.write_all(b"thanks")?;
        print!("child ");
        let mut what = String::new();
        stream.read_to_string(&mut what)?;
        match &*what {
            "" => Ok(()),
            "an error" => Err(io::Error::other(Cursed)),
            _ => panic!("as asked"),
        }
    };
    print!("parent ");
    let mut server = TcpServer::builder().processes(1).bind(LOOPBACK, handler).unwrap();
    for what in ["", "a panic", "an error"] {
        let client = connect(&server.local_addr().unwrap());
        client.send_all(what.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(&client), b"thanks");
    }
    server.close();
    AT_EXIT.store(-1, Ordering::SeqCst);
    drop(of_the_caller);
    assert!(childless());
    let mut dropped = String::new();
    std::fs::File::from(read).read_to_string(&mut dropped).unwrap();
    assert_eq!(dropped, "dd");
    // Nobody has the other end any more.
    let null = std::fs::File::open("/dev/null").unwrap();
    nix::unistd::dup2_stdout(&null).unwrap();
    let mut output = String::new();
    std::fs::File::from(said).read_to_string(&mut output).unwrap();
    assert_eq!(output, "parent child child child ");
}

/// Somebody has waited for the server's child, and its number has come round: whoever has it now is not waited for, and not
/// killed at the end.
fn a_number_that_is_somebody_elses_by_now() {
    let thanks = |stream: &mut Stream| stream.write_all(b"thanks");
    let builder = TcpServer::builder().close_within(SHORT).processes(2);
    let mut server = builder.bind(LOOPBACK, thanks).unwrap();
    let client = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client), b"thanks");
    let Ok(WaitStatus::Exited(gone, 0)) = waitpid(None, None) else { panic!("the child") };
    let (wait, go) = nix::unistd::pipe().unwrap();
    let other = match numbered(gone, || {
        nix::unistd::read(&wait, &mut [0]).unwrap();
    }) {
        Ok(()) => gone,
        Err(error) => {
            return crate::support::skipped(&format!("a process of a chosen number: {error}"));
        }
    };
    server.close();
    nix::unistd::write(&go, b"x").unwrap();
    ended_well(other);
    assert!(childless());
}

/// As `beside`, and with this number: clone3(2).
fn numbered(number: Pid, other: impl FnOnce()) -> nix::Result<()> {
    if crate::support::emulated() {
        return Err(Errno::ENOSYS);
    }
    let (numbers, parent) = ([number.as_raw()], getpid());
    // struct clone_args, ten numbers, which the crate libc has for some machines only: exit_signal, set_tid and its length.
    let mut arguments = [0_u64; 10];
    arguments[4] = libc::SIGCHLD.unsigned_abs().into();
    arguments[8] = numbers.as_ptr().expose_provenance().try_into().unwrap();
    arguments[9] = 1;
    // SAFETY: with these arguments it is fork(2), in a process of one thread; the kernel reads the ten and the number.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) };
    if Errno::result(result)? > 0 {
        return Ok(());
    }
    ends_with(parent, other)
}
