//! How a connection is closed, and how a server ends with clients in its queue.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, recv};
use readysock::server::{Hooked, Problem, Step, Stream, TcpServer};
use readysock::sockopt::{self, TimestampFlags, Timestamping};
use readysock::{Events, Socket, libc};

use crate::support::servers::{LOOPBACK, connect, read_all, while_serving};
use crate::support::sockets::{LONG, SHORT, errno, now, wait};
use crate::support::{cpu_time, skipped};

/// They wait in the queue of errors, which makes the socket ready although the client says no more.
#[test]
fn timestamps_of_an_answer_do_not_end_the_drain() {
    const DRAIN: Duration = Duration::from_secs(1);
    let handler = |stream: &mut Stream| {
        // It stays unread.
        wait(stream.socket(), Events::IN);
        let flags = TimestampFlags::TX_SOFTWARE | TimestampFlags::SOFTWARE;
        let stamps = sockopt::set(stream.socket(), Timestamping, flags);
        stream.write_all(b"x")?;
        match stamps {
            Ok(()) => drop(wait(stream.socket(), Events::empty())),
            Err(error) => skipped(&format!("timestamps of what is sent: {error}")),
        }
        Ok(())
    };
    let mut server = TcpServer::bind(LOOPBACK, handler).unwrap();
    let client = connect(&server.local_addr().unwrap());
    client.send_all(b"q").unwrap();
    let (start, used) = (Instant::now(), cpu_time());
    assert!(server.handle_request().unwrap());
    assert!(start.elapsed() >= DRAIN, "{:?}: a client that talks was not heard", start.elapsed());
    assert!(cpu_time() - used < DRAIN / 2, "it did not wait");
    assert_eq!(read_all(&client), b"x");
}

/// All of it is taken, or the close would be a reset.
#[test]
fn a_refused_client_that_has_said_more_sees_an_end() {
    const LENGTH: usize = 30_000;
    let asked = AtomicUsize::new(0);
    let handler =
        Hooked::new(|stream: &mut Stream| stream.write_all(b"x")).on_verify(|stream: &Stream| {
            if asked.fetch_add(1, Ordering::SeqCst) > 0 {
                return true;
            }
            let (fd, mut there) = (stream.socket().as_raw_fd(), vec![0; LENGTH]);
            while recv(fd, &mut there, MsgFlags::MSG_PEEK).unwrap() < LENGTH {
                thread::yield_now();
            }
            false
        });
    let mut server = TcpServer::builder().timeout(LONG).bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let (refused, served) = (connect(&addr), connect(&addr));
    refused.send_all(&[b'q'; LENGTH]).unwrap();
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&served), b"x");
    assert_eq!(read_all(&refused), b"");
    assert_eq!(now(&refused, Events::empty()), Events::empty());
}

/// Also of those who waited in the queue no more are served at once than the server may.
#[test]
fn at_the_end_no_more_work_than_before() {
    static WORKING: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let handler = |stream: &mut Stream| {
        MOST.fetch_max(WORKING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Time for another one to begin.
        for _ in 0..1000 {
            thread::yield_now();
        }
        stream.write_all(b"x")?;
        WORKING.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    };
    let mut server = TcpServer::builder().threads(1).bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let clients: Vec<Socket> = (0..5).map(|_| connect(&addr)).collect();
    server.shutdown_handle().shutdown();
    server.serve_forever().unwrap();
    for client in &clients {
        assert_eq!(read_all(client), b"x");
    }
    assert_eq!(MOST.load(Ordering::SeqCst), 1);
}

/// It was busy with something else while the server cut its connection off: that must not look like a client who has said all.
#[test]
fn who_reads_after_it_was_cut_off_is_told() {
    let (started, starts) = mpsc::channel();
    let (sender, go_on) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let channels = Mutex::new((started, go_on, tell));
    let handler = move |stream: &mut Stream| {
        let channels = channels.lock().unwrap();
        channels.0.send(()).unwrap();
        let _ = channels.1.recv();
        channels.2.send(stream.read(&mut [0]).map_err(|error| error.kind())).unwrap();
        Ok(())
    };
    let builder = TcpServer::builder().close_within(SHORT).threads(1);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let _client = connect(&server.local_addr().unwrap());
    assert!(server.handle_request().unwrap());
    starts.recv_timeout(LONG).unwrap();
    server.close();
    drop(sender);
    assert_eq!(told.recv_timeout(LONG).unwrap(), Err(ErrorKind::ConnectionAborted));
}

/// One who always has something to say, or always listens, is never waited for: his time is over all the same.
#[test]
fn who_never_keeps_still_is_cut_off() {
    let results = Mutex::new(Vec::new());
    let handler = |stream: &mut Stream| {
        wait(stream.socket(), Events::IN);
        stream.shutdown_handle().shutdown();
        let read = stream.read(&mut [0]).map_err(|error| error.kind());
        let written = stream.write(b"x").map_err(|error| error.kind());
        results.lock().unwrap().extend([read, written]);
        Ok(())
    };
    let builder = TcpServer::builder().close_within(Duration::ZERO);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let client = connect(&server.local_addr().unwrap());
    client.send_all(b"q").unwrap();
    server.serve_forever().unwrap();
    assert_eq!(*results.lock().unwrap(), [Err(ErrorKind::ConnectionAborted); 2]);
}

/// One client has used up the time of all: who is behind it in the queue gets no answer, which is told.
#[test]
fn who_is_left_in_the_queue_is_told_of() {
    let problems = Mutex::new(Vec::new());
    let handler = Hooked::new(|stream: &mut Stream| {
        stream.shutdown_handle().shutdown();
        stream.read(&mut [0]).map(drop)
    })
    .on_error(|problem: &Problem| problems.lock().unwrap().push(problem.step()));
    let builder = TcpServer::builder().close_within(SHORT);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let addr = server.local_addr().unwrap();
    let _silent = connect(&addr);
    let left = connect(&addr);
    server.serve_forever().unwrap();
    drop(server);
    assert_eq!(*problems.lock().unwrap(), [Step::Handle, Step::Close]);
    assert_eq!(errno((&left).read(&mut [0])), libc::ECONNRESET);
}

/// Values that a handler keeps for its thread are dropped at the end of that, which may take its time: the others do not wait for it.
#[test]
fn a_thread_that_takes_its_time_to_end_holds_nobody_up() {
    struct Slow(mpsc::Receiver<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }
    thread_local!(static SLOW: RefCell<Option<Slow>> = const { RefCell::new(None) });
    let (ends, end) = mpsc::channel();
    let slow = Mutex::new(Some(Slow(end)));
    let handler = move |stream: &mut Stream| {
        if let Some(slow) = slow.lock().unwrap().take() {
            SLOW.set(Some(slow));
        }
        stream.write_all(b"x")
    };
    while_serving(TcpServer::builder().threads(2).bind(LOOPBACK, handler).unwrap(), |addr, _| {
        for _ in 0..10 {
            assert_eq!(read_all(&connect(addr)), b"x");
        }
        drop(ends);
    });
}
