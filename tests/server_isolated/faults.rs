//! Servers whose system calls fail, as no limit makes them fail here: the memory of the system, its descriptors, aborted clients.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Instant;

use nix::libc;
use nix::sys::signal::{Signal, kill};

use readysock::reactor::{Backend, Packet, Reactor};
use readysock::server::{
    Builder, Connections, Datagram, Handler, Hooked, Internet, Packets, Problem, Processes, Stream,
    Tcp, TcpServer, Threads, Udp, UdpServer, UnixStreamServer, Works,
};
use readysock::{Addr, Events, PollFd, Type, UnixAddr, poll};

use crate::in_each_way;
use crate::support::faults::{self, CLONE, THROUGH};
use crate::support::isolated::Case;
use crate::support::says::{Logs, Says, lines, passes};
use crate::support::servers::{Folder, LOOPBACK, beside, childless, connect, ended_well, read_all};
use crate::support::sockets::{LONG, SHORT, udp, unix, wait};

pub const CASES: &[Case] = {
    const ACCEPT: [fn(); 3] = in_each_way!(accept_fails);
    const FOR_GOOD: [fn(); 3] = in_each_way!(accept_fails_for_good);
    &[
        ("accept_fails_in_turn", ACCEPT[0]),
        ("accept_fails_threads", ACCEPT[1]),
        ("accept_fails_processes", ACCEPT[2]),
        ("accept_fails_for_good_in_turn", FOR_GOOD[0]),
        ("accept_fails_for_good_threads", FOR_GOOD[1]),
        ("accept_fails_for_good_processes", FOR_GOOD[2]),
        ("receive_fails", receive_fails),
        ("receive_fails_in_the_loop", receive_fails_in_the_loop),
        ("a_thread_that_does_not_start", || start_fails(tcp_threads(), End::ByTheClient)),
        ("a_process_that_does_not_start", || start_fails(tcp_processes(), End::ByTheClient)),
        ("a_thread_that_does_not_start_at_the_end", || start_fails(tcp_threads(), End::ByTheHook)),
        ("a_process_that_does_not_start_at_the_end", || {
            start_fails(tcp_processes(), End::ByTheHook);
        }),
        ("a_thread_that_does_not_start_within_the_time", || {
            start_fails(tcp_threads().timeout(LONG), End::Served);
        }),
        ("a_process_that_does_not_start_within_the_time", || {
            start_fails(tcp_processes().timeout(LONG), End::Served);
        }),
        ("a_thread_that_ends_makes_room", || {
            work_that_ends_makes_room(TcpServer::builder().threads(2))
        }),
        ("a_process_that_ends_makes_room", || {
            work_that_ends_makes_room(TcpServer::builder().processes(2))
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
        (
            "a_process_that_tells_of_its_end_is_not_asked",
            a_process_that_tells_of_its_end_is_not_asked,
        ),
        ("a_kernel_that_waits_by_number_only", a_kernel_that_waits_by_number_only),
        ("a_process_of_which_a_wait_is_interrupted", a_process_of_which_a_wait_is_interrupted),
        ("a_file_that_is_replaced_meanwhile_is_left", a_file_that_is_replaced_meanwhile_is_left),
    ]
};

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

/// Serves until `ask`, beside, is done, or, where the hook ends the server, until the first problem; calls go by the script. What was
/// told; None where there are no such scripts.
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
    let Some(faults) = faults::inject(script) else {
        kill(client, Signal::SIGKILL).unwrap();
        return None;
    };
    match end {
        End::Served => assert!(server.handle_request().unwrap()),
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
    /// After one `handle_request`, which does.
    Served,
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
    let short = ["EPERM", "ENFILE", "EMFILE", "ENOBUFS", "ENOMEM", "ENOSR"];
    assert_eq!(told, short.map(|errno| format!("accept: {errno}")));
}

fn receive_fails() {
    let script: faults::Script = &[(
        &[libc::SYS_recvmsg],
        &[
            libc::EAGAIN,
            libc::ECONNREFUSED,
            // ICMP, about an earlier reply: too long for the way, and not allowed there.
            libc::EMSGSIZE,
            libc::EACCES,
            libc::ENOBUFS,
            libc::ENOMEM,
        ],
    )];
    let builder = UdpServer::builder();
    let Some(told) = told_by(builder, script, End::ByTheClient, over_udp) else { return };
    assert_eq!(told, ["accept: ENOBUFS", "accept: ENOMEM"]);
}

/// The event loop hands on datagrams by the same rules.
fn receive_fails_in_the_loop() {
    let mut reactor = Reactor::new(Backend::Poll).unwrap();
    let got = Rc::new(Cell::new(0));
    let count = Rc::clone(&got);
    let key = reactor.datagrams(LOOPBACK, move |reactor, _, packet: &Packet<'_>| {
        count.set(count.get() + packet.bytes.len());
        reactor.stop();
    });
    let addr = reactor.local_addr(key.unwrap()).unwrap();
    assert_eq!(udp().send_to(b"x", &addr).unwrap(), 1);
    const ERRORS: &[i32] = &[libc::ECONNREFUSED, libc::EMSGSIZE, libc::EACCES];
    let Some(faults) = faults::inject(&[(&[libc::SYS_recvmsg], ERRORS)]) else { return };
    reactor.run().unwrap();
    drop((reactor, faults));
    assert_eq!(got.get(), 1);
}

/// The kernel's error is the caller's; the server has not ended, and serves when it is called again.
fn accept_fails_for_good<T, W>(builder: Builder<T, W>)
where
    T: Connections + Internet,
    W: Works<Stream, Says>,
{
    let (says, problems) = Says::new();
    let mut server = builder.bind(LOOPBACK, says).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let client = beside(|| {
        over_tcp(&addr);
        handle.shutdown();
    });
    let script: faults::Script =
        &[(&[libc::SYS_accept4], &[libc::EBADF, libc::EACCES, libc::EINVAL])];
    let Some(faults) = faults::inject(script) else {
        assert!(server.handle_request().unwrap());
        return ended_well(client);
    };
    let errno = server.serve_forever().unwrap_err().raw_os_error();
    assert_eq!(errno, Some(libc::EBADF));
    for expected in [libc::EACCES, libc::EINVAL] {
        let errno = server.handle_request().unwrap_err().raw_os_error();
        assert_eq!(errno, Some(expected));
    }
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

/// When a thread or a process cannot be started the server waits longer and longer before it tries again, unless some work ends
/// meanwhile: then at once.
fn work_that_ends_makes_room<T, W>(builder: Builder<T, W>)
where
    T: Connections + Internet,
    W: Works<Stream, Logs>,
{
    let (log, write) = nix::unistd::pipe().unwrap();
    let mut server = builder.bind(LOOPBACK, Logs(write)).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let clients = beside(|| {
        let [first, second] = [connect(&addr), connect(&addr)];
        second.send_all(b"x").unwrap();
        // That which started the first one, and that which failed to start the second.
        assert_eq!(passes(&log), 1);
        for _ in 0..4 {
            assert_eq!(passes(&log), 2, "one after the failure, one after the pause");
        }
        first.send_all(b"x").unwrap();
        // Or one, where the end came with that of the pause.
        assert!(passes(&log) <= 2, "the rest of the pause was waited for");
        for client in [&first, &second] {
            assert_eq!(read_all(client), b"thanks");
        }
        handle.shutdown();
    });
    const FAILS: i32 = libc::EAGAIN;
    let script: faults::Script = &[(CLONE, &[THROUGH, FAILS, FAILS, FAILS, FAILS, FAILS, FAILS])];
    let Some(faults) = faults::inject(script) else {
        return kill(clients, Signal::SIGKILL).unwrap();
    };
    server.serve_forever().unwrap();
    drop(server);
    ended_well(clients);
    drop(faults);
    assert!(childless());
}

/// While it runs, and nobody comes, there is no pass.
fn a_process_that_tells_of_its_end_is_not_asked() {
    if crate::support::emulated() {
        return crate::support::skipped(
            "a process that tells of its end: the emulator makes calls of its own",
        );
    }
    let (log, write) = nix::unistd::pipe().unwrap();
    let mut server = tcp_processes().bind(LOOPBACK, Logs(write)).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let client = beside(|| {
        let client = connect(&addr);
        assert_eq!(nix::unistd::read(&log, &mut [0]), Ok(1));
        let passes = poll(&mut [PollFd::of(&log, Events::IN)], 4 * SHORT).unwrap();
        assert_eq!(passes, 0);
        client.send_all(b"x").unwrap();
        assert_eq!(read_all(&client), b"thanks");
        handle.shutdown();
    });
    server.serve_forever().unwrap();
    ended_well(client);
    drop(server);
    assert!(childless());
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

/// That says nothing of the child, which is still to be waited for.
fn a_process_of_which_a_wait_is_interrupted() {
    two_after_one_another(&[(&[libc::SYS_waitid], &[libc::EINTR; 2])]);
}

/// One child at a time is allowed: the second client shows that the server has noticed the end of the first.
fn two_after_one_another(script: faults::Script) {
    if !crate::support::forks() {
        return;
    }
    let (passed, pass) = nix::unistd::pipe().unwrap();
    let problems = RefCell::new(Vec::new());
    let handler = Hooked::new(|stream: &mut Stream| {
        stream.read_exact(&mut [0])?;
        stream.write_all(b"thanks")
    })
    .on_error(|problem: &Problem| problems.borrow_mut().push(problem.to_string()))
    .on_service(|| assert_eq!(nix::unistd::write(&pass, b"x"), Ok(1)));
    let mut server = TcpServer::builder().processes(1).bind(LOOPBACK, handler).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let clients = beside(|| {
        for _ in 0..2 {
            let client = connect(&addr);
            // The pass that has started the child is over: the server does not come by and see its end.
            nix::unistd::read(&passed, &mut [0]).unwrap();
            client.send_all(b"x").unwrap();
            assert_eq!(read_all(&client), b"thanks");
        }
        handle.shutdown();
    });
    let faults = faults::inject(script);
    server.serve_forever().unwrap();
    ended_well(clients);
    drop(server);
    drop(faults);
    assert!(childless());
    assert!(problems.borrow().is_empty(), "{problems:?}");
}

/// Between the question whether somebody answers and the removal another server takes the place.
fn a_file_that_is_replaced_meanwhile_is_left() {
    let folder = Folder::new("meanwhile");
    let path = folder.path("socket");
    let addr = UnixAddr::from_pathname(&path).unwrap();
    unix(Type::STREAM).bind(&addr).unwrap();
    let mut other = None;
    let refused: faults::Script = &[(&[libc::SYS_connect], &[libc::ECONNREFUSED])];
    let faults = faults::inject_while(refused, |_| {
        std::fs::remove_file(&path).unwrap();
        let socket = unix(Type::STREAM);
        socket.bind(&addr).unwrap();
        socket.listen(1).unwrap();
        other = Some(socket);
    });
    if faults.is_none() {
        return;
    }
    let builder = UnixStreamServer::builder().replace_stale(true);
    let error = builder.bind(&addr, |_: &mut Stream| Ok(())).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
    unix(Type::STREAM).connect(&addr).expect("the other one");
}
