//! Servers at the limits of their process: descriptors, threads, processes.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::unistd::{Gid, Pid, Uid, geteuid, getppid, setresgid, setresuid};

use readysock::server::{Builder, Connections, Internet, Stream, TcpServer, Works};
use readysock::{Addr, Events, PollFd, Socket, Type, poll};

use crate::in_each_way;
use crate::support::isolated::Case;
use crate::support::says::{Says, has_news, lines};
use crate::support::servers::{LOOPBACK, beside, childless, connect, ended_well, read_all};
use crate::support::sockets::{LONG, SHORT, udp};

pub const CASES: &[Case] = {
    const SINGLE: [fn(); 3] = in_each_way!(one_at_a_time);
    const NONE: [fn(); 3] = in_each_way!(none_at_all);
    &[
        ("out_of_descriptors_in_turn", SINGLE[0]),
        ("out_of_descriptors_threads", SINGLE[1]),
        ("out_of_descriptors_processes", SINGLE[2]),
        ("no_descriptor_at_all_in_turn", NONE[0]),
        ("no_descriptor_at_all_threads", NONE[1]),
        ("no_descriptor_at_all_processes", NONE[2]),
        ("more_work_in_hand_than_descriptors", more_work_in_hand_than_descriptors),
        ("no_more_threads_allowed", || nothing_starts(TcpServer::builder().threads(4))),
        ("no_more_processes_allowed", || nothing_starts(TcpServer::builder().processes(4))),
    ]
};

/// A server, and ten clients' sockets before anything is short.
fn out_of_descriptors<T, W>(
    builder: Builder<T, W>,
    limit: impl FnOnce() -> rlim_t,
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
        lift(getppid(), Resource::RLIMIT_NOFILE, soft, hard);
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

fn lift(process: Pid, resource: Resource, soft: rlim_t, hard: rlim_t) {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads one limit, and writes none where the last pointer is null.
    let result = unsafe {
        libc::prlimit(process.as_raw(), resource as _, &raw const limit, std::ptr::null_mut())
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Nothing but the reserve is left: clients are served all the same, one after the other.
fn one_at_a_time<T, W>(builder: Builder<T, W>)
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
{
    if crate::support::emulated() {
        return crate::support::skipped(
            "a limit on open files: the emulator keeps it from the kernel",
        );
    }
    const LIMIT: i32 = 64;
    // No number is free below the limit, so that the one the reserve gives away is the only one.
    let mut fillers = Vec::new();
    let fill = || {
        while fillers.last().is_none_or(|filler: &Socket| filler.as_raw_fd() < LIMIT) {
            fillers.push(udp());
        }
        rlim_t::try_from(LIMIT).unwrap()
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
    if crate::support::emulated() {
        return crate::support::skipped(
            "a limit on open files: the emulator keeps it from the kernel",
        );
    }
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
    if crate::support::emulated() {
        return crate::support::skipped(
            "a limit on open files: the emulator keeps it from the kernel",
        );
    }
    let echo = |stream: &mut Stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        stream.write_all(&byte)
    };
    let builder = TcpServer::builder().timeout(SHORT).processes(8);
    let mut server = builder.bind(LOOPBACK, echo).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let clients: Vec<Socket> = (0..8).map(|_| connect(&addr)).collect();
    for _ in &clients {
        assert!(server.handle_request().unwrap());
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 5, hard).unwrap();
    let start = Instant::now();
    assert!(!server.handle_request().unwrap());
    assert!(start.elapsed() >= SHORT, "its time, and not that of one look");
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
    if crate::support::emulated() {
        return crate::support::skipped(
            "a limit on processes: the emulator has threads of its own",
        );
    }
    // The limit is not for root.
    if geteuid().is_root() {
        let (nobody, nogroup) = (Uid::from_raw(65534), Gid::from_raw(65534));
        let dropped =
            setresgid(nogroup, nogroup, nogroup).and_then(|()| setresuid(nobody, nobody, nobody));
        if let Err(error) = dropped {
            return crate::support::skipped(&format!(
                "a limit on processes: to be nobody: {error}"
            ));
        }
    }
    let (says, problems) = Says::new();
    let mut server = builder.bind(LOOPBACK, says).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
    let client = beside(|| {
        let client = connect(&addr);
        assert!(has_news(&problems));
        lift(getppid(), Resource::RLIMIT_NPROC, soft, hard);
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
