//! What the traits do unless told otherwise, what is passed on and printed, and a protocol of lines that takes less than
//! there is, or no more.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use readysock::Key;
use readysock::reactor::line::{LineProtocol, LineTransport, Lines};
use readysock::reactor::{Backend, Dispatcher, Lost, Problem, Reactor};

use crate::tools::{Count, Loop, add, count};

/// What somebody was told, in words.
type Told = Rc<RefCell<Vec<String>>>;

fn tell(told: &Told, what: &str, bytes: &[u8]) {
    told.borrow_mut().push(format!("{what} {}", bytes.escape_ascii()));
    assert!(told.borrow().len() < 20, "without end: {told:?}");
}

/// A protocol that is attached to one end, and the other end.
fn attached(it: &mut Loop, protocol: Lines<impl LineProtocol + 'static>) -> UnixStream {
    let (near, far) = UnixStream::pair().unwrap();
    it.attach(near.into(), protocol).unwrap();
    it.passes(1);
    far
}

pub fn a_dispatcher_wants_to_write_unless_it_says_otherwise(backend: Backend) {
    struct Writer(UnixStream, Count);
    impl AsFd for Writer {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
    impl Dispatcher for Writer {
        fn handle_write(&mut self, reactor: &mut Reactor, key: Key) {
            add(&self.1);
            reactor.remove(key);
        }
    }
    let mut it = Loop::new(backend);
    let (near, _far) = UnixStream::pair().unwrap();
    let written = count();
    it.dispatch(Writer(near, Rc::clone(&written))).unwrap();
    it.passes(2);
    assert_eq!(written.get(), 1);
}

pub fn a_dispatcher_that_wants_to_read_is_told_of_nothing_else(backend: Backend) {
    struct OnlyReads(UnixStream, Told);
    impl AsFd for OnlyReads {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
    impl Dispatcher for OnlyReads {
        fn writable(&self) -> bool {
            false
        }
        fn handle_read(&mut self, _: &mut Reactor, _: Key) {
            let mut buffer = [0; 8];
            let n = self.0.read(&mut buffer).expect("ready");
            tell(&self.1, "read", &buffer[..n]);
        }
        fn handle_write(&mut self, _: &mut Reactor, _: Key) {
            tell(&self.1, "write", b"");
        }
    }
    let mut it = Loop::new(backend);
    let (near, mut far) = UnixStream::pair().unwrap();
    let told = Told::default();
    it.dispatch(OnlyReads(near, Rc::clone(&told))).unwrap();
    far.write_all(b"x").unwrap();
    it.passes(2);
    assert_eq!(told.take(), ["read x"]);
}

/// What a connection of lines is told that has nothing to do with lines.
pub fn lines_pass_on_what_a_protocol_is_told(backend: Backend) {
    #[derive(Debug)]
    struct Full(Told);
    impl LineProtocol for Full {
        fn connection_made(&mut self, transport: &mut LineTransport<'_, '_>) {
            transport.set_marks(0, 0);
            while transport.queued() == 0 {
                transport.write(&[b'x'; 1 << 16]);
            }
        }
        fn line_received(&mut self, _: &mut LineTransport<'_, '_>, line: &[u8]) {
            tell(&self.0, "line", line);
        }
        fn pause_writing(&mut self, _: &mut LineTransport<'_, '_>) {
            tell(&self.0, "pause", b"");
        }
        fn connect_failed(&mut self, _: &mut Reactor, error: io::Error) {
            tell(&self.0, "failed", format!("{:?}", error.kind()).as_bytes());
        }
    }
    let mut it = Loop::new(backend);
    let told = Told::default();
    let _far = attached(&mut it, Lines::new(Full(Rc::clone(&told))));
    it.passes(1);
    assert_eq!(told.take(), ["pause "]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    it.connect([nobody], None, Lines::new(Full(Rc::clone(&told)))).unwrap();
    it.until(|| !told.borrow().is_empty());
    assert_eq!(told.take(), ["failed ConnectionRefused"]);
}

pub fn what_is_printed_of_it(backend: Backend) {
    #[derive(Debug)]
    struct Printer(Told);
    impl LineProtocol for Printer {
        fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, _: &[u8]) {
            tell(&self.0, "", format!("{transport:?}").as_bytes());
        }
    }
    let mut it = Loop::new(backend);
    let told = Told::default();
    let protocol = Lines::new(Printer(Rc::clone(&told))).longest(77);
    let printed = format!("{protocol:?}");
    assert!(printed.contains("Printer"), "{printed}");
    let mut far = attached(&mut it, protocol);
    far.write_all(b"a\r\n").unwrap();
    it.until(|| !told.borrow().is_empty());
    let printed = told.borrow()[0].clone();
    assert!(printed.contains("longest: 77") && printed.contains("socket: Some("), "{printed}");

    let (near, _far) = UnixStream::pair().unwrap();
    let key = it.watch(near, readysock::Events::empty(), |_, _, _, _| {}).unwrap();
    let error = || io::Error::from_raw_os_error(nix::libc::EMFILE);
    let accept = Problem::Accept { listener: key, error: error() };
    assert_eq!(accept.to_string(), "accept: Too many open files (os error 24)");
    let broken = Problem::Broken { source: key, error: error() };
    assert_eq!(broken.to_string(), "a source is broken: Too many open files (os error 24)");
    let panic = Problem::Panic { source: Some(key), text: "why".to_owned() };
    assert_eq!(panic.to_string(), "panic: why");

    for (lost, text) in [
        (Lost::Reset, "reset by the peer"),
        (Lost::Aborted, "aborted here"),
        (Lost::TimedOut, "timed out"),
        (Lost::Error(error()), "Too many open files (os error 24)"),
        (Lost::Panicked("why".to_owned()), "panic: why"),
        (Lost::Dropped, "the reactor is gone"),
    ] {
        assert_eq!(lost.to_string(), text);
        assert!(!lost.is_clean(), "{lost}");
    }
    assert_eq!((Lost::Closed.to_string().as_str(), Lost::Closed.is_clean()), ("closed", true));
}

pub fn raw_bytes_are_taken_unless_it_says_otherwise(backend: Backend) {
    struct Silent(Told);
    impl LineProtocol for Silent {
        fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
            tell(&self.0, "line", line);
            transport.set_raw();
        }
        fn read_closed(&mut self, transport: &mut LineTransport<'_, '_>, rest: &[u8]) {
            tell(&self.0, "closed", rest);
            transport.close();
        }
    }
    let mut it = Loop::new(backend);
    let told = Told::default();
    let far = attached(&mut it, Lines::new(Silent(Rc::clone(&told))));
    for piece in [&b"a\r\nraw"[..], b"b\r\n"] {
        (&far).write_all(piece).unwrap();
        it.passes(2);
    }
    far.shutdown(Shutdown::Write).unwrap();
    it.until(|| told.borrow().len() == 2);
    assert_eq!(told.take(), ["line a", "closed "]);
}

pub fn a_line_that_is_too_long_closes_unless_it_says_otherwise(backend: Backend) {
    let mut it = Loop::new(backend);
    let lines = count();
    let counted = Rc::clone(&lines);
    let protocol = Lines::new(move |_: &mut LineTransport<'_, '_>, _: &[u8]| add(&counted));
    let mut far = attached(&mut it, protocol.longest(3));
    far.write_all(b"abc\r\nabcd\r\nabc\r\n").unwrap();
    it.passes(3);
    far.set_nonblocking(true).unwrap();
    assert_eq!(far.read(&mut [0; 8]).expect("the end"), 0);
    assert_eq!(lines.get(), 1);
}

/// A protocol that leaves the connection open is deaf all the same; and one that has closed it is told no more of what was there.
pub fn after_a_line_too_long_or_a_close_nothing_is_told(backend: Backend) {
    struct Deaf(Told);
    impl LineProtocol for Deaf {
        fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
            tell(&self.0, "line", line);
            if line == b"bye" {
                transport.close();
            }
        }
        fn line_too_long(&mut self, _: &mut LineTransport<'_, '_>) {
            tell(&self.0, "too long", b"");
        }
        fn read_closed(&mut self, transport: &mut LineTransport<'_, '_>, rest: &[u8]) {
            tell(&self.0, "closed", rest);
            transport.close();
        }
    }
    let mut it = Loop::new(backend);
    let told = Told::default();
    let far = attached(&mut it, Lines::new(Deaf(Rc::clone(&told))).longest(3));
    for piece in [&b"a\r\nabcdef\r\nb\r\n"[..], b"c\r\n"] {
        (&far).write_all(piece).unwrap();
        it.passes(2);
    }
    far.shutdown(Shutdown::Write).unwrap();
    it.until(|| told.borrow().len() == 3);
    assert_eq!(told.take(), ["line a", "too long ", "closed "]);

    let far = attached(&mut it, Lines::new(Deaf(Rc::clone(&told))));
    (&far).write_all(b"a\r\nbye\r\nb\r\nc\r\n").unwrap();
    it.passes(3);
    assert_eq!(told.take(), ["line a", "line bye"]);
}

/// Records of three bytes: what is left of one waits until there is more, and is not offered again before.
pub fn raw_bytes_that_were_not_taken_come_again_with_more(backend: Backend) {
    struct Records(Told);
    impl LineProtocol for Records {
        fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
            tell(&self.0, "line", line);
            transport.set_raw();
        }
        fn raw_received(&mut self, _: &mut LineTransport<'_, '_>, data: &[u8]) -> usize {
            tell(&self.0, "raw", data);
            data.len() / 3 * 3
        }
        fn read_closed(&mut self, transport: &mut LineTransport<'_, '_>, rest: &[u8]) {
            tell(&self.0, "closed", rest);
            transport.close();
        }
    }
    let mut it = Loop::new(backend);
    let told = Told::default();
    let far = attached(&mut it, Lines::new(Records(Rc::clone(&told))));
    for piece in [&b"records\r\nabcd"[..], b"e", b"f", b"g;\r\n"] {
        (&far).write_all(piece).unwrap();
        it.passes(2);
    }
    far.shutdown(Shutdown::Write).unwrap();
    it.until(|| told.borrow().last().is_some_and(|last| last.starts_with("closed")));
    let expected = ["line records", "raw abcd", "raw de", "raw def", "raw g;\\r\\n", "closed \\n"];
    assert_eq!(told.take(), expected);
}
