//! What options do to datagrams, seen from outside, on loopback: what comes beside them, and groups.

use std::io::{ErrorKind, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;

use crate::support::options::{lacks, set};
use crate::support::skipped;
use crate::support::sockets::{self, now, port, wait};
use nix::sys::socket::{MsgFlags, recvmsg, sendmsg};
use readysock::sockopt::{self, ip, ipv6, udp};
use readysock::{Domain, Events, Socket, Type, libc};

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

// ---- datagrams ----

#[test]
fn udp_cork_makes_one_datagram() {
    let (sender, receiver) = (sockets::udp(), sockets::udp());
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    set(&sender, udp::Cork, true);
    for part in [b"one", b"two"] {
        sender.send(part).unwrap();
    }
    assert_eq!(now(&receiver, Events::IN), Events::empty());
    set(&sender, udp::Cork, false);
    let mut text = [0; 16];
    let n = receiver.recv(&mut text).unwrap();
    assert_eq!(&text[..n], b"onetwo");
}

#[test]
fn udp_segment_cuts_and_gro_joins() {
    let (sender, receiver) = (sockets::udp(), sockets::udp());
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    set(&sender, udp::Segment, 1000);
    assert_eq!(sender.send(&[7; 2500]).unwrap(), 2500);
    let lengths: Vec<_> = (0..3).map(|_| receiver.recv(&mut [0; 4000]).unwrap()).collect();
    assert_eq!(lengths, [1000, 1000, 500]);

    set(&receiver, udp::Gro, true);
    sender.send(&[7; 2500]).unwrap();
    assert_eq!(receiver.recv(&mut [0; 4000]).unwrap(), 2500, "three datagrams at once");
}

#[test]
fn udp_segment_over_what_the_interface_takes() {
    let socket = || Socket::new(Domain::INET6, Type::DGRAM, None);
    let (Ok(sender), Ok(receiver)) = (socket(), socket()) else {
        return skipped("no IPv6 here");
    };
    if let Err(error) = receiver.bind((Ipv6Addr::LOCALHOST, 0)) {
        return skipped(&format!("no IPv6 loopback here: {error}"));
    }
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    if lacks(sockopt::set(&sender, ipv6::Mtu, 1280).is_ok(), "IPV6_MTU") {
        return;
    }
    set(&sender, udp::Segment, 1400);
    let error = sender.send(&[7; 2800]).unwrap_err();
    let errno = error.raw_os_error();
    assert!([Some(libc::EMSGSIZE), Some(libc::EINVAL)].contains(&errno), "{error}");
    set(&sender, udp::Segment, 1200);
    assert_eq!(sender.send(&[7; 2400]).unwrap(), 2400);
    assert_eq!(receiver.recv(&mut [0; 4000]).unwrap(), 1200);
}

/// Control messages of the next datagram.
fn control(socket: &Socket) -> Vec<nix::sys::socket::ControlMessageOwned> {
    wait(socket, Events::IN);
    let (mut data, mut space) = ([0; 64], vec![0; 512]);
    let mut slices = [std::io::IoSliceMut::new(&mut data)];
    let fd = socket.as_raw_fd();
    let message = recvmsg::<()>(fd, &mut slices, Some(&mut space), MsgFlags::empty()).unwrap();
    message.cmsgs().unwrap().collect()
}

#[test]
fn control_messages_come_when_asked_for() {
    use nix::sys::socket::ControlMessageOwned as Got;
    let (sender, receiver) = (sockets::udp(), sockets::udp());
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    sender.send(b"x").unwrap();
    assert!(control(&receiver).is_empty(), "nothing was asked for");

    if lacks(sockopt::get(&receiver, ip::RecvTtl).is_ok(), "IP_RECVTTL") {
        return;
    }
    set(&sender, ip::Ttl, 33);
    set(&sender, ip::Tos, 0x20);
    set(&receiver, ip::RecvTtl, true);
    set(&receiver, ip::RecvTos, true);
    set(&receiver, ip::PktInfo, true);
    set(&receiver, sockopt::Timestamp, true);
    sender.send(b"x").unwrap();
    let got = control(&receiver);
    assert!(got.iter().any(|message| matches!(message, Got::Ipv4Ttl(33))), "{got:?}");
    assert!(got.iter().any(|message| matches!(message, Got::Ipv4Tos(0x20))), "{got:?}");
    assert!(got.iter().any(|message| matches!(message, Got::Ipv4PacketInfo(_))), "{got:?}");
    assert!(got.iter().any(|message| matches!(message, Got::ScmTimestamp(_))), "{got:?}");

    // The one in nanoseconds ends the one in microseconds, and reading says so.
    set(&receiver, sockopt::TimestampNs, true);
    assert!(!sockopt::get(&receiver, sockopt::Timestamp).unwrap());
    sender.send(b"x").unwrap();
    let got = control(&receiver);
    assert!(got.iter().any(|message| matches!(message, Got::ScmTimestampns(_))), "{got:?}");
    assert!(!got.iter().any(|message| matches!(message, Got::ScmTimestamp(_))), "{got:?}");
}

#[test]
fn pass_cred_brings_credentials() {
    let (sender, receiver) = sockets::pair(Type::DGRAM);
    set(&receiver, sockopt::PassCred, true);
    let fd = sender.as_raw_fd();
    sendmsg::<()>(fd, &[IoSlice::new(b"x")], &[], MsgFlags::empty(), None).unwrap();
    let got = control(&receiver);
    let [nix::sys::socket::ControlMessageOwned::ScmCredentials(sent)] = got[..] else {
        panic!("{got:?}")
    };
    assert_eq!(sent.pid().unsigned_abs(), std::process::id());
}

#[test]
fn recv_err_on_an_unconnected_socket() {
    for asked in [false, true] {
        let (socket, nobody) = (sockets::udp(), sockets::udp().local_addr().unwrap());
        set(&socket, ip::RecvErr, asked);
        socket.send_to(b"?", &nobody).unwrap();
        // The answer is made while the datagram is sent; without the option nobody is told of it.
        assert_eq!(now(&socket, Events::empty()).contains(Events::ERR), asked);
        let waiting = sockopt::get(&socket, sockopt::Error).unwrap();
        assert_eq!(
            waiting.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused),
            asked
        );
    }
}

// ---- multicast ----

/// Whether multicast can be tested here.
fn multicast() -> bool {
    !lacks(sockopt::get(&sockets::udp(), ip::MulticastAll).is_ok(), "IP_MULTICAST_ALL")
}

/// A socket on this port of every address, that hears the groups it has joined and no others.
fn receiver() -> Socket {
    let socket = Socket::new(Domain::INET, Type::DGRAM, None).unwrap();
    set(&socket, ip::MulticastAll, false);
    socket.bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket
}

fn sender(from: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    sockopt::set(&socket, ip::MulticastIf, LOCAL).unwrap();
    socket
}

/// What the receiver gets of a datagram to the group and one to itself after it: the second always, and it comes last.
fn heard(sender: &UdpSocket, receiver: &Socket, group: Ipv4Addr) -> bool {
    sender.send_to(b"group", (group, port(receiver))).unwrap();
    sender.send_to(b"self", (LOCAL, port(receiver))).unwrap();
    let mut text = [0; 8];
    let mut next = || {
        wait(receiver, Events::IN);
        let n = receiver.recv(&mut text).unwrap();
        text[..n].to_vec()
    };
    match next().as_slice() {
        b"self" => false,
        first => {
            assert_eq!(first, b"group");
            assert_eq!(next(), b"self");
            true
        }
    }
}

#[test]
fn a_membership_delivers_and_ceases() {
    if !multicast() {
        return;
    }
    let (sender, receiver) = (sender(LOCAL), receiver());
    let group = Ipv4Addr::new(239, 255, 17, 41);
    let membership = ip::Membership { group, interface: ip::Interface::Address(LOCAL) };
    assert!(!heard(&sender, &receiver, group), "not joined");
    set(&receiver, ip::AddMembership, membership);
    assert!(heard(&sender, &receiver, group), "joined");
    assert!(!heard(&sender, &receiver, Ipv4Addr::new(239, 255, 17, 42)), "another group");
    set(&receiver, ip::DropMembership, membership);
    assert!(!heard(&sender, &receiver, group), "left");
}

#[test]
fn a_membership_by_source_hears_that_source() {
    if !multicast() {
        return;
    }
    let (group, source) = (Ipv4Addr::new(239, 255, 17, 43), Ipv4Addr::new(127, 0, 0, 2));
    let (good, other, receiver) = (sender(source), sender(LOCAL), receiver());
    let membership = ip::SourceMembership { group, source, interface: LOCAL };
    set(&receiver, ip::AddSourceMembership, membership);
    assert!(heard(&good, &receiver, group));
    assert!(!heard(&other, &receiver, group), "another sender");
    set(&receiver, ip::DropSourceMembership, membership);
    assert!(!heard(&good, &receiver, group), "left");
}

#[test]
fn multicast_all_hears_what_others_joined() {
    if !multicast() {
        return;
    }
    let group = Ipv4Addr::new(239, 255, 17, 44);
    let (sender, joined, other) = (sender(LOCAL), receiver(), receiver());
    let interface = ip::Interface::Address(LOCAL);
    set(&joined, ip::AddMembership, ip::Membership { group, interface });
    assert!(!heard(&sender, &other, group));
    set(&other, ip::MulticastAll, true);
    assert!(heard(&sender, &other, group), "the trap");
}
