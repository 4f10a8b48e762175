//! Socket options, where the kernel answers what none here does: other lengths, numbers out of range, lists that grow.
//!
//! This program has a `getsockopt` of its own, which the linker prefers to the C library's.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::time::Duration;

use readysock::libc::{self, socklen_t};
use readysock::sockopt::{self, Linger};

/// What the kernel says: a length, and either these bytes or an error.
type Answer = (usize, Result<Vec<u8>, c_int>);

thread_local! {
    /// For the call of this number, the first being 0. The crate calls on the thread it is called on.
    static ANSWERS: RefCell<Box<dyn Fn(usize) -> Answer>> =
        RefCell::new(Box::new(|_| panic!("no test asks here")));
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// getsockopt(2), as above.
///
/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockopt(
    _: c_int,
    _: c_int,
    _: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    let call = CALLS.get();
    CALLS.set(call + 1);
    let (said, answer) = ANSWERS.with_borrow(|answers| answers(call));
    // SAFETY: the caller's duty.
    let told = unsafe { length.replace(said.try_into().unwrap()) };
    match answer {
        Ok(bytes) => {
            assert!(bytes.len() <= usize::try_from(told).unwrap(), "the test writes what fits");
            // SAFETY: the caller's duty, and what the test writes fits.
            unsafe { value.copy_from_nonoverlapping(bytes.as_ptr().cast(), bytes.len()) };
            0
        }
        Err(errno) => {
            nix::errno::Errno::set_raw(errno);
            -1
        }
    }
}

/// What a call makes of these answers, and how often it asked.
fn asked<T>(
    answers: impl Fn(usize) -> Answer + 'static,
    call: impl FnOnce(&UdpSocket) -> io::Result<T>,
) -> (io::Result<T>, usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    ANSWERS.with_borrow_mut(|kept| *kept = Box::new(answers));
    CALLS.set(0);
    let result = call(&socket);
    (result, CALLS.get())
}

/// The value of an answer of these bytes.
fn of<T>(bytes: &[u8], call: impl FnOnce(&UdpSocket) -> io::Result<T>) -> io::Result<T> {
    let bytes = bytes.to_vec();
    asked(move |_| (bytes.len(), Ok(bytes.clone())), call).0
}

fn of_int<T>(int: c_int, call: impl FnOnce(&UdpSocket) -> io::Result<T>) -> io::Result<T> {
    of(&int.to_ne_bytes(), call)
}

#[track_caller]
fn assert_unexpected<T: std::fmt::Debug>(result: io::Result<T>) {
    let error = result.expect_err("no value");
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidData, None), "{error}");
}

fn groups(socket: &UdpSocket) -> io::Result<Vec<u32>> {
    sockopt::get(socket, sockopt::PeerGroups)
}

#[test]
fn a_list_is_asked_for_again_with_the_room_that_it_needs() {
    let long: Vec<u8> = (0..1000_u32).flat_map(u32::to_ne_bytes).collect();
    let answers = move |call| match call {
        0 => (4000, Err(libc::ERANGE)),
        _ => (4000, Ok(long.clone())),
    };
    let (list, calls) = asked(answers, groups);
    assert_eq!((list.unwrap(), calls), ((0..1000).collect(), 2));
}

#[test]
fn a_list_that_grows_for_ever_is_given_up() {
    let (list, calls) = asked(|call| (1000 * (call + 1), Err(libc::ERANGE)), groups);
    assert_unexpected(list);
    assert!((2..100).contains(&calls), "{calls}");
}

#[test]
fn only_too_little_room_is_a_reason_to_ask_again() {
    // The room that there was, less of it, or an error of another kind that leaves a length behind.
    for (length, errno) in [(512, libc::ERANGE), (8, libc::ERANGE), (4000, libc::ENOPROTOOPT)] {
        let (list, calls) = asked(move |_| (length, Err(errno)), groups);
        assert_eq!((list.unwrap_err().raw_os_error(), calls), (Some(errno), 1));
    }
}

#[test]
fn part_of_a_group_is_none() {
    assert_unexpected(of(&[0; 7], groups));
    assert_eq!(of(&[0; 8], groups).unwrap(), [0, 0]);
    assert_eq!(of(&[], groups).unwrap(), []);
}

#[test]
fn a_number_that_is_no_descriptor_is_none() {
    for number in [-1, -2, c_int::MIN] {
        assert_unexpected(of_int(number, |socket| sockopt::get(socket, sockopt::PeerPidfd)));
    }
    assert_unexpected(of(&[0; 3], |socket| sockopt::get(socket, sockopt::PeerPidfd)));
    let long = asked(|_| (8, Ok(vec![0; 4])), |socket| sockopt::get(socket, sockopt::PeerPidfd));
    assert_unexpected(long.0);
}

#[test]
fn a_length_beyond_the_buffer_is_not_believed() {
    for said in [9, 600, usize::try_from(i32::MAX).unwrap()] {
        let mut buffer = [1; 8];
        let answers = move |_| (said, Ok(vec![7; 8]));
        let result = asked(answers, |socket| {
            sockopt::get_bytes(socket, libc::SOL_SOCKET, libc::SO_TYPE, &mut buffer)
        });
        let error = result.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains(&said.to_string()), "{error}");
        assert_eq!(buffer, [0; 8]);
    }
}

#[test]
fn a_number_below_zero_is_no_size_and_no_time() {
    assert_unexpected(of_int(-1, |socket| sockopt::get(socket, sockopt::SndBuf)));
    assert_unexpected(of_int(-1, |socket| sockopt::get(socket, sockopt::tcp::KeepIdle)));
    assert_unexpected(of_int(-1, |socket| sockopt::get(socket, sockopt::tcp::UserTimeout)));
    assert_eq!(of_int(0, |socket| sockopt::get(socket, sockopt::SndBuf)).unwrap(), 0);
    let idle = of_int(7, |socket| sockopt::get(socket, sockopt::tcp::KeepIdle));
    assert_eq!(idle.unwrap(), Duration::from_secs(7));
    // To these it is nobody.
    assert_eq!(of_int(-1, |socket| sockopt::get(socket, sockopt::PeekOff)).unwrap(), None);
    assert_eq!(of_int(-1, |socket| sockopt::get(socket, sockopt::IncomingCpu)).unwrap(), None);
    assert_eq!(of_int(0, |socket| sockopt::get(socket, sockopt::PeekOff)).unwrap(), Some(0));
}

#[test]
fn a_rate_is_an_int_or_a_long_and_none_where_all_bits_are_set() {
    let rate = |bytes: &[u8]| of(bytes, |socket| sockopt::get(socket, sockopt::MaxPacingRate));
    assert_eq!(rate(&7_u32.to_ne_bytes()).unwrap(), Some(7));
    assert_eq!(rate(&u32::MAX.to_ne_bytes()).unwrap(), None);
    assert_unexpected(rate(&[0; 3]));
    #[cfg(target_pointer_width = "64")]
    {
        assert_eq!(rate(&7_u64.to_ne_bytes()).unwrap(), Some(7));
        let wide = u64::from(u32::MAX);
        assert_eq!(rate(&wide.to_ne_bytes()).unwrap(), Some(wide));
        assert_eq!(rate(&u64::MAX.to_ne_bytes()).unwrap(), None);
        assert_unexpected(rate(&[0; 5]));
    }
}

/// A kernel before 5.1 would take the low half of the rate. It is known by the length of its answer.
#[test]
#[cfg(target_pointer_width = "64")]
fn a_rate_that_this_kernel_would_cut_is_refused() {
    let set = |bytes: &[u8], rate| {
        let bytes = bytes.to_vec();
        asked(
            move |_| (bytes.len(), Ok(bytes.clone())),
            |socket| sockopt::set(socket, sockopt::MaxPacingRate, Some(rate)),
        )
    };
    let max = u64::from(u32::MAX);
    for rate in [max, max + 1, max + 8, u64::MAX - 1] {
        let error = set(&7_u32.to_ne_bytes(), rate).0.expect_err("an int is what it has");
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None));
        assert!(error.to_string().contains("use None"), "{error}");
        // The real kernel is asked to set it; an emulator may refuse.
        let (result, calls) = set(&7_u64.to_ne_bytes(), rate);
        assert_ne!(
            result.map_err(|error| error.raw_os_error()),
            Err(None),
            "a long is what it has"
        );
        assert_eq!(calls, 1);
    }
    assert_eq!(set(&7_u32.to_ne_bytes(), max - 1).1, 0, "an int will do");
}

#[test]
fn more_than_a_byte_is_no_field_of_a_header() {
    for number in [-1, 256, c_int::MAX] {
        assert_unexpected(of_int(number, |socket| sockopt::get(socket, sockopt::ip::Ttl)));
    }
    assert_eq!(of_int(255, |socket| sockopt::get(socket, sockopt::ip::Ttl)).unwrap(), 255);
}

/// An option of one's own, whose value is one byte to the kernel, as to packet sockets.
struct Byte;

impl sockopt::GetOption for Byte {
    const LEVEL: c_int = libc::SOL_PACKET;
    const NAME: c_int = 1;
    type Value = u8;
}

#[test]
fn a_byte_is_a_byte_but_in_a_header() {
    assert_eq!(of(&[7], |socket| sockopt::get(socket, Byte)).unwrap(), 7);
    assert_unexpected(of(&[], |socket| sockopt::get(socket, Byte)));
    assert_unexpected(of(&[7], |socket| sockopt::get(socket, sockopt::ip::Ttl)));
}

#[test]
fn bit_fields_are_where_c_has_them() {
    // The compiler fills a byte from its other end where the machine counts bytes from the other end.
    let (scales, limited) = if cfg!(target_endian = "big") { (0xA7, 0x80) } else { (0x7A, 0x01) };
    let info = |seventh: u8, min_rtt: u32| {
        let mut bytes = [0; 240];
        (bytes[6], bytes[7]) = (scales, seventh);
        bytes[148..152].copy_from_slice(&min_rtt.to_ne_bytes());
        of(&bytes, |socket| sockopt::get(socket, sockopt::tcp::Info)).unwrap()
    };
    let one = info(limited, 5);
    assert_eq!((one.snd_wscale(), one.rcv_wscale(), one.written()), (10, 7, 240));
    assert!(one.delivery_rate_app_limited());
    assert_eq!(one.min_rtt(), Some(Duration::from_micros(5)));
    let other = info(!limited, u32::MAX);
    assert!(!other.delivery_rate_app_limited());
    assert_eq!((other.min_rtt(), info(0, 0).min_rtt()), (None, None));
}

#[test]
fn a_linger_below_zero_is_a_long_one() {
    let bytes = [1_i32, -7].map(c_int::to_ne_bytes).concat();
    let linger = of(&bytes, |socket| sockopt::get(socket, sockopt::SoLinger)).unwrap();
    assert_eq!(linger, Linger::For(Duration::from_secs(7)));
    assert_unexpected(of(&bytes[..7], |socket| sockopt::get(socket, sockopt::SoLinger)));
}

#[test]
fn a_name_ends_at_its_nul_and_is_text() {
    let name = |bytes: &[u8]| of(bytes, |socket| sockopt::get(socket, sockopt::tcp::Congestion));
    assert_eq!(name(b"cubic\0\0x").unwrap(), "cubic");
    assert_eq!(name(b"cubic").unwrap(), "cubic");
    assert_eq!(name(b"").unwrap(), "");
    assert_unexpected(name(b"\xff\0"));
}
