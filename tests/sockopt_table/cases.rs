//! The cases: for each option the socket, the value and what is read afterwards, or what else must hold.

use std::ffi::c_int;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use readysock::sockopt::{self, OptionInfo};
use readysock::{Addr, Domain, Socket, Type, libc};

use crate::support;
use crate::support::options::{assert_errno as errno, lacks};
use crate::support::skipped;
use crate::support::sockets::{pair, tcp, tcp_listener, tcp_pair, udp};

/// The socket that an option is tried on, and what must not be closed before it.
pub type Made = (OwnedFd, Option<Socket>);

/// What is set, and what is read afterwards.
pub enum Reads {
    /// The same text.
    Back,
    /// Another one, which the documentation names.
    As(&'static str),
}

use Reads::{As, Back};

pub enum Case {
    /// Set it and read it back.
    Set(fn() -> Made, &'static str, Reads),
    /// The same; it takes a privilege to set it, or to set it back.
    Privileged(fn() -> Made, &'static str, Reads),
    /// It can only be read, or only written: what must hold.
    Holds(fn(&OptionInfo) -> io::Result<()>),
}

use Case::{Holds, Privileged, Set};

// ---- sockets ----

fn stream() -> Made {
    (tcp().into(), None)
}

fn connected() -> Made {
    let (socket, peer) = tcp_pair();
    (socket.into(), Some(peer))
}

fn listener() -> Made {
    (tcp_listener(4096).0.into(), None)
}

fn datagram() -> Made {
    (udp().into(), None)
}

fn datagram6() -> Made {
    (Socket::new(Domain::INET6, Type::DGRAM, None).expect("an IPv6 socket").into(), None)
}

pub fn unix() -> Made {
    let (socket, peer) = pair(Type::STREAM);
    (socket.into(), Some(peer))
}

// ---- the cases ----

/// Sorted as the table is: by level, then by name.
pub fn case(name: &str) -> Option<Case> {
    Some(match name {
        "SO_ACCEPTCONN" => Holds(|row| {
            let (listener, stream) = (listener(), stream());
            equal(row.get_text(&listener.0)?, "on");
            equal(row.get_text(&stream.0)?, "off");
            Ok(())
        }),
        "SO_BINDTODEVICE" => Privileged(datagram, "lo", Back),
        "SO_BINDTOIFINDEX" => Privileged(datagram, "1", Back),
        "SO_BROADCAST" => Set(datagram, "on", Back),
        "SO_BUSY_POLL" => Privileged(datagram, "50us", As("50µs")),
        "SO_COOKIE" => Holds(|row| {
            let (one, other) = (datagram().0, datagram().0);
            assert_ne!(row.get_text(&one)?, row.get_text(&other)?);
            equal(row.get_text(&one)?, &row.get_text(&one.try_clone()?)?);
            Ok(())
        }),
        "SO_DOMAIN" => Holds(|row| {
            equal(row.get_text(&stream().0)?, "INET");
            equal(row.get_text(&unix().0)?, "UNIX");
            Ok(())
        }),
        "SO_DONTROUTE" => Set(datagram, "on", Back),
        "SO_ERROR" => Holds(|row| {
            let socket = tcp();
            let (listener, nobody) = tcp_listener(1);
            drop(listener);
            equal(row.get_text(&socket)?, "none");
            socket.set_nonblocking(true)?;
            let connecting = socket.connect(&nobody).expect_err("in progress, or refused at once");
            if connecting.raw_os_error() == Some(libc::EINPROGRESS) {
                let mut slot = [readysock::PollFd::of(&socket, readysock::Events::OUT)];
                readysock::poll(&mut slot, support::sockets::LONG)?;
                assert!(row.get_text(&socket)?.contains("refused"));
            }
            equal(row.get_text(&socket)?, "none");
            Ok(())
        }),
        "SO_INCOMING_CPU" => Set(datagram, "0", Back),
        "SO_INCOMING_NAPI_ID" => Holds(|row| {
            // Over loopback there is no such queue; a socket that heard from one answers its number.
            equal(row.get_text(&connected().0)?, "none");
            Ok(())
        }),
        "SO_KEEPALIVE" => Set(stream, "on", Back),
        "SO_LINGER" => Set(stream, "900ms", As("1s")),
        "SO_MARK" => Privileged(datagram, "17", Back),
        "SO_MAX_PACING_RATE" => Set(stream, "1000000", Back),
        "SO_NETNS_COOKIE" => Holds(|row| {
            equal(row.get_text(&stream().0)?, &row.get_text(&unix().0)?);
            assert_ne!(row.get_text(&stream().0)?, "0");
            Ok(())
        }),
        "SO_OOBINLINE" => Set(stream, "on", Back),
        "SO_PASSCRED" => Set(unix, "on", Back),
        "SO_PEEK_OFF" => Set(unix, "4", Back),
        "SO_PEERCRED" => Holds(|row| {
            let uid = nix::unistd::geteuid();
            let gid = nix::unistd::getegid();
            let own = format!("pid {}, uid {uid}, gid {gid}", std::process::id());
            equal(row.get_text(&unix().0)?, &own);
            equal(row.get_text(&connected().0)?, "none");
            equal(row.get_text(&support::sockets::unix(Type::STREAM))?, "none");
            Ok(())
        }),
        "SO_PEERGROUPS" => Holds(|row| {
            let own = nix::unistd::getgroups()?;
            let own: Vec<_> = own.iter().map(ToString::to_string).collect();
            let own = if own.is_empty() { "none".to_owned() } else { own.join(" ") };
            equal(row.get_text(&unix().0)?, &own);
            errno(row.get_text(&connected().0), &[libc::ENODATA]);
            Ok(())
        }),
        "SO_PEERPIDFD" => Holds(|row| {
            equal(row.get_text(&unix().0)?, "a descriptor");
            errno(row.get_text(&connected().0), &[libc::ENODATA]);
            Ok(())
        }),
        "SO_PREFER_BUSY_POLL" => Privileged(datagram, "on", Back),
        "SO_PRIORITY" => Set(datagram, "6", Back),
        "SO_PROTOCOL" => Holds(|row| {
            equal(row.get_text(&stream().0)?, "TCP");
            equal(row.get_text(&datagram().0)?, "UDP");
            equal(row.get_text(&unix().0)?, "0");
            Ok(())
        }),
        "SO_RCVBUF" | "SO_SNDBUF" => Set(datagram, "10000", As("20000")),
        "SO_RCVBUFFORCE" => Holds(|row| forced(row, "SO_RCVBUF", "core/rmem_max")),
        "SO_RCVLOWAT" => Set(stream, "100", Back),
        "SO_RCVTIMEO" | "SO_SNDTIMEO" => Set(datagram, "1.9999995s", As("2s")),
        "SO_REUSEADDR" => Set(stream, "on", Back),
        "SO_REUSEPORT" => Set(stream, "on", Back),
        "SO_RXQ_OVFL" => Set(datagram, "on", Back),
        "SO_SNDBUFFORCE" => Holds(|row| forced(row, "SO_SNDBUF", "core/wmem_max")),
        "SO_TIMESTAMP" => Set(datagram, "on", Back),
        "SO_TIMESTAMPING" => Set(datagram, "RX_SOFTWARE | SOFTWARE", Back),
        "SO_TIMESTAMPNS" => Set(datagram, "on", Back),
        "SO_TYPE" => Holds(|row| {
            equal(row.get_text(&stream().0)?, "STREAM");
            equal(row.get_text(&pair(Type::SEQPACKET).0)?, "SEQPACKET");
            Ok(())
        }),
        "SO_ZEROCOPY" => Set(stream, "on", Back),

        "TCP_CONGESTION" => Holds(|row| {
            // One of the two is not the default; both may be used by everybody where both exist.
            let (socket, available) = (tcp(), sysctl("ipv4/tcp_available_congestion_control")?);
            let before = row.get_text(&socket)?;
            let other = available.split_whitespace().find(|name| *name != before);
            let Some(other) = other else {
                skipped("TCP_CONGESTION: the kernel has one algorithm only");
                return Ok(());
            };
            row.set_text(&socket, other)?;
            equal(row.get_text(&socket)?, other);
            errno(row.set_text(&socket, "no_such_thing"), &[libc::ENOENT]);
            Ok(())
        }),
        "TCP_CORK" => Set(stream, "on", Back),
        "TCP_DEFER_ACCEPT" => Set(listener, "5s", As("7s")),
        "TCP_FASTOPEN" => Set(listener, "16", Back),
        "TCP_FASTOPEN_CONNECT" => Set(stream, "on", Back),
        "TCP_INFO" => Holds(|row| {
            let text = row.get_text(&connected().0)?;
            if lacks(!text.starts_with("0, "), "TCP_INFO") {
                return Ok(());
            }
            assert!(text.starts_with("ESTABLISHED, round trip "), "{text}");
            assert!(row.get_text(&stream().0)?.starts_with("CLOSE, "));
            Ok(())
        }),
        "TCP_KEEPCNT" => Set(stream, "3", Back),
        "TCP_KEEPIDLE" => Set(stream, "1ms", As("1s")),
        "TCP_KEEPINTVL" => Set(stream, "10.5s", As("11s")),
        "TCP_LINGER2" => Set(stream, "5s", Back),
        "TCP_MAXSEG" => Set(stream, "1000", Back),
        "TCP_NODELAY" => Set(stream, "on", Back),
        "TCP_NOTSENT_LOWAT" => Set(stream, "16384", Back),
        "TCP_QUICKACK" => Set(stream, "off", Back),
        "TCP_SYNCNT" => Set(stream, "2", Back),
        "TCP_ULP" => Holds(|row| {
            let (socket, _peer) = tcp_pair();
            equal(row.get_text(&socket)?, "\"\"");
            errno(row.set_text(&socket, "no_such_thing"), &[libc::ENOENT]);
            match row.set_text(&socket, "tls") {
                Ok(()) => equal(row.get_text(&socket)?, "tls"),
                Err(error) => skipped(&format!("TCP_ULP: no protocol above TCP here: {error}")),
            }
            Ok(())
        }),
        "TCP_USER_TIMEOUT" => Set(stream, "1500.5ms", As("1.501s")),
        "TCP_WINDOW_CLAMP" => Set(connected, "30000", Back),

        "IP_ADD_MEMBERSHIP" => Holds(|row| group(row, "239.255.17.1@127.0.0.1", libc::EADDRINUSE)),
        "IP_ADD_SOURCE_MEMBERSHIP" => {
            Holds(|row| group(row, "239.255.17.1,127.0.0.1@127.0.0.1", libc::EADDRNOTAVAIL))
        }
        "IP_BIND_ADDRESS_NO_PORT" => Set(stream, "on", Back),
        "IP_DROP_MEMBERSHIP" => {
            Holds(|row| ungroup(row, "IP_ADD_MEMBERSHIP", "239.255.17.2@127.0.0.1"))
        }
        "IP_DROP_SOURCE_MEMBERSHIP" => Holds(|row| {
            ungroup(row, "IP_ADD_SOURCE_MEMBERSHIP", "239.255.17.2,127.0.0.1@127.0.0.1")
        }),
        "IP_FREEBIND" => Set(stream, "on", Back),
        "IP_MTU" => Holds(|row| {
            let socket = udp();
            errno(row.get_text(&socket), &[libc::ENOTCONN, libc::ENOPROTOOPT]);
            socket.connect(socket.local_addr()?)?;
            let mtu = fs::read_to_string("/sys/class/net/lo/mtu")?;
            let least = mtu.trim().parse::<u64>().unwrap_or(576).min(65_535);
            equal(row.get_text(&socket)?, &least.to_string());
            Ok(())
        }),
        "IP_MTU_DISCOVER" => Set(datagram, "DO", Back),
        "IP_MULTICAST_ALL" => Set(datagram, "off", Back),
        "IP_MULTICAST_IF" => Set(datagram, "127.0.0.1", Back),
        "IP_MULTICAST_LOOP" => Set(datagram, "off", Back),
        "IP_MULTICAST_TTL" => Set(datagram, "4", Back),
        "IP_PKTINFO" => Set(datagram, "on", Back),
        "IP_RECVERR" => Set(datagram, "on", Back),
        "IP_RECVTOS" => Set(datagram, "on", Back),
        "IP_RECVTTL" => Set(datagram, "on", Back),
        "IP_TOS" => Set(stream, "0x13", As("16")),
        "IP_TRANSPARENT" => Privileged(stream, "on", Back),
        "IP_TTL" => Set(stream, "3", Back),

        "IPV6_ADD_MEMBERSHIP" => Holds(|row| group(row, "ff02::1:17@1", libc::EADDRINUSE)),
        "IPV6_DROP_MEMBERSHIP" => Holds(|row| ungroup(row, "IPV6_ADD_MEMBERSHIP", "ff02::1:18@1")),
        "IPV6_FREEBIND" => Set(datagram6, "on", Back),
        "IPV6_MTU" => Holds(|row| {
            let socket = Socket::from(datagram6().0);
            errno(row.get_text(&socket), &[libc::ENOTCONN]);
            errno(row.set_text(&socket, "1279"), &[libc::EINVAL]);
            row.set_text(&socket, "1280")?;
            if let Err(error) = socket.bind("[::1]:0".parse::<Addr>()?) {
                skipped(&format!("IPV6_MTU of a connected socket: ::1: {error}"));
                return Ok(());
            }
            socket.connect(socket.local_addr()?)?;
            let mtu = row.get_text(&socket)?.parse::<u64>().expect("a number");
            assert!(mtu > 1280, "the path's, not the one that was set: {mtu}");
            Ok(())
        }),
        "IPV6_MTU_DISCOVER" => Set(datagram6, "PROBE", Back),
        "IPV6_MULTICAST_HOPS" => Set(datagram6, "4", Back),
        "IPV6_MULTICAST_IF" => Set(datagram6, "1", Back),
        "IPV6_MULTICAST_LOOP" => Set(datagram6, "off", Back),
        "IPV6_RECVERR" => Set(datagram6, "on", Back),
        "IPV6_RECVHOPLIMIT" => Set(datagram6, "on", Back),
        "IPV6_RECVPKTINFO" => Set(datagram6, "on", Back),
        "IPV6_RECVTCLASS" => Set(datagram6, "on", Back),
        "IPV6_TCLASS" => Set(datagram6, "16", Back),
        "IPV6_TRANSPARENT" => Privileged(datagram6, "on", Back),
        "IPV6_UNICAST_HOPS" => Set(datagram6, "3", Back),
        "IPV6_V6ONLY" => Set(datagram6, "on", Back),

        "UDP_CORK" => Set(datagram, "on", Back),
        "UDP_GRO" => Set(datagram, "on", Back),
        "UDP_SEGMENT" => Set(datagram, "1200", Back),
        _ => return None,
    })
}

// ---- what several cases need ----

#[track_caller]
fn equal(got: String, expected: &str) {
    assert_eq!(got, expected);
}

fn sysctl(path: &str) -> io::Result<String> {
    fs::read_to_string(format!("/proc/sys/net/{path}"))
}

fn row(name: &str) -> &'static OptionInfo {
    sockopt::table().find(|row| row.c_name() == name).expect("a row of that name")
}

/// A size that goes over the limit, which the option without FORCE does not.
fn forced(force: &OptionInfo, plain: &str, limit: &str) -> io::Result<()> {
    let limit: u64 = sysctl(limit)?.trim().parse().expect("a number");
    let (socket, plain) = (udp(), row(plain));
    let asked = (limit + 4096).to_string();
    plain.set_text(&socket, &asked)?;
    equal(plain.get_text(&socket)?, &(limit * 2).to_string());
    force.set_text(&socket, &asked)?;
    equal(plain.get_text(&socket)?, &((limit + 4096) * 2).to_string());
    Ok(())
}

/// Joins once; the kernel refuses the second time.
fn group(join: &OptionInfo, value: &str, again: c_int) -> io::Result<()> {
    let socket = if value.starts_with("ff") { datagram6().0 } else { datagram().0 };
    join.set_text(&socket, value)?;
    errno(join.set_text(&socket, value), &[again]);
    let (group, _) = value.split_once([',', '@']).expect("a group and more");
    let no_group = if value.starts_with("ff") { "fe80::1" } else { "10.0.0.1" };
    errno(join.set_text(&socket, &value.replacen(group, no_group, 1)), &[libc::EINVAL]);
    Ok(())
}

/// Leaves what was joined; the kernel refuses the second time.
fn ungroup(leave: &OptionInfo, join: &str, value: &str) -> io::Result<()> {
    let socket = if value.starts_with("ff") { datagram6().0 } else { datagram().0 };
    let gone = [libc::EADDRNOTAVAIL, libc::EINVAL];
    errno(leave.set_text(&socket, value), &gone);
    row(join).set_text(&socket, value)?;
    leave.set_text(&socket, value)?;
    errno(leave.set_text(&socket, value), &gone);
    Ok(())
}

/// A text that is a value of the option's type.
pub fn sample(name: &str) -> &'static str {
    match case(name) {
        Some(Set(_, value, _) | Privileged(_, value, _)) => value,
        _ => match name {
            "IP_ADD_MEMBERSHIP" | "IP_DROP_MEMBERSHIP" => "239.255.17.9@127.0.0.1",
            "IP_ADD_SOURCE_MEMBERSHIP" | "IP_DROP_SOURCE_MEMBERSHIP" => {
                "239.255.17.9,127.0.0.1@127.0.0.1"
            }
            "IPV6_ADD_MEMBERSHIP" | "IPV6_DROP_MEMBERSHIP" => "ff02::1:19@1",
            "TCP_CONGESTION" | "TCP_ULP" => "no_such_thing",
            _ => "2000",
        },
    }
}
