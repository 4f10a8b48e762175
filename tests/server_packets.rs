//! Servers of packets, in one process: every length, senders without a name, senders that have gone.

mod support;

use std::io::ErrorKind;
use std::sync::{Mutex, mpsc};

use readysock::server::{Datagram, Hooked, UdpServer, UnixDatagramServer};
use readysock::{Type, UnixAddr};

use support::servers::{LOOPBACK, while_serving};
use support::sockets::{LONG, udp, unix};

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
