//! Sending and receiving.

use std::fmt::Debug;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::sockets::{
    LONG, errno, now, pair, tcp, tcp_listener, tcp_pair, udp, unix, unix_listener, wait,
};
use crate::support::{emulated, skipped};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;
use readysock::{Addr, Events, FdSet, PollFd, Socket, Type, UnixAddr, libc, poll, select};

#[track_caller]
fn refused_empty_buffer<T: Debug>(result: io::Result<T>) {
    let error = result.expect_err("an empty buffer");
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None), "{error}");
    assert!(error.to_string().contains("the buffer is empty"), "{error}");
}

#[test]
fn an_empty_buffer_is_refused_and_loses_nothing() {
    for kind in [Type::STREAM, Type::DGRAM] {
        let (near, far) = pair(kind);
        near.send_all(b"kept").expect("send");
        refused_empty_buffer(far.recv(&mut []));
        refused_empty_buffer(far.recv_from(&mut []));
        // std's way: nothing, and no call.
        assert_eq!((&far).read(&mut []).expect("read"), 0);
        assert_eq!((&far).read_vectored(&mut []).expect("read"), 0);
        let mut none = [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])];
        assert_eq!((&far).read_vectored(&mut none).expect("read"), 0);
        assert_eq!(far.recv(&mut [0; 8]).expect("recv"), 4, "{kind:?}");
    }
}

#[test]
fn a_datagram_without_bytes_is_a_message() {
    let (near, far) = pair(Type::DGRAM);
    assert_eq!(near.send(b"").expect("send"), 0);
    let (n, truncated, sender) = far.recv_from(&mut [0; 8]).expect("recv");
    assert_eq!((n, truncated, sender), (0, false, UnixAddr::unnamed().into()));

    let (near, far) = (udp(), udp());
    assert_eq!(near.send_to(b"", far.local_addr().expect("its address")).expect("send"), 0);
    near.send_to(b"next", far.local_addr().expect("its address")).expect("send");
    let (n, truncated, sender) = far.recv_from(&mut [0; 8]).expect("recv");
    assert_eq!((n, truncated, &sender), (0, false, &near.local_addr().expect("its address")));
    assert_eq!(far.recv(&mut [0; 8]).expect("recv"), 4);
}

#[test]
fn send_all_of_nothing_sends_nothing() {
    let (near, far) = pair(Type::DGRAM);
    near.send_all(b"").expect("nothing to do");
    far.set_nonblocking(true).expect("set");
    assert_eq!(errno(far.recv(&mut [0; 8])), libc::EAGAIN);
}

#[test]
fn a_datagram_that_does_not_fit_says_so() {
    let (unix_near, unix_far) = pair(Type::DGRAM);
    let (near, far) = (udp(), udp());
    near.connect(far.local_addr().expect("its address")).expect("connect");
    for (near, far) in [(near, far), (unix_near, unix_far)] {
        for (room, expected) in [(4, (4, true)), (5, (5, false)), (6, (5, false)), (1, (1, true))] {
            assert_eq!(near.send(b"hello").expect("send"), 5);
            let mut buffer = vec![0; room];
            let (n, truncated, _) = far.recv_from(&mut buffer).expect("recv");
            assert_eq!((n, truncated), expected, "{room}");
            assert_eq!(buffer[..n], b"hello"[..n]);
        }
        // The rest is gone: the next one begins at its beginning.
        near.send(b"abcdef").expect("send");
        near.send(b"ghi").expect("send");
        assert_eq!(far.recv(&mut [0; 2]).expect("recv"), 2);
        let mut buffer = [0; 8];
        assert_eq!(far.recv(&mut buffer).expect("recv"), 3);
        assert_eq!(&buffer[..3], b"ghi");
    }
}

#[test]
fn a_stream_that_is_read_in_parts_is_not_truncated() {
    let (client, server) = tcp_pair();
    client.send_all(b"hello").expect("send");
    let mut buffer = [0; 4];
    let (n, truncated, sender) = server.recv_from(&mut buffer).expect("recv");
    assert_eq!((n, truncated, &buffer), (4, false, b"hell"));
    let Addr::Other(sender) = sender else { panic!("{sender}") };
    assert_eq!((sender.as_bytes(), sender.to_string().as_str()), (&[][..], "(no address)"));
    assert_eq!(server.recv(&mut buffer).expect("the rest"), 1);
}

#[test]
fn a_datagram_tells_its_sender() {
    let far = unix(Type::DGRAM);
    far.bind(UnixAddr::unnamed()).expect("autobind");
    let addr = far.local_addr().expect("its address");
    let near = unix(Type::DGRAM);
    assert_eq!(near.send_to(b"x", &addr).expect("send"), 1);
    let sender = far.recv_from(&mut [0; 8]).expect("recv").2;
    assert_eq!(sender, UnixAddr::unnamed().into());
    assert_eq!(errno(far.send_to(b"x", sender)), libc::EINVAL, "it cannot be answered");

    near.bind(UnixAddr::unnamed()).expect("autobind");
    assert_eq!(near.send_to(b"x", &addr).expect("send"), 1);
    let sender = far.recv_from(&mut [0; 8]).expect("recv").2;
    assert_eq!(sender, near.local_addr().expect("its address"));
    assert_eq!(far.send_to(b"y", sender).expect("answer"), 1);
    assert_eq!(near.recv_from(&mut [0; 8]).expect("recv").2, addr);

    let (near, far) = (udp(), udp());
    near.send_to(b"x", far.local_addr().expect("its address")).expect("send");
    let sender = far.recv_from(&mut [0; 8]).expect("recv").2;
    assert_eq!(sender, near.local_addr().expect("its address"));

    // A connected Unix stream has a peer without a name, not an unknown one.
    let (near, far) = pair(Type::STREAM);
    near.send_all(b"x").expect("send");
    assert_eq!(far.recv_from(&mut [0; 8]).expect("recv").2, UnixAddr::unnamed().into());
}

#[test]
fn send_to_an_address_of_another_kind() {
    assert_eq!(errno(unix(Type::DGRAM).send_to(b"x", ([127, 0, 0, 1], 9))), libc::EINVAL);
    assert_eq!(errno(udp().send_to(b"x", UnixAddr::unnamed())), libc::EINVAL);
    let (near, _far) = pair(Type::DGRAM);
    assert_eq!(errno(udp().send(b"x")), libc::EDESTADDRREQ);
    assert_eq!(errno(near.send(&vec![0; 1 << 26])), libc::EMSGSIZE);
}

#[test]
fn a_socket_without_a_connection_says_so() {
    let (_listener, tcp_addr) = tcp_listener(1);
    assert_eq!(errno(tcp().send(b"x")), libc::EPIPE);
    assert_eq!(errno(tcp().send_to(b"x", tcp_addr)), libc::EPIPE);
    assert_eq!(errno(tcp().recv(&mut [0; 8])), libc::ENOTCONN);

    let (_listener, addr) = unix_listener(1);
    let stream = || unix(Type::STREAM);
    assert_eq!(errno(stream().send(b"x")), libc::ENOTCONN);
    assert_eq!(errno(stream().send_to(b"x", &addr)), libc::EOPNOTSUPP);
    assert_eq!(errno(stream().recv(&mut [0; 8])), libc::EINVAL);
    assert_eq!(errno(stream().recv_from(&mut [0; 8])), libc::EINVAL);
    assert_eq!(errno(pair(Type::STREAM).0.send_to(b"x", &addr)), libc::EISCONN);
    assert_eq!(errno(unix(Type::SEQPACKET).send(b"x")), libc::ENOTCONN);
    assert_eq!(errno(unix(Type::SEQPACKET).recv(&mut [0; 8])), libc::ENOTCONN);
    assert_eq!(errno(unix(Type::DGRAM).send(b"x")), libc::ENOTCONN);

    // A datagram goes to the address, whoever the peer is.
    let (near, far) = pair(Type::DGRAM);
    let other = unix(Type::DGRAM);
    other.bind(UnixAddr::unnamed()).expect("autobind");
    assert_eq!(near.send_to(b"x", other.local_addr().expect("its address")).expect("send"), 1);
    assert_eq!(now(&far, Events::IN), Events::empty());
    assert_eq!(other.recv(&mut [0; 8]).expect("recv"), 1);
}

#[test]
fn a_half_closed_connection_still_answers() {
    for (near, far) in [tcp_pair(), pair(Type::STREAM)] {
        near.send_all(b"question").expect("send");
        near.shutdown(Shutdown::Write).expect("shutdown");
        let mut text = Vec::new();
        (&far).read_to_end(&mut text).expect("to the end");
        assert_eq!(text, b"question");
        assert!(now(&far, Events::RDHUP).contains(Events::RDHUP));
        assert!(!now(&far, Events::OUT).contains(Events::HUP), "half of it is open");
        far.send_all(b"answer").expect("send");
        let mut buffer = [0; 8];
        assert_eq!(near.recv(&mut buffer).expect("recv"), 6);
        assert_eq!(errno(near.send(b"x")), libc::EPIPE);

        far.shutdown(Shutdown::Both).expect("shutdown");
        assert_eq!(near.recv(&mut buffer).expect("the end"), 0);
    }
    assert_eq!(errno(tcp().shutdown(Shutdown::Read)), libc::ENOTCONN);
}

#[test]
fn a_shut_down_reading_half_is_news_to_a_unix_peer_and_none_to_tcp() {
    let (near, far) = pair(Type::STREAM);
    near.shutdown(Shutdown::Read).expect("shutdown");
    assert_eq!(near.recv(&mut [0; 8]).expect("the end"), 0);
    assert_eq!(errno(far.send(b"x")), libc::EPIPE);
    assert_eq!(near.send(b"still open this way").expect("send"), 19);

    let (near, far) = tcp_pair();
    near.shutdown(Shutdown::Read).expect("shutdown");
    assert_eq!(near.recv(&mut [0; 8]).expect("the end"), 0);
    assert_eq!(far.send(b"x").expect("taken all the same"), 1);
    near.set_nonblocking(true).expect("set");
    let start = Instant::now();
    let mut n = 0;
    // The end of the stream comes first, as long as nothing has arrived.
    while n == 0 && start.elapsed() < LONG {
        n = near.recv(&mut [0; 8]).expect("recv");
    }
    assert_eq!(n, 1, "and read");
}

/// What the peer has sent and we have not read makes our close a reset, which may overtake what we have sent.
#[test]
fn a_close_with_unread_input_resets_and_a_drain_before_it_does_not() {
    for graceful in [false, true] {
        let (client, server) = tcp_pair();
        client.send_all(b"more than the server wants to know").expect("send");
        wait(&server, Events::IN);
        server.send_all(b"answer").expect("send");
        if graceful {
            server.shutdown(Shutdown::Write).expect("shutdown");
            client.shutdown(Shutdown::Write).expect("shutdown");
            io::copy(&mut &server, &mut io::sink()).expect("to the end");
        }
        drop(server);
        let mut text = Vec::new();
        let result = (&client).read_to_end(&mut text);
        if graceful {
            result.expect("to the end");
            assert_eq!(text, b"answer");
        } else {
            assert_eq!(errno(result), libc::ECONNRESET);
        }
    }
}

/// That nobody listened for a datagram comes back with a later call, and says nothing of that one.
#[test]
fn a_late_refusal_comes_once_and_the_socket_goes_on() {
    type Late = fn(&Socket) -> io::Result<usize>;
    let late: [Late; 3] = [
        |socket| socket.send(b"x"),
        |socket| socket.recv(&mut [0; 8]),
        |socket| socket.recv_from(&mut [0; 8]).map(|(n, ..)| n),
    ];
    for call in late {
        // Deaf to all but its own peer, which is another one.
        let (socket, deaf, other) = (udp(), udp(), udp());
        let addr = socket.local_addr().expect("its address");
        deaf.connect(other.local_addr().expect("its address")).expect("connect");
        socket.connect(deaf.local_addr().expect("its address")).expect("says nothing yet");
        assert_eq!(socket.send(b"x").expect("nor does this"), 1);
        wait(&socket, Events::empty());
        assert_eq!(errno(call(&socket)), libc::ECONNREFUSED);

        deaf.connect(addr).expect("now it listens");
        assert_eq!(socket.send(b"again").expect("send"), 5);
        assert_eq!(deaf.recv(&mut [0; 8]).expect("recv"), 5);
        assert_eq!(deaf.send(b"yes").expect("send"), 3);
        assert_eq!(socket.recv(&mut [0; 8]).expect("recv"), 3);
    }
}

/// SO_RCVTIMEO and SO_SNDTIMEO are for calls that block in the socket; poll and select do not ask for them.
#[test]
fn a_wait_knows_nothing_of_the_socket_s_own_time() {
    let (near, _far) = pair(Type::STREAM);
    let time = TimeVal::new(0, 1000);
    setsockopt(&near, sockopt::ReceiveTimeout, &time).expect("SO_RCVTIMEO");
    setsockopt(&near, sockopt::SendTimeout, &time).expect("SO_SNDTIMEO");
    near.set_nonblocking(true).expect("set");
    while near.send(&[0; 4096]).is_ok() {}
    near.set_nonblocking(false).expect("set");
    let (none, both) = (FdSet::new(), FdSet::from_iter([near.as_fd()]));
    let time = Duration::from_millis(20);
    let start = Instant::now();
    assert_eq!(poll(&mut [PollFd::of(&near, Events::IN | Events::OUT)], time).expect("poll"), 0);
    assert!(start.elapsed() >= time, "{:?}", start.elapsed());
    let start = Instant::now();
    assert_eq!(select(&both, &both, &none, time).expect("select").count(), 0);
    assert!(start.elapsed() >= time, "{:?}", start.elapsed());
}

const MANY: usize = 16 << 20;

/// Bytes that a loss, a repetition or a swap would change: blocks of a prime length.
fn pattern() -> Vec<u8> {
    let block: Vec<u8> = (0..65_521_u32).map(|i| (i ^ (i >> 8)).to_le_bytes()[0]).collect();
    let mut bytes = block.repeat(MANY / block.len() + 1);
    bytes.truncate(MANY);
    bytes
}

#[test]
fn a_nonblocking_send_takes_a_part() {
    for (near, _far) in [tcp_pair(), pair(Type::STREAM)] {
        near.set_nonblocking(true).expect("set");
        let bytes = pattern();
        let mut sent = 0;
        let error = loop {
            match near.send(&bytes[sent..]) {
                Ok(n) => sent += n,
                Err(error) => break error,
            }
            assert!(sent < MANY, "16 MiB do not fit");
        };
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert!(sent > 0);
    }
}

#[test]
fn send_all_goes_on_when_a_late_reader_makes_room() {
    for (near, far) in [tcp_pair(), pair(Type::STREAM)] {
        near.set_nonblocking(true).expect("set");
        let full = near.try_clone().expect("clone");
        let bytes = pattern();
        let reader = thread::spawn(move || {
            // Late: not before the sender has to wait.
            while now(&full, Events::OUT).contains(Events::OUT) {
                thread::yield_now();
            }
            drop(full);
            let mut received = Vec::new();
            (&far).read_to_end(&mut received).map(|_| received)
        });
        near.send_all(&bytes).expect("all of it");
        assert!(near.is_nonblocking().expect("F_GETFL"));
        drop(near);
        let received = reader.join().expect("the reader's thread").expect("read");
        assert!(received == bytes, "{} of {MANY} bytes, or others", received.len());
    }
}

#[test]
fn send_all_ends_when_the_reader_goes_away() {
    let (near, far) = pair(Type::STREAM);
    near.set_nonblocking(true).expect("set");
    let full = near.try_clone().expect("clone");
    let reader = thread::spawn(move || {
        while now(&full, Events::OUT).contains(Events::OUT) {
            thread::yield_now();
        }
        drop(far);
    });
    assert_eq!(errno(near.send_all(&pattern())), libc::EPIPE);
    reader.join().expect("the reader's thread");
}

#[test]
fn a_time_of_the_socket_s_own_comes_back_as_eagain() {
    let (near, _far) = pair(Type::STREAM);
    let time = TimeVal::new(0, 20_000);
    setsockopt(&near, sockopt::ReceiveTimeout, &time).expect("SO_RCVTIMEO");
    setsockopt(&near, sockopt::SendTimeout, &time).expect("SO_SNDTIMEO");
    let start = Instant::now();
    assert_eq!(errno(near.recv(&mut [0; 8])), libc::EAGAIN);
    assert_eq!(errno(near.recv_from(&mut [0; 8])), libc::EAGAIN);
    assert!(start.elapsed() >= Duration::from_millis(40));
    // Blocking: it does not wait for room a second time.
    assert_eq!(errno(near.send_all(&pattern())), libc::EAGAIN);
    let (listener, _) = unix_listener(1);
    setsockopt(&listener, sockopt::ReceiveTimeout, &time).expect("SO_RCVTIMEO");
    assert_eq!(errno(listener.accept()), libc::EAGAIN);
}

#[test]
fn read_and_write_are_recv_and_send() {
    fn ends(mut writer: impl Write, mut reader: impl Read) {
        writer.write_all(b"hello").expect("write");
        writer.flush().expect("flush");
        let mut buffer = [0; 5];
        reader.read_exact(&mut buffer).expect("read");
        assert_eq!(&buffer, b"hello");
        assert_eq!(reader.read(&mut []).expect("nothing"), 0);
    }
    let (near, far) = pair(Type::STREAM);
    ends(&near, &far);
    ends(near.try_clone().expect("clone"), far.try_clone().expect("clone"));
    drop(near);
    assert_eq!((&far).read(&mut [0; 8]).expect("the end"), 0);
}

#[test]
fn slices_go_in_one_message_and_come_in_one() {
    fn ends(mut writer: impl Write, mut reader: impl Read) {
        let out = [&b""[..], b"he", b"", b"llo", b"!"].map(IoSlice::new);
        assert_eq!(writer.write_vectored(&out).expect("write"), 6);
        let (mut a, mut b, mut c) = ([0; 1], [0; 2], [0; 8]);
        let mut slices = [&mut [][..], &mut a, &mut [], &mut b, &mut c].map(IoSliceMut::new);
        assert_eq!(reader.read_vectored(&mut slices).expect("read"), 6);
        assert_eq!((&a, &b, &c[..3]), (b"h", b"el", &b"lo!"[..]));
    }
    for kind in [Type::STREAM, Type::DGRAM] {
        let (near, far) = pair(kind);
        ends(&near, &far);
        ends(near, far);
    }
    // A datagram of no slices is one, too.
    let (near, far) = pair(Type::DGRAM);
    assert_eq!((&near).write_vectored(&[]).expect("write"), 0);
    if emulated() && now(&far, Events::IN).is_empty() {
        return skipped("a datagram of no slices: the emulator does not send it");
    }
    assert_eq!(far.recv(&mut [0; 8]).expect("recv"), 0);
}

#[test]
fn more_slices_than_the_kernel_takes_are_a_part() {
    let (near, far) = pair(Type::STREAM);
    let out = vec![IoSlice::new(b"x"); 3000];
    assert_eq!((&near).write_vectored(&out).expect("write"), 1024);
    let mut bytes = [0; 3000];
    let mut slices: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
    assert_eq!((&far).read_vectored(&mut slices).expect("read"), 1024);
    assert_eq!(bytes, [&[b'x'; 1024][..], &[0; 1976]].concat()[..]);

    // Empty ones in front are no reason to read or write nothing.
    let mut out = vec![IoSlice::new(b""); 3000];
    out.push(IoSlice::new(b"y"));
    assert_eq!((&near).write_vectored(&out).expect("write"), 1);
    let mut last = [0];
    let mut slices: Vec<_> = (0..3000).map(|_| IoSliceMut::new(&mut [])).collect();
    slices.push(IoSliceMut::new(&mut last));
    assert_eq!((&far).read_vectored(&mut slices).expect("read"), 1);
    assert_eq!(&last, b"y");
}
