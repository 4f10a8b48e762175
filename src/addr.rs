//! Socket addresses: Internet, Unix, and those this crate only passes through.

mod kind;
mod unix;

#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::{self, ErrorKind};
use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::net::SocketAddr as StdUnixAddr;
use std::str::FromStr;

use libc::{sa_family_t, sockaddr_in, sockaddr_in6};

pub(crate) use self::kind::open_number;
pub use self::kind::{Domain, Protocol, Type};
pub use self::unix::UnixAddr;
use crate::sys::addr::RawAddr;

/// `struct sockaddr`: the address of a socket.
///
/// Calls take `impl Into<Addr>`: std's addresses, a pair of IP address and port, a [`UnixAddr`], an `Addr` or a
/// reference to one.
///
/// ```
/// use readysock::{Addr, UnixAddr};
/// use std::net::Ipv4Addr;
///
/// let addr = Addr::from((Ipv4Addr::LOCALHOST, 80));
/// assert_eq!(addr.to_string(), "127.0.0.1:80");
/// assert_eq!("127.0.0.1:80".parse::<Addr>()?, addr);
/// assert_eq!(Addr::from(UnixAddr::from_pathname("/run/x.sock")?).to_string(), "unix:/run/x.sock");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Names of hosts are not resolved; [`std::net::ToSocketAddrs`] does that.
#[doc = concat!(man_page!("ip", 7))]
#[doc = concat!(man_page!("unix", 7))]
#[doc(alias = "sockaddr")]
#[doc(alias = "sockaddr_storage")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Addr {
    /// IPv4 or IPv6: address and port. C: `struct sockaddr_in`, `struct sockaddr_in6`.
    ///
    /// The scope id of an IPv6 address goes to the kernel and comes back; so does its flow information, as std keeps it:
    /// in network byte order.
    #[doc(alias = "sockaddr_in")]
    #[doc(alias = "sockaddr_in6")]
    Internet(SocketAddr),
    /// A Unix socket: a file, an abstract name, or none. C: `struct sockaddr_un`.
    Unix(UnixAddr),
    /// Of another family, or of none: only the kernel makes these.
    Other(OtherAddr),
}

/// An address that is neither Internet nor Unix, as the kernel wrote it.
///
/// It can be printed, compared and handed back to the kernel. The one without bytes stands for "no address":
/// [`recv_from`](crate::Socket::recv_from) gives it on a TCP connection, where data comes without a sender.
///
/// ```
/// use readysock::{Addr, Socket};
/// use std::io::Write;
/// use std::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// TcpStream::connect(listener.local_addr()?)?.write_all(b"x")?;
/// let stream = Socket::from(listener.accept()?.0);
/// let (_, _, sender) = stream.recv_from(&mut [0; 1])?;
/// assert_eq!(sender.to_string(), "(no address)");
/// assert!(matches!(sender, Addr::Other(other) if other.as_bytes().is_empty()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct OtherAddr(RawAddr);

impl OtherAddr {
    /// Its family; 0 (AF_UNSPEC) for one without bytes.
    #[must_use]
    pub fn family(&self) -> Domain {
        Domain::from(family(self.as_bytes()).map_or(libc::AF_UNSPEC, i32::from))
    }

    /// All of its bytes, the two of the family included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl PartialEq for OtherAddr {
    fn eq(&self, other: &OtherAddr) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for OtherAddr {}

impl Hash for OtherAddr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for OtherAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherAddr")
            .field("family", &self.family())
            .field("bytes", &self.as_bytes())
            .finish()
    }
}

/// `(no address)`, or the family's number and the length: `(family 16, 12 bytes)`.
impl fmt::Display for OtherAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_bytes().len() {
            0 => f.pad("(no address)"),
            len => f.pad(&format!("(family {}, {len} bytes)", i32::from(self.family()))),
        }
    }
}

impl Addr {
    /// The domain of a socket for this address: what [`Socket::new`](crate::Socket::new) takes first.
    ///
    /// ```
    /// use readysock::{Addr, Domain};
    ///
    /// assert_eq!("[::1]:80".parse::<Addr>()?.domain(), Domain::INET6);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn domain(&self) -> Domain {
        match self {
            Addr::Internet(SocketAddr::V4(_)) => Domain::INET,
            Addr::Internet(SocketAddr::V6(_)) => Domain::INET6,
            Addr::Unix(_) => Domain::UNIX,
            Addr::Other(other) => other.family(),
        }
    }

    /// IP address and port, if this is an Internet address.
    #[must_use]
    pub fn as_internet(&self) -> Option<SocketAddr> {
        match self {
            Addr::Internet(addr) => Some(*addr),
            Addr::Unix(_) | Addr::Other(_) => None,
        }
    }

    /// The address of a Unix socket, if this is one.
    #[must_use]
    pub fn as_unix(&self) -> Option<&UnixAddr> {
        match self {
            Addr::Unix(addr) => Some(addr),
            Addr::Internet(_) | Addr::Other(_) => None,
        }
    }

    /// As the kernel reads it.
    pub(crate) fn to_raw(&self) -> RawAddr {
        match self {
            Addr::Internet(SocketAddr::V4(addr)) => RawAddr::concat(&[
                &INET.to_ne_bytes(),
                &addr.port().to_be_bytes(),
                &addr.ip().octets(),
                &[0; 8],
            ]),
            Addr::Internet(SocketAddr::V6(addr)) => RawAddr::concat(&[
                &INET6.to_ne_bytes(),
                &addr.port().to_be_bytes(),
                &addr.flowinfo().to_ne_bytes(),
                &addr.ip().octets(),
                &addr.scope_id().to_ne_bytes(),
            ]),
            Addr::Unix(addr) => {
                let [mark, name, end] = addr.to_sun_path();
                RawAddr::concat(&[&UNIX.to_ne_bytes(), mark, name, end])
            }
            Addr::Other(other) => other.0.clone(),
        }
    }

    /// From what the kernel wrote. What is shorter than its family asks for is an [`OtherAddr`].
    pub(crate) fn from_raw(raw: RawAddr) -> Addr {
        let bytes = raw.as_bytes();
        let known = match family(bytes) {
            Some(INET) => internet_v4(bytes).map(Addr::from),
            Some(INET6) => internet_v6(bytes).map(Addr::from),
            Some(UNIX) => {
                bytes.get(size_of::<sa_family_t>()..).map(UnixAddr::from_sun_path).map(Addr::from)
            }
            _ => None,
        };
        known.unwrap_or(Addr::Other(OtherAddr(raw)))
    }
}

// The numbers fit: `sa_family_t` is the type C keeps them in.
#[expect(clippy::cast_possible_truncation)]
const INET: sa_family_t = libc::AF_INET as sa_family_t;
#[expect(clippy::cast_possible_truncation)]
const INET6: sa_family_t = libc::AF_INET6 as sa_family_t;
#[expect(clippy::cast_possible_truncation)]
const UNIX: sa_family_t = libc::AF_UNIX as sa_family_t;

// `to_raw` writes the fields one after the other, without gaps.
const _: () = assert!(
    offset_of!(sockaddr_in, sin_port) == 2
        && offset_of!(sockaddr_in, sin_addr) == 4
        && size_of::<sockaddr_in>() == 16
        && offset_of!(sockaddr_in6, sin6_port) == 2
        && offset_of!(sockaddr_in6, sin6_flowinfo) == 4
        && offset_of!(sockaddr_in6, sin6_addr) == 8
        && offset_of!(sockaddr_in6, sin6_scope_id) == 24
        && size_of::<sockaddr_in6>() == 28
        && offset_of!(libc::sockaddr_un, sun_path) == size_of::<sa_family_t>()
);

/// The bytes of one field, where the address is long enough to have it.
fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn family(bytes: &[u8]) -> Option<sa_family_t> {
    field(bytes, 0).map(sa_family_t::from_ne_bytes)
}

fn internet_v4(bytes: &[u8]) -> Option<SocketAddrV4> {
    let port = u16::from_be_bytes(field(bytes, offset_of!(sockaddr_in, sin_port))?);
    let ip: [u8; 4] = field(bytes, offset_of!(sockaddr_in, sin_addr))?;
    Some(SocketAddrV4::new(Ipv4Addr::from(ip), port))
}

fn internet_v6(bytes: &[u8]) -> Option<SocketAddrV6> {
    let port = u16::from_be_bytes(field(bytes, offset_of!(sockaddr_in6, sin6_port))?);
    let flowinfo = u32::from_ne_bytes(field(bytes, offset_of!(sockaddr_in6, sin6_flowinfo))?);
    let ip: [u8; 16] = field(bytes, offset_of!(sockaddr_in6, sin6_addr))?;
    let scope_id = u32::from_ne_bytes(field(bytes, offset_of!(sockaddr_in6, sin6_scope_id))?);
    Some(SocketAddrV6::new(Ipv6Addr::from(ip), port, flowinfo, scope_id))
}

/// As a person writes it: `127.0.0.1:80`, `[::1]:80`, `unix:/path`, `unix:@abstract`, `unix:(unnamed)`.
impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addr::Internet(addr) => addr.fmt(f),
            Addr::Unix(addr) => addr.fmt(f),
            Addr::Other(other) => other.fmt(f),
        }
    }
}

/// Reads what [`Display`](fmt::Display) writes: `127.0.0.1:80`, `[::1]:80`, `unix:/path`, `unix:@abstract`, `unix:(unnamed)`.
///
/// Only addresses, no names: nothing is looked up. (The flow information of an IPv6 address is not written, so
/// not read.)
impl FromStr for Addr {
    type Err = io::Error;

    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput): it is not an address, or the path of a Unix socket cannot be used
    /// ([`UnixAddr::from_pathname`]).
    fn from_str(text: &str) -> io::Result<Addr> {
        match text.strip_prefix("unix:") {
            Some(name) => UnixAddr::from_text(name).map(Addr::Unix),
            None => text.parse().map(Addr::Internet).map_err(|_| {
                io::Error::new(
                    ErrorKind::InvalidInput,
                    "not an address: write 127.0.0.1:80, [::1]:80 or unix:PATH",
                )
            }),
        }
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Addr {
        Addr::Internet(addr)
    }
}

impl From<SocketAddrV4> for Addr {
    fn from(addr: SocketAddrV4) -> Addr {
        Addr::Internet(addr.into())
    }
}

impl From<SocketAddrV6> for Addr {
    fn from(addr: SocketAddrV6) -> Addr {
        Addr::Internet(addr.into())
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for Addr {
    /// IP address and port, the port in host byte order.
    fn from(pair: (I, u16)) -> Addr {
        Addr::Internet(pair.into())
    }
}

impl From<UnixAddr> for Addr {
    fn from(addr: UnixAddr) -> Addr {
        Addr::Unix(addr)
    }
}

impl From<&UnixAddr> for Addr {
    fn from(addr: &UnixAddr) -> Addr {
        Addr::Unix(addr.clone())
    }
}

impl From<StdUnixAddr> for Addr {
    fn from(addr: StdUnixAddr) -> Addr {
        Addr::Unix(addr.into())
    }
}

impl From<&Addr> for Addr {
    fn from(addr: &Addr) -> Addr {
        addr.clone()
    }
}

impl TryFrom<Addr> for SocketAddr {
    type Error = io::Error;

    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput): it is not an Internet address.
    fn try_from(addr: Addr) -> io::Result<SocketAddr> {
        addr.as_internet().ok_or_else(|| {
            io::Error::new(
                ErrorKind::InvalidInput,
                "not an Internet address: match on Addr to take the other kinds",
            )
        })
    }
}

impl TryFrom<Addr> for UnixAddr {
    type Error = io::Error;

    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput): it is not the address of a Unix socket.
    fn try_from(addr: Addr) -> io::Result<UnixAddr> {
        match addr {
            Addr::Unix(addr) => Ok(addr),
            Addr::Internet(_) | Addr::Other(_) => Err(io::Error::new(
                ErrorKind::InvalidInput,
                "not the address of a Unix socket: match on Addr to take the other kinds",
            )),
        }
    }
}

impl TryFrom<Addr> for StdUnixAddr {
    type Error = io::Error;

    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput): it is not the address of a Unix socket, or has a path of 108 bytes.
    fn try_from(addr: Addr) -> io::Result<StdUnixAddr> {
        UnixAddr::try_from(addr)?.try_into()
    }
}
