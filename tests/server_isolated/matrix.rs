//! The four servers in the three ways of working: twelve cases, each with several clients at once, and as
//! many that end it while it starts. Nothing is left behind.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::os::fd::AsRawFd;
use std::thread;

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use readysock::server::{
    Builder, Datagram, Handler, Packets, Server, ShutdownHandle, Stream, TcpServer, Transport,
    UdpServer, UnixDatagramServer, UnixStreamServer, Works,
};
use readysock::{Addr, Socket, Type, UnixAddr};

use crate::support::isolated::Case;
use crate::support::servers::Folder;

const CLIENTS: usize = 6;
const STARTS: usize = 20;

/// Cases: a name, what to do with which server, where, and who serves.
macro_rules! cases {
    ($(($name:literal, $what:ident, $Server:ident::$way:ident($($limit:literal)?), $place:ident, $by:ident),)+) => {
        &[$(($name, || $place(|at| $what($Server::builder().$way($($limit)?), at, By::$by))),)+]
    };
}

pub const CASES: &[Case] = cases! {
    ("tcp_in_turn", streams, TcpServer::in_turn(), loopback, Thread),
    ("tcp_threads", streams, TcpServer::threads(4), loopback, Thread),
    ("tcp_processes", streams, TcpServer::processes(4), loopback, Child),
    ("udp_in_turn", packets, UdpServer::in_turn(), loopback, Thread),
    ("udp_threads", packets, UdpServer::threads(4), loopback, Thread),
    ("udp_processes", packets, UdpServer::processes(4), loopback, Child),
    ("unix_stream_in_turn", streams, UnixStreamServer::in_turn(), in_folder, Thread),
    ("unix_stream_threads", streams, UnixStreamServer::threads(4), in_folder, Thread),
    ("unix_stream_processes", streams, UnixStreamServer::processes(4), in_folder, Child),
    ("unix_datagram_in_turn", packets, UnixDatagramServer::in_turn(), in_folder, Thread),
    ("unix_datagram_threads", packets, UnixDatagramServer::threads(4), in_folder, Thread),
    ("unix_datagram_processes", packets, UnixDatagramServer::processes(4), in_folder, Child),

    ("racing_tcp_in_turn", race_streams, TcpServer::in_turn(), loopback, Thread),
    ("racing_tcp_threads", race_streams, TcpServer::threads(2), loopback, Thread),
    ("racing_tcp_processes", race_streams, TcpServer::processes(2), loopback, Child),
    ("racing_udp_in_turn", race_packets, UdpServer::in_turn(), loopback, Thread),
    ("racing_udp_threads", race_packets, UdpServer::threads(2), loopback, Thread),
    ("racing_udp_processes", race_packets, UdpServer::processes(2), loopback, Child),
    ("racing_unix_stream_in_turn", race_streams, UnixStreamServer::in_turn(), in_folder, Thread),
    ("racing_unix_stream_threads", race_streams, UnixStreamServer::threads(2), in_folder, Thread),
    ("racing_unix_stream_processes", race_streams, UnixStreamServer::processes(2), in_folder, Child),
    ("racing_unix_datagram_in_turn", race_packets, UnixDatagramServer::in_turn(), in_folder, Thread),
    ("racing_unix_datagram_threads", race_packets, UnixDatagramServer::threads(2), in_folder, Thread),
    ("racing_unix_datagram_processes", race_packets, UnixDatagramServer::processes(2), in_folder, Child),
};

/// Who serves. A server that forks has to be alone in its process: it gets one, and the clients' threads are here.
#[derive(Clone, Copy)]
enum By {
    Thread,
    Child,
}

fn loopback(case: impl FnOnce(Addr)) {
    case((Ipv4Addr::LOCALHOST, 0).into());
}

/// A path in a folder of the case's own, which has to be empty at the end.
fn in_folder(case: impl FnOnce(Addr)) {
    let folder = Folder::new("matrix");
    case(UnixAddr::from_pathname(folder.path("socket")).unwrap().into());
    assert!(folder.is_empty(), "the server has left its file");
}

fn echo_lines(stream: &mut Stream) -> io::Result<()> {
    let (reader, writer) = stream.split();
    for line in reader.lines() {
        writeln!(writer, "{}", line?)?;
    }
    Ok(())
}

fn echo_packet(datagram: &mut Datagram) -> io::Result<()> {
    datagram.reply(datagram.bytes())
}

type OnStream = fn(&mut Stream) -> io::Result<()>;
type OnDatagram = fn(&mut Datagram) -> io::Result<()>;

fn streams<T, W>(builder: Builder<T, W>, addr: Addr, by: By)
where
    T: Transport<Request = Stream>,
    W: Works<Stream, OnStream> + Send + 'static,
    Server<T, OnStream, W>: Send,
{
    exercise(builder, addr, by, echo_lines as OnStream, |server| {
        let socket = client(server, Type::STREAM);
        socket.connect(server).unwrap();
        let mut lines = BufReader::new(&socket).lines();
        for message in ["This is the message", "It will be sent", "in parts"] {
            socket.send_all(format!("{message}\n").as_bytes()).unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), message);
        }
        socket.shutdown(Shutdown::Write).unwrap();
        assert!(lines.next().is_none());
    });
}

fn packets<T, W>(builder: Builder<T, W>, addr: Addr, by: By)
where
    T: Packets,
    W: Works<Datagram, OnDatagram> + Send + 'static,
    Server<T, OnDatagram, W>: Send,
{
    exercise(builder, addr, by, echo_packet as OnDatagram, |server| {
        let socket = client(server, Type::DGRAM);
        named(&socket);
        let mut buffer = [0; 100];
        for message in ["This is the message", "", "in parts"] {
            assert_eq!(socket.send_to(message.as_bytes(), server).unwrap(), message.len());
            let (n, truncated, from) = socket.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..n], truncated), (message.as_bytes(), false));
            assert_eq!(from, *server);
        }
    });
}

fn client(server: &Addr, kind: Type) -> Socket {
    Socket::new(server.domain(), kind, None).unwrap()
}

/// Has the socket take an address that it can be answered at.
fn named(socket: &Socket) {
    match socket.local_addr().unwrap() {
        Addr::Unix(_) => socket.bind(UnixAddr::unnamed()).unwrap(),
        _ => socket.bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
    }
}

fn exercise<T, H, W>(builder: Builder<T, W>, addr: Addr, by: By, handler: H, converse: fn(&Addr))
where
    T: Transport,
    H: Handler<T::Request>,
    W: Works<T::Request, H>,
    Server<T, H, W>: Send,
{
    let before = Left::now();
    let server = builder.bind(addr, handler).unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    let use_it = || {
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let addr = &addr;
                thread::Builder::new()
                    .name(format!("client {client}"))
                    .spawn_scoped(scope, move || converse(addr))
                    .unwrap();
            }
        });
        handle.shutdown();
    };
    run(server, by, before.clone(), use_it);
    drop(handle);
    assert_eq!(Left::now(), before);
}

/// Serves until the other side has ended it, and looks at what it leaves.
fn run<T, H, W>(mut server: Server<T, H, W>, by: By, before: Left, use_it: impl FnOnce())
where
    T: Transport,
    H: Handler<T::Request>,
    W: Works<T::Request, H>,
    Server<T, H, W>: Send,
{
    match by {
        By::Thread => thread::scope(|scope| {
            let serves = scope.spawn(move || server.serve_forever().unwrap());
            use_it();
            serves.join().unwrap();
        }),
        By::Child => {
            // SAFETY: this process has one thread: the case's own.
            match unsafe { fork() }.unwrap() {
                ForkResult::Child => {
                    let result = server.serve_forever();
                    let in_hand = server.in_hand();
                    // Not dropped in the parent's copy: here the socket and its file come to their end.
                    let handle = server.shutdown_handle();
                    drop(server);
                    let after = Left::now();
                    let alone = matches!(waitpid(Pid::from_raw(-1), None), Err(Errno::ECHILD));
                    let well = result.is_ok() && in_hand == 0 && alone;
                    // The handle, which the other side has too, is one descriptor.
                    let clean = after.fds.len() == before.fds.len() + 1 && after.threads == 1;
                    if !well || !clean {
                        eprintln!("{result:?}, {in_hand} in hand, {after:?} after {before:?}");
                    }
                    drop(handle);
                    // SAFETY: it ends this process and touches nothing.
                    unsafe { nix::libc::_exit(i32::from(!(well && clean))) }
                }
                ForkResult::Parent { child } => {
                    use_it();
                    assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
                    // Its own copies of the descriptors; it never served.
                    drop(server);
                }
            }
        }
    }
}

/// A server, a client and two shutdowns at once, again and again: whatever comes first, it ends.
fn race<T, H, W>(
    builder: Builder<T, W>,
    addr: Addr,
    by: By,
    handler: H,
    clients: fn(&Addr, &ShutdownHandle),
) where
    T: Transport,
    H: Handler<T::Request> + Copy,
    W: Works<T::Request, H>,
    Server<T, H, W>: Send,
{
    let before = Left::now();
    for _ in 0..STARTS {
        let server = builder.clone().bind(addr.clone(), handler).unwrap();
        let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
        run(server, by, before.clone(), || clients(&addr, &handle));
        drop(handle);
        assert_eq!(Left::now(), before);
    }
}

fn twice_at_once(handle: &ShutdownHandle) {
    thread::scope(|scope| {
        scope.spawn(|| handle.shutdown());
        handle.shutdown();
    });
}

/// Who was connected before the end is answered.
fn race_streams<T, W>(builder: Builder<T, W>, addr: Addr, by: By)
where
    T: Transport<Request = Stream>,
    W: Works<Stream, OnStream>,
    Server<T, OnStream, W>: Send,
{
    race(builder, addr, by, echo_lines as OnStream, |server, handle| {
        let socket = client(server, Type::STREAM);
        socket.connect(server).unwrap();
        twice_at_once(handle);
        socket.send_all(b"hello\n").unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        (&socket).read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello\n");
    });
}

/// A packet is answered or is not.
fn race_packets<T, W>(builder: Builder<T, W>, addr: Addr, by: By)
where
    T: Packets,
    W: Works<Datagram, OnDatagram>,
    Server<T, OnDatagram, W>: Send,
{
    race(builder, addr, by, echo_packet as OnDatagram, |server, handle| {
        let socket = client(server, Type::DGRAM);
        named(&socket);
        assert_eq!(socket.send_to(b"hello", server).unwrap(), 5);
        twice_at_once(handle);
    });
}

/// What a server could leave behind in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    fds: Vec<i32>,
    threads: usize,
}

impl Left {
    fn now() -> Left {
        let folder = nix::dir::Dir::open(
            "/proc/self/fd",
            nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_CLOEXEC,
            nix::sys::stat::Mode::empty(),
        )
        .unwrap();
        let own = folder.as_raw_fd();
        let mut fds: Vec<i32> = folder
            .into_iter()
            .filter_map(|entry| entry.ok()?.file_name().to_str().ok()?.parse().ok())
            .filter(|fd| *fd != own)
            .collect();
        fds.sort_unstable();
        // A thread that was joined may be listed for a moment longer.
        let count = || fs::read_dir("/proc/self/task").unwrap().count();
        let mut threads = count();
        for _ in 0..1000 {
            if threads == 1 {
                break;
            }
            thread::yield_now();
            threads = count();
        }
        Left { fds, threads }
    }
}
