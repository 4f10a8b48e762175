//! Byte order: the six helpers against their own definition, against std and against the C library.

use proptest::prelude::*;
use readysock::{htonl, htonll, htons, ntohl, ntohll, ntohs};

/// The C library's own. (It has no 64-bit functions, only macros: htobe64, be64toh.)
mod c {
    // SAFETY: POSIX declares the four with these types; they are pure arithmetic.
    unsafe extern "C" {
        pub(super) safe fn htons(host: u16) -> u16;
        pub(super) safe fn ntohs(network: u16) -> u16;
        pub(super) safe fn htonl(host: u32) -> u32;
        pub(super) safe fn ntohl(network: u32) -> u32;
    }
}

/// What holds for all three widths.
macro_rules! properties {
    ($module:ident, $number:ty, $to_network:ident, $to_host:ident) => {
        mod $module {
            use super::*;

            proptest! {
                #[test]
                fn there_and_back_changes_nothing(number: $number) {
                    prop_assert_eq!($to_host($to_network(number)), number);
                    prop_assert_eq!($to_network($to_host(number)), number);
                }

                #[test]
                fn each_undoes_itself(number: $number) {
                    prop_assert_eq!($to_network($to_network(number)), number);
                    prop_assert_eq!($to_host($to_host(number)), number);
                }

                #[test]
                fn in_memory_the_most_significant_byte_is_first(number: $number) {
                    let bytes = $to_network(number).to_ne_bytes();
                    let mut weighed: $number = 0;
                    for byte in bytes {
                        weighed = weighed.wrapping_shl(8) | <$number>::from(byte);
                    }
                    prop_assert_eq!(weighed, number);
                }

                #[test]
                fn the_bytes_are_those_of_to_be_bytes(number: $number) {
                    prop_assert_eq!($to_network(number).to_ne_bytes(), number.to_be_bytes());
                    let arrived = <$number>::from_ne_bytes(number.to_be_bytes());
                    prop_assert_eq!($to_host(arrived), number);
                }
            }

            #[test]
            fn the_ends_of_the_range() {
                assert_eq!($to_network(0), 0);
                assert_eq!($to_network(<$number>::MAX), <$number>::MAX);
                let one = $to_network(1).to_ne_bytes();
                assert_eq!(one.last(), Some(&1), "the least significant byte is last");
            }
        }
    };
}

properties!(short, u16, htons, ntohs);
properties!(long, u32, htonl, ntohl);
properties!(long_long, u64, htonll, ntohll);

#[test]
fn all_ports_are_what_the_c_library_makes_of_them() {
    for number in 0..=u16::MAX {
        assert_eq!(htons(number), c::htons(number), "htons({number})");
        assert_eq!(ntohs(number), c::ntohs(number), "ntohs({number})");
    }
}

proptest! {
    #[test]
    fn long_numbers_are_what_the_c_library_makes_of_them(number: u32) {
        prop_assert_eq!(htonl(number), c::htonl(number));
        prop_assert_eq!(ntohl(number), c::ntohl(number));
    }
}

/// The value of the notes, `htons(20000)` and `htonl(20000)`: 20000 is 0x4E20.
#[test]
fn the_bytes_of_20000() {
    assert_eq!(htons(20000).to_ne_bytes(), [0x4E, 0x20]);
    assert_eq!(htonl(20000).to_ne_bytes(), [0x00, 0x00, 0x4E, 0x20]);
    assert_eq!(htonll(20000).to_ne_bytes(), [0, 0, 0, 0, 0, 0, 0x4E, 0x20]);
}

/// What Python prints for them, on each kind of machine.
#[test]
fn the_number_that_20000_becomes() {
    let (short, long) =
        if cfg!(target_endian = "little") { (8270, 541_982_720) } else { (20000, 20000) };
    assert_eq!(htons(20000), short);
    assert_eq!(htonl(20000), long);
}

#[test]
fn constants_can_be_made_with_them() {
    const PORT: u16 = htons(20000);
    const LOOPBACK: u32 = htonl(0x7F00_0001);
    const MARK: u64 = htonll(1);
    const BACK: (u16, u32, u64) = (ntohs(PORT), ntohl(LOOPBACK), ntohll(MARK));
    static TABLE: [u16; 2] = [PORT, htons(80)];
    assert_eq!(BACK, (20000, 0x7F00_0001, 1));
    assert_eq!(TABLE[1].to_ne_bytes(), [0, 80]);
    assert_eq!(LOOPBACK.to_ne_bytes(), [127, 0, 0, 1]);
}
