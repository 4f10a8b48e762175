//! Domain, type and protocol: the three arguments of socket(2).

use std::ffi::c_int;
use std::fmt;

/// Makes a number of the kernel's a type of its own, with names for some of its values.
///
/// Not an enum: a kernel may answer a number that has no name here (`SO_DOMAIN` of an AF_VSOCK socket, say).
macro_rules! open_number {
    ($(#[$docs:meta])* $Name:ident { $($(#[$value_docs:meta])* $VALUE:ident = $number:expr;)* }) => {
        $(#[$docs])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $Name(c_int);

        impl $Name {
            $($(#[$value_docs])* pub const $VALUE: $Name = $Name($number);)*
        }

        impl From<c_int> for $Name {
            /// Any number is accepted: whether it means something is the kernel's to say.
            fn from(number: c_int) -> $Name {
                $Name(number)
            }
        }

        impl From<$Name> for c_int {
            fn from(value: $Name) -> c_int {
                value.0
            }
        }

        /// The name of a known value (`Domain::INET`), the number of another (`Domain(40)`).
        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $($Name::$VALUE => {
                        f.write_str(concat!(stringify!($Name), "::", stringify!($VALUE)))
                    })*
                    $Name(number) => write!(f, concat!(stringify!($Name), "({})"), number),
                }
            }
        }
    };
}

pub(crate) use open_number;

open_number! {
    /// The first argument of `socket(2)`: the family of addresses. C: `AF_INET` and its like.
    ///
    /// ```
    /// use readysock::{Domain, libc};
    ///
    /// assert_eq!(Domain::from(libc::AF_INET6), Domain::INET6);
    /// assert_eq!(format!("{:?} {:?}", Domain::UNIX, Domain::from(40)), "Domain::UNIX Domain(40)");
    /// assert_eq!(libc::c_int::from(Domain::INET), libc::AF_INET);
    /// ```
    ///
    #[doc = concat!(man_page!("address_families", 7))]
    #[doc(alias = "PF_INET")]
    Domain {
        /// IPv4. C: `AF_INET`.
        #[doc(alias = "AF_INET")]
        INET = libc::AF_INET;
        /// IPv6. C: `AF_INET6`.
        #[doc(alias = "AF_INET6")]
        INET6 = libc::AF_INET6;
        /// Sockets within one machine, named by files or not at all. C: `AF_UNIX`, `AF_LOCAL`.
        #[doc(alias = "AF_UNIX")]
        #[doc(alias = "AF_LOCAL")]
        UNIX = libc::AF_UNIX;
    }
}

open_number! {
    /// The second argument of `socket(2)`: how the socket carries data. C: `SOCK_STREAM` and its like.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type};
    ///
    /// let (near, far) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None)?;
    /// assert_eq!(near.send(b"one")? + near.send(b"two")?, 6);
    /// assert_eq!(far.recv(&mut [0; 8])?, 3); // of a stream, it would have been all 6
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    #[doc = concat!(man_page!("socket", 2))]
    Type {
        /// A stream of bytes, without boundaries: TCP. C: `SOCK_STREAM`.
        #[doc(alias = "SOCK_STREAM")]
        STREAM = libc::SOCK_STREAM;
        /// Messages, each of them whole or lost: UDP. C: `SOCK_DGRAM`.
        #[doc(alias = "SOCK_DGRAM")]
        DGRAM = libc::SOCK_DGRAM;
        /// Packets with their headers; needs CAP_NET_RAW. C: `SOCK_RAW`.
        #[doc(alias = "SOCK_RAW")]
        RAW = libc::SOCK_RAW;
        /// Messages over a connection, in order: Unix sockets, SCTP. C: `SOCK_SEQPACKET`.
        #[doc(alias = "SOCK_SEQPACKET")]
        SEQPACKET = libc::SOCK_SEQPACKET;
    }
}

open_number! {
    /// The third argument of `socket(2)`: the protocol, where domain and type leave a choice. C: `IPPROTO_TCP` and its like.
    ///
    /// ```
    /// use readysock::{Domain, Protocol, Socket, Type, libc};
    ///
    /// Socket::new(Domain::INET, Type::STREAM, Some(Protocol::TCP))?; // None gives the same
    /// let error = Socket::new(Domain::INET, Type::DGRAM, Some(Protocol::TCP)).unwrap_err();
    /// assert_eq!(error.raw_os_error(), Some(libc::EPROTONOSUPPORT));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    #[doc = concat!(man_page!("protocols", 5))]
    Protocol {
        /// TCP. C: `IPPROTO_TCP`.
        #[doc(alias = "IPPROTO_TCP")]
        TCP = libc::IPPROTO_TCP;
        /// UDP. C: `IPPROTO_UDP`.
        #[doc(alias = "IPPROTO_UDP")]
        UDP = libc::IPPROTO_UDP;
        /// ICMP, the messages of IPv4 itself. C: `IPPROTO_ICMP`.
        #[doc(alias = "IPPROTO_ICMP")]
        ICMP = libc::IPPROTO_ICMP;
        /// ICMPv6, the messages of IPv6 itself. C: `IPPROTO_ICMPV6`.
        #[doc(alias = "IPPROTO_ICMPV6")]
        ICMPV6 = libc::IPPROTO_ICMPV6;
    }
}
