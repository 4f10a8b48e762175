//! Servers at a path: how long it may be, what is in the way there, what is removed at the end.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use readysock::server::{Datagram, Stream, UnixDatagramServer, UnixStreamServer};
use readysock::{Domain, Socket, Type, UnixAddr};

use crate::support::servers::{Folder, connect, read_all, while_serving};
use crate::support::sockets::{bind_to_the_last_byte, unix};

/// The four servers' ways to a path: a stream server and a packet server there, or why not.
fn at_path(path: &Path) -> [io::Result<()>; 2] {
    let stream = UnixAddr::from_pathname(path).and_then(|addr| {
        let server = UnixStreamServer::bind(&addr, |stream: &mut Stream| stream.write_all(b"x"))?;
        while_serving(server, |addr, _| assert_eq!(read_all(&connect(addr)), b"x"));
        Ok(())
    });
    let packets = UnixAddr::from_pathname(path).and_then(|addr| {
        let server =
            UnixDatagramServer::bind(&addr, |packet: &mut Datagram| packet.reply(packet.bytes()))?;
        while_serving(server, |addr, _| {
            let client = unix(Type::DGRAM);
            client.bind(UnixAddr::unnamed()).unwrap();
            assert_eq!(client.send_to(b"x", addr).unwrap(), 1);
            let (len, _, from) = client.recv_from(&mut [0; 2]).unwrap();
            assert_eq!((len, &from), (1, addr));
        });
        Ok(())
    });
    [stream, packets]
}

#[test]
fn paths_up_to_107_bytes() {
    let folder = Folder::new("paths");
    for len in [106, 107] {
        for served in at_path(&folder.path_of(len)) {
            served.unwrap();
            assert!(folder.is_empty());
        }
    }
    for len in [108, 109] {
        for refused in at_path(&folder.path_of(len)) {
            let error = refused.unwrap_err();
            assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None));
            assert!(error.to_string().contains("107 bytes"), "{error}");
            assert!(folder.is_empty(), "nor is one that is cut to fit");
        }
    }
}

/// The kernel takes 108 bytes, without a NUL at the end. Where somebody has such an address, the servers take it too.
#[test]
fn a_path_of_108_bytes_that_the_kernel_names() {
    let folder = Folder::new("108");
    let path = folder.path_of(108);
    for kind in [Type::STREAM, Type::DGRAM] {
        let first = unix(kind);
        bind_to_the_last_byte(&first, &path);
        let addr = first.local_addr().unwrap();
        drop(first);
        assert!(path.exists(), "left behind, at its whole length");
        if kind == Type::STREAM {
            let builder = UnixStreamServer::builder().replace_stale(true);
            let server = builder.bind(&addr, |stream: &mut Stream| stream.write_all(b"x"));
            while_serving(server.unwrap(), |addr, _| assert_eq!(read_all(&connect(addr)), b"x"));
        } else {
            let builder = UnixDatagramServer::builder().replace_stale(true);
            let server = builder.bind(&addr, |packet: &mut Datagram| packet.reply(b"x"));
            while_serving(server.unwrap(), |addr, _| {
                let client = unix(Type::DGRAM);
                client.bind(UnixAddr::unnamed()).unwrap();
                assert_eq!(client.send_to(b"", addr).unwrap(), 0);
                assert_eq!(client.recv(&mut [0; 2]).unwrap(), 1);
            });
        }
        assert!(folder.is_empty(), "the server has removed its file");
    }
}

#[test]
fn a_stale_file_is_replaced_on_request() {
    let folder = Folder::new("stale");
    let path = folder.path_of(60);
    let addr = UnixAddr::from_pathname(&path).unwrap();
    for kind in [Type::STREAM, Type::DGRAM] {
        let left_behind = unix(kind);
        left_behind.bind(&addr).unwrap();
        drop(left_behind);
        assert!(path.exists());
        let replaced = if kind == Type::STREAM {
            let handler = |_: &mut Stream| Ok(());
            let in_use = UnixStreamServer::bind(&addr, handler).unwrap_err();
            assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
            UnixStreamServer::builder().replace_stale(true).bind(&addr, handler).map(drop)
        } else {
            let handler = |_: &mut Datagram| Ok(());
            let in_use = UnixDatagramServer::bind(&addr, handler).unwrap_err();
            assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
            UnixDatagramServer::builder().replace_stale(true).bind(&addr, handler).map(drop)
        };
        replaced.unwrap();
        assert!(!path.exists());
    }
}

#[test]
fn what_is_alive_or_no_socket_is_not_replaced() {
    let folder = Folder::new("alive");
    let path = folder.path_of(60);
    let addr = UnixAddr::from_pathname(&path).unwrap();
    let try_it = || {
        let stream = UnixStreamServer::builder().replace_stale(true);
        let packet = UnixDatagramServer::builder().replace_stale(true);
        for error in [
            stream.bind(&addr, |_: &mut Stream| Ok(())).unwrap_err(),
            packet.bind(&addr, |_: &mut Datagram| Ok(())).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
        }
        assert!(fs::symlink_metadata(&path).is_ok());
    };
    for kind in [Type::STREAM, Type::DGRAM] {
        let alive = Socket::new(Domain::UNIX, kind, None).unwrap();
        alive.bind(&addr).unwrap();
        if kind == Type::STREAM {
            alive.listen(0).unwrap();
        }
        try_it();
        if kind == Type::STREAM {
            // The first knock filled the queue: one that is full is alive, too.
            try_it();
        }
        fs::remove_file(&path).unwrap();
    }
    fs::write(&path, "somebody's").unwrap();
    try_it();
    assert_eq!(fs::read(&path).unwrap(), b"somebody's");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    try_it();
}

#[test]
fn a_name_without_a_file_is_never_stale() {
    let handler = |_: &mut Stream| Ok(());
    let first = UnixStreamServer::bind(UnixAddr::unnamed(), handler).unwrap();
    let addr = first.local_addr().unwrap();
    let second = UnixStreamServer::builder().replace_stale(true).bind(&addr, handler);
    assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(first);
    UnixStreamServer::bind(&addr, handler).unwrap();
}

#[test]
fn anothers_file_is_not_removed() {
    let folder = Folder::new("other");
    let path = folder.path_of(60);
    let addr = UnixAddr::from_pathname(&path).unwrap();
    let handler = |_: &mut Stream| Ok(());
    let first = UnixStreamServer::bind(&addr, handler).unwrap();
    fs::rename(&path, folder.path_of(61)).unwrap();
    let second = UnixStreamServer::bind(&addr, handler).unwrap();
    drop(first);
    assert!(path.exists(), "the second server's");
    drop(second);
    assert!(!path.exists());
}
