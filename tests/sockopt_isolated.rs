//! What options do where the network fails, or another process ends: on a cable between two network namespaces, which is cut.

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, Instant};

use readysock::libc;
use readysock::sockopt::{self, Linger, PathMtu, TcpState, ip, ipv6, tcp};
use readysock::{Addr, Domain, Events, PollFd, Socket, Type, poll};
use support::isolated::{self, Case};
use support::netns::{Cable, FAR, NEAR, ip};
use support::options::{lacks, set};
use support::skipped;
use support::sockets::{self, LONG, errno, now};

fn main() {
    if std::env::var_os(PEER).is_some() {
        return be_a_peer();
    }
    const CASES: &[Case] = &[
        ("a_user_timeout_ends_a_stalled_connection", user_timeout),
        ("a_user_timeout_bounds_connect", user_timeout_of_connect),
        ("syn_cnt_bounds_connect", syn_cnt),
        ("keepalive_ends_a_silent_connection", keepalive),
        ("linger_waits_for_a_stalled_peer", linger),
        ("a_device_is_where_packets_come_and_go", bind_to_device),
        ("dont_route_needs_no_gateway", dont_route),
        ("path_mtu_refuses_or_cuts", path_mtu),
        ("transparent_takes_any_address", transparent),
        ("multicast_over_a_cable", multicast),
        ("multicast_over_a_cable_ipv6", multicast6),
        ("a_long_list_of_groups_comes_whole", groups),
        ("a_pidfd_tells_the_end_of_the_peer", pidfd),
    ];
    isolated::main(CASES)
}

/// Waits for the end of the connection, and says why.
#[track_caller]
fn end_of(socket: &Socket) -> i32 {
    let mut slot = [PollFd::of(socket, Events::empty())];
    assert_eq!(poll(&mut slot, LONG).unwrap(), 1, "it did not end");
    assert!(slot[0].revents().contains(Events::ERR), "{:?}", slot[0].revents());
    let error = sockopt::get(socket, sockopt::Error).unwrap().expect("an error");
    error.raw_os_error().expect("an errno")
}

/// Connections over the cable: near and far ends.
fn connections(cable: &Cable, number: usize) -> (Vec<Socket>, Vec<Socket>) {
    let listener = cable.far(|| {
        let listener = sockets::tcp();
        listener.bind((FAR, 0)).unwrap();
        listener.listen(16).unwrap();
        listener
    });
    let addr = listener.local_addr().unwrap();
    let pair = |_| {
        let socket = sockets::tcp();
        socket.connect(&addr).unwrap();
        (socket, listener.accept().unwrap().0)
    };
    (0..number).map(pair).unzip()
}

/// A datagram socket of all addresses.
fn udp() -> Socket {
    let socket = Socket::new(Domain::INET, Type::DGRAM, None).unwrap();
    socket.bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket
}

#[track_caller]
fn assert_state(socket: &Socket, state: TcpState, why: &str) {
    let info = sockopt::get(socket, tcp::Info).unwrap();
    assert!(info.state() == state || lacks(info.written() > 4, "TCP_INFO"), "{why}: {info:?}");
}

fn user_timeout() {
    let Some(cable) = Cable::lay() else { return };
    let (near, _far) = connections(&cable, 2);
    let time = Duration::from_millis(300);
    set(&near[0], tcp::UserTimeout, time);
    cable.cut();
    let start = Instant::now();
    for socket in &near {
        socket.send(b"into the dark").unwrap();
    }
    assert_eq!(end_of(&near[0]), libc::ETIMEDOUT);
    assert!(start.elapsed() >= time, "{:?}", start.elapsed());
    assert_state(&near[0], TcpState::CLOSE, "ended");
    assert_state(&near[1], TcpState::ESTABLISHED, "the one without goes on trying");
}

fn user_timeout_of_connect() {
    let Some(cable) = Cable::lay() else { return };
    cable.cut();
    let socket = sockets::tcp();
    set(&socket, tcp::UserTimeout, Duration::from_millis(100));
    let start = Instant::now();
    assert_eq!(errno(socket.connect((FAR, 9))), libc::ETIMEDOUT);
    // After the first repetition of the SYN, which comes after a second; without the option it would be two minutes.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

fn syn_cnt() {
    let Some(cable) = Cable::lay() else { return };
    cable.cut();
    let socket = sockets::tcp();
    set(&socket, tcp::SynCnt, 1);
    let start = Instant::now();
    assert_eq!(errno(socket.connect((FAR, 9))), libc::ETIMEDOUT);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(2900) && took < Duration::from_secs(30), "{took:?}");
}

fn keepalive() {
    let Some(cable) = Cable::lay() else { return };
    let (near, _far) = connections(&cable, 2);
    for socket in &near {
        set(socket, tcp::KeepIdle, Duration::from_secs(1));
        set(socket, tcp::KeepIntvl, Duration::from_secs(1));
        set(socket, tcp::KeepCnt, 1);
    }
    set(&near[0], sockopt::KeepAlive, true);
    cable.cut();
    let start = Instant::now();
    assert_eq!(end_of(&near[0]), libc::ETIMEDOUT);
    assert!(start.elapsed() >= Duration::from_millis(1900), "{:?}", start.elapsed());
    assert_state(&near[1], TcpState::ESTABLISHED, "nobody asked");
}

fn linger() {
    let Some(cable) = Cable::lay() else { return };
    let (mut near, _far) = connections(&cable, 4);
    cable.cut();
    let mut closes_in = |linger, nonblocking| {
        let socket = near.pop().unwrap();
        set(&socket, sockopt::SoLinger, linger);
        socket.set_nonblocking(nonblocking).unwrap();
        socket.send(b"unsent").unwrap();
        let start = Instant::now();
        drop(socket);
        start.elapsed()
    };
    let second = Duration::from_secs(1);
    let tick = Duration::from_millis(20);
    assert!(closes_in(Linger::For(Duration::from_millis(900)), false) >= second - tick);
    assert!(
        closes_in(Linger::For(second), true) >= second - tick,
        "non-blocking sockets wait, too"
    );
    for linger in [Linger::Off, Linger::Abort] {
        let took = closes_in(linger, false);
        assert!(took < second / 2, "{linger:?}: {took:?}");
    }
}

fn bind_to_device() {
    let Some(cable) = Cable::lay() else { return };
    let bound = [udp(), udp()];
    if lacks(sockopt::set(&bound[0], sockopt::BindToIfindex, 0).is_ok(), "SO_BINDTOIFINDEX") {
        return;
    }
    set(&bound[0], sockopt::BindToDevice, "vnear".to_owned());
    set(&bound[1], sockopt::BindToDevice, "lo".to_owned());
    for socket in &bound {
        let port = socket.local_addr().unwrap().as_internet().unwrap().port();
        // One from outside and one from here: each hears its own. The last one to come is for the one bound to lo.
        cable.far(|| udp().send_to(b"far", (NEAR, port)).unwrap());
        udp().send_to(b"here", (Ipv4Addr::LOCALHOST, port)).unwrap();
    }
    for (socket, hears) in bound.iter().zip(["far", "here"]) {
        let mut text = [0; 8];
        let n = socket.recv(&mut text).unwrap();
        assert_eq!(&text[..n], hears.as_bytes());
        assert_eq!(now(socket, Events::IN), Events::empty(), "and nothing else");
    }
    // An index that nobody has is taken, unlike the name.
    let nowhere = udp();
    assert_eq!(
        errno(sockopt::set(&nowhere, sockopt::BindToDevice, "vnowhere".into())),
        libc::ENODEV
    );
    set(&nowhere, sockopt::BindToIfindex, 999);
    assert_eq!(sockopt::get(&nowhere, sockopt::BindToIfindex).unwrap(), 999);
}

fn dont_route() {
    let Some(cable) = Cable::lay() else { return };
    ip("route add default via 10.77.0.2");
    let socket = udp();
    socket.send_to(b"x", ([192, 0, 2, 1], 9)).unwrap();
    set(&socket, sockopt::DontRoute, true);
    assert_eq!(errno(socket.send_to(b"x", ([192, 0, 2, 1], 9))), libc::ENETUNREACH);
    socket.send_to(b"x", (FAR, 9)).unwrap();
    drop(cable);
}

fn path_mtu() {
    let Some(cable) = Cable::lay() else { return };
    let receiver = cable.far(udp);
    let port = receiver.local_addr().unwrap().as_internet().unwrap().port();
    let sender = udp();
    sender.connect((FAR, port)).unwrap();
    if lacks(sockopt::get(&sender, ip::Mtu).is_ok(), "IP_MTU") {
        return;
    }
    assert_eq!(sockopt::get(&sender, ip::Mtu).unwrap(), 1500);
    set(&sender, ip::MtuDiscover, PathMtu::DO);
    assert_eq!(errno(sender.send(&[0; 2000])), libc::EMSGSIZE);
    set(&sender, ip::MtuDiscover, PathMtu::DONT);
    assert_eq!(sender.send(&[0; 2000]).unwrap(), 2000);
    assert_eq!(receiver.recv(&mut [0; 4000]).unwrap(), 2000, "in two fragments");
}

fn transparent() {
    let Some(_cable) = Cable::lay() else { return };
    if lacks(sockopt::get(&sockets::tcp(), ip::Transparent).is_ok(), "IP_TRANSPARENT") {
        return;
    }
    let nowhere = SocketAddr::from(([192, 0, 2, 77], 0));
    let socket = sockets::tcp();
    assert_eq!(errno(socket.bind(nowhere)), libc::EADDRNOTAVAIL);
    set(&socket, ip::Transparent, true);
    socket.bind(nowhere).unwrap();
}

/// What the receiver hears of a datagram to the group and one to itself after it; the second comes always, and last.
#[track_caller]
fn heard(sender: &Socket, receiver: &Socket, group: SocketAddr, own: SocketAddr) -> bool {
    sender.send_to(b"group", group).unwrap();
    sender.send_to(b"self", own).unwrap();
    let mut text = [0; 8];
    let mut next = || {
        let mut slot = [PollFd::of(receiver, Events::IN)];
        assert_eq!(poll(&mut slot, LONG).unwrap(), 1, "nothing came");
        let n = receiver.recv(&mut text).unwrap();
        text[..n].to_vec()
    };
    let first = next();
    assert!(first == b"self" || (first == b"group" && next() == b"self"));
    first == b"group"
}

fn multicast() {
    let Some(cable) = Cable::lay() else { return };
    let group = Ipv4Addr::new(239, 255, 17, 50);
    if lacks(sockopt::get(&udp(), ip::MulticastAll).is_ok(), "IP_MULTICAST_ALL") {
        return;
    }
    let (receiver, index) = cable.far(|| (udp(), nix::net::if_::if_nametoindex("vfar").unwrap()));
    set(&receiver, ip::MulticastAll, false);
    let port = receiver.local_addr().unwrap().as_internet().unwrap().port();
    let sender = udp();
    set(&sender, ip::MulticastIf, NEAR.into());
    let (to, own) = (SocketAddr::from((group, port)), SocketAddr::from((FAR, port)));
    assert!(!heard(&sender, &receiver, to, own), "not joined");
    let membership = ip::Membership { group, interface: ip::Interface::Index(index) };
    set(&receiver, ip::AddMembership, membership);
    assert!(heard(&sender, &receiver, to, own));
    set(&receiver, ip::DropMembership, membership);
    assert!(!heard(&sender, &receiver, to, own), "left");

    // Back to this end, as long as the sender allows it.
    let here = udp();
    let port = here.local_addr().unwrap().as_internet().unwrap().port();
    let membership = ip::Membership { group, interface: Ipv4Addr::from(NEAR).into() };
    set(&here, ip::AddMembership, membership);
    let (to, own) = (SocketAddr::from((group, port)), SocketAddr::from((NEAR, port)));
    assert!(heard(&sender, &here, to, own));
    set(&sender, ip::MulticastLoop, false);
    assert!(!heard(&sender, &here, to, own), "not for this machine");
}

fn multicast6() {
    let Some(cable) = Cable::lay() else { return };
    let any: Addr = "[::]:0".parse().unwrap();
    let socket = Socket::new(Domain::INET6, Type::DGRAM, None);
    if lacks(
        socket.is_ok_and(|it| sockopt::get(&it, ipv6::MulticastIf).is_ok()),
        "IPV6_MULTICAST_IF",
    ) {
        return;
    }
    let socket = || {
        let socket = Socket::new(Domain::INET6, Type::DGRAM, None).unwrap();
        socket.bind(&any).map(|()| socket)
    };
    let made = cable
        .far(|| socket().map(|socket| (socket, nix::net::if_::if_nametoindex("vfar").unwrap())));
    let (receiver, index) = match made {
        Ok(made) => made,
        Err(error) => return skipped(&format!("no IPv6 on this machine: {error}")),
    };
    let group = "ff05::17:50".parse().unwrap();
    let port = receiver.local_addr().unwrap().as_internet().unwrap().port();
    let sender = socket().unwrap();
    set(&sender, ipv6::MulticastIf, nix::net::if_::if_nametoindex("vnear").unwrap());
    let to = SocketAddr::new(IpAddr::V6(group), port);
    let own = SocketAddr::new("fd77::2".parse().unwrap(), port);
    let membership = ipv6::Membership { group, interface: index };
    set(&receiver, ipv6::AddMembership, membership);
    assert!(heard(&sender, &receiver, to, own));
    set(&receiver, ipv6::DropMembership, membership);
    assert!(!heard(&sender, &receiver, to, own), "left");
}

fn groups() {
    use nix::unistd::{Gid, setgroups};
    // From a list that fits at once to one that does not; the kernel allows 65536.
    for count in [0, 1, 128, 129, 5000] {
        let groups: Vec<u32> = (1..=count).map(|group| 70_000 + group).collect();
        let gids: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
        if let Err(error) = setgroups(&gids) {
            return skipped(&format!("changing the groups of this process: {error}"));
        }
        let (socket, _peer) = sockets::pair(Type::STREAM);
        let got = sockopt::get(&socket, sockopt::PeerGroups);
        if lacks(got.is_ok(), "SO_PEERGROUPS") {
            return;
        }
        assert_eq!(got.unwrap(), groups);
    }
}

/// Set for the child of `pidfd`: where to connect to.
const PEER: &str = "READYSOCK_TEST_PEER";

fn pidfd() {
    let (listener, addr) = sockets::unix_listener(1);
    let name = addr.as_unix().unwrap().as_abstract_name().expect("an abstract name").to_vec();
    let mut child = support::program(std::env::current_exe().unwrap())
        .env(PEER, String::from_utf8(name).expect("the kernel's names are hexadecimal"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let (socket, _) = listener.accept().unwrap();
    let peer = sockopt::get(&socket, sockopt::PeerCred).unwrap().expect("a peer");
    assert_eq!(peer.pid.unsigned_abs(), child.id());
    let pidfd = match sockopt::get(&socket, sockopt::PeerPidfd) {
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {
            skipped("SO_PEERPIDFD needs Linux 6.5");
            drop(child.stdin.take());
            child.wait().unwrap();
            return;
        }
        pidfd => pidfd.unwrap(),
    };
    let ready = |time| poll(&mut [PollFd::of(&pidfd, Events::IN)], time).unwrap();
    assert_eq!(ready(Duration::ZERO), 0, "it lives");
    child.stdin.take().unwrap().write_all(b"x").unwrap();
    assert_eq!(ready(LONG), 1, "it has ended");
    assert!(child.wait().unwrap().success());
}

/// The child: connects, and ends when it is told to.
fn be_a_peer() {
    let name = std::env::var(PEER).unwrap();
    let addr = readysock::UnixAddr::from_abstract_name(name).unwrap();
    let socket = sockets::unix(Type::STREAM);
    socket.connect(addr).unwrap();
    let _ = std::io::stdin().read(&mut [0]);
}
