//! A server from its start to its end, in one process: hooks, the two ways to serve, shutdown.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use readysock::server::{
    Datagram, Handler, Hooked, ShutdownHandle, Stream, TcpServer, UdpServer, UnixStreamServer,
};
use readysock::sockopt::{self, ReuseAddr, ReusePort};
use readysock::{Addr, Socket, UnixAddr};

use crate::support::servers::{LOOPBACK, connect, read_all, while_serving};
use crate::support::sockets::{LONG, SHORT, udp};

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

/// Where a hook is not given, the handler's own is asked; where it is, only that one.
#[test]
fn hooks_around_a_handler_with_hooks() {
    let inner = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let outer = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let count = |counter: &AtomicUsize| {
        counter.fetch_add(1, Ordering::SeqCst);
    };
    let asked = |of: &(AtomicUsize, AtomicUsize, AtomicUsize)| {
        [&of.0, &of.1, &of.2].map(|counter| counter.swap(0, Ordering::SeqCst) > 0)
    };
    let handler = || {
        Hooked::new(|_: &mut Stream| Err(io::Error::other("no")))
            .on_verify(|_: &Stream| inner.0.fetch_add(1, Ordering::SeqCst) == 0)
            .on_error(|_| count(&inner.1))
            .on_service(|| count(&inner.2))
    };
    let one = |addr: &Addr, _: &ShutdownHandle| assert_eq!(read_all(&connect(addr)), b"");
    while_serving(TcpServer::bind(LOOPBACK, Hooked::new(handler())).unwrap(), one);
    assert_eq!((asked(&inner), asked(&outer)), ([true; 3], [false; 3]));
    let around = Hooked::new(handler())
        .on_service(|| count(&outer.2))
        .on_error(|_| count(&outer.1))
        .on_verify(|_: &Stream| outer.0.fetch_add(1, Ordering::SeqCst) == 0);
    while_serving(TcpServer::bind(LOOPBACK, around).unwrap(), one);
    assert_eq!((asked(&inner), asked(&outer)), ([false; 3], [true; 3]));
}

/// Its last step fails.
struct Ends<'a>(&'a AtomicUsize);

impl Handler<Stream> for Ends<'_> {
    type Session = usize;

    fn set_up(&self, _: &mut Stream) -> io::Result<usize> {
        Ok(3)
    }

    fn handle(&self, stream: &mut Stream, session: &mut usize) -> io::Result<()> {
        *session += 4;
        stream.write_all(b"thanks")
    }

    fn finish(&self, _: &mut Stream, session: usize) -> io::Result<()> {
        self.0.store(session, Ordering::SeqCst);
        Err(io::Error::other("at the end"))
    }
}

#[test]
fn hooks_around_a_handler_with_a_session() {
    let (finished, problems) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let handler = Hooked::new(Ends(&finished))
        .on_error(|problem| problems.lock().unwrap().push(problem.to_string()));
    assert!(format!("{handler:?}").starts_with("Hooked"));
    let client = while_serving(TcpServer::bind(LOOPBACK, handler).unwrap(), |addr, _| {
        let client = connect(addr);
        assert_eq!(read_all(&client), b"thanks");
        client.local_addr().unwrap()
    });
    assert_eq!(finished.into_inner(), 7);
    assert_eq!(*problems.lock().unwrap(), [format!("finish for {client}: at the end")]);
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
fn a_refused_request_is_not_the_one_that_is_waited_for() {
    let asked = AtomicUsize::new(0);
    let handler = Hooked::new(|stream: &mut Stream| stream.write_all(b"x"))
        .on_verify(|_: &Stream| asked.fetch_add(1, Ordering::SeqCst) > 0);
    let mut server = TcpServer::builder().timeout(LONG).bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let (refused, served) = (connect(&addr), connect(&addr));
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&refused), b"");
    assert_eq!(read_all(&served), b"x");
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

/// With nothing in hand there is nothing to wait for, whatever the limit is.
#[test]
fn a_server_ends_at_once_when_nothing_is_in_hand() {
    let builder = TcpServer::builder().close_within(Duration::MAX);
    while_serving(builder.clone().bind(LOOPBACK, |_: &mut Stream| Ok(())).unwrap(), |_, _| ());
    while_serving(builder.threads(2).bind(LOOPBACK, |_: &mut Stream| Ok(())).unwrap(), |_, _| ());
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

/// Alone, but not for ever: what they read and write ends with the time of the server.
#[test]
fn detached_threads_are_cut_off_all_the_same() {
    let (sender, ends) = mpsc::channel();
    let sender = Mutex::new(sender);
    let handler = move |stream: &mut Stream| {
        let ended = stream.read_exact(&mut [0]).expect_err("nobody sends");
        sender.lock().unwrap().send(ended.kind()).unwrap();
        Ok(())
    };
    let builder = TcpServer::builder().close_within(SHORT).threads(2).detached(true);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let _client = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    assert_eq!(server.in_hand(), 0);
    server.shutdown_handle().shutdown();
    server.serve_forever().unwrap();
    assert_eq!(ends.recv_timeout(LONG).unwrap(), ErrorKind::ConnectionAborted);
}

/// A thread that waits for its client behind the server's back is woken; one that waits for something else is left behind.
#[test]
fn what_is_cut_off_is_told() {
    let (sender, go_on) = mpsc::channel::<()>();
    let go_on = Mutex::new(go_on);
    let problems = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&problems);
    let (started, starts) = mpsc::channel();
    let started = Mutex::new(started);
    let handler = Hooked::new(move |stream: &mut Stream| {
        let mut what = [0];
        stream.read_exact(&mut what)?;
        started.lock().unwrap().send(()).unwrap();
        match what {
            [b'r'] => assert_eq!(stream.socket().recv(&mut what)?, 0),
            _ => drop(go_on.lock().unwrap().recv()),
        }
        Ok(())
    })
    .on_error(move |problem| told.lock().unwrap().push(problem.to_string()));
    let builder = TcpServer::builder().close_within(SHORT).threads(2);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let clients = [b"r", b"c"].map(|what| {
        let client = connect(&server.local_addr().unwrap());
        client.send_all(what).unwrap();
        assert!(server.handle_request().unwrap());
        starts.recv_timeout(LONG).unwrap();
        client
    });
    server.close();
    assert_eq!(read_all(&clients[0]), b"");
    let text = "close: 2 cut off when the time was over, of which 1 left behind";
    assert_eq!(*problems.lock().unwrap(), [text]);
    drop(sender);
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
        largest_packet(usize::MAX).unwrap_err(),
        largest_packet((64 << 20) + 1).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(
            (error.kind(), error.raw_os_error()),
            (ErrorKind::InvalidInput, None),
            "{error}"
        );
    }
    largest_packet(64 << 20).unwrap();
}

fn largest_packet(bytes: usize) -> io::Result<()> {
    let builder = UdpServer::builder().largest_packet(bytes);
    builder.bind(LOOPBACK, |_: &mut Datagram| Ok(())).map(drop)
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
fn options_are_set_as_asked() {
    let packet = |_: &mut Datagram| Ok(());
    let stream = |_: &mut Stream| Ok(());
    let (tcp, udp) = (TcpServer::builder, UdpServer::builder);
    let reuse = |server: &Socket| {
        (sockopt::get(server, ReuseAddr).unwrap(), sockopt::get(server, ReusePort).unwrap())
    };
    let of_tcp = [
        (tcp(), (true, false)),
        (tcp().reuse_addr(false), (false, false)),
        (tcp().reuse_addr(false).reuse_port(true), (false, true)),
    ];
    for (builder, expected) in of_tcp {
        assert_eq!(reuse(builder.bind(LOOPBACK, stream).unwrap().socket()), expected);
    }
    let of_udp = [
        (udp(), (false, false)),
        (udp().reuse_addr(true), (true, false)),
        (udp().reuse_port(true), (false, true)),
    ];
    for (builder, expected) in of_udp {
        assert_eq!(reuse(builder.bind(LOOPBACK, packet).unwrap().socket()), expected);
    }
}

#[test]
fn the_longest_times_are_for_ever() {
    let (sender, passes) = mpsc::channel();
    let sender = Mutex::new(sender);
    let handler = Hooked::new(|stream: &mut Stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        stream.write_all(&byte)
    })
    .on_service(move || sender.lock().unwrap().send(()).unwrap_or(()));
    let builder = TcpServer::builder()
        .timeout(Duration::MAX)
        .client_timeout(Duration::MAX)
        .close_within(Duration::MAX)
        .service_every(Duration::MAX)
        .threads(2);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let client = connect(&addr);
    assert!(server.handle_request().unwrap());
    assert!(passes.try_recv().is_err(), "that is for serve_forever");
    let second = while_serving(server, |addr, handle| {
        let second = connect(addr);
        passes.recv_timeout(LONG).unwrap();
        handle.shutdown();
        for client in [&client, &second] {
            client.send_all(b"x").unwrap();
            assert_eq!(read_all(client), b"x");
        }
        second
    });
    assert_eq!(read_all(&second), b"");
}

#[test]
fn a_server_says_what_it_is() {
    let (sender, go_on) = mpsc::channel::<()>();
    let go_on = Mutex::new(go_on);
    let handler = move |_: &mut Stream| {
        let _ = go_on.lock().unwrap().recv();
        Ok(())
    };
    let mut server = TcpServer::builder().threads(2).bind(LOOPBACK, handler).unwrap();
    let client = connect(&server.local_addr().unwrap());
    assert_eq!(server.in_hand(), 0);
    assert!(server.handle_request().unwrap());
    assert_eq!(server.in_hand(), 1);
    let said = format!("{server:?}");
    assert!(said.contains("in_hand: 1") && said.contains("told_to_end: false"), "{said}");
    server.shutdown_handle().shutdown();
    let said = format!("{server:?}");
    assert!(said.contains("told_to_end: true"), "{said}");
    drop(sender);
    server.serve_forever().unwrap();
    assert_eq!(server.in_hand(), 0);
    assert_eq!(read_all(&client), b"");
}

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
