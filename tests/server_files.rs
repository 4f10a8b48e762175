//! Servers at a path: how long it may be, what is in the way there, what is removed at the end.

mod support;

use std::fs;
use std::io::{ErrorKind, Write};

use readysock::server::{Datagram, Stream, UnixDatagramServer, UnixStreamServer};
use readysock::{Domain, Socket, Type, UnixAddr};

use support::servers::{Folder, connect, read_all, while_serving};
use support::sockets::unix;

#[test]
fn paths_up_to_107_bytes() {
    let folder = Folder::new("paths");
    let addr = UnixAddr::from_pathname(folder.path_of(107)).unwrap();
    let server = UnixStreamServer::bind(&addr, |stream: &mut Stream| stream.write_all(b"x"));
    while_serving(server.unwrap(), |addr, _| {
        assert_eq!(addr.as_unix().unwrap().as_pathname().unwrap().as_os_str().len(), 107);
        assert_eq!(read_all(&connect(addr)), b"x");
    });
    assert!(!folder.path_of(107).exists());
    for len in [108, 109] {
        let error = UnixAddr::from_pathname(folder.path_of(len)).unwrap_err();
        assert!(error.to_string().contains("107 bytes"), "{error}");
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
