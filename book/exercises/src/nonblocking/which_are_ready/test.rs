use std::fs::File;
use std::io::{Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use readysock::{FdSet, select};

#[test]
fn as_select_says() {
    let empty = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let waited_at = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let _waits = TcpStream::connect(waited_at.local_addr().expect("an address")).expect("a client");
    let (quiet, _peer) = connection();
    let (told, mut peer) = connection();
    peer.write_all(b"hello").expect("room");
    let (left, peer) = connection();
    drop(peer);
    let (empty_pipe, _writer) = pipe().expect("a pipe");
    let (dead_pipe, writer) = pipe().expect("a pipe");
    drop(writer);
    let mut file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("a file");
    file.read_to_end(&mut Vec::new()).expect("its end");
    // What was sent takes its time to arrive.
    for arrives in [waited_at.as_fd(), told.as_fd(), left.as_fd()] {
        select(&FdSet::from_iter([arrives]), &FdSet::new(), &FdSet::new(), None).expect("a wait");
    }

    let sources = [
        empty.as_fd(),
        waited_at.as_fd(),
        quiet.as_fd(),
        told.as_fd(),
        left.as_fd(),
        empty_pipe.as_fd(),
        dead_pipe.as_fd(),
        file.as_fd(),
    ];
    for ((what, predicted), source) in answers().into_iter().zip(sources) {
        assert_eq!(predicted, said(source), "{what}");
    }
}

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("a client");
    (listener.accept().expect("it").0, client)
}

fn said(source: BorrowedFd<'_>) -> &'static str {
    let (set, none) = (FdSet::from_iter([source]), FdSet::new());
    let ready = select(&set, &set, &none, Duration::ZERO).expect("an answer");
    match (ready.readable().is_empty(), ready.writable().is_empty()) {
        (true, true) => "",
        (false, true) => "r",
        (true, false) => "w",
        (false, false) => "rw",
    }
}
