//! Servers of connections, in one process: clients that wait, keep silent, go away or talk too long.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use readysock::server::{Hooked, Problem, ShutdownHandle, Stream, TcpServer, UnixStreamServer};
use readysock::sockopt::{self, Linger, RcvBuf, SndBuf, SoLinger, TimestampFlags, Timestamping};
use readysock::{Addr, Events, PollFd, Socket, Type, UnixAddr, poll};

use crate::support::cpu_time;
use crate::support::servers::{LOOPBACK, connect, read_all, while_serving};
use crate::support::sockets::{LONG, SHORT, now, tcp, unix};

#[test]
fn the_queue_is_answered_at_the_end() {
    // A backlog below 0 is as much as the system allows.
    for (close, backlog) in [(false, 128), (true, 128), (false, -1), (true, i32::MIN)] {
        let builder = TcpServer::builder().backlog(backlog);
        let mut server =
            builder.bind(LOOPBACK, |stream: &mut Stream| stream.write_all(b"x")).unwrap();
        let addr = server.local_addr().unwrap();
        let clients: Vec<Socket> = (0..20).map(|_| connect(&addr)).collect();
        if close {
            server.close();
        } else {
            server.shutdown_handle().shutdown();
            server.serve_forever().unwrap();
            drop(server);
        }
        for client in &clients {
            assert_eq!(read_all(client), b"x");
        }
    }
}

/// At the end one at a time still gets in, and the server does not go on for as long as they come: it answers as many as may have been
/// in its queue, or refuses them.
#[test]
fn who_comes_at_the_end_does_not_keep_the_server() {
    for serve in [true, false] {
        let seen = Mutex::new(Vec::new());
        let handler = Hooked::new(|_: &mut Stream| Ok(())).on_verify(|stream: &Stream| {
            let mut seen = seen.lock().unwrap();
            let addr = stream.socket().local_addr().unwrap();
            // Where nothing ends it, the test does.
            let clients = if seen.len() < 50 { 3 } else { 0 };
            seen.push(connected(&addr, clients));
            serve
        });
        let builder = UnixStreamServer::builder().backlog(2).close_within(Duration::MAX);
        let mut server = builder.bind(UnixAddr::unnamed(), handler).unwrap();
        let _client = connect(&server.local_addr().unwrap());
        server.shutdown_handle().shutdown();
        server.serve_forever().unwrap();
        assert_eq!(*seen.lock().unwrap(), [[true, false, false]; 3], "{serve}");
    }
}

#[test]
fn over_the_limit_clients_wait() {
    const CLIENTS: usize = 200;
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, top) = (Arc::clone(&at_once), Arc::clone(&most));
    let (sender, started) = mpsc::channel();
    let sender = Mutex::new(sender);
    let handler = move |stream: &mut Stream| {
        top.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _ = sender.lock().unwrap().send(());
        let mut line = String::new();
        let read = stream.read_line(&mut line);
        let written = stream.write_all(line.as_bytes());
        count.fetch_sub(1, Ordering::SeqCst);
        read.and(written)
    };
    let builder = TcpServer::builder().backlog(256).threads(8);
    while_serving(builder.bind(LOOPBACK, handler).unwrap(), |addr, _| {
        let clients: Vec<Socket> = (0..CLIENTS).map(|_| connect(addr)).collect();
        for _ in 0..8 {
            started.recv_timeout(LONG).unwrap();
        }
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
        assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    }
    let ended = ended.lock().unwrap();
    assert_eq!(ended[..2], [ErrorKind::TimedOut; 2]);
    assert_eq!(ended[2..], [ErrorKind::ConnectionAborted; 2]);
}

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

/// The client has sent more than was read, and most of the answer is still on its way when the handler is done.
#[test]
fn an_answer_survives_a_client_that_still_sends() {
    const LENGTH: usize = 100_000;
    let server = TcpServer::bind(LOOPBACK, |stream: &mut Stream| {
        // The whole answer fits on this side, so that the handler does not wait for the client.
        sockopt::set(stream.socket(), SndBuf, 1 << 20)?;
        stream.socket().recv(&mut [0]).map(drop)?;
        stream.write_all(&[b'a'; LENGTH])
    });
    while_serving(server.unwrap(), |addr, _| {
        let client = Socket::new(addr.domain(), Type::STREAM, None).unwrap();
        sockopt::set(&client, RcvBuf, 4096).unwrap();
        client.connect(addr).unwrap();
        client.send_all(&[b'q'; 20_000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        // A reset would be here by now.
        let reset = poll(&mut [PollFd::of(&client, Events::empty())], 2 * SHORT).unwrap();
        assert_eq!(reset, 0);
        assert_eq!(read_all(&client).len(), LENGTH);
    });
}

/// A client that sends all it has before it reads, and more than fits on its way: the answer is there before most of that.
#[test]
fn an_answer_survives_a_client_that_sends_a_lot_before_it_reads() {
    const ANSWER: usize = 100_000;
    let server = TcpServer::bind(LOOPBACK, |stream: &mut Stream| {
        sockopt::set(stream.socket(), SndBuf, 1 << 20)?;
        stream.socket().recv(&mut [0]).map(drop)?;
        stream.write_all(&[b'a'; ANSWER])
    });
    while_serving(server.unwrap(), |addr, _| {
        let heard = || {
            let mut client = &Socket::new(addr.domain(), Type::STREAM, None).unwrap();
            sockopt::set(client, RcvBuf, 4096).unwrap();
            client.connect(addr).unwrap();
            client.send_all(&vec![b'q'; 8 << 20])?;
            client.shutdown(Shutdown::Write)?;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer)?;
            io::Result::Ok(answer.len())
        };
        // Where the machine is too busy for so much within the second that the server listens, another time.
        let heard = (0..10).map(|_| heard()).find(|heard| matches!(heard, Ok(ANSWER)));
        assert!(heard.is_some(), "the answer was cut off each time");
    });
}

/// They wait in the queue of errors, which makes the socket ready and no read empties.
#[test]
fn timestamps_of_an_answer_do_not_stretch_the_time() {
    let results = Mutex::new(Vec::new());
    let handler = |stream: &mut Stream| {
        let flags = TimestampFlags::TX_SOFTWARE | TimestampFlags::SOFTWARE;
        if let Err(error) = sockopt::set(stream.socket(), Timestamping, flags) {
            crate::support::skipped(&format!("timestamps of what is sent: {error}"));
        }
        stream.write_all(b"x")?;
        let used = cpu_time();
        let read = stream.read(&mut [0]).map_err(|error| error.kind());
        results.lock().unwrap().push((read, cpu_time() - used < 3 * SHORT));
        Ok(())
    };
    let builder = TcpServer::builder().client_timeout(6 * SHORT);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let client = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client), b"x");
    assert_eq!(*results.lock().unwrap(), [(Err(ErrorKind::TimedOut), true)]);
}

/// It has said something and keeps still: one who is served is listened to for a second then.
#[test]
fn a_refused_client_holds_nobody_up() {
    let asked = AtomicUsize::new(0);
    let handler = Hooked::new(|stream: &mut Stream| stream.write_all(b"x"))
        .on_verify(|_: &Stream| asked.fetch_add(1, Ordering::SeqCst) % 2 == 1);
    let mut server = TcpServer::builder().timeout(LONG).bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let mut turn = || {
        let (refused, served) = (connect(&addr), connect(&addr));
        refused.send_all(b"q").unwrap();
        let start = Instant::now();
        assert!(server.handle_request().unwrap());
        let took = start.elapsed();
        assert_eq!(read_all(&served), b"x");
        assert_eq!(read_all(&refused), b"");
        took
    };
    // On a busy machine one may be late for another reason.
    assert!((0..5).any(|_| turn() < Duration::from_millis(900)));
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
            return crate::support::skipped("no IPv6 here");
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
fn a_long_answer_to_a_client_that_reads_late() {
    const LENGTH: usize = 16 << 20;
    let (sender, started) = mpsc::channel();
    let sender = Mutex::new(sender);
    let server = TcpServer::bind(LOOPBACK, move |stream: &mut Stream| {
        // So much does not fit into the buffers of both ends: a write takes a part.
        let part = stream.write(&vec![b'a'; LENGTH])?;
        assert!(part < LENGTH, "{part}");
        sender.lock().unwrap().send(()).unwrap();
        stream.write_all(&vec![b'a'; LENGTH - part])
    });
    while_serving(server.unwrap(), |addr, _| {
        let client = connect(addr);
        started.recv_timeout(LONG).unwrap();
        assert_eq!(read_all(&client).len(), LENGTH);
    });
}

#[test]
fn a_client_that_never_reads_holds_nobody_up_for_ever() {
    let ended = Mutex::new(Vec::new());
    let handler = |stream: &mut Stream| loop {
        if let Err(error) = stream.write_all(&[b'a'; 1 << 16]) {
            ended.lock().unwrap().push(error.kind());
            return Err(error);
        }
    };
    let builder = TcpServer::builder().client_timeout(SHORT).timeout(LONG);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let _silent = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    let builder = TcpServer::builder().close_within(SHORT);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    server.shutdown_handle().shutdown();
    let _silent = connect(&server.local_addr().unwrap());
    server.serve_forever().unwrap();
    assert_eq!(*ended.lock().unwrap(), [ErrorKind::TimedOut, ErrorKind::ConnectionAborted]);
}

/// After the end was told the limits still are the ones that were set.
#[test]
fn work_in_hand_goes_on_within_its_own_limits() {
    let ends_itself = |stream: &mut Stream| {
        stream.shutdown_handle().shutdown();
        stream.write_all(b"told\n")?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        stream.write_all(line.as_bytes())
    };
    for close_within in [LONG, Duration::MAX] {
        // The client comes to its end in time ...
        for limit in [None, Some(LONG)] {
            let builder = TcpServer::builder().close_within(close_within).client_timeout(limit);
            while_serving(builder.bind(LOOPBACK, ends_itself).unwrap(), |addr, _| {
                let client = connect(addr);
                assert_eq!(client.recv(&mut [0; 5]).unwrap(), 5);
                client.send_all(b"late\n").unwrap();
                assert_eq!(read_all(&client), b"late\n");
            });
        }
        // ... or takes longer than it may.
        let problems = Mutex::new(Vec::new());
        let handler = Hooked::new(ends_itself).on_error(|problem: &Problem| {
            problems.lock().unwrap().push(problem.error().unwrap().kind());
        });
        let builder = TcpServer::builder().close_within(close_within).client_timeout(SHORT);
        while_serving(builder.bind(LOOPBACK, handler).unwrap(), |addr, _| {
            assert_eq!(read_all(&connect(addr)), b"told\n");
        });
        assert_eq!(*problems.lock().unwrap(), [ErrorKind::TimedOut]);
    }
    // Or the server's end comes before its own.
    let problems = Mutex::new(Vec::new());
    let handler = Hooked::new(ends_itself).on_error(|problem: &Problem| {
        problems.lock().unwrap().push(problem.error().unwrap().kind());
    });
    let builder = TcpServer::builder().close_within(SHORT).client_timeout(LONG);
    while_serving(builder.bind(LOOPBACK, handler).unwrap(), |addr, _| {
        assert_eq!(read_all(&connect(addr)), b"told\n");
    });
    assert_eq!(*problems.lock().unwrap(), [ErrorKind::ConnectionAborted]);
}

#[test]
fn a_wait_for_work_in_hand_costs_nothing() {
    let handler = |stream: &mut Stream| stream.read_exact(&mut [0]);
    let builder = TcpServer::builder().close_within(4 * SHORT).threads(2);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let _silent = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    let (start, used) = (Instant::now(), cpu_time());
    server.close();
    let (took, used) = (start.elapsed(), cpu_time() - used);
    assert!(took >= 4 * SHORT && used < took / 4, "{used:?} of CPU in {took:?}");
}

#[test]
fn a_client_that_talks_on_is_not_listened_to_for_ever() {
    let server = TcpServer::bind(LOOPBACK, |stream: &mut Stream| {
        stream.read_exact(&mut [0])?;
        stream.write_all(b"enough")
    });
    while_serving(server.unwrap(), |addr, _| {
        // One that sends without end,
        let talks = connect(addr);
        let mut said = 0;
        while talks.send_all(&[b'q'; 1 << 16]).is_ok() {
            said += 1 << 16;
        }
        assert!(said < 128 << 20, "{said}: more than 64 MiB and the buffers of both ends");
        // one that has sent more than was read, and keeps still.
        let keeps_still = connect(addr);
        keeps_still.send_all(&[b'q'; 1 << 16]).unwrap();
        // Both are left to themselves, so that the next has its turn.
        let next = connect(addr);
        next.send_all(b"q").unwrap();
        assert_eq!(read_all(&next), b"enough");
    });
}

#[test]
fn a_stream_is_read_by_lines_and_by_bytes_and_says_what_it_is() {
    let server = TcpServer::bind(LOOPBACK, |stream: &mut Stream| {
        let mut lines = String::new();
        stream.read_line(&mut lines)?;
        let buffered = stream.fill_buf()?.len();
        assert!(format!("{stream:?}").ends_with(&format!("buffered: {buffered} }}")), "{stream:?}");
        stream.read_line(&mut lines)?;
        assert_eq!(lines, "one\ntwo\n");
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        assert_eq!(byte, *b"t");
        let socket = format!("{:?}", stream.socket());
        let (reader, writer) = stream.split();
        assert_eq!(format!("{:?}", reader.get_ref()), format!("Source({socket})"));
        assert_eq!(format!("{writer:?}"), format!("Writer({socket})"));
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest)?;
        stream.write_all(&rest)
    });
    while_serving(server.unwrap(), |addr, _| {
        let client = connect(addr);
        client.send_all(b"one\ntwo\nthree").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&client), b"hree");
    });
}

#[test]
fn nothing_is_read_into_nothing() {
    let server = TcpServer::bind(LOOPBACK, |stream: &mut Stream| {
        let (reader, writer) = stream.split();
        // Neither asks the kernel: the client has sent nothing, and its end would be an error here.
        assert_eq!(reader.get_mut().read(&mut [])? + writer.write(&[])?, 0);
        writer.write_all(b"x")
    });
    while_serving(server.unwrap(), |addr, _| {
        let client = connect(addr);
        let mut byte = [0];
        assert_eq!(client.recv(&mut byte).unwrap(), 1);
    });
}

#[test]
fn as_many_wait_as_the_backlog_says() {
    let builder = UnixStreamServer::builder().backlog(3);
    let server = builder.bind(UnixAddr::unnamed(), |_: &mut Stream| Ok(())).unwrap();
    // Linux allows one more than was asked for.
    let connected = connected(&server.local_addr().unwrap(), 5);
    assert_eq!(connected, [true, true, true, true, false]);
}

/// Which of so many clients get into the queue.
fn connected(addr: &Addr, clients: usize) -> Vec<bool> {
    let clients: Vec<Socket> = (0..clients).map(|_| unix(Type::STREAM)).collect();
    clients
        .iter()
        .map(|client| client.set_nonblocking(true).and_then(|()| client.connect(addr)).is_ok())
        .collect()
}
