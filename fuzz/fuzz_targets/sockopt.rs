//! Socket options, where the kernel answers anything: any content, any length, more than it was asked for.
//!
//! The program has a `getsockopt` and a `setsockopt` of its own, which the linker prefers to the C library's:
//! the crate's code is the same as everywhere, only its kernel is another.
#![no_main]

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::os::fd::{AsFd, IntoRawFd};
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nix::errno::Errno;
use readysock::libc::{self, socklen_t};
use readysock::sockopt::{self, OptionInfo};

#[derive(Arbitrary, Debug)]
struct Input {
    level: Level,
    name: Name,
    /// The caller's buffer.
    room: u16,
    answer: Answer,
}

#[derive(Arbitrary, Debug)]
enum Level {
    Socket,
    Tcp,
    Ip,
    Ipv6,
    Any(c_int),
}

#[derive(Arbitrary, Debug)]
enum Name {
    Small(u8),
    Any(c_int),
}

#[derive(Arbitrary, Clone, Debug)]
struct Answer {
    /// The call fails, with this number.
    errno: Option<u8>,
    content: Vec<u8>,
    said: Said,
}

/// The length that the kernel claims.
#[derive(Arbitrary, Clone, Debug)]
enum Said {
    /// What it has written, within what it was told: what a good one does.
    Written,
    Exactly(u8),
    Any(socklen_t),
}

/// What some handlers were seen to touch behind the buffer is a quarter of this (src/sys/sockopt.rs).
const BEHIND: usize = 512;

#[derive(Default)]
struct Kernel {
    answer: Option<Answer>,
    /// What the last call said of the length.
    said: socklen_t,
    reads: usize,
    written: Vec<Vec<u8>>,
}

thread_local! {
    static KERNEL: RefCell<Kernel> = RefCell::default();
}

/// getsockopt(2), as above.
///
/// # Safety
///
/// As the C library's; and `BEHIND` bytes more are the caller's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockopt(
    _: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller's duty.
    let (told, memory) = unsafe {
        let told = usize::try_from(*length).expect("64 bits");
        (told, std::slice::from_raw_parts_mut(value.cast::<u8>(), told + BEHIND))
    };
    assert!(c_int::try_from(told).is_ok(), "the kernel takes the length for an int");
    assert!(memory.iter().all(|byte| *byte == 0), "the kernel sees what was in the buffer");
    KERNEL.with_borrow_mut(|kernel| {
        let Answer { errno, content, said } =
            kernel.answer.clone().expect("only the crate calls this");
        kernel.reads += 1;
        let written = content.len().min(memory.len());
        memory[..written].copy_from_slice(&content[..written]);
        let errno = errno.map(|errno| c_int::from(errno).max(1));
        kernel.said = match said {
            Said::Written => socklen_t::try_from(written.min(told)).expect("small"),
            Said::Exactly(length) => length.into(),
            Said::Any(length) => length,
        };
        if errno == Some(libc::ERANGE) {
            // It says how much it needs. The longest list that the kernel has are 65536 groups of 4 bytes.
            kernel.said %= 262_145;
        }
        if errno.is_none() && (level, name) == PEER_PIDFD && kernel.said == 4 {
            give_descriptor(memory);
        }
        // SAFETY: the caller's duty.
        unsafe { *length = kernel.said };
        match errno {
            Some(errno) => {
                Errno::set_raw(errno);
                -1
            }
            None => 0,
        }
    })
}

const PEER_PIDFD: (c_int, c_int) = (libc::SOL_SOCKET, 77);

/// Its number would be closed: it has to be one that nobody else has.
fn give_descriptor(memory: &mut [u8]) {
    let number = c_int::from_ne_bytes(*memory.first_chunk().expect("4 bytes"));
    if number >= 0 {
        let new = io::stderr().as_fd().try_clone_to_owned().expect("duplicated").into_raw_fd();
        memory[..4].copy_from_slice(&new.to_ne_bytes());
    }
}

/// setsockopt(2), which keeps what is written.
///
/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn setsockopt(
    _: c_int,
    _: c_int,
    _: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    let length = usize::try_from(length).expect("64 bits");
    // SAFETY: the caller's duty.
    let bytes = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), length) };
    KERNEL.with_borrow_mut(|kernel| kernel.written.push(bytes.to_vec()));
    0
}

static SOCKET: LazyLock<UdpSocket> =
    LazyLock::new(|| UdpSocket::bind("127.0.0.1:0").expect("bound"));
static TABLE: LazyLock<Vec<&'static OptionInfo>> = LazyLock::new(|| sockopt::table().collect());

/// What the call makes of an answer, the length that the kernel said, and how often it was asked.
fn with<T>(answer: &Answer, call: impl FnOnce() -> T) -> (T, usize, usize) {
    KERNEL.with_borrow_mut(|kernel| {
        *kernel = Kernel { answer: Some(answer.clone()), ..Kernel::default() }
    });
    let value = call();
    KERNEL
        .with_borrow(|kernel| (value, usize::try_from(kernel.said).expect("64 bits"), kernel.reads))
}

/// The bytes of an answer, as long as it is said to be.
fn bytes(answer: &Answer, said: usize) -> Vec<u8> {
    let mut bytes = answer.content.clone();
    bytes.resize(said, 0);
    bytes
}

fn raw_forms(level: c_int, name: c_int, room: usize, answer: &Answer) {
    let refused = level == libc::SOL_SOCKET && [libc::SO_GET_FILTER, PEER_PIDFD.1].contains(&name);
    let mut buffer = vec![0xAA; room];
    let (result, said, asked) =
        with(answer, || sockopt::get_bytes(&*SOCKET, level, name, &mut buffer));
    assert_eq!(asked, usize::from(!refused));
    match result {
        Ok(n) => {
            assert_eq!(n, said);
            assert_eq!((&buffer[..n], answer.errno), (&bytes(answer, said)[..], None));
            assert!(buffer[n..].iter().all(|byte| *byte == 0));
        }
        Err(error) => {
            assert!(buffer.iter().all(|byte| *byte == 0));
            expect(&error, refused, answer, said > room);
        }
    }

    let (result, said, asked) = with(answer, || sockopt::get_int(&*SOCKET, level, name));
    assert_eq!(asked, usize::from(!refused));
    match result {
        Ok(int) => {
            assert_eq!((said, answer.errno), (4, None));
            assert_eq!(int.to_ne_bytes()[..], bytes(answer, 4));
        }
        Err(error) => expect(&error, refused, answer, said != 4),
    }
}

fn expect(error: &io::Error, refused: bool, answer: &Answer, wrong_length: bool) {
    match error.raw_os_error() {
        Some(errno) => assert_eq!(answer.errno.map(|errno| c_int::from(errno).max(1)), Some(errno)),
        None if refused => assert_eq!(error.kind(), ErrorKind::InvalidInput),
        None => {
            assert_eq!((error.kind(), wrong_length), (ErrorKind::InvalidData, true), "{error}");
        }
    }
}

/// What is read as text can be written as that text, and is then read as the same.
fn typed(row: &OptionInfo, answer: &Answer) {
    let (text, said, _) = with(answer, || row.get_text(&*SOCKET));
    let int = (said == 4)
        .then(|| bytes(answer, 4).first_chunk().copied().map(c_int::from_ne_bytes))
        .flatten();
    if let Ok(text) = &text {
        assert!(row.direction().can_get() && answer.errno.is_none());
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    match (row.value(), int) {
        ("bool", int) if row.direction().can_get() && answer.errno.is_none() => {
            assert_eq!(text.as_deref().ok(), int.map(|int| if int == 0 { "off" } else { "on" }));
        }
        ("u32", Some(int)) if row.direction().can_get() && answer.errno.is_none() => {
            assert_eq!(text.as_deref().ok(), Some(&*int.cast_unsigned().to_string()));
        }
        _ if row.c_name() == "SO_LINGER" && said == 8 && answer.errno.is_none() => {
            let bytes = bytes(answer, 8);
            let field =
                |at: usize| c_int::from_ne_bytes(*bytes[at..].first_chunk().expect("4 bytes"));
            let expected = match (field(0), field(4)) {
                (0, _) => "off".to_owned(),
                (_, 0) => "abort".to_owned(),
                (_, seconds) => format!("{}s", seconds.unsigned_abs()),
            };
            assert_eq!(text.as_deref().ok(), Some(&*expected));
        }
        _ => {}
    }
    let Ok(text) = text else { return };
    if !row.direction().can_set() {
        return;
    }
    if let Err(error) = row.set_text(&*SOCKET, &text) {
        // A kernel may answer what it would not take: a time to linger of 100000 s.
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        return;
    }
    let written = KERNEL.with_borrow_mut(|kernel| kernel.written.pop()).expect("it was written");
    let again = Answer { errno: None, content: written, said: Said::Written };
    let (read, ..) = with(&again, || row.get_text(&*SOCKET));
    assert_eq!(read.ok().as_ref(), Some(&text), "{}", row.c_name());
}

fuzz_target!(|input: Input| {
    let level = match input.level {
        Level::Socket => libc::SOL_SOCKET,
        Level::Tcp => libc::IPPROTO_TCP,
        Level::Ip => libc::IPPROTO_IP,
        Level::Ipv6 => libc::IPPROTO_IPV6,
        Level::Any(level) => level,
    };
    let name = match input.name {
        Name::Small(name) => name.into(),
        Name::Any(name) => name,
    };
    raw_forms(level, name, input.room.into(), &input.answer);
    for row in &*TABLE {
        typed(row, &input.answer);
    }
});
