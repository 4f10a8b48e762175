//! Addresses, as the kernel and std take them and give them back.

mod support;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr as StdUnixAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use readysock::{Addr, Domain, OtherAddr, Protocol, Socket, Type, UnixAddr, libc};

use support::sockets::{bind_to_the_last_byte, unix};

/// A directory for socket files, removed with all that is in it.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("readysock-addr-{}-{next}", std::process::id()));
        fs::create_dir(&path).expect("a directory for socket files");
        Dir(path)
    }

    /// A path of so many bytes in it, or `None`, said, where the directory's own is too long.
    fn path_of(&self, len: usize) -> Option<PathBuf> {
        let room = len.checked_sub(self.0.as_os_str().len() + 1).filter(|&room| room > 0);
        if room.is_none() {
            support::skipped(&format!("no path of {len} bytes in {}", self.0.display()));
        }
        room.map(|room| self.0.join("x".repeat(room)))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Binds, listens and connects there; the address as the kernel names it, for both ends.
#[track_caller]
fn bind_and_connect(addr: &UnixAddr) -> Addr {
    let listener = unix(Type::STREAM);
    listener.bind(addr).unwrap_or_else(|error| panic!("bind to {addr}: {error}"));
    listener.listen(1).expect("listen");
    let client = unix(Type::STREAM);
    client.connect(addr).unwrap_or_else(|error| panic!("connect to {addr}: {error}"));
    let (server, peer) = listener.accept().expect("accept");
    assert_eq!(peer, UnixAddr::unnamed().into(), "a client that is not bound");
    assert_eq!(server.local_addr().expect("the address of an accepted socket"), addr.into());
    assert_eq!(client.peer_addr().expect("the peer"), addr.into());
    listener.local_addr().expect("the address of a listener")
}

/// Checks an error that was found before any call.
#[track_caller]
fn invalid<T: std::fmt::Debug>(result: io::Result<T>, says: &str) {
    let error = result.expect_err("invalid input");
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None), "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn a_path_may_have_107_bytes() {
    let dir = Dir::new();
    let Some(path) = dir.path_of(107) else { return };
    let addr = UnixAddr::from_pathname(&path).expect("107 bytes");
    assert_eq!(addr.as_pathname(), Some(&*path));
    let kernel = bind_and_connect(&addr);
    assert_eq!(kernel.as_unix().and_then(UnixAddr::as_pathname), Some(&*path));
    assert!(path.exists(), "the whole name, not a part of it");
    same_in_std(&addr);
}

#[test]
fn a_path_that_cannot_be_used_is_refused_and_not_cut() {
    for len in [108, 109, 200, 4096] {
        invalid(UnixAddr::from_pathname("x".repeat(len)), "longer than 107 bytes");
    }
    for path in [&b"\0"[..], b"/tmp/x\0", b"/tmp/\0x", &[b'x', 0].repeat(200)] {
        invalid(UnixAddr::from_pathname(OsStr::from_bytes(path)), "holds a NUL");
    }
    invalid(UnixAddr::from_pathname(""), "is empty");
    invalid(UnixAddr::from_abstract_name([b'x'; 108]), "longer than 107 bytes");
}

/// Linux takes a path that fills `sun_path`, with no room for a NUL. A program in C can bind to one.
#[test]
fn a_path_of_108_bytes_comes_from_the_kernel_and_goes_back() {
    let dir = Dir::new();
    let Some(path) = dir.path_of(108) else { return };
    let listener = unix(Type::STREAM);
    bind_to_the_last_byte(&listener, &path);
    listener.listen(1).expect("listen");

    let addr = listener.local_addr().expect("its address");
    assert_eq!(addr.as_unix().and_then(UnixAddr::as_pathname), Some(&*path));
    let client = unix(Type::STREAM);
    client.connect(&addr).expect("the same address, handed back");
    assert_eq!(client.peer_addr().expect("the peer"), addr);
    invalid(StdUnixAddr::try_from(addr), "");
}

#[test]
fn a_file_that_a_socket_left_behind_is_in_the_way() {
    let dir = Dir::new();
    let addr = UnixAddr::from_pathname(dir.0.join("x")).expect("a path");
    bind_and_connect(&addr);
    let error = unix(Type::STREAM).bind(&addr).expect_err("the file is still there");
    assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
    let error = unix(Type::STREAM).connect(&addr).expect_err("nobody listens");
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
}

#[test]
fn an_abstract_name_is_all_of_its_bytes() {
    let unique = format!("readysock-{}", std::process::id());
    let name = |end: &[u8]| UnixAddr::from_abstract_name([unique.as_bytes(), end].concat());
    let names = [&b""[..], b"\0", b"\0\0", b"\0x", b"\xff", b"/\n"].map(|end| name(end).unwrap());
    // All of them at once: to the kernel they are as different as to us.
    let sockets = names.each_ref().map(|name| {
        let socket = unix(Type::DGRAM);
        socket.bind(name).unwrap_or_else(|error| panic!("bind to {name}: {error}"));
        socket
    });
    for (socket, name) in sockets.iter().zip(&names) {
        assert_eq!(socket.local_addr().expect("its address"), name.into());
    }
    assert_eq!(HashSet::from(names).len(), 6);

    let longest =
        UnixAddr::from_abstract_name([unique.as_bytes(), &[0; 107]].concat().split_at(107).0);
    let longest = longest.expect("107 bytes");
    assert_eq!(bind_and_connect(&longest), longest.into());
}

#[test]
fn the_empty_abstract_name_is_a_name() {
    let empty = UnixAddr::from_abstract_name("").expect("empty");
    assert!(!empty.is_unnamed());
    assert_eq!(empty.as_abstract_name(), Some(&b""[..]));
    assert_ne!(empty, UnixAddr::unnamed());
    let socket = unix(Type::SEQPACKET);
    match socket.bind(&empty) {
        Ok(()) => assert_eq!(socket.local_addr().expect("its address"), empty.into()),
        // There is one for the whole network namespace.
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {
            support::skipped("another process has the empty abstract name");
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn to_bind_to_unnamed_is_to_be_given_a_name() {
    let socket = unix(Type::STREAM);
    assert_eq!(socket.local_addr().expect("before"), UnixAddr::unnamed().into());
    socket.bind(UnixAddr::unnamed()).expect("autobind");
    let addr = socket.local_addr().expect("after");
    let name = addr.as_unix().and_then(UnixAddr::as_abstract_name).expect("an abstract name");
    assert_eq!(name.len(), 5, "{addr}");
    assert!(name.iter().all(u8::is_ascii_hexdigit), "{addr}");
}

#[test]
fn internet_addresses_go_there_and_come_back() {
    let bind = |addr: Addr| {
        let socket = Socket::new(addr.domain(), Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind(addr)?;
        socket.local_addr()
    };
    let v4 = bind(([127, 1, 2, 3], 0).into()).expect("127.1.2.3");
    let SocketAddr::V4(v4) = v4.as_internet().expect("Internet") else { panic!("{v4}") };
    assert_eq!(*v4.ip(), Ipv4Addr::new(127, 1, 2, 3));
    // std's idea of the port is ours.
    let taken = std::net::UdpSocket::bind("127.1.2.3:0").expect("std");
    let error = bind(taken.local_addr().expect("its address").into()).expect_err("taken");
    assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));

    match bind((Ipv6Addr::LOCALHOST, 0).into()) {
        Ok(v6) => {
            let v6 = v6.as_internet().expect("Internet");
            assert_eq!(v6.ip(), IpAddr::V6(Ipv6Addr::LOCALHOST));
            assert_ne!(v6.port(), 0);
        }
        Err(error) => support::skipped(&format!("no IPv6 here: {error}")),
    }
}

#[test]
fn the_scope_of_a_link_local_address_comes_back() {
    // Lines of address, interface index, prefix length, scope, flags, name. 20 is link-local.
    let table = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let link_local = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let ip = u128::from_str_radix(fields.next()?, 16).ok()?;
        let index = u32::from_str_radix(fields.next()?, 16).ok()?;
        (fields.nth(1)? == "20").then(|| SocketAddrV6::new(ip.into(), 0, 0, index))
    });
    let Some(addr) = link_local else {
        return support::skipped("no link-local IPv6 address here");
    };
    let socket = Socket::new(Domain::INET6, Type::DGRAM, None).expect("an IPv6 socket");
    if let Err(error) = socket.bind(addr) {
        return support::skipped(&format!("{addr} cannot be used: {error}"));
    }
    let bound = socket.local_addr().expect("its address");
    let Some(SocketAddr::V6(bound)) = bound.as_internet() else { panic!("{bound}") };
    if support::emulated() && bound.scope_id() == addr.scope_id() << 16 {
        support::skipped("the scope of an address: the emulator swaps the bytes of one half of it");
    } else {
        assert_eq!((bound.ip(), bound.scope_id()), (addr.ip(), addr.scope_id()));
    }
    // Without the scope it would not say which link it is on.
    let error = Socket::new(Domain::INET6, Type::DGRAM, None)
        .and_then(|socket| socket.bind((*addr.ip(), 0)))
        .expect_err("no scope");
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
}

#[test]
fn an_address_of_another_family_passes_through() {
    let netlink = || Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, None);
    let socket = match netlink() {
        Ok(socket) => socket,
        Err(error) => return support::skipped(&format!("no netlink here: {error}")),
    };
    let unbound = socket.local_addr().expect("its address");
    let Addr::Other(other) = &unbound else { panic!("{unbound:?}") };
    assert_eq!((other.family(), other.as_bytes().len()), (Domain::from(libc::AF_NETLINK), 12));
    assert_eq!(
        (unbound.to_string(), unbound.domain()),
        ("(family 16, 12 bytes)".into(), other.family())
    );
    assert_eq!((unbound.as_internet(), unbound.as_unix()), (None, None));
    // Port 0, as everywhere, is the kernel's choice.
    socket.bind(&unbound).expect("handed back");
    let bound = socket.local_addr().expect("its address");
    assert_ne!(bound, unbound);
    let error = netlink().and_then(|other| other.bind(&bound)).expect_err("taken");
    assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
    assert!(format!("{bound:?}").contains("family: Domain(16)"), "{bound:?}");

    invalid(SocketAddr::try_from(bound.clone()), "not an Internet address");
    invalid(UnixAddr::try_from(bound), "not the address of a Unix socket");
}

#[test]
fn std_s_internet_addresses_convert_both_ways() {
    let v4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80);
    let v6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 1, 2);
    assert_eq!(Addr::from(v4), Addr::Internet(SocketAddr::V4(v4)));
    assert_eq!(Addr::from(v6), Addr::Internet(SocketAddr::V6(v6)));
    assert_eq!(Addr::from(SocketAddr::V6(v6)), Addr::from(v6));
    assert_eq!(Addr::from((Ipv4Addr::LOCALHOST, 80)), Addr::from(v4));
    assert_eq!(Addr::from((IpAddr::V4(Ipv4Addr::LOCALHOST), 80)), Addr::from(v4));
    assert_eq!(Addr::from(([127, 0, 0, 1], 80)), Addr::from(v4));
    assert_eq!(SocketAddr::try_from(Addr::from(v6)).expect("back"), SocketAddr::V6(v6));
    assert_eq!(Addr::from(v6).as_internet(), Some(SocketAddr::V6(v6)));
    assert_eq!((Addr::from(v4).domain(), Addr::from(v6).domain()), (Domain::INET, Domain::INET6));
    invalid(SocketAddr::try_from(Addr::from(UnixAddr::unnamed())), "not an Internet address");
    invalid(StdUnixAddr::try_from(Addr::from(v4)), "not the address of a Unix socket");
}

/// Both ways, with the meaning kept; std's type cannot be compared.
#[track_caller]
fn same_in_std(addr: &UnixAddr) {
    let std = StdUnixAddr::try_from(addr.clone()).unwrap_or_else(|error| panic!("{addr}: {error}"));
    assert_eq!(std.as_pathname(), addr.as_pathname());
    assert_eq!(std.as_abstract_name(), addr.as_abstract_name());
    assert_eq!(std.is_unnamed(), addr.is_unnamed());
    assert_eq!(UnixAddr::from(std.clone()), *addr);
    assert_eq!(Addr::from(std), Addr::Unix(addr.clone()));
    assert_eq!(UnixAddr::try_from(Addr::from(addr)).expect("back"), *addr);
}

proptest! {
    #[test]
    fn std_s_unix_addresses_convert_both_ways(bytes in prop::collection::vec(any::<u8>(), 0..108)) {
        same_in_std(&UnixAddr::from_abstract_name(&bytes).expect("at most 107 bytes"));
        if let Ok(path) = UnixAddr::from_pathname(OsStr::from_bytes(&bytes)) {
            same_in_std(&path);
        }
    }

    #[test]
    fn any_abstract_name_comes_back_from_the_kernel(end in prop::collection::vec(any::<u8>(), 0..80)) {
        let name = [format!("readysock {} ", std::process::id()).as_bytes(), &end].concat();
        let addr = UnixAddr::from_abstract_name(&name).expect("a name");
        prop_assert_eq!(bind_and_connect(&addr), Addr::from(addr));
    }
}

#[test]
fn what_std_was_given_by_the_kernel_converts() {
    same_in_std(&UnixAddr::unnamed());
    let (near, _far) = UnixStream::pair().expect("a pair");
    assert!(UnixAddr::from(near.local_addr().expect("its address")).is_unnamed());

    let dir = Dir::new();
    let path = dir.0.join("x");
    let listener = UnixListener::bind(&path).expect("std binds");
    let addr = Addr::from(listener.local_addr().expect("its address"));
    assert_eq!(addr, UnixAddr::from_pathname(&path).expect("a path").into());
    unix(Type::STREAM).connect(addr).expect("we connect");
}

#[test]
fn an_address_reads_as_a_person_writes_it() {
    let path = |path: &[u8]| Addr::from(UnixAddr::from_pathname(OsStr::from_bytes(path)).unwrap());
    let name = |name: &[u8]| Addr::from(UnixAddr::from_abstract_name(name).unwrap());
    let cases = [
        (([127, 0, 0, 1], 80).into(), "127.0.0.1:80"),
        ((Ipv6Addr::LOCALHOST, 80).into(), "[::1]:80"),
        (SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 0, 3).into(), "[::1%3]:80"),
        (path(b"/run/x.sock"), "unix:/run/x.sock"),
        (path(b"it's a \"socket\""), "unix:it's a \"socket\""),
        (path("/tmp/größe/鍵".as_bytes()), "unix:/tmp/größe/鍵"),
        (path(b"a\\b\nc\x7f"), r"unix:a\\b\x0ac\x7f"),
        (path(b"\xff\xc3"), r"unix:\xff\xc3"),
        (path("a\u{202e}b".as_bytes()), r"unix:a\xe2\x80\xaeb"),
        (path(b"@x"), r"unix:\x40x"),
        (path(b"(unnamed)"), r"unix:\x28unnamed)"),
        (path(b"(x)"), "unix:(x)"),
        (name(b"x"), "unix:@x"),
        (name(b"@"), "unix:@@"),
        (name(b""), "unix:@"),
        (name(b"\0a\0"), r"unix:@\x00a\x00"),
        (UnixAddr::unnamed().into(), "unix:(unnamed)"),
    ];
    for (addr, text) in cases {
        assert_eq!(addr.to_string(), text);
        assert_eq!(text.parse::<Addr>().expect(text), addr, "{text}");
    }
    let column: Addr = "unix:/x".parse().expect("a path");
    assert_eq!(format!("{column:<9}|{column:>9}|"), "unix:/x  |  unix:/x|");
    // Either case of a digit is read.
    assert_eq!(r"unix:\x4A".parse::<Addr>().expect("J"), path(b"J"));
}

#[test]
fn text_that_is_no_address_is_an_error_that_says_what_to_write() {
    for text in
        ["", "x", "127.0.0.1", "localhost:80", "127.0.0.1:65536", "::1:80", "unix", "/x", "@x"]
    {
        invalid(text.parse::<Addr>(), "127.0.0.1:80, [::1]:80 or unix:PATH");
    }
    for text in [r"unix:\", r"unix:\n", r"unix:\x4", r"unix:\x4g", r"unix:@\xé", r"unix:a\X41"] {
        invalid(text.parse::<Addr>(), "backslash");
    }
    invalid("unix:".parse::<Addr>(), "is empty");
    invalid(r"unix:a\x00".parse::<Addr>(), "holds a NUL");
    invalid(format!("unix:{}", "x".repeat(108)).parse::<Addr>(), "longer than 107");
    invalid(format!("unix:@{}", "x".repeat(108)).parse::<Addr>(), "longer than 107");
}

#[test]
fn debug_tells_the_kinds_apart() {
    let path = UnixAddr::from_pathname("/x").expect("a path");
    let name = UnixAddr::from_abstract_name("a\0").expect("a name");
    assert_eq!(format!("{path:?} {name:?}"), r#"pathname "/x" abstract "a\x00""#);
    assert_eq!(format!("{:?}", Addr::from(UnixAddr::unnamed())), "Unix(unnamed)");
    assert_eq!(format!("{:?}", Addr::from(([127, 0, 0, 1], 80))), "Internet(127.0.0.1:80)");
    assert_eq!(Path::new("/x"), path.as_pathname().expect("a path"));
    assert_eq!((path.as_abstract_name(), name.as_pathname()), (None, None));
}

#[test]
fn the_numbers_of_the_kernel_have_names_and_need_none() {
    let known = [
        (format!("{:?}", Domain::INET), libc::AF_INET, i32::from(Domain::INET), "Domain::INET"),
        (format!("{:?}", Domain::INET6), libc::AF_INET6, Domain::INET6.into(), "Domain::INET6"),
        (format!("{:?}", Domain::UNIX), libc::AF_UNIX, Domain::UNIX.into(), "Domain::UNIX"),
        (format!("{:?}", Type::STREAM), libc::SOCK_STREAM, Type::STREAM.into(), "Type::STREAM"),
        (format!("{:?}", Type::DGRAM), libc::SOCK_DGRAM, Type::DGRAM.into(), "Type::DGRAM"),
        (format!("{:?}", Type::RAW), libc::SOCK_RAW, Type::RAW.into(), "Type::RAW"),
        (
            format!("{:?}", Type::SEQPACKET),
            libc::SOCK_SEQPACKET,
            Type::SEQPACKET.into(),
            "Type::SEQPACKET",
        ),
        (format!("{:?}", Protocol::TCP), libc::IPPROTO_TCP, Protocol::TCP.into(), "Protocol::TCP"),
        (format!("{:?}", Protocol::UDP), libc::IPPROTO_UDP, Protocol::UDP.into(), "Protocol::UDP"),
        (
            format!("{:?}", Protocol::ICMP),
            libc::IPPROTO_ICMP,
            Protocol::ICMP.into(),
            "Protocol::ICMP",
        ),
        (
            format!("{:?}", Protocol::ICMPV6),
            libc::IPPROTO_ICMPV6,
            Protocol::ICMPV6.into(),
            "Protocol::ICMPV6",
        ),
    ];
    for (debug, number, ours, name) in known {
        assert_eq!((debug.as_str(), ours), (name, number));
    }
    assert_eq!(
        format!("{:?} {:?} {:?}", Domain::from(40), Type::from(-1), Protocol::from(132)),
        "Domain(40) Type(-1) Protocol(132)"
    );
    assert_eq!(i32::from(Domain::from(-7)), -7);
}

#[test]
fn addresses_can_be_sent_between_threads() {
    fn shared<T: Send + Sync + Clone + Eq + std::hash::Hash + std::fmt::Debug>() {}
    fn small<T: Copy + Send + Sync + Eq + std::hash::Hash + std::fmt::Debug>() {}
    shared::<Addr>();
    shared::<UnixAddr>();
    shared::<OtherAddr>();
    small::<Domain>();
    small::<Type>();
    small::<Protocol>();
}
