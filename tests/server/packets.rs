//! Servers of packets, in one process: every length, senders without a name, senders that have gone.

use std::fs;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use nix::libc;

use readysock::server::{Datagram, Hooked, Problem, UdpServer, UnixDatagramServer};
use readysock::sockopt::{self, TimestampFlags, Timestamping, ip::RecvErr};
use readysock::{Events, Type, UnixAddr};

use crate::support::cpu_time;
use crate::support::servers::{Folder, LOOPBACK, while_serving};
use crate::support::sockets::{LONG, SHORT, bind_to_the_last_byte, now, udp, unix, wait};

#[test]
fn packets_of_every_length() {
    for largest in [65535, 100] {
        let log = Mutex::new(Vec::new());
        let server =
            UdpServer::builder().largest_packet(largest).bind(LOOPBACK, |packet: &mut Datagram| {
                let (len, cut) = (packet.bytes().len(), packet.is_truncated());
                let said = format!("{packet:?}");
                assert!(
                    said.contains(&format!("length: {len}, truncated: {cut}, sender: ")),
                    "{said}"
                );
                log.lock().unwrap().push((len, cut));
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
    assert_eq!(*problems.lock().unwrap(), [Some(libc::EMSGSIZE)]);
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

/// With IP_RECVERR the refusal of an earlier reply comes back, at whatever call is next. It is about one client.
#[test]
fn a_late_refusal_does_not_end_the_server() {
    let problems = Mutex::new(Vec::new());
    let handler = Hooked::new(|packet: &mut Datagram| packet.reply(b"x"))
        .on_error(|problem: &Problem| problems.lock().unwrap().push(problem.to_string()));
    let mut server = UdpServer::builder().timeout(LONG).bind(LOOPBACK, handler).unwrap();
    sockopt::set(server.socket(), RecvErr, true).unwrap();
    let addr = server.local_addr().unwrap();
    for _ in 0..3 {
        assert_eq!(udp().send_to(b"gone before the answer", &addr).unwrap(), 22);
        assert!(server.handle_request().unwrap());
        assert_ne!(now(server.socket(), Events::IN), Events::empty(), "the refusal is there");
    }
    let client = udp();
    assert_eq!(client.send_to(b"here", &addr).unwrap(), 4);
    assert!(server.handle_request().unwrap());
    assert_eq!(client.recv(&mut [0; 10]).unwrap(), 1);
    assert!(problems.lock().unwrap().is_empty(), "{problems:?}");
}

/// What is in the queue of errors keeps the socket ready, and no read takes it.
#[test]
fn a_late_refusal_does_not_hold_up_the_server() {
    let handler = |packet: &mut Datagram| packet.reply(b"x");
    let mut server = UdpServer::builder().timeout(SHORT).bind(LOOPBACK, handler).unwrap();
    sockopt::set(server.socket(), RecvErr, true).unwrap();
    assert_eq!(udp().send_to(b"gone", server.local_addr().unwrap()).unwrap(), 4);
    assert!(server.handle_request().unwrap());
    wait(server.socket(), Events::empty());
    assert!(!server.handle_request().unwrap());
    assert_eq!(now(server.socket(), Events::IN), Events::empty());
}

/// Nor do the timestamps of its replies, which wait in the same queue without being an error of any call.
#[test]
fn timestamps_of_replies_do_not_hold_up_the_server() {
    let handler = |packet: &mut Datagram| packet.reply(b"x");
    let mut server = UdpServer::builder().timeout(SHORT).bind(LOOPBACK, handler).unwrap();
    let flags = TimestampFlags::TX_SOFTWARE | TimestampFlags::SOFTWARE;
    if let Err(error) = sockopt::set(server.socket(), Timestamping, flags) {
        return crate::support::skipped(&format!("timestamps of what is sent: {error}"));
    }
    let client = udp();
    assert_eq!(client.send_to(b"x", server.local_addr().unwrap()).unwrap(), 1);
    assert!(server.handle_request().unwrap());
    wait(server.socket(), Events::empty());
    assert!(!server.handle_request().unwrap());
    assert_eq!(now(server.socket(), Events::IN), Events::empty());
}

/// There is always another one, and none counts.
#[test]
fn refused_packets_do_not_stretch_the_time() {
    let (client, addr, start) = (udp(), OnceLock::new(), Instant::now());
    let (dry, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let handler = Hooked::new(|_: &mut Datagram| Ok(())).on_verify(|_: &Datagram| {
        // Where nothing ends it, the test does.
        if start.elapsed() < 100 * SHORT {
            sent.fetch_add(client.send_to(b"x", addr.get().unwrap()).unwrap(), Ordering::Relaxed);
        } else {
            dry.store(true, Ordering::Relaxed);
        }
        false
    });
    let mut server = UdpServer::builder().timeout(SHORT).bind(LOOPBACK, handler).unwrap();
    let addr = addr.get_or_init(|| server.local_addr().unwrap());
    assert_eq!(client.send_to(b"x", addr).unwrap(), 1);
    assert!(!server.handle_request().unwrap());
    assert!(!dry.load(Ordering::Relaxed), "they held it up");
    assert!(sent.load(Ordering::Relaxed) > 1, "a panic in the hook is contained: were there any?");
}

/// It comes at whatever call is next, which may be a reply to somebody else: that one is sent all the same.
#[test]
fn a_late_refusal_is_no_error_of_the_next_reply() {
    let results = Mutex::new(Vec::new());
    let handler = |packet: &mut Datagram| {
        packet.reply(b"nobody is there")?;
        wait(packet.socket(), Events::empty());
        let again = packet.reply(b"nor now").map_err(|error| error.raw_os_error());
        results.lock().unwrap().push(again);
        Ok(())
    };
    let mut server = UdpServer::builder().timeout(LONG).bind(LOOPBACK, handler).unwrap();
    sockopt::set(server.socket(), RecvErr, true).unwrap();
    assert_eq!(udp().send_to(b"x", server.local_addr().unwrap()).unwrap(), 1);
    assert!(server.handle_request().unwrap());
    assert_eq!(*results.lock().unwrap(), [Ok(())]);
}

/// Its sender knows of no server.
#[test]
fn a_packet_that_waits_at_the_end_is_not_taken() {
    let handler = |_: &mut Datagram| -> std::io::Result<()> { panic!("taken") };
    let problems = Mutex::new(Vec::new());
    let handler = Hooked::new(handler)
        .on_error(|problem: &Problem| problems.lock().unwrap().push(problem.to_string()));
    let mut server = UdpServer::bind(LOOPBACK, handler).unwrap();
    assert_eq!(udp().send_to(b"x", server.local_addr().unwrap()).unwrap(), 1);
    server.shutdown_handle().shutdown();
    server.serve_forever().unwrap();
    server.close();
    assert!(problems.lock().unwrap().is_empty(), "{problems:?}");
}

#[test]
fn a_unix_packet_may_be_longer_than_any_over_ip() {
    const LENGTH: usize = 100_000;
    for (largest, taken) in [(None, 65535), (Some(LENGTH), LENGTH), (Some(0), 1)] {
        let seen = Mutex::new(Vec::new());
        let builder = UnixDatagramServer::builder().timeout(LONG);
        let builder = match largest {
            Some(largest) => builder.largest_packet(largest),
            None => builder,
        };
        let mut server = builder
            .bind(UnixAddr::unnamed(), |packet: &mut Datagram| {
                seen.lock().unwrap().push((packet.bytes().to_vec(), packet.is_truncated()));
                Ok(())
            })
            .unwrap();
        let packet: Vec<u8> = (0..=u8::MAX).cycle().take(LENGTH).collect();
        let addr = server.local_addr().unwrap();
        assert_eq!(unix(Type::DGRAM).send_to(&packet, addr).unwrap(), LENGTH);
        assert!(server.handle_request().unwrap());
        assert_eq!(*seen.lock().unwrap(), [(packet[..taken].to_vec(), taken < LENGTH)]);
    }
}

#[test]
fn senders_at_paths_are_answered_up_to_the_last_byte() {
    let folder = Folder::new("senders");
    let handler = |packet: &mut Datagram| packet.reply(packet.bytes());
    let builder = UnixDatagramServer::builder().timeout(LONG);
    let mut server = builder.bind(UnixAddr::unnamed(), handler).unwrap();
    let addr = server.local_addr().unwrap();
    for len in [106, 107, 108] {
        let (client, path) = (unix(Type::DGRAM), folder.path_of(len));
        if len == 108 {
            bind_to_the_last_byte(&client, &path);
        } else {
            client.bind(UnixAddr::from_pathname(&path).unwrap()).unwrap();
        }
        assert_eq!(client.send_to(b"here", &addr).unwrap(), 4);
        assert!(server.handle_request().unwrap());
        assert_eq!(client.recv(&mut [0; 10]).unwrap(), 4, "{len}");
    }
}

#[test]
fn a_unix_sender_that_is_gone_is_the_handlers_error() {
    let folder = Folder::new("gone");
    let path = folder.path("client");
    let problems = Mutex::new(Vec::new());
    let handler = Hooked::new(|packet: &mut Datagram| packet.reply(b"x"))
        .on_error(|problem| problems.lock().unwrap().push(problem.error().unwrap().raw_os_error()));
    let builder = UnixDatagramServer::builder().timeout(LONG);
    let mut server = builder.bind(UnixAddr::unnamed(), handler).unwrap();
    for removed in [false, true] {
        let client = unix(Type::DGRAM);
        client.bind(UnixAddr::from_pathname(&path).unwrap()).unwrap();
        assert_eq!(client.send_to(b"x", server.local_addr().unwrap()).unwrap(), 1);
        drop(client);
        if removed {
            fs::remove_file(&path).unwrap();
        }
        assert!(server.handle_request().unwrap());
        let _ = fs::remove_file(&path);
    }
    let expected = [libc::ECONNREFUSED, libc::ENOENT];
    assert_eq!(*problems.lock().unwrap(), expected.map(Some));
}

/// A receiver that does not read: the reply waits for it, and not for ever.
#[test]
fn a_reply_waits_for_a_full_queue() {
    let (sender, full) = mpsc::channel();
    let sender = Mutex::new(sender);
    let handler = move |packet: &mut Datagram| {
        // As many as fit, and then, at the last, the error.
        let mut sent = 0;
        let gave_up = loop {
            let (start, used) = (Instant::now(), cpu_time());
            match packet.reply(b"x") {
                Ok(()) => sent += 1,
                Err(error) => break (error.kind(), start.elapsed(), cpu_time() - used),
            }
        };
        sender.lock().unwrap().send((sent, gave_up)).unwrap();
        // Now somebody reads, and there is room again.
        packet.reply(b"last")
    };
    let server = UnixDatagramServer::bind(UnixAddr::unnamed(), handler).unwrap();
    while_serving(server, |addr, _| {
        let client = unix(Type::DGRAM);
        client.bind(UnixAddr::unnamed()).unwrap();
        assert_eq!(client.send_to(b"", addr).unwrap(), 0);
        let (sent, (kind, waited, used)) = full.recv_timeout(LONG).unwrap();
        assert_eq!(kind, ErrorKind::WouldBlock);
        assert!(waited >= Duration::from_secs(1), "{waited:?}");
        assert!(used < waited / 10, "{used:?} of CPU in {waited:?}");
        for _ in 0..sent {
            assert_eq!(client.recv(&mut [0; 10]).unwrap(), 1);
        }
        assert_eq!(client.recv(&mut [0; 10]).unwrap(), 4);
    });
}

/// Nor longer than the server has to its end.
#[test]
fn a_reply_at_the_end_waits_no_longer_than_the_server() {
    let results = Mutex::new(Vec::new());
    let handler = |packet: &mut Datagram| {
        packet.shutdown_handle().shutdown();
        while packet.reply(b"x").is_ok() {}
        // Each of them would wait for a second; on a busy machine one may be late for another reason.
        let at_once = (0..10).any(|_| {
            let start = Instant::now();
            packet.reply(b"x").is_err() && start.elapsed() < Duration::from_secs(1)
        });
        results.lock().unwrap().push(at_once);
        Ok(())
    };
    let builder = UnixDatagramServer::builder().close_within(Duration::ZERO);
    let mut server = builder.bind(UnixAddr::unnamed(), handler).unwrap();
    let client = unix(Type::DGRAM);
    client.bind(UnixAddr::unnamed()).unwrap();
    assert_eq!(client.send_to(b"", server.local_addr().unwrap()).unwrap(), 0);
    assert!(server.handle_request().unwrap());
    assert_eq!(*results.lock().unwrap(), [true]);
}
