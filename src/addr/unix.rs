//! Addresses of Unix sockets: a file, an abstract name, or no name.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as StdUnixAddr;
use std::path::Path;

/// The room for a name: `sizeof(sun_path)`.
const ROOM: usize = 108;

/// `struct sockaddr_un`: the address of a Unix socket, one of three kinds.
///
/// | kind | made by | what it is | [`Display`](fmt::Display) |
/// | --- | --- | --- | --- |
/// | pathname | [`from_pathname`](UnixAddr::from_pathname) | a file in the file system; it stays when the socket is closed | `unix:/run/x.sock` |
/// | abstract | [`from_abstract_name`](UnixAddr::from_abstract_name) | a name in the network namespace, gone with its socket; Linux only | `unix:@x` |
/// | unnamed | [`unnamed`](UnixAddr::unnamed) | what a socket that was never bound has | `unix:(unnamed)` |
///
/// An address is its kind and its bytes, with their length: names may hold NULs, and nothing depends on what
/// stands behind the end.
///
/// ```
/// use readysock::UnixAddr;
///
/// let file = UnixAddr::from_pathname("/run/x.sock")?;
/// assert_eq!(file.as_pathname(), Some(std::path::Path::new("/run/x.sock")));
/// let name = UnixAddr::from_abstract_name(b"x\0y")?;
/// assert_eq!((name.as_abstract_name(), name.to_string().as_str()), (Some(&b"x\0y"[..]), r"unix:@x\x00y"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Traps
///
/// - A socket file outlives its socket. The next bind to the path fails with EADDRINUSE until the file is removed,
///   and a connect to it fails with ECONNREFUSED.
/// - A path longer than 107 bytes is refused here and not cut. Long directories happen: temporary ones,
///   containers, build trees.
/// - An abstract name has no permissions: every process of the network namespace can connect to it.
#[doc = concat!(man_page!("unix", 7))]
#[doc(alias = "sockaddr_un")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UnixAddr(Name);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    Unnamed,
    /// Not empty, without NULs.
    Pathname(Bytes),
    /// Without the NUL that marks it in `sun_path`.
    Abstract(Bytes),
}

/// Up to `ROOM` bytes. Those beyond `len` are zero: the derived comparison and hash count on it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Bytes {
    len: u8,
    room: [u8; ROOM],
}

impl Bytes {
    /// What does not fit is left out; callers check.
    fn new(bytes: &[u8]) -> Bytes {
        let mut copy = Bytes { len: 0, room: [0; ROOM] };
        for (to, from) in copy.room.iter_mut().zip(bytes) {
            *to = *from;
            copy.len += 1;
        }
        copy
    }

    fn as_slice(&self) -> &[u8] {
        // `len` is at most `ROOM`.
        self.room.get(..usize::from(self.len)).unwrap_or(&self.room)
    }
}

impl UnixAddr {
    /// The address of a socket file.
    ///
    /// A relative path counts from the current directory at the time of the call that uses it.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput): the path is empty, longer than 107 bytes or holds a NUL.
    ///
    /// Linux would take 108 bytes, without the NUL that ends a C string; other systems, and programs that print
    /// such an address, would not. It can come back from the kernel, and may then be used like any other.
    ///
    /// ```
    /// use readysock::UnixAddr;
    ///
    /// assert!(UnixAddr::from_pathname("x".repeat(107)).is_ok());
    /// assert!(UnixAddr::from_pathname("x".repeat(108)).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_pathname(path: impl AsRef<Path>) -> io::Result<UnixAddr> {
        let path = path.as_ref().as_os_str().as_bytes();
        if path.is_empty() {
            return Err(invalid(
                "the path of a Unix socket is empty: give one, or use UnixAddr::unnamed()",
            ));
        }
        if path.contains(&0) {
            return Err(invalid(
                "the path of a Unix socket holds a NUL: leave it out, or use UnixAddr::from_abstract_name",
            ));
        }
        if path.len() >= ROOM {
            return Err(invalid(
                "the path of a Unix socket is longer than 107 bytes: use a shorter one, for example relative to the current directory",
            ));
        }
        Ok(UnixAddr(Name::Pathname(Bytes::new(path))))
    }

    /// The address that is a name and no file: it lives in the network namespace and ends with its socket.
    ///
    /// Every byte counts, NULs too. The name may be empty, which is not the same as [unnamed](UnixAddr::unnamed).
    /// Linux only.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput): the name is longer than 107 bytes.
    ///
    /// ```
    /// let name = readysock::UnixAddr::from_abstract_name("readysock")?;
    /// assert_eq!(name.to_string(), "unix:@readysock");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_abstract_name(name: impl AsRef<[u8]>) -> io::Result<UnixAddr> {
        let name = name.as_ref();
        if name.len() >= ROOM {
            return Err(invalid(
                "the abstract name of a Unix socket is longer than 107 bytes: use a shorter one",
            ));
        }
        Ok(UnixAddr(Name::Abstract(Bytes::new(name))))
    }

    /// The address of a socket that has none. To bind to it is to have the kernel choose an abstract name.
    ///
    /// ```
    /// use readysock::{Domain, Socket, Type, UnixAddr};
    ///
    /// let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    /// socket.bind(UnixAddr::unnamed())?;
    /// let chosen = socket.local_addr()?; // unix:@ and five hexadecimal digits
    /// assert_eq!(chosen.as_unix().and_then(|addr| addr.as_abstract_name()).map(<[u8]>::len), Some(5));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "autobind")]
    #[must_use]
    pub const fn unnamed() -> UnixAddr {
        UnixAddr(Name::Unnamed)
    }

    /// The path, if this is the address of a file.
    #[must_use]
    pub fn as_pathname(&self) -> Option<&Path> {
        match &self.0 {
            Name::Pathname(path) => Some(Path::new(OsStr::from_bytes(path.as_slice()))),
            Name::Unnamed | Name::Abstract(_) => None,
        }
    }

    /// The name, if this is an abstract one, without the NUL that stands before it in C.
    #[must_use]
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        match &self.0 {
            Name::Abstract(name) => Some(name.as_slice()),
            Name::Unnamed | Name::Pathname(_) => None,
        }
    }

    /// Whether it is the address of a socket that has none.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.0 == Name::Unnamed
    }

    /// The three parts of a `sun_path`: the NUL that marks an abstract name, the bytes, the NUL that ends a path.
    pub(super) fn to_sun_path(&self) -> [&[u8]; 3] {
        match &self.0 {
            Name::Unnamed => [&[], &[], &[]],
            Name::Abstract(name) => [&[0], name.as_slice(), &[]],
            Name::Pathname(path) => {
                // A path that fills `sun_path` has no room for a NUL, and the kernel wants none.
                let end: &[u8] = if path.as_slice().len() < ROOM { &[0] } else { &[] };
                [&[], path.as_slice(), end]
            }
        }
    }

    /// From the bytes of a `sun_path` as the kernel wrote it, as many as it said.
    pub(super) fn from_sun_path(bytes: &[u8]) -> UnixAddr {
        UnixAddr(match bytes {
            [] => Name::Unnamed,
            [0, name @ ..] => Name::Abstract(Bytes::new(name)),
            path => {
                // The length counts the NUL that ends the path, and says 109 for one of 108 bytes.
                let end = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
                Name::Pathname(Bytes::new(path.get(..end).unwrap_or(path)))
            }
        })
    }

    /// From what stands behind `unix:`; the inverse of what [`Display`](fmt::Display) writes there.
    pub(super) fn from_text(text: &str) -> io::Result<UnixAddr> {
        if text == UNNAMED {
            Ok(UnixAddr::unnamed())
        } else if let Some(name) = text.strip_prefix('@') {
            UnixAddr::from_abstract_name(unescape(name)?)
        } else {
            UnixAddr::from_pathname(OsStr::from_bytes(&unescape(text)?))
        }
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, text)
}

const UNNAMED: &str = "(unnamed)";

/// `unix:/path`, `unix:@abstract` or `unix:(unnamed)`, and never the same text for two addresses.
///
/// A backslash, a character that does not print and a byte that is not UTF-8 are escaped (`\\`, `\x0a`); so is
/// the first character of a path that would look like one of the other kinds. [`Addr`](crate::Addr) reads all of it back.
impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_some() {
            // As std's addresses do, so that columns are columns.
            f.pad(&format!("unix:{}", Text(&self.0)))
        } else {
            write!(f, "unix:{}", Text(&self.0))
        }
    }
}

/// What stands behind `unix:`.
struct Text<'a>(&'a Name);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Name::Unnamed => f.write_str(UNNAMED),
            Name::Abstract(name) => write!(f, "@{}", Escaped(name.as_slice())),
            Name::Pathname(path) => match path.as_slice() {
                [first, rest @ ..] if *first == b'@' || path.as_slice() == UNNAMED.as_bytes() => {
                    write!(f, "\\x{first:02x}{}", Escaped(rest))
                }
                path => write!(f, "{}", Escaped(path)),
            },
        }
    }
}

/// `pathname "/path"`, `abstract "name"` or `unnamed`.
impl fmt::Debug for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Unnamed => f.write_str("unnamed"),
            Name::Abstract(name) => write!(f, "abstract \"{}\"", Escaped(name.as_slice())),
            Name::Pathname(path) => write!(f, "pathname \"{}\"", Escaped(path.as_slice())),
        }
    }
}

struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for char in chunk.valid().chars() {
                // std escapes quotes as well, which stand for themselves here.
                let prints = matches!(char, '"' | '\'') || char.escape_debug().len() == 1;
                if prints {
                    f.write_char(char)?;
                } else if char == '\\' {
                    f.write_str("\\\\")?;
                } else {
                    hex(f, char.encode_utf8(&mut [0; 4]).as_bytes())?;
                }
            }
            hex(f, chunk.invalid())?;
        }
        Ok(())
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}

fn unescape(text: &str) -> io::Result<Vec<u8>> {
    let unknown =
        || invalid("a backslash in the address of a Unix socket is written \\\\, a byte \\x0a");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        match after {
            [b'\\', after @ ..] => {
                bytes.push(b'\\');
                rest = after;
            }
            [b'x', high, low, after @ ..] => {
                let digit = |byte: &u8| {
                    char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
                };
                let (high, low) = digit(high).zip(digit(low)).ok_or_else(unknown)?;
                bytes.push((high << 4) | low);
                rest = after;
            }
            _ => return Err(unknown()),
        }
    }
    Ok(bytes)
}

impl From<&UnixAddr> for UnixAddr {
    fn from(addr: &UnixAddr) -> UnixAddr {
        addr.clone()
    }
}

impl From<StdUnixAddr> for UnixAddr {
    fn from(addr: StdUnixAddr) -> UnixAddr {
        if let Some(path) = addr.as_pathname() {
            // From std it is never empty; `from_sun_path` makes "unnamed" of an empty one all the same.
            UnixAddr::from_sun_path(path.as_os_str().as_bytes())
        } else if let Some(name) = addr.as_abstract_name() {
            UnixAddr(Name::Abstract(Bytes::new(name)))
        } else {
            UnixAddr::unnamed()
        }
    }
}

impl TryFrom<UnixAddr> for StdUnixAddr {
    type Error = io::Error;

    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput): a path of 108 bytes, which the kernel can hand out and std does not take.
    fn try_from(addr: UnixAddr) -> io::Result<StdUnixAddr> {
        match &addr.0 {
            // std's way to say it: a path of no bytes.
            Name::Unnamed => StdUnixAddr::from_pathname(""),
            Name::Pathname(path) => StdUnixAddr::from_pathname(OsStr::from_bytes(path.as_slice())),
            Name::Abstract(name) => StdUnixAddr::from_abstract_name(name.as_slice()),
        }
    }
}
