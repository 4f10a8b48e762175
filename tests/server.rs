//! Servers at the edges, in one process: hooks, limits, times, packets, files.

mod support;

use std::fs;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use readysock::server::{
    Datagram, Handler, Hooked, Server, ShutdownHandle, Step, Stream, TcpServer, Transport,
    UdpServer, UnixDatagramServer, UnixStreamServer, Works,
};
use readysock::sockopt::{self, Linger, SoLinger};
use readysock::{Addr, Domain, Events, Socket, Type, UnixAddr};

use support::sockets::{LONG, SHORT, now, tcp, udp, unix};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

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

/// Serves in a thread while `during` runs, and then tells it to end.
fn while_serving<T, H, W, O>(
    mut server: Server<T, H, W>,
    during: impl FnOnce(&Addr, &ShutdownHandle) -> O,
) -> O
where
    T: Transport,
    H: Handler<T::Request>,
    W: Works<T::Request, H>,
    Server<T, H, W>: Send,
{
    let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
    thread::scope(|scope| {
        let serves = scope.spawn(move || server.serve_forever().unwrap());
        // Also when `during` fails, or the test would hang instead.
        let end = End(&handle);
        let out = during(&addr, &handle);
        drop(end);
        serves.join().unwrap();
        out
    })
}

struct End<'a>(&'a ShutdownHandle);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

/// A folder of the test's own, removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("rs-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    /// A path in it of so many bytes.
    fn path_of(&self, len: usize) -> PathBuf {
        let base = self.0.as_os_str().len() + 1;
        self.0.join("x".repeat(len - base))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

// Three steps, hooks, panics.

/// Says which steps were taken, and fails in one of them.
struct Steps {
    panics_in: Option<Step>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Steps {
    fn step(&self, step: Step) -> io::Result<()> {
        self.log.lock().unwrap().push(step.to_string());
        assert!(self.panics_in != Some(step), "in {step}");
        Ok(())
    }
}

impl Handler<Stream> for Steps {
    type Session = u32;

    fn set_up(&self, _: &mut Stream) -> io::Result<u32> {
        self.step(Step::SetUp).map(|()| 7)
    }

    fn handle(&self, stream: &mut Stream, session: &mut u32) -> io::Result<()> {
        stream.write_all(b"hello")?;
        *session += 1;
        self.step(Step::Handle)
    }

    fn finish(&self, _: &mut Stream, session: u32) -> io::Result<()> {
        assert_eq!(session, 8);
        self.step(Step::Finish)
    }

    fn verify(&self, _: &Stream) -> bool {
        self.step(Step::Verify).is_ok()
    }

    fn error(&self, problem: &readysock::server::Problem) {
        self.log.lock().unwrap().push(problem.panic().unwrap().to_owned());
        assert!(problem.peer().is_some() && problem.error().is_none());
        panic!("also in the hook");
    }
}

#[test]
fn a_panic_in_any_step_ends_that_request_only() {
    let expected: [(Option<Step>, &[u8], &[&str]); 5] = [
        (None, b"hello", &["verify", "set up", "handle", "finish"]),
        (Some(Step::Verify), b"", &["verify", "in verify"]),
        (Some(Step::SetUp), b"", &["verify", "set up", "in set up"]),
        (Some(Step::Handle), b"hello", &["verify", "set up", "handle", "in handle", "finish"]),
        (Some(Step::Finish), b"hello", &["verify", "set up", "handle", "finish", "in finish"]),
    ];
    for (panics_in, answer, steps) in expected {
        let log = Arc::new(Mutex::new(Vec::new()));
        let one = |addr: &Addr, _: &ShutdownHandle| {
            for _ in 0..2 {
                assert_eq!(read_all(&connect(addr)), answer, "{panics_in:?}");
            }
        };
        let handler = || Steps { panics_in, log: Arc::clone(&log) };
        while_serving(TcpServer::bind(LOOPBACK, handler()).unwrap(), one);
        // One thread at a time, so that the steps of two clients do not mix.
        let server = TcpServer::builder().threads(1).bind(LOOPBACK, handler()).unwrap();
        while_serving(server, one);
        let log = log.lock().unwrap();
        assert_eq!(*log, steps.repeat(4), "{panics_in:?}");
    }
}

#[test]
fn hooks_are_called() {
    let problems = Mutex::new(Vec::new());
    let passes = AtomicUsize::new(0);
    let asked = AtomicUsize::new(0);
    let handler = Hooked::new(|_: &mut Stream| Err(io::Error::other("no")))
        .on_error(|problem| problems.lock().unwrap().push(problem.to_string()))
        .on_verify(|_: &Stream| asked.fetch_add(1, Ordering::SeqCst) != 0)
        .on_service(|| {
            passes.fetch_add(1, Ordering::SeqCst);
        });
    let server = TcpServer::bind(LOOPBACK, handler).unwrap();
    let second = while_serving(server, |addr, _| {
        assert_eq!(read_all(&connect(addr)), b"", "refused");
        let second = connect(addr);
        assert_eq!(read_all(&second), b"");
        second.local_addr().unwrap()
    });
    assert_eq!(*problems.lock().unwrap(), [format!("handle for {second}: no")]);
    assert!(passes.load(Ordering::SeqCst) >= 3, "{passes:?}");
}

#[test]
fn service_is_called_as_often_as_asked() {
    let (sender, passes) = mpsc::channel();
    let sender = Mutex::new(sender);
    let handler = Hooked::new(|_: &mut Stream| Ok(())).on_service(move || {
        let _ = sender.lock().unwrap().send(Instant::now());
    });
    let server = TcpServer::builder().service_every(SHORT).bind(LOOPBACK, handler).unwrap();
    while_serving(server, |_, _| {
        let first = passes.recv_timeout(LONG).unwrap();
        let second = passes.recv_timeout(LONG).unwrap();
        assert!(second - first >= SHORT - Duration::from_millis(1), "{:?}", second - first);
    });
}

// handle_request, serve_forever, shutdown.

#[test]
fn handle_request_says_whether_it_served() {
    let builder = TcpServer::builder().timeout(SHORT);
    let mut server = builder.bind(LOOPBACK, |_: &mut Stream| Ok(())).unwrap();
    let start = Instant::now();
    assert!(!server.handle_request().unwrap());
    assert!(start.elapsed() >= SHORT);
    let client = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client), b"");
    assert!(!server.handle_request().unwrap());
    server.shutdown_handle().shutdown();
    assert!(!server.handle_request().unwrap());
}

#[test]
fn shutdown_before_and_twice_and_from_a_handler() {
    let mut server = UdpServer::bind(LOOPBACK, |_: &mut Datagram| Ok(())).unwrap();
    let handle = server.shutdown_handle();
    handle.shutdown();
    handle.clone().shutdown();
    server.serve_forever().unwrap();
    server.serve_forever().unwrap();
    assert!(handle.is_shut_down());
    drop(server);
    handle.shutdown();

    let ends = |stream: &mut Stream| {
        stream.shutdown_handle().shutdown();
        stream.write_all(b"bye")
    };
    let mut server = TcpServer::bind(LOOPBACK, ends).unwrap();
    let client = connect(&server.local_addr().unwrap());
    server.serve_forever().unwrap();
    assert_eq!(read_all(&client), b"bye");
    let mut server = TcpServer::builder().threads(2).bind(LOOPBACK, ends).unwrap();
    let client = connect(&server.local_addr().unwrap());
    server.serve_forever().unwrap();
    assert_eq!(read_all(&client), b"bye");

    let mut server = UdpServer::bind(LOOPBACK, |datagram: &mut Datagram| {
        datagram.shutdown_handle().shutdown();
        Ok(())
    })
    .unwrap();
    assert_eq!(udp().send_to(b"", server.local_addr().unwrap()).unwrap(), 0);
    server.serve_forever().unwrap();
}

#[test]
fn the_queue_is_answered_at_the_end() {
    let mut server =
        TcpServer::bind(LOOPBACK, |stream: &mut Stream| stream.write_all(b"x")).unwrap();
    let addr = server.local_addr().unwrap();
    let clients: Vec<Socket> = (0..20).map(|_| connect(&addr)).collect();
    server.shutdown_handle().shutdown();
    server.serve_forever().unwrap();
    drop(server);
    for client in &clients {
        assert_eq!(read_all(client), b"x");
    }
}

/// Reads a line, which never comes, and says how that ended.
fn wait_for_a_line(stream: &mut Stream, ended: &Mutex<Vec<ErrorKind>>) -> io::Result<()> {
    let error = stream.read_line(&mut String::new()).expect_err("nobody writes");
    ended.lock().unwrap().push(error.kind());
    Err(error)
}

#[test]
fn a_client_that_never_sends_holds_nobody_up_for_ever() {
    let ended = Arc::new(Mutex::new(Vec::new()));
    let handler = || {
        let ended = Arc::clone(&ended);
        move |stream: &mut Stream| wait_for_a_line(stream, &ended)
    };
    // Its own time is over.
    let builder = TcpServer::builder().client_timeout(SHORT);
    while_serving(builder.clone().bind(LOOPBACK, handler()).unwrap(), |addr, _| {
        assert_eq!(read_all(&connect(addr)), b"");
    });
    while_serving(builder.threads(2).bind(LOOPBACK, handler()).unwrap(), |addr, _| {
        assert_eq!(read_all(&connect(addr)), b"");
    });
    // The server's is.
    let builder = TcpServer::builder().close_within(SHORT);
    for threads in [false, true] {
        let (sender, started) = mpsc::channel();
        let inner = handler();
        let sender = Mutex::new(sender);
        let handler = move |stream: &mut Stream| {
            sender.lock().unwrap().send(()).unwrap();
            inner(stream)
        };
        let started = |addr: &Addr, _: &ShutdownHandle| {
            let silent = connect(addr);
            started.recv_timeout(LONG).unwrap();
            silent
        };
        let start = Instant::now();
        if threads {
            let server = builder.clone().threads(2).bind(LOOPBACK, handler).unwrap();
            while_serving(server, started);
        } else {
            while_serving(builder.clone().bind(LOOPBACK, handler).unwrap(), started);
        }
        assert!(start.elapsed() >= SHORT && start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    }
    let ended = ended.lock().unwrap();
    assert_eq!(ended[..2], [ErrorKind::TimedOut; 2]);
    // A connection that was cut reads as its end, or as the error, whichever is first.
    assert_eq!(ended[2], ErrorKind::ConnectionAborted);
    assert_eq!(ended.len(), 4);
}

#[test]
fn a_server_ends_at_once_when_nothing_is_in_hand() {
    let server = TcpServer::builder().threads(2).bind(LOOPBACK, |_: &mut Stream| Ok(())).unwrap();
    let start = Instant::now();
    while_serving(server, |_, _| ());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn threads_are_left_alone_when_detached() {
    let (sender, go_on) = mpsc::channel::<()>();
    let go_on = Mutex::new(go_on);
    let (started, starts) = mpsc::channel();
    let started = Mutex::new(started);
    let handler = move |stream: &mut Stream| {
        started.lock().unwrap().send(()).unwrap();
        let _ = go_on.lock().unwrap().recv();
        stream.write_all(b"late")
    };
    let server = TcpServer::builder().threads(2).detached(true).bind(LOOPBACK, handler).unwrap();
    let client = while_serving(server, |addr, _| {
        let client = connect(addr);
        starts.recv_timeout(LONG).unwrap();
        client
    });
    sender.send(()).unwrap();
    assert_eq!(read_all(&client), b"late");
}

#[test]
fn over_the_limit_clients_wait() {
    const CLIENTS: usize = 200;
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, top) = (Arc::clone(&at_once), Arc::clone(&most));
    let handler = move |stream: &mut Stream| {
        top.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let mut line = String::new();
        let read = stream.read_line(&mut line);
        let written = stream.write_all(line.as_bytes());
        count.fetch_sub(1, Ordering::SeqCst);
        read.and(written)
    };
    let builder = TcpServer::builder().backlog(256).threads(8);
    while_serving(builder.bind(LOOPBACK, handler).unwrap(), |addr, _| {
        let clients: Vec<Socket> = (0..CLIENTS).map(|_| connect(addr)).collect();
        // The last first: those at the front of the queue hold the eight threads until then.
        for (number, client) in clients.iter().enumerate().rev() {
            client.send_all(format!("{number}\n").as_bytes()).unwrap();
        }
        for (number, client) in clients.iter().enumerate() {
            assert_eq!(read_all(client), format!("{number}\n").as_bytes());
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 8);
}

// Connections.

#[test]
fn a_client_reset_before_accept_does_not_matter() {
    let mut server = TcpServer::builder()
        .timeout(LONG)
        .bind(LOOPBACK, |stream: &mut Stream| stream.write_all(b"x"))
        .unwrap();
    let addr = server.local_addr().unwrap();
    let gone = connect(&addr);
    sockopt::set(&gone, SoLinger, Linger::Abort).unwrap();
    drop(gone);
    let client = connect(&addr);
    // Linux hands the reset one out; whether or not it does, the next is served.
    while now(&client, Events::IN).is_empty() {
        assert!(server.handle_request().unwrap());
    }
    assert_eq!(read_all(&client), b"x");
}

#[test]
fn an_answer_survives_a_client_that_still_sends() {
    let server = TcpServer::bind(LOOPBACK, |stream: &mut Stream| {
        let mut first = [0];
        stream.socket().recv(&mut first).map(drop)?;
        stream.write_all(&[b'a'; 100_000])
    });
    while_serving(server.unwrap(), |addr, _| {
        let client = connect(addr);
        client.send_all(&[b'q'; 200_000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&client).len(), 100_000);
    });
}

#[test]
fn an_ipv4_client_on_a_dual_stack_server() {
    let any = (Ipv6Addr::UNSPECIFIED, 0);
    let handler = |stream: &mut Stream| {
        let peer = stream.peer_addr().to_string();
        stream.write_all(peer.as_bytes())
    };
    let both = match TcpServer::builder().ipv6_only(false).bind(any, handler) {
        Ok(server) => server,
        Err(error) if error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT) => {
            return support::skipped("no IPv6 here");
        }
        Err(error) => panic!("{error}"),
    };
    while_serving(both, |addr, _| {
        let port = addr.as_internet().unwrap().port();
        let client = connect(&(Ipv4Addr::LOCALHOST, port).into());
        let own = client.local_addr().unwrap().as_internet().unwrap().port();
        assert_eq!(
            String::from_utf8(read_all(&client)).unwrap(),
            format!("[::ffff:127.0.0.1]:{own}")
        );
    });
    let only = TcpServer::builder().ipv6_only(true).bind(any, handler).unwrap();
    let port = only.local_addr().unwrap().as_internet().unwrap().port();
    let refused = tcp().connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn an_address_can_be_used_again_at_once_and_shared_on_request() {
    let handler = |_: &mut Stream| Ok(());
    let mut server = TcpServer::bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let client = connect(&addr);
    server.handle_request().unwrap();
    assert_eq!(read_all(&client), b""); // the server has closed first: TIME_WAIT is on its side
    drop((server, client));
    let server = TcpServer::bind(&addr, handler).unwrap();
    let taken = TcpServer::bind(&addr, handler).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    drop(server);

    let first = TcpServer::builder().reuse_port(true).bind(LOOPBACK, handler).unwrap();
    let addr = first.local_addr().unwrap();
    TcpServer::builder().reuse_port(true).bind(addr, handler).unwrap();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let handler = |_: &mut Stream| Ok(());
    let name: Addr = UnixAddr::from_abstract_name("nowhere").unwrap().into();
    let refused = [
        TcpServer::bind(name, handler).unwrap_err(),
        TcpServer::builder().ipv6_only(true).bind(LOOPBACK, handler).unwrap_err(),
        TcpServer::builder().threads(0).bind(LOOPBACK, handler).unwrap_err(),
        UnixStreamServer::bind(LOOPBACK, handler).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(
            (error.kind(), error.raw_os_error()),
            (ErrorKind::InvalidInput, None),
            "{error}"
        );
    }
}

// Packets.

#[test]
fn packets_of_every_length() {
    for largest in [65535, 100] {
        let log = Mutex::new(Vec::new());
        let server =
            UdpServer::builder().largest_packet(largest).bind(LOOPBACK, |packet: &mut Datagram| {
                log.lock().unwrap().push((packet.bytes().len(), packet.is_truncated()));
                packet.reply(packet.bytes())
            });
        let client = udp();
        while_serving(server.unwrap(), |addr, _| {
            let mut buffer = vec![0; 65536];
            for (len, back) in
                [(0, 0), (100, 100), (101, 101.min(largest)), (65507, 65507.min(largest))]
            {
                assert_eq!(client.send_to(&vec![7; len], addr).unwrap(), len);
                assert_eq!(client.recv_from(&mut buffer).unwrap().0, back);
            }
        });
        let cut = largest == 100;
        let expected =
            [(0, false), (100, false), (101.min(largest), cut), (65507.min(largest), cut)];
        assert_eq!(*log.lock().unwrap(), expected);
    }
}

#[test]
fn a_reply_that_is_too_long_is_the_handlers_error() {
    let problems = Mutex::new(Vec::new());
    let handler = Hooked::new(|packet: &mut Datagram| {
        let _ = packet.reply(b"first");
        packet.reply(&[0; 65508])
    })
    .on_error(|problem| {
        problems.lock().unwrap().push(problem.error().unwrap().raw_os_error());
    });
    let client = udp();
    while_serving(UdpServer::bind(LOOPBACK, handler).unwrap(), |addr, _| {
        assert_eq!(client.send_to(b"x", addr).unwrap(), 1);
        assert_eq!(client.recv(&mut [0; 10]).unwrap(), 5);
    });
    assert_eq!(*problems.lock().unwrap(), [Some(nix::libc::EMSGSIZE)]);
}

#[test]
fn no_reply_is_no_packet() {
    let server = UdpServer::bind(LOOPBACK, |packet: &mut Datagram| {
        if packet.bytes() == b"answer" { packet.reply(b"here") } else { Ok(()) }
    });
    let client = udp();
    while_serving(server.unwrap(), |addr, _| {
        for message in ["be silent", "answer"] {
            assert_eq!(client.send_to(message.as_bytes(), addr).unwrap(), message.len());
        }
        let mut buffer = [0; 10];
        let (n, ..) = client.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"here");
    });
}

#[test]
fn a_sender_without_a_name_cannot_be_answered() {
    let (sender, results) = mpsc::channel();
    let sender = Mutex::new(sender);
    let server = UnixDatagramServer::bind(UnixAddr::unnamed(), move |packet: &mut Datagram| {
        let unnamed = packet.sender().as_unix().unwrap().is_unnamed();
        sender.lock().unwrap().send((unnamed, packet.reply(b"x"))).unwrap();
        Ok(())
    });
    while_serving(server.unwrap(), |addr, _| {
        assert_eq!(unix(Type::DGRAM).send_to(b"x", addr).unwrap(), 1);
        let (unnamed, result) = results.recv_timeout(LONG).unwrap();
        let error = result.unwrap_err();
        assert!(unnamed && error.kind() == ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("bind"), "{error}");
    });
}

#[test]
fn a_reply_to_somebody_gone_does_not_end_the_server() {
    let server = UdpServer::bind(LOOPBACK, |packet: &mut Datagram| packet.reply(b"x")).unwrap();
    while_serving(server, |addr, _| {
        for _ in 0..3 {
            assert_eq!(udp().send_to(b"gone before the answer", addr).unwrap(), 22);
        }
        let client = udp();
        assert_eq!(client.send_to(b"here", addr).unwrap(), 4);
        assert_eq!(client.recv(&mut [0; 10]).unwrap(), 1);
    });
}

// Files.

#[test]
fn paths_up_to_107_bytes() {
    let folder = Folder::new("paths");
    let addr = UnixAddr::from_pathname(folder.path_of(107)).unwrap();
    let server = UnixStreamServer::bind(&addr, |stream: &mut Stream| stream.write_all(b"x"));
    while_serving(server.unwrap(), |addr, _| {
        assert_eq!(addr.as_unix().unwrap().as_pathname().unwrap().as_os_str().len(), 107);
        assert_eq!(read_all(&connect(addr)), b"x");
    });
    assert!(!folder.path_of(107).exists());
    for len in [108, 109] {
        let error = UnixAddr::from_pathname(folder.path_of(len)).unwrap_err();
        assert!(error.to_string().contains("107 bytes"), "{error}");
    }
}

#[test]
fn a_stale_file_is_replaced_on_request() {
    let folder = Folder::new("stale");
    let path = folder.path_of(60);
    let addr = UnixAddr::from_pathname(&path).unwrap();
    for kind in [Type::STREAM, Type::DGRAM] {
        let left_behind = unix(kind);
        left_behind.bind(&addr).unwrap();
        drop(left_behind);
        assert!(path.exists());
        let replaced = if kind == Type::STREAM {
            let handler = |_: &mut Stream| Ok(());
            let in_use = UnixStreamServer::bind(&addr, handler).unwrap_err();
            assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
            UnixStreamServer::builder().replace_stale(true).bind(&addr, handler).map(drop)
        } else {
            let handler = |_: &mut Datagram| Ok(());
            let in_use = UnixDatagramServer::bind(&addr, handler).unwrap_err();
            assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
            UnixDatagramServer::builder().replace_stale(true).bind(&addr, handler).map(drop)
        };
        replaced.unwrap();
        assert!(!path.exists());
    }
}

#[test]
fn what_is_alive_or_no_socket_is_not_replaced() {
    let folder = Folder::new("alive");
    let path = folder.path_of(60);
    let addr = UnixAddr::from_pathname(&path).unwrap();
    let try_it = || {
        let stream = UnixStreamServer::builder().replace_stale(true);
        let packet = UnixDatagramServer::builder().replace_stale(true);
        for error in [
            stream.bind(&addr, |_: &mut Stream| Ok(())).unwrap_err(),
            packet.bind(&addr, |_: &mut Datagram| Ok(())).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
        }
        assert!(fs::symlink_metadata(&path).is_ok());
    };
    for kind in [Type::STREAM, Type::DGRAM] {
        let alive = Socket::new(Domain::UNIX, kind, None).unwrap();
        alive.bind(&addr).unwrap();
        if kind == Type::STREAM {
            alive.listen(0).unwrap();
        }
        try_it();
        if kind == Type::STREAM {
            // The first knock filled the queue: one that is full is alive, too.
            try_it();
        }
        fs::remove_file(&path).unwrap();
    }
    fs::write(&path, "somebody's").unwrap();
    try_it();
    assert_eq!(fs::read(&path).unwrap(), b"somebody's");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    try_it();
}

#[test]
fn anothers_file_is_not_removed() {
    let folder = Folder::new("other");
    let path = folder.path_of(60);
    let addr = UnixAddr::from_pathname(&path).unwrap();
    let handler = |_: &mut Stream| Ok(());
    let first = UnixStreamServer::bind(&addr, handler).unwrap();
    fs::rename(&path, folder.path_of(61)).unwrap();
    let second = UnixStreamServer::bind(&addr, handler).unwrap();
    drop(first);
    assert!(path.exists(), "the second server's");
    drop(second);
    assert!(!path.exists());
}

// Types: Send is asked for by threads only.

#[test]
fn a_handler_that_stays_in_its_thread() {
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let handler = |stream: &mut Stream| {
        seen.borrow_mut().push(stream.peer_addr().clone());
        Ok(())
    };
    let mut server = TcpServer::bind(LOOPBACK, handler).unwrap();
    let client = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    assert_eq!(*seen.borrow(), [client.local_addr().unwrap()]);
    assert_eq!(read_all(&client), b"");
}
