//! Connecting, with and without a limit.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::sockets::{LONG, SHORT, errno, tcp, tcp_listener, udp, unix, unix_listener};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use nix::sys::time::TimeVal;
use readysock::{Addr, Domain, Events, PollFd, Socket, Timeout, Type, UnixAddr, libc, poll};

/// A port that is taken and where nobody listens.
fn refusing() -> (Socket, Addr) {
    let socket = tcp();
    socket.bind(([127, 0, 0, 1], 0)).expect("bind");
    let addr = socket.local_addr().expect("its address");
    (socket, addr)
}

#[test]
fn connect_where_nobody_listens() {
    let (_taken, addr) = refusing();
    assert_eq!(errno(tcp().connect(&addr)), libc::ECONNREFUSED);
    assert_eq!(errno(tcp().connect_timeout(&addr, LONG)), libc::ECONNREFUSED);

    let bound = unix(Type::STREAM);
    bound.bind(UnixAddr::unnamed()).expect("autobind");
    let addr = bound.local_addr().expect("its address");
    assert_eq!(errno(unix(Type::STREAM).connect(&addr)), libc::ECONNREFUSED);
    assert_eq!(errno(unix(Type::STREAM).connect_timeout(&addr, LONG)), libc::ECONNREFUSED);
    let nowhere = UnixAddr::from_pathname("/nowhere/readysock").expect("a path");
    assert_eq!(errno(unix(Type::STREAM).connect(&nowhere)), libc::ENOENT);
    assert_eq!(errno(unix(Type::STREAM).connect_timeout(&nowhere, LONG)), libc::ENOENT);
}

#[test]
fn a_nonblocking_connect_tells_its_outcome_by_take_error() {
    let (_listener, good) = tcp_listener(1);
    let (_taken, bad) = refusing();
    for (addr, outcome) in [(good, None), (bad, Some(libc::ECONNREFUSED))] {
        let socket = tcp();
        socket.set_nonblocking(true).expect("set");
        assert_eq!(errno(socket.connect(&addr)), libc::EINPROGRESS);
        let mut slot = [PollFd::of(&socket, Events::OUT)];
        assert_eq!(poll(&mut slot, LONG).expect("poll"), 1);
        assert!(slot[0].revents().contains(Events::OUT), "writable, refused or not");
        let error = socket.take_error().expect("SO_ERROR").and_then(|error| error.raw_os_error());
        assert_eq!(error, outcome);
        assert!(socket.take_error().expect("SO_ERROR").is_none(), "taken is taken");
        assert_eq!(socket.peer_addr().is_ok(), outcome.is_none());
    }
}

#[test]
fn an_error_that_came_late_is_taken_once() {
    let socket = udp();
    // Taken, so that nobody else gets it, and deaf to all but its own peer.
    let deaf = udp();
    deaf.connect(udp().local_addr().expect("some address")).expect("connect");
    socket.connect(deaf.local_addr().expect("its address")).expect("connect says nothing yet");
    assert_eq!(socket.send(b"x").expect("nor does send"), 1);
    assert!(poll(&mut [PollFd::of(&socket, Events::empty())], LONG).expect("poll") == 1);
    let error = socket.take_error().expect("SO_ERROR").expect("refused");
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    assert!(socket.take_error().expect("SO_ERROR").is_none());
}

#[test]
fn connect_timeout_leaves_the_blocking_mode_as_it_was() {
    let (_listener, good) = tcp_listener(8);
    let (_unix_listener, good_unix) = unix_listener(8);
    let (_taken, bad) = refusing();
    for nonblocking in [false, true] {
        for (addr, succeeds) in [(&good, true), (&bad, false), (&good_unix, true)] {
            for timeout in
                [Timeout::After(LONG), Timeout::Never, Timeout::At(Instant::now() + LONG)]
            {
                let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
                socket.set_nonblocking(nonblocking).expect("set");
                let result = socket.connect_timeout(addr, timeout);
                assert_eq!(result.is_ok(), succeeds, "{addr}: {result:?}");
                assert_eq!(socket.peer_addr().ok().as_ref(), succeeds.then_some(addr));
                assert_eq!(socket.is_nonblocking().expect("F_GETFL"), nonblocking, "{addr}");
            }
            // Of another domain: an error before anything begins.
            let socket = udp();
            socket.set_nonblocking(nonblocking).expect("set");
            assert!(socket.connect_timeout(UnixAddr::unnamed(), LONG).is_err());
            assert_eq!(socket.is_nonblocking().expect("F_GETFL"), nonblocking);
        }
    }
}

/// SO_ERROR goes to whoever asks first. A connect that was refused must not look like a success to the other.
#[test]
fn an_error_that_somebody_else_has_taken_is_no_success() {
    let (_taken, addr) = refusing();
    let start = Instant::now();
    while start.elapsed() < LONG / 6 {
        let socket = tcp();
        let clone = socket.try_clone().expect("clone");
        let ended = AtomicBool::new(false);
        let (result, stolen) = thread::scope(|scope| {
            let thief = scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    if clone.take_error().expect("SO_ERROR").is_some() {
                        return true;
                    }
                }
                false
            });
            let result = socket.connect_timeout(&addr, LONG);
            ended.store(true, Ordering::Relaxed);
            (result, thief.join().expect("the thief"))
        });
        let error = errno(result);
        if stolen {
            assert_eq!(error, libc::ENOTCONN);
            return;
        }
        assert_eq!(error, libc::ECONNREFUSED);
    }
    crate::support::skipped("nobody could take the error in between");
}

/// Connects until the listener's queue holds all it can.
fn fill(addr: &Addr) -> Vec<Socket> {
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
        match socket.connect_timeout(addr, SHORT) {
            Ok(()) => waiting.push(socket),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                return waiting;
            }
        }
        assert!(waiting.len() < 20, "the queue of {addr} has no end");
    }
}

#[test]
fn connect_timeout_gives_up_in_time_where_the_queue_is_full() {
    for (_listener, addr) in [tcp_listener(0), unix_listener(0)] {
        let waiting = fill(&addr);
        assert_eq!(waiting.len(), 1, "{addr}: one more than the backlog");
        for nonblocking in [false, true] {
            for at in [false, true] {
                let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
                socket.set_nonblocking(nonblocking).expect("set");
                let own_time = TimeVal::new(7, 500_000);
                setsockopt(&socket, sockopt::SendTimeout, &own_time).expect("SO_SNDTIMEO");
                let start = Instant::now();
                let timeout = if at { Timeout::At(start + SHORT) } else { Timeout::After(SHORT) };
                let error = socket.connect_timeout(&addr, timeout).expect_err("full");
                let elapsed = start.elapsed();
                assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::TimedOut, None));
                assert!(elapsed >= SHORT && elapsed < LONG, "{addr}: {elapsed:?}");
                assert_eq!(socket.is_nonblocking().expect("F_GETFL"), nonblocking);
                let after = getsockopt(&socket, sockopt::SendTimeout).expect("SO_SNDTIMEO");
                assert_eq!(after, own_time, "{addr}: the socket's own time");
                assert!(socket.peer_addr().is_err());
            }
        }
        for timeout in [Timeout::After(Duration::ZERO), Timeout::At(Instant::now())] {
            let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
            let error = socket.connect_timeout(&addr, timeout).expect_err("full");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(!socket.is_nonblocking().expect("F_GETFL"));
        }
    }
}

/// The wait is cut into days; the socket's own time is not.
#[test]
fn connect_timeout_puts_back_a_time_that_is_longer_than_its_slices() {
    let (_listener, addr) = unix_listener(0);
    let _waiting = fill(&addr);
    for secs in [2 * 24 * 60 * 60, 2_147_483] {
        let socket = unix(Type::STREAM);
        let own_time = TimeVal::new(secs, 500_000);
        setsockopt(&socket, sockopt::SendTimeout, &own_time).expect("SO_SNDTIMEO");
        let before = getsockopt(&socket, sockopt::SendTimeout).expect("SO_SNDTIMEO");
        let error = socket.connect_timeout(&addr, SHORT).expect_err("full");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let after = getsockopt(&socket, sockopt::SendTimeout).expect("SO_SNDTIMEO");
        assert_eq!(after, before, "{secs} s");
    }
}

#[test]
fn after_a_timeout_the_connect_goes_on_behind_the_scenes() {
    let (_listener, addr) = tcp_listener(0);
    let _waiting = fill(&addr);
    let socket = tcp();
    let error = socket.connect_timeout(&addr, SHORT).expect_err("full");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(errno(socket.connect_timeout(&addr, LONG)), libc::EALREADY);
    assert!(!socket.is_nonblocking().expect("F_GETFL"));
}

#[test]
fn a_connect_that_waits_for_room_in_the_queue_gets_it() {
    for (listener, addr) in [tcp_listener(0), unix_listener(0)] {
        let mut waiting = fill(&addr);
        let centuries = Timeout::After(Duration::from_secs(1 << 40));
        for timeout in [Timeout::After(LONG), Timeout::Never, centuries] {
            let socket = Socket::new(addr.domain(), Type::STREAM, None).expect("a socket");
            let own_time = TimeVal::new(7, 500_000);
            setsockopt(&socket, sockopt::SendTimeout, &own_time).expect("SO_SNDTIMEO");
            let clone = socket.try_clone().expect("clone");
            let peer = addr.clone();
            let client = thread::spawn(move || {
                let result = socket.connect_timeout(&peer, timeout);
                assert!(!socket.is_nonblocking().expect("F_GETFL"));
                (result, socket)
            });
            // It waits when it has changed what it will put back, and cannot end before there is room.
            let waits = || match addr.domain() {
                Domain::UNIX => getsockopt(&clone, sockopt::SendTimeout).expect("get") != own_time,
                _ => clone.is_nonblocking().expect("F_GETFL"),
            };
            while !waits() && !client.is_finished() {
                thread::yield_now();
            }
            assert!(!client.is_finished(), "{addr}: nobody has made room");
            if addr.domain() == Domain::UNIX {
                assert!(!clone.is_nonblocking().expect("F_GETFL"), "it sleeps and does not spin");
                let slice = getsockopt(&clone, sockopt::SendTimeout).expect("get").tv_sec();
                assert!(slice <= 24 * 60 * 60, "{timeout:?}: {slice} s in one go");
                assert_eq!(slice == 0, timeout == Timeout::Never, "{timeout:?}: {slice} s");
            }
            let _made_room = listener.accept().expect("accept");
            let (result, socket) = client.join().expect("the client's thread");
            result.unwrap_or_else(|error| panic!("{addr}: {error}"));
            assert_eq!(socket.peer_addr().expect("the peer"), addr);
            let after = getsockopt(&socket, sockopt::SendTimeout).expect("SO_SNDTIMEO");
            assert_eq!(after, own_time);
            waiting.push(socket); // which holds the place that was free
        }
    }
}
