//! Addresses: from whatever bytes the kernel writes, from text, from std, and back.
//!
//! The program has a `getsockname` and a `bind` of its own, which the linker prefers to the C library's: the first
//! answers any bytes and any length, the second keeps what it is given.
#![no_main]

use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::{OsStr, c_int};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as StdUnixAddr;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use readysock::libc::{self, sa_family_t, sockaddr, socklen_t};
use readysock::{Addr, Domain, Socket, Type, UnixAddr};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    FromKernel { family: Family, rest: &'a [u8], length: Length },
    Text(&'a str),
    UnixText(&'a str),
    Internet { ip: IpAddr, port: u16, flowinfo: u32, scope_id: u32 },
    Pathname(&'a [u8]),
    AbstractName(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Family {
    Inet,
    Inet6,
    Unix,
    Any(sa_family_t),
}

#[derive(Arbitrary, Debug)]
enum Length {
    Written,
    Any(socklen_t),
}

/// `sizeof(struct sockaddr_storage)`
const CAPACITY: usize = 128;

#[derive(Default)]
struct Kernel {
    answer: Vec<u8>,
    said: socklen_t,
    bound: Vec<u8>,
}

thread_local! {
    static KERNEL: RefCell<Kernel> = RefCell::default();
}

/// getsockname(2), as above.
///
/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockname(_: c_int, addr: *mut sockaddr, length: *mut socklen_t) -> c_int {
    KERNEL.with_borrow(|kernel| {
        // SAFETY: the caller's duty.
        let room = unsafe {
            let room = usize::try_from(*length).expect("64 bits");
            *length = kernel.said;
            std::slice::from_raw_parts_mut(addr.cast::<u8>(), room)
        };
        assert_eq!(room.len(), CAPACITY, "room for every address");
        let written = kernel.answer.len().min(room.len());
        room[..written].copy_from_slice(&kernel.answer[..written]);
    });
    0
}

/// bind(2), which keeps the address.
///
/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn bind(_: c_int, addr: *const sockaddr, length: socklen_t) -> c_int {
    let length = usize::try_from(length).expect("64 bits");
    // SAFETY: the caller's duty.
    let bytes = unsafe { std::slice::from_raw_parts(addr.cast::<u8>(), length) };
    KERNEL.with_borrow_mut(|kernel| kernel.bound = bytes.to_vec());
    0
}

static SOCKET: LazyLock<Socket> =
    LazyLock::new(|| Socket::new(Domain::INET, Type::DGRAM, None).expect("a socket"));

/// What the crate makes of an address that the kernel wrote.
fn read(answer: &[u8], said: socklen_t) -> Addr {
    KERNEL.with_borrow_mut(|kernel| (kernel.answer, kernel.said) = (answer.to_vec(), said));
    SOCKET.local_addr().expect("the call succeeds")
}

/// What the kernel gets for an address.
fn written(addr: &Addr) -> Vec<u8> {
    SOCKET.bind(addr).expect("the call succeeds");
    KERNEL.with_borrow_mut(|kernel| std::mem::take(&mut kernel.bound))
}

fn family(addr: &[u8]) -> Option<c_int> {
    addr.first_chunk().map(|bytes| sa_family_t::from_ne_bytes(*bytes).into())
}

/// A `struct sockaddr_*`, by the C library's own structures.
fn agrees_with_c(addr: &Addr, bytes: &[u8]) {
    match (family(bytes), addr) {
        (Some(libc::AF_INET), Addr::Internet(SocketAddr::V4(addr))) => {
            let mut c: libc::sockaddr_in = zeroed();
            fill(&mut c, bytes);
            assert_eq!(
                (addr.port(), addr.ip().to_bits()),
                (u16::from_be(c.sin_port), u32::from_be(c.sin_addr.s_addr))
            );
        }
        (Some(libc::AF_INET6), Addr::Internet(SocketAddr::V6(addr))) => {
            let mut c: libc::sockaddr_in6 = zeroed();
            fill(&mut c, bytes);
            assert_eq!(
                (addr.port(), addr.ip().octets()),
                (u16::from_be(c.sin6_port), c.sin6_addr.s6_addr)
            );
            assert_eq!((addr.flowinfo(), addr.scope_id()), (c.sin6_flowinfo, c.sin6_scope_id));
        }
        (Some(libc::AF_UNIX), Addr::Unix(addr)) => {
            // A name may be as long as `sun_path`; what the kernel says beyond that is the NUL behind a path.
            let name = &bytes[2..];
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len()).min(108);
            match name.first() {
                None => assert!(addr.is_unnamed()),
                Some(0) => assert_eq!(addr.as_abstract_name(), Some(&name[1..name.len().min(109)])),
                Some(_) => {
                    assert_eq!(addr.as_pathname(), Some(OsStr::from_bytes(&name[..end]).as_ref()))
                }
            }
        }
        (family, Addr::Other(other)) => {
            let short = match family {
                Some(libc::AF_INET) => bytes.len() < 8,
                Some(libc::AF_INET6) => bytes.len() < size_of::<libc::sockaddr_in6>(),
                Some(libc::AF_UNIX) => false,
                _ => true,
            };
            assert!(short, "{addr:?} {bytes:?}");
            assert_eq!(other.as_bytes(), bytes);
            assert_eq!(i32::from(other.family()), family.unwrap_or(libc::AF_UNSPEC));
        }
        _ => panic!("{addr:?} of {bytes:?}"),
    }
}

fn zeroed<T>() -> T {
    // SAFETY: of C's addresses, which are integers all through.
    unsafe { std::mem::zeroed() }
}

fn fill<T>(c: &mut T, bytes: &[u8]) {
    let length = bytes.len().min(size_of::<T>());
    // SAFETY: so many bytes of one are copied over as many of the other, which any bytes may be.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), std::ptr::from_mut(c).cast(), length) };
}

/// What holds of every address, wherever it is from.
fn check(addr: &Addr) {
    let bytes = written(addr);
    assert!(bytes.len() <= CAPACITY);
    let again = read(&bytes, socklen_t::try_from(bytes.len()).expect("small"));
    assert_eq!(&again, addr, "to the kernel and back");
    assert_eq!(HashSet::from([addr.clone(), again]).len(), 1);
    assert_eq!(family(&bytes).unwrap_or(libc::AF_UNSPEC), addr.domain().into());

    let text = addr.to_string();
    assert!(!text.contains(char::is_control) && !format!("{addr:?}").is_empty(), "{text:?}");
    match (text.parse::<Addr>(), addr) {
        (Ok(Addr::Internet(SocketAddr::V6(mut read))), Addr::Internet(SocketAddr::V6(addr))) => {
            read.set_flowinfo(addr.flowinfo()); // std does not write it
            assert_eq!(read, *addr);
        }
        (Ok(read), addr) => assert_eq!(read, *addr),
        (Err(_), Addr::Other(_)) => {}
        // Only the kernel makes such: a path, or a name, that fills the room.
        (Err(_), addr) => assert!(addr.as_unix().is_some() && bytes.len() >= 2 + 108, "{text}"),
    }
    as_std(addr);
}

fn as_std(addr: &Addr) {
    match SocketAddr::try_from(addr.clone()) {
        Ok(std) => assert_eq!(&Addr::from(std), addr),
        Err(error) => {
            assert_eq!((error.kind(), addr.as_internet()), (ErrorKind::InvalidInput, None))
        }
    }
    match (StdUnixAddr::try_from(addr.clone()), addr.as_unix()) {
        (Ok(std), Some(unix)) => {
            assert_eq!(&UnixAddr::from(std.clone()), unix);
            assert_eq!(std.as_pathname(), unix.as_pathname());
            assert_eq!(std.as_abstract_name(), unix.as_abstract_name());
        }
        (Err(error), Some(_)) => {
            assert_eq!(
                (error.kind(), written(addr).len() >= 2 + 108),
                (ErrorKind::InvalidInput, true)
            );
        }
        (result, None) => assert!(result.is_err()),
    }
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::FromKernel { family, rest, length } => {
            let family = match family {
                Family::Inet => libc::AF_INET.try_into().expect("small"),
                Family::Inet6 => libc::AF_INET6.try_into().expect("small"),
                Family::Unix => libc::AF_UNIX.try_into().expect("small"),
                Family::Any(family) => family,
            };
            let mut answer = [&sa_family_t::to_ne_bytes(family), rest].concat();
            let said = match length {
                Length::Written => socklen_t::try_from(answer.len()).expect("small"),
                Length::Any(length) => length,
            };
            let addr = read(&answer, said);
            // Zeros behind what was written, no more than there is room for.
            answer.resize(CAPACITY, 0);
            answer.truncate(usize::try_from(said).expect("64 bits"));
            agrees_with_c(&addr, &answer);
            check(&addr);
        }
        Input::Text(text) => {
            if let Ok(addr) = text.parse::<Addr>() {
                check(&addr);
            }
        }
        Input::UnixText(text) => {
            if let Ok(addr) = format!("unix:{text}").parse::<Addr>() {
                check(&addr);
            }
        }
        Input::Internet { ip, port, flowinfo, scope_id } => {
            let mut std = SocketAddr::new(ip, port);
            if let SocketAddr::V6(std) = &mut std {
                std.set_flowinfo(flowinfo);
                std.set_scope_id(scope_id);
            }
            let addr = Addr::from(std);
            agrees_with_c(&addr, &written(&addr));
            check(&addr);
        }
        Input::Pathname(path) => match UnixAddr::from_pathname(OsStr::from_bytes(path)) {
            Ok(addr) => {
                assert_eq!(addr.as_pathname(), Some(OsStr::from_bytes(path).as_ref()));
                let addr = Addr::from(addr);
                assert_eq!(written(&addr)[2..], [path, &[0]].concat());
                check(&addr);
            }
            Err(_) => assert!(path.is_empty() || path.len() > 107 || path.contains(&0)),
        },
        Input::AbstractName(name) => match UnixAddr::from_abstract_name(name) {
            Ok(addr) => {
                let addr = Addr::from(addr);
                assert_eq!(written(&addr)[2..], [&[0], name].concat());
                check(&addr);
            }
            Err(_) => assert!(name.len() > 107),
        },
    }
});
