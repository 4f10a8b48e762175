//! What the traits do unless told otherwise, and a protocol of lines that takes less than there is, or no more.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use readysock::Key;
use readysock::reactor::line::{LineProtocol, LineTransport, Lines};
use readysock::reactor::{Backend, Dispatcher, Reactor};

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
