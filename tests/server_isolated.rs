//! Servers at the edges that need a process of their own: children, signals, limits.

mod support;

use std::io::{self, BufRead, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::time::TimeValLike;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getppid, pause};

use readysock::server::{
    Builder, Datagram, Handler, Hooked, Problem, Server, ShutdownHandle, Step, Stream, Tcp,
    TcpServer, UdpServer, Works,
};
use readysock::{Addr, Events, PollFd, Socket, Type, poll};

use support::isolated::{self, Case};
use support::sockets::{LONG, SHORT, udp};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn main() {
    const CASES: &[Case] = &[
        ("processes_are_refused_beside_threads", processes_are_refused_beside_threads),
        ("a_panic_or_a_crash_ends_its_child_only", a_panic_or_a_crash_ends_its_child_only),
        ("other_children_are_left_alone", other_children_are_left_alone),
        ("a_child_that_somebody_else_waits_for", a_child_that_somebody_else_waits_for),
        ("a_child_that_nobody_waits_for", a_child_that_nobody_waits_for),
        ("over_the_limit_clients_wait_for_a_child", over_the_limit_clients_wait_for_a_child),
        ("work_in_hand_ends_within_the_limit", work_in_hand_ends_within_the_limit),
        ("a_child_ends_the_server", a_child_ends_the_server),
        ("what_a_child_changes_is_its_own", what_a_child_changes_is_its_own),
        ("a_signal_handler_ends_the_server", a_signal_handler_ends_the_server),
        ("out_of_descriptors_in_turn", || one_at_a_time(TcpServer::builder().in_turn())),
        ("out_of_descriptors_threads", || one_at_a_time(TcpServer::builder().threads(4))),
        ("out_of_descriptors_processes", || one_at_a_time(TcpServer::builder().processes(4))),
        ("no_descriptor_at_all_in_turn", || none_at_all(TcpServer::builder().in_turn())),
        ("no_descriptor_at_all_threads", || none_at_all(TcpServer::builder().threads(4))),
        ("no_descriptor_at_all_processes", || none_at_all(TcpServer::builder().processes(4))),
    ];
    if support::forks() {
        isolated::main(CASES);
    }
}

fn connect(addr: &Addr) -> Socket {
    let socket = Socket::new(addr.domain(), Type::STREAM, None).unwrap();
    socket.connect(addr).unwrap();
    socket
}

fn read_all(mut socket: &Socket) -> Vec<u8> {
    let mut all = Vec::new();
    socket.read_to_end(&mut all).unwrap();
    all
}

fn childless() -> bool {
    matches!(waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)), Err(Errno::ECHILD))
}

/// Runs `other` in a child of this process, which has one thread. Status 0 if it comes to its end.
fn beside(other: impl FnOnce()) -> Pid {
    // SAFETY: the process of a case has one thread, until the case starts another.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(other)).is_ok();
            // SAFETY: it ends this process and touches nothing.
            unsafe { libc::_exit(i32::from(!well)) }
        }
    }
}

#[track_caller]
fn ended_well(child: Pid) {
    assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
}

fn processes_are_refused_beside_threads() {
    let (sender, receiver) = mpsc::channel::<()>();
    let other = thread::spawn(move || receiver.recv().is_err());
    let thanks = |stream: &mut Stream| stream.write_all(b"thanks");
    let mut server = TcpServer::builder().processes(2).bind(LOOPBACK, thanks).unwrap();
    let client = connect(&server.local_addr().unwrap());
    for result in [server.handle_request().map(drop), server.serve_forever()] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("2 threads"), "{error}");
    }
    drop(sender);
    other.join().unwrap();
    // Joined is gone, also where the kernel lists it a moment longer.
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client), b"thanks");
    // The thread may also come between two requests.
    let client = connect(&server.local_addr().unwrap());
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<()>();
        scope.spawn(move || receiver.recv().is_err());
        assert!(server.handle_request().is_err());
        drop(sender);
    });
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client), b"thanks");
}

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
        assert!(problem.ends_with(end), "{problem}");
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
    let handler = Hooked::new(|stream: &mut Stream| stream.write_all(b"thanks"))
        .on_error(|problem: &Problem| panic!("{problem}"));
    let mut server = TcpServer::builder().processes(1).bind(LOOPBACK, handler).unwrap();
    for _ in 0..5 {
        let client = connect(&server.local_addr().unwrap());
        assert!(server.handle_request().unwrap());
        assert_eq!(read_all(&client), b"thanks");
        assert!(matches!(waitpid(None, None), Ok(WaitStatus::Exited(_, 0))));
    }
    server.close();
    assert!(childless());
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
    let took = start.elapsed();
    assert!(took >= SHORT && took < SHORT + Duration::from_secs(5), "{took:?}");
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

static ENDS: OnceLock<ShutdownHandle> = OnceLock::new();

extern "C" fn end(_: i32) {
    if let Some(handle) = ENDS.get() {
        handle.shutdown();
    }
}

fn a_signal_handler_ends_the_server() {
    let mut server =
        TcpServer::bind(LOOPBACK, |stream: &mut Stream| stream.write_all(b"thanks")).unwrap();
    ENDS.set(server.shutdown_handle()).unwrap();
    let action = SigAction::new(SigHandler::Handler(end), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler calls what is documented to be safe in one.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let addr = server.local_addr().unwrap();
    let client = beside(|| {
        assert_eq!(read_all(&connect(&addr)), b"thanks");
        kill(getppid(), Signal::SIGUSR1).unwrap();
    });
    server.serve_forever().unwrap();
    ended_well(client);
}

/// A server, and ten clients' sockets before anything is short.
fn out_of_descriptors<W>(
    builder: Builder<Tcp, W>,
    limit: impl FnOnce() -> u64,
    meanwhile: fn(&Addr, &[Socket]),
) where
    W: Works<Stream, Told>,
    Server<Tcp, Told, W>: Send,
{
    let (tell, told) = nix::unistd::pipe().map(|(read, write)| (write, read)).unwrap();
    let mut server = builder.bind(LOOPBACK, Told(tell)).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let clients: Vec<Socket> =
        (0..10).map(|_| Socket::new(addr.domain(), Type::STREAM, None).unwrap()).collect();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // The clients are in another process, so that the server is alone in this one.
    let (go, wait) = nix::unistd::pipe().map(|(read, write)| (write, read)).unwrap();
    let clients = beside(|| {
        let mut byte = [0];
        nix::unistd::read(&wait, &mut byte).unwrap();
        meanwhile(&addr, &clients);
        assert_eq!(poll(&mut [PollFd::of(&told, Events::IN)], LONG).unwrap(), 1, "the hook");
        // Lifted for the server, too, which is the parent.
        lift(getppid(), soft, hard);
        for client in &clients {
            assert_eq!(read_all(client), b"thanks");
        }
        handle.shutdown();
    });
    setrlimit(Resource::RLIMIT_NOFILE, limit(), hard).unwrap();
    nix::unistd::write(&go, b"x").unwrap();
    server.serve_forever().unwrap();
    ended_well(clients);
    assert!(childless());
}

/// Thanks, and says in a pipe that there was a problem.
struct Told(std::os::fd::OwnedFd);

impl Handler<Stream> for Told {
    type Session = ();

    fn set_up(&self, _: &mut Stream) -> io::Result<()> {
        Ok(())
    }

    fn handle(&self, stream: &mut Stream, (): &mut ()) -> io::Result<()> {
        stream.write_all(b"thanks")
    }

    fn error(&self, problem: &Problem) {
        let errno = problem.error().and_then(io::Error::raw_os_error);
        assert_eq!(errno, Some(libc::EMFILE), "{problem}");
        nix::unistd::write(&self.0, b"!").unwrap();
    }
}

fn lift(process: Pid, soft: u64, hard: u64) {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads one limit, and writes none where the last pointer is null.
    let result = unsafe {
        libc::prlimit(process.as_raw(), libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut())
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Nothing but the reserve is left: clients are served all the same, one after the other.
fn one_at_a_time<W>(builder: Builder<Tcp, W>)
where
    W: Works<Stream, Told>,
    Server<Tcp, Told, W>: Send,
{
    const LIMIT: i32 = 64;
    // No number is free below the limit, so that the one the reserve gives away is the only one.
    let mut fillers = Vec::new();
    let fill = || {
        while fillers.last().is_none_or(|filler: &Socket| filler.as_raw_fd() < LIMIT) {
            fillers.push(udp());
        }
        u64::try_from(LIMIT).unwrap()
    };
    out_of_descriptors(builder, fill, |addr, clients| {
        for client in clients {
            client.connect(addr).unwrap();
        }
        for client in clients {
            assert_eq!(poll(&mut [PollFd::of(client, Events::IN)], LONG).unwrap(), 1);
        }
    });
}

/// Not even the reserve helps: clients wait, at next to no cost, until there is room again.
fn none_at_all<W>(builder: Builder<Tcp, W>)
where
    W: Works<Stream, Told>,
    Server<Tcp, Told, W>: Send,
{
    out_of_descriptors(
        builder,
        || 3,
        |addr, clients| {
            for client in clients {
                client.connect(addr).unwrap();
            }
            let cpu = || cpu_time(getppid());
            // Not to synchronise with anything: it is how long is measured.
            let (start, used) = (Instant::now(), cpu());
            thread::sleep(Duration::from_secs(1));
            let (took, used) = (start.elapsed(), cpu() - used);
            assert!(used < took / 20, "{used:?} of CPU in {took:?}");
            assert!(poll(&mut [PollFd::of(&clients[0], Events::IN)], Duration::ZERO).unwrap() == 0);
        },
    );
    let used = getrusage(UsageWho::RUSAGE_SELF).unwrap().user_time();
    assert!(used.num_seconds() < 2, "{used}");
}

/// What a process has used so far: fields 14 and 15 of proc_pid_stat(5), in ticks.
fn cpu_time(process: Pid) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 =
        [11, 12].map(|field: usize| fields[field].parse::<u64>().unwrap()).iter().sum();
    let second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).unwrap().unwrap();
    Duration::from_secs_f64(
        f64::from(u32::try_from(ticks).unwrap()) / f64::from(u32::try_from(second).unwrap()),
    )
}
