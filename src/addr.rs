//! Stand-in until the addresses land: the three numbers of socket(2) as open types.

use std::ffi::c_int;

macro_rules! open_number {
    ($($Name:ident { $($VALUE:ident = $number:expr;)* })*) => { $(
        #[doc = concat!("Stand-in for the number ", stringify!($Name), ".")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $Name(c_int);

        #[allow(missing_docs)]
        impl $Name {
            $(pub const $VALUE: $Name = $Name($number);)*
        }

        impl From<c_int> for $Name {
            fn from(number: c_int) -> $Name {
                $Name(number)
            }
        }

        impl From<$Name> for c_int {
            fn from(value: $Name) -> c_int {
                value.0
            }
        }
    )* };
}

open_number! {
    Domain { INET = libc::AF_INET; INET6 = libc::AF_INET6; UNIX = libc::AF_UNIX; }
    Type {
        STREAM = libc::SOCK_STREAM;
        DGRAM = libc::SOCK_DGRAM;
        RAW = libc::SOCK_RAW;
        SEQPACKET = libc::SOCK_SEQPACKET;
    }
    Protocol {
        TCP = libc::IPPROTO_TCP;
        UDP = libc::IPPROTO_UDP;
        ICMP = libc::IPPROTO_ICMP;
        ICMPV6 = libc::IPPROTO_ICMPV6;
    }
}
