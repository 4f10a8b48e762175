//! Servers while something is short: descriptors, memory, threads, processes. Real limits, and calls that fail as told.

mod support;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Pid, Uid, geteuid, getppid, setresgid, setresuid};

use readysock::server::{
    Builder, Connections, Datagram, Handler, Internet, Packets, Problem, Processes, ShutdownHandle,
    Stream, Tcp, TcpServer, Threads, Udp, UdpServer, Works,
};
use readysock::{Addr, Events, PollFd, Socket, Type, poll};

use support::faults::{self, CLONE, THROUGH};
use support::isolated::{self, Case};
use support::servers::{LOOPBACK, beside, childless, connect, ended_well, read_all};
use support::sockets::{LONG, SHORT, udp, wait};

/// A case in each way of working, by its builder.
macro_rules! in_each_way {
    ($Server:ident: $case:ident) => {
        [
            || $case($Server::builder().in_turn()),
            || $case($Server::builder().threads(4)),
            || $case($Server::builder().processes(4)),
        ]
    };
}

fn main() {
    const SINGLE: [fn(); 3] = in_each_way!(TcpServer: one_at_a_time);
    const NONE: [fn(); 3] = in_each_way!(TcpServer: none_at_all);
    const ACCEPT: [fn(); 3] = in_each_way!(TcpServer: accept_fails);
    const END: [fn(); 3] = in_each_way!(TcpServer: accept_fails_for_good);
    const CASES: &[Case] = &[
        ("out_of_descriptors_in_turn", SINGLE[0]),
        ("out_of_descriptors_threads", SINGLE[1]),
        ("out_of_descriptors_processes", SINGLE[2]),
        ("no_descriptor_at_all_in_turn", NONE[0]),
        ("no_descriptor_at_all_threads", NONE[1]),
        ("no_descriptor_at_all_processes", NONE[2]),
        ("more_work_in_hand_than_descriptors", more_work_in_hand_than_descriptors),
        ("no_more_threads_allowed", || nothing_starts(TcpServer::builder().threads(4))),
        ("no_more_processes_allowed", || nothing_starts(TcpServer::builder().processes(4))),
        ("accept_fails_in_turn", ACCEPT[0]),
        ("accept_fails_threads", ACCEPT[1]),
        ("accept_fails_processes", ACCEPT[2]),
        ("accept_fails_for_good_in_turn", END[0]),
        ("accept_fails_for_good_threads", END[1]),
        ("accept_fails_for_good_processes", END[2]),
        ("receive_fails", receive_fails),
        ("a_thread_that_does_not_start", || start_fails(tcp_threads(), End::ByTheClient)),
        ("a_process_that_does_not_start", || start_fails(tcp_processes(), End::ByTheClient)),
        ("a_thread_that_does_not_start_at_the_end", || start_fails(tcp_threads(), End::ByTheHook)),
        ("a_process_that_does_not_start_at_the_end", || {
            start_fails(tcp_processes(), End::ByTheHook);
        }),
        ("a_packet_whose_thread_does_not_start", || {
            packet_start_fails(udp_threads(), End::ByTheClient);
        }),
        ("a_packet_whose_process_does_not_start_at_the_end", || {
            packet_start_fails(udp_processes(), End::ByTheHook);
        }),
        ("a_connection_that_gets_no_thread", || never_started(tcp_threads(), End::ByTheHook)),
        ("a_connection_that_gets_no_process", || never_started(tcp_processes(), End::ByTheHook)),
        ("a_connection_that_gets_no_thread_before_the_drop", || {
            never_started(tcp_threads(), End::Dropped);
        }),
        ("a_packet_that_gets_no_thread", || packet_never_started(udp_threads(), End::ByTheHook)),
        ("a_packet_that_gets_no_process_before_the_drop", || {
            packet_never_started(udp_processes(), End::Dropped);
        }),
        ("a_child_without_a_descriptor_of_its_own", a_child_without_a_descriptor_of_its_own),
        ("a_kernel_that_waits_by_number_only", a_kernel_that_waits_by_number_only),
    ];
    isolated::main(CASES);
}

fn tcp_threads() -> Builder<Tcp, Threads> {
    TcpServer::builder().threads(1)
}

fn tcp_processes() -> Builder<Tcp, Processes> {
    TcpServer::builder().processes(1)
}

fn udp_threads() -> Builder<Udp, Threads> {
    UdpServer::builder().threads(1)
}

fn udp_processes() -> Builder<Udp, Processes> {
    UdpServer::builder().processes(1)
}

/// Thanks, and writes each problem into a pipe, a line each. Once told how, it ends the server at the first one.
struct Says {
    problems: OwnedFd,
    ends: OnceLock<ShutdownHandle>,
}

impl Says {
    fn new() -> (Says, OwnedFd) {
        let (read, write) = nix::unistd::pipe().unwrap();
        // A pipe that is full does not hold up a server that spins.
        fcntl(&write, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        (Says { problems: write, ends: OnceLock::new() }, read)
    }

    fn say(&self, problem: &Problem) {
        let whose = if problem.peer().is_some() { " of a client" } else { "" };
        let error = problem.error().expect("nobody panics here");
        let what = error.raw_os_error().map(Errno::from_raw);
        let what = what.map_or_else(|| error.kind().to_string(), |errno| format!("{errno:?}"));
        let line = format!("{}{whose}: {what}\n", problem.step());
        let _ = nix::unistd::write(&self.problems, line.as_bytes());
        if let Some(handle) = self.ends.get() {
            handle.shutdown();
        }
    }
}

impl Handler<Stream> for Says {
    type Session = ();

    fn set_up(&self, _: &mut Stream) -> io::Result<()> {
        Ok(())
    }

    fn handle(&self, stream: &mut Stream, (): &mut ()) -> io::Result<()> {
        stream.write_all(b"thanks")
    }

    fn error(&self, problem: &Problem) {
        self.say(problem);
    }
}

impl Handler<Datagram> for Says {
    type Session = ();

    fn set_up(&self, _: &mut Datagram) -> io::Result<()> {
        Ok(())
    }

    fn handle(&self, datagram: &mut Datagram, (): &mut ()) -> io::Result<()> {
        datagram.reply(b"thanks")
    }

    fn error(&self, problem: &Problem) {
        self.say(problem);
    }
}

/// What was told; the server, which holds the other end, is gone.
fn lines(problems: OwnedFd) -> Vec<String> {
    let mut text = String::new();
    File::from(problems).read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn has_news(pipe: &OwnedFd) -> bool {
    poll(&mut [PollFd::of(pipe, Events::IN)], LONG).unwrap() == 1
}

// Limits of the kernel's.

/// A server, and ten clients' sockets before anything is short.
fn out_of_descriptors<T, W>(
    builder: Builder<T, W>,
    limit: impl FnOnce() -> u64,
    meanwhile: fn(&Addr, &[Socket]),
) -> usize
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
{
    let (says, problems) = Says::new();
    let mut server = builder.bind(LOOPBACK, says).unwrap();
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
        assert!(has_news(&problems), "the hook");
        // Lifted for the server, too, which is the parent.
        lift(getppid(), libc::RLIMIT_NOFILE, soft, hard);
        for client in &clients {
            assert_eq!(read_all(client), b"thanks");
        }
        handle.shutdown();
    });
    setrlimit(Resource::RLIMIT_NOFILE, limit(), hard).unwrap();
    nix::unistd::write(&go, b"x").unwrap();
    server.serve_forever().unwrap();
    ended_well(clients);
    drop(server);
    assert!(childless());
    let problems = lines(problems);
    assert!(problems.iter().all(|problem| problem == "accept: EMFILE"), "{problems:?}");
    problems.len()
}

fn lift(process: Pid, resource: libc::__rlimit_resource_t, soft: u64, hard: u64) {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads one limit, and writes none where the last pointer is null.
    let result = unsafe {
        libc::prlimit(process.as_raw(), resource, &raw const limit, std::ptr::null_mut())
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Nothing but the reserve is left: clients are served all the same, one after the other.
fn one_at_a_time<T, W>(builder: Builder<T, W>)
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
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
fn none_at_all<T, W>(builder: Builder<T, W>)
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
{
    let start = Instant::now();
    let told = out_of_descriptors(
        builder,
        || 3,
        |addr, clients| {
            for client in clients {
                client.connect(addr).unwrap();
            }
            // A share of the time that has passed, however long that was. Not to synchronise with anything.
            let (start, used) = (Instant::now(), cpu_time(getppid()));
            thread::sleep(Duration::from_secs(1));
            let (took, used) = (start.elapsed(), cpu_time(getppid()) - used);
            assert!(used < took / 20, "{used:?} of CPU in {took:?}");
            assert!(poll(&mut [PollFd::of(&clients[0], Events::IN)], Duration::ZERO).unwrap() == 0);
        },
    );
    // A pause of 10, 20, ... 640 ms after each look, and then of a second.
    let most = 8 + start.elapsed().as_secs();
    assert!(told as u64 <= most, "told {told} times, not {most}");
}

/// What a process has used so far: fields 14 and 15 of proc_pid_stat(5), in ticks.
fn cpu_time(process: Pid) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u32 =
        [11, 12].map(|field: usize| fields[field].parse::<u32>().unwrap()).iter().sum();
    let second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).unwrap().unwrap();
    Duration::from_secs_f64(f64::from(ticks) / f64::from(u32::try_from(second).unwrap()))
}

/// poll(2) refuses more slots than the limit on descriptors: the server still hears that it is to end, and of its work.
fn more_work_in_hand_than_descriptors() {
    let echo = |stream: &mut Stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        stream.write_all(&byte)
    };
    let mut server = TcpServer::builder().processes(8).bind(LOOPBACK, echo).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let clients: Vec<Socket> = (0..8).map(|_| connect(&addr)).collect();
    for _ in &clients {
        assert!(server.handle_request().unwrap());
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 5, hard).unwrap();
    let ends = beside(|| {
        // Two children end while the server serves, the others while it waits for them.
        for client in &clients[..2] {
            client.send_all(b"x").unwrap();
            assert_eq!(client.recv(&mut [0; 2]).unwrap(), 1);
        }
        handle.shutdown();
        for client in &clients[2..] {
            client.send_all(b"x").unwrap();
            assert_eq!(client.recv(&mut [0; 2]).unwrap(), 1);
        }
    });
    server.serve_forever().unwrap();
    assert_eq!(server.in_hand(), 0);
    ended_well(ends);
    assert!(childless());
}

/// The user may have no other thread or process: the client waits until he may.
fn nothing_starts<T, W>(builder: Builder<T, W>)
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
{
    if support::emulated() {
        return support::skipped("a limit on processes: the emulator has threads of its own");
    }
    // The limit is not for root.
    if geteuid().is_root() {
        let (nobody, nogroup) = (Uid::from_raw(65534), Gid::from_raw(65534));
        let dropped =
            setresgid(nogroup, nogroup, nogroup).and_then(|()| setresuid(nobody, nobody, nobody));
        if let Err(error) = dropped {
            return support::skipped(&format!("a limit on processes: to be nobody: {error}"));
        }
    }
    let (says, problems) = Says::new();
    let mut server = builder.bind(LOOPBACK, says).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
    let client = beside(|| {
        let client = connect(&addr);
        assert!(has_news(&problems));
        lift(getppid(), libc::RLIMIT_NPROC, soft, hard);
        assert_eq!(read_all(&client), b"thanks");
        handle.shutdown();
    });
    setrlimit(Resource::RLIMIT_NPROC, 1, hard).unwrap();
    server.serve_forever().unwrap();
    ended_well(client);
    drop(server);
    assert!(childless());
    let problems = lines(problems);
    assert!(!problems.is_empty());
    assert!(problems.iter().all(|problem| problem == "start of a client: EAGAIN"), "{problems:?}");
}

// Calls that fail as told.

/// Serves until `ask`, beside, is done, or, where the hook ends the server, until the first problem; calls go by the script. What was
/// told; None where there are no such scripts, and the client has been served even so.
fn told_by<T, W>(
    builder: Builder<T, W>,
    script: faults::Script,
    end: End,
    ask: fn(&Addr),
) -> Option<Vec<String>>
where
    T: Internet,
    W: Works<T::Request, Says>,
    Says: Handler<T::Request>,
{
    let (says, problems) = Says::new();
    let mut server = builder.bind(LOOPBACK, says).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    if let End::ByTheHook = end {
        server.handler().ends.set(handle.clone()).unwrap();
    }
    let client = beside(|| {
        ask(&addr);
        if let End::ByTheClient = end {
            handle.shutdown();
        }
    });
    let faults = faults::inject(script)?;
    match end {
        End::Dropped => {
            let start = Instant::now();
            assert!(!server.handle_request().unwrap());
            assert!(start.elapsed() >= SHORT, "its time, and not that of a pause");
        }
        _ => server.serve_forever().unwrap(),
    }
    drop(server);
    ended_well(client);
    drop(faults);
    assert!(childless());
    Some(lines(problems))
}

#[derive(Clone, Copy)]
enum End {
    ByTheClient,
    ByTheHook,
    /// After one `handle_request`, which does not serve.
    Dropped,
}

fn over_tcp(addr: &Addr) {
    assert_eq!(read_all(&connect(addr)), b"thanks");
}

fn over_udp(addr: &Addr) {
    let client = udp();
    assert_eq!(client.send_to(b"x", addr).unwrap(), 1);
    wait(&client, Events::IN);
    let mut buffer = [0; 10];
    let (len, ..) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"thanks");
}

/// Of aborted clients nobody is told; of what is short the hook is.
fn accept_fails<T, W>(builder: Builder<T, W>)
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
{
    let script: faults::Script = &[(
        &[libc::SYS_accept4],
        &[
            libc::EAGAIN,
            libc::EINTR,
            libc::ECONNABORTED,
            libc::ECONNRESET,
            libc::ENETDOWN,
            libc::EPROTO,
            libc::ENOPROTOOPT,
            libc::EHOSTDOWN,
            libc::ENONET,
            libc::EHOSTUNREACH,
            libc::EOPNOTSUPP,
            libc::ENETUNREACH,
            libc::ETIMEDOUT,
            libc::EPERM,
            libc::ENFILE,
            // With the reserve given away: no better.
            libc::ENFILE,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::ENOSR,
        ],
    )];
    let Some(told) = told_by(builder, script, End::ByTheClient, over_tcp) else { return };
    let short = ["ENFILE", "EMFILE", "ENOBUFS", "ENOMEM", "ENOSR"];
    assert_eq!(told, short.map(|errno| format!("accept: {errno}")));
}

fn receive_fails() {
    let script: faults::Script =
        &[(&[libc::SYS_recvmsg], &[libc::EAGAIN, libc::ECONNREFUSED, libc::ENOBUFS, libc::ENOMEM])];
    let builder = UdpServer::builder();
    let Some(told) = told_by(builder, script, End::ByTheClient, over_udp) else { return };
    assert_eq!(told, ["accept: ENOBUFS", "accept: ENOMEM"]);
}

/// The kernel's error is the caller's; the server has not ended, and serves when it is called again.
fn accept_fails_for_good<T, W>(builder: Builder<T, W>)
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
{
    let (says, problems) = Says::new();
    let builder = builder.close_within(Duration::ZERO);
    let mut server = builder.bind(LOOPBACK, says).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let client = beside(|| {
        over_tcp(&addr);
        handle.shutdown();
    });
    let script: faults::Script = &[(&[libc::SYS_accept4], &[libc::EBADF, libc::EINVAL])];
    let Some(faults) = faults::inject(script) else {
        assert!(server.handle_request().unwrap());
        return ended_well(client);
    };
    let errno = server.serve_forever().unwrap_err().raw_os_error();
    assert_eq!(errno, Some(libc::EBADF));
    let errno = server.handle_request().unwrap_err().raw_os_error();
    assert_eq!(errno, Some(libc::EINVAL));
    assert!(!handle.is_shut_down());
    assert!(server.handle_request().unwrap());
    ended_well(client);
    drop((server, faults));
    assert!(childless());
    assert!(lines(problems).is_empty());
}

/// The client is kept, and served when there is a thread or a process again.
fn start_fails<T, W>(builder: Builder<T, W>, end: End)
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
{
    let script: faults::Script = &[(CLONE, &[libc::EAGAIN; 3])];
    // At the end, too, and with as few in the queue as can be: those who wait are not counted by the failures.
    let Some(told) = told_by(builder.backlog(0), script, end, over_tcp) else { return };
    assert_eq!(told, ["start of a client: EAGAIN"; 3]);
}

fn packet_start_fails<T, W>(builder: Builder<T, W>, end: End)
where
    T: Packets + Internet,
    W: Works<Datagram, Says>,
{
    let script: faults::Script = &[(CLONE, &[libc::EAGAIN; 3])];
    let Some(told) = told_by(builder, script, end, over_udp) else { return };
    assert_eq!(told, ["start of a client: EAGAIN"; 3]);
}

/// What was taken and could not be started before the end: the hook is told, once.
fn never_started<T, W>(builder: Builder<T, W>, end: End)
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
{
    let builder = builder.close_within(SHORT).timeout(SHORT);
    let Some(told) = told_by(builder, NOTHING_STARTS, end, |addr| {
        let mut client = &connect(addr);
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        assert!(answer.is_empty());
    }) else {
        return;
    };
    only_the_last_was_lost(&told);
}

fn packet_never_started<T, W>(builder: Builder<T, W>, end: End)
where
    T: Packets + Internet,
    W: Works<Datagram, Says>,
{
    let builder = builder.close_within(SHORT).timeout(SHORT);
    let Some(told) = told_by(builder, NOTHING_STARTS, end, |addr| {
        assert_eq!(udp().send_to(b"x", addr).unwrap(), 1);
    }) else {
        return;
    };
    only_the_last_was_lost(&told);
}

const NOTHING_STARTS: faults::Script = &[(CLONE, &[libc::EAGAIN; 10_000])];

#[track_caller]
fn only_the_last_was_lost(told: &[String]) {
    let (last, before) = told.split_last().unwrap();
    assert_eq!(last, "close of a client: connection aborted");
    assert!(!before.is_empty());
    assert!(before.iter().all(|problem| problem == "start of a client: EAGAIN"), "{before:?}");
}

/// With no descriptor that tells of its end, a child is asked after.
fn a_child_without_a_descriptor_of_its_own() {
    let script: faults::Script = &[(&[libc::SYS_pidfd_open], &[libc::EMFILE; 10_000])];
    two_after_one_another(script);
}

/// waitid(2) before Linux 5.4.
fn a_kernel_that_waits_by_number_only() {
    const EVERY_SECOND: [i32; 1000] = {
        let mut list = [THROUGH; 1000];
        let mut i = 0;
        while i < list.len() {
            list[i] = libc::EINVAL;
            i += 2;
        }
        list
    };
    two_after_one_another(&[(&[libc::SYS_waitid], &EVERY_SECOND)]);
}

/// One child at a time is allowed: the second client shows that the server has noticed the end of the first.
fn two_after_one_another(script: faults::Script) {
    let builder = TcpServer::builder().processes(1);
    let Some(told) = told_by(builder, script, End::ByTheClient, |addr| {
        over_tcp(addr);
        over_tcp(addr);
    }) else {
        return;
    };
    assert!(told.is_empty(), "{told:?}");
}
