//! What only the inside can show: the bytes that go to the kernel, and bytes that no kernel here would write.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;

use super::*;

/// An address from bytes, as if the kernel had written them.
fn read(parts: &[&[u8]]) -> Addr {
    Addr::from_raw(RawAddr::concat(parts))
}

fn unix(sun_path: &[u8]) -> UnixAddr {
    match read(&[&UNIX.to_ne_bytes(), sun_path]) {
        Addr::Unix(addr) => addr,
        other => panic!("{other:?}"),
    }
}

fn internet() -> impl Strategy<Value = Addr> {
    let v4 = any::<(u32, u16)>().prop_map(|(ip, port)| SocketAddrV4::new(ip.into(), port).into());
    let v6 = any::<(u128, u16, u32, u32)>().prop_map(|(ip, port, flowinfo, scope_id)| {
        SocketAddrV6::new(ip.into(), port, flowinfo, scope_id).into()
    });
    prop_oneof![v4, v6]
}

fn any_unix() -> impl Strategy<Value = UnixAddr> {
    let pathname = prop::collection::vec(1..=u8::MAX, 1..108)
        .prop_map(|path| UnixAddr::from_pathname(OsStr::from_bytes(&path)).unwrap());
    let longest = prop::collection::vec(1..=u8::MAX, 108).prop_map(|path| unix(&path));
    let text = "[ -~é@(]{1,25}".prop_map(|path| UnixAddr::from_pathname(path).unwrap());
    let name = prop::collection::vec(any::<u8>(), 0..108)
        .prop_map(|name| UnixAddr::from_abstract_name(name).unwrap());
    prop_oneof![pathname, longest, text, name, Just(UnixAddr::unnamed())]
}

fn any_addr() -> impl Strategy<Value = Addr> {
    prop_oneof![internet(), any_unix().prop_map(Addr::from)]
}

proptest! {
    #[test]
    fn an_address_comes_back_from_its_bytes(addr in any_addr()) {
        prop_assert_eq!(Addr::from_raw(addr.to_raw()), addr);
    }

    #[test]
    fn two_addresses_are_equal_when_their_bytes_are(a in any_addr(), b in any_addr()) {
        prop_assert_eq!(a == b, a.to_raw().as_bytes() == b.to_raw().as_bytes());
    }

    #[test]
    fn any_bytes_make_an_address_that_can_be_used(bytes in prop::collection::vec(any::<u8>(), 0..200), family in 0..12_u16) {
        let addr = read(&[&family.to_ne_bytes(), &bytes]);
        let again = Addr::from_raw(addr.to_raw());
        // A path ends at its first NUL and a sockaddr_in has padding, so the bytes may differ; the meaning may not.
        prop_assert_eq!(&again, &addr);
        prop_assert_eq!(HashSet::from([addr.clone(), again]).len(), 1);
        let text = format!("{addr} {addr:?} {:?}", addr.domain());
        prop_assert!(!text.is_empty());
    }

    #[test]
    fn the_text_of_a_unix_address_reads_back(addr in any_unix()) {
        let text = addr.to_string();
        prop_assert!(!text.contains(char::is_control), "{}", text);
        match text.parse::<Addr>() {
            Ok(read) => prop_assert_eq!(read, Addr::from(addr)),
            // The one path that can come from the kernel only.
            Err(_) => prop_assert_eq!(addr.as_pathname().map(|path| path.as_os_str().len()), Some(108)),
        }
    }

    #[test]
    fn the_text_of_an_internet_address_reads_back(mut addr in internet()) {
        if let Addr::Internet(SocketAddr::V6(addr)) = &mut addr {
            addr.set_flowinfo(0); // std does not write it
        }
        prop_assert_eq!(addr.to_string().parse::<Addr>().unwrap(), addr);
    }

    #[test]
    fn reading_text_never_panics(text in "(unix:)?(@|\\\\|x|[0-9a-f]|\\PC)*") {
        if let Ok(addr) = text.parse::<Addr>() {
            prop_assert_eq!(addr.to_string().parse::<Addr>().unwrap(), addr);
        }
    }
}

#[test]
fn the_bytes_are_those_of_the_c_structures() {
    let v4 = Addr::from(([192, 0, 2, 1], 20000)).to_raw();
    let [a, b] = INET.to_ne_bytes();
    assert_eq!(v4.as_bytes(), [a, b, 0x4E, 0x20, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);

    let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x0102);
    let v6 = Addr::from(SocketAddrV6::new(ip, 80, 0x0a0b_0c0d, 3)).to_raw();
    let expected: &[&[u8]] = &[
        &INET6.to_ne_bytes(),
        &[0, 80],
        &0x0a0b_0c0d_u32.to_ne_bytes(),
        &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2],
        &3_u32.to_ne_bytes(),
    ];
    assert_eq!(v6.as_bytes(), expected.concat());

    let path = Addr::from(UnixAddr::from_pathname("/x").unwrap()).to_raw();
    assert_eq!(path.as_bytes(), [&UNIX.to_ne_bytes()[..], b"/x\0"].concat());
    let name = Addr::from(UnixAddr::from_abstract_name("x").unwrap()).to_raw();
    assert_eq!(name.as_bytes(), [&UNIX.to_ne_bytes()[..], b"\0x"].concat());
    assert_eq!(Addr::from(UnixAddr::unnamed()).to_raw().as_bytes(), UNIX.to_ne_bytes());
}

#[test]
fn a_path_ends_at_its_first_nul_and_may_fill_sun_path() {
    assert_eq!(unix(b"/x\0\0\0").as_pathname(), Some("/x".as_ref()));
    assert_eq!(unix(b"/x\0y").as_pathname(), Some("/x".as_ref()));
    assert_eq!(unix(b"/x").as_pathname(), Some("/x".as_ref()));
    assert_eq!(unix(b""), UnixAddr::unnamed());

    // What the kernel says of a path of 108 bytes: a length that counts a NUL behind `sun_path`.
    let path = [b'x'; 108];
    let addr = unix(&[&path[..], b"\0"].concat());
    assert_eq!(addr.as_pathname(), Some(OsStr::from_bytes(&path).as_ref()));
    assert_eq!(Addr::from(&addr).to_raw().as_bytes().len(), 2 + 108);
    let error = StdUnixAddr::try_from(addr).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn every_byte_of_an_abstract_name_counts() {
    assert_ne!(unix(b"\0x"), unix(b"\0x\0"));
    assert_ne!(unix(b"\0"), UnixAddr::unnamed());
    assert_eq!(unix(b"\0").as_abstract_name(), Some(&b""[..]));
}

#[test]
fn what_is_too_short_for_its_family_is_kept_as_it_is() {
    let bytes = [&INET.to_ne_bytes()[..], &[0, 80, 127, 0, 0]].concat();
    let addr = read(&[&bytes]);
    let Addr::Other(other) = &addr else { panic!("{addr:?}") };
    assert_eq!((other.as_bytes(), other.family()), (&bytes[..], Domain::INET));
    assert_eq!(addr.to_string(), "(family 2, 7 bytes)");

    let Addr::Other(one_byte) = read(&[&[7]]) else { panic!() };
    assert_eq!((one_byte.family(), one_byte.as_bytes()), (Domain::from(0), &[7][..]));
    assert_eq!(read(&[]).to_string(), "(no address)");

    let state = BuildHasherDefault::<DefaultHasher>::default();
    assert_ne!(
        state.hash_one(&addr),
        state.hash_one(read(&[&[7]])),
        "a map tells them apart early"
    );
}
