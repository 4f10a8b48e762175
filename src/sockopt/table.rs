//! The table of options: each row is the source of an option's type, its documentation, its example, its line in [`table`]
//! and its forms as text.
//!
//! A row, among its kin in the order of the names:
//!
//! ```text
//! /// `SO_BROADCAST`: may this socket send to a broadcast address?    (one line: it is also the row's summary)
//! ///
//! /// What Linux does with it, errors, the trap.
//! #[doc(alias = "SO_BROADCAST")]
//! Broadcast = SO_BROADCAST: bool, get set, example udp true;
//! ```
//!
//! that is `Type = C_NAME: Value as Codec, "unit", directions, example SOCKET VALUE, man "page" section;`. A bool or an integer
//! needs no codec, a value without a unit leaves that out, and `get set` may be one of the two. The example sets the value on such
//! a socket (`tcp`, `listener`, `udp`, `udp6`, `unix`), or reads it where the option is only read, and checks it; an option that
//! needs another one has it in its documentation. (`example "no_run"`: not for everybody, it needs a privilege.) The man page is that of the level unless the row names another. What the crate
//! `libc` does not have is in `c`, below.

use std::ffi::c_int;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};

/// The numbers of C: those of the crate `libc`, and those that its older versions do not have.
pub(super) mod c {
    pub(in crate::sockopt) use libc::*;

    pub(in crate::sockopt) use crate::sys::sockopt::SO_PEERPIDFD;
}

/// What an option allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// It can only be read.
    Get,
    /// It can only be written.
    Set,
    /// Both.
    Both,
}

impl Direction {
    /// Whether [`get`](super::get) takes the option.
    #[must_use]
    pub const fn can_get(self) -> bool {
        matches!(self, Direction::Get | Direction::Both)
    }

    /// Whether [`set`](super::set) takes the option.
    #[must_use]
    pub const fn can_set(self) -> bool {
        matches!(self, Direction::Set | Direction::Both)
    }
}

/// `get`, `set` or `both`.
impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Direction::Get => "get",
            Direction::Set => "set",
            Direction::Both => "both",
        })
    }
}

/// What there is to know of an option at run time: a row of [`table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionInfo {
    pub(super) type_name: &'static str,
    pub(super) c_name: &'static str,
    pub(super) name: c_int,
    pub(super) c_level: &'static str,
    pub(super) level: c_int,
    pub(super) value: &'static str,
    pub(super) unit: &'static str,
    pub(super) direction: Direction,
    pub(super) summary: &'static str,
    pub(super) forms: Forms,
}

/// The option's value as text, out of the kernel and into it.
#[derive(Clone, Copy)]
pub(super) struct Forms {
    pub(super) get: Option<fn(BorrowedFd<'_>) -> io::Result<String>>,
    pub(super) set: Option<fn(BorrowedFd<'_>, &str) -> io::Result<()>>,
}

/// These follow from the rest of the row.
impl PartialEq for Forms {
    fn eq(&self, _: &Forms) -> bool {
        true
    }
}

impl Eq for Forms {}

impl Hash for Forms {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl OptionInfo {
    /// Its name in C: `SO_SNDBUF`.
    #[must_use]
    pub const fn c_name(&self) -> &'static str {
        self.c_name
    }

    /// The number of its name.
    #[must_use]
    pub const fn name(&self) -> c_int {
        self.name
    }

    /// Its level's name in C: `SOL_SOCKET`.
    #[must_use]
    pub const fn c_level(&self) -> &'static str {
        self.c_level
    }

    /// The number of its level.
    #[must_use]
    pub const fn level(&self) -> c_int {
        self.level
    }

    /// Its type in this crate: `SndBuf`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// The type of its value: `usize`.
    #[must_use]
    pub const fn value(&self) -> &'static str {
        self.value
    }

    /// The unit of its value, empty if it has none.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        self.unit
    }

    /// Whether it can be read, written, or both.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// What it does, in one line.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.summary.trim()
    }

    /// Reads the option, as [`get`](super::get) does, and shows the value as text.
    ///
    /// Flags are `on` or `off`, times have a unit (`900ms`), what is not there is `none`. An option that can only be
    /// written is InvalidInput.
    ///
    /// ```
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let option = readysock::sockopt::table().find(|row| row.c_name() == "SO_LINGER").expect("a row");
    /// assert_eq!(option.get_text(&socket)?, "off");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn get_text(&self, fd: &(impl AsFd + ?Sized)) -> io::Result<String> {
        match self.forms.get {
            Some(get) => get(fd.as_fd()),
            None => Err(self.refused("written")),
        }
    }

    /// Writes the option, as [`set`](super::set) does, with a value in the form of [`get_text`](OptionInfo::get_text).
    ///
    /// A text that is no value of the option's type is InvalidInput, and so is an option that can only be read.
    ///
    /// ```
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let option = readysock::sockopt::table().find(|row| row.c_name() == "SO_LINGER").expect("a row");
    /// option.set_text(&socket, "900ms")?;
    /// assert_eq!(option.get_text(&socket)?, "1s");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_text(&self, fd: &(impl AsFd + ?Sized), value: &str) -> io::Result<()> {
        match self.forms.set {
            Some(set) => set(fd.as_fd(), value),
            None => Err(self.refused("read")),
        }
    }

    fn refused(&self, possible: &str) -> io::Error {
        let text = format!("{} can only be {possible}", self.c_name);
        io::Error::new(ErrorKind::InvalidInput, text)
    }
}

/// Every option of this crate: level by level, in the order of their names.
///
/// ```
/// for option in readysock::sockopt::table() {
///     println!("{} {} {} {}", option.c_name(), option.c_level(), option.value(), option.direction());
/// }
/// ```
pub fn table() -> impl Iterator<Item = &'static OptionInfo> {
    LEVELS.into_iter().flatten()
}

const LEVELS: [&[OptionInfo]; 5] = [
    super::socket::TABLE,
    super::tcp::TABLE,
    super::ip::TABLE,
    super::ipv6::TABLE,
    super::udp::TABLE,
];

/// Whether two texts are the same, where `==` cannot be used: at compile time.
#[allow(dead_code, reason = "Rust 1.85 does not count assertions at compile time as uses")]
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// Makes the options of one level; the head of this file shows a row.
macro_rules! options {
    (
        level $level:ident, path $path:literal, man $page:literal $section:literal;
        $(
            #[doc = $summary:literal]
            $(#[doc = $doc:literal])*
            #[doc(alias = $alias:literal)]
            $Option:ident = $NAME:ident: $Value:ty $(as $Codec:ty)? $(, $unit:literal)?, $($direction:ident)+
                $(, example $($attribute:literal)? $socket:ident $example:expr)? $(, man $row_page:literal $row_section:literal)?;
        )+
    ) => {
        $(
            #[doc = $summary]
            #[doc = ""]
            #[doc = concat!("`", stringify!($level), "`, ", $crate::sockopt::table::options!(@direction_text $($direction)+),
                ", `", stringify!($Value), "`" $(, " in ", $unit)?, ".")]
            $(#[doc = $doc])*
            #[doc = $crate::sockopt::table::options!(
                @example $path $Option [$($direction)+] $([$($attribute)?] $socket $example)?
            )]
            #[doc = $crate::sockopt::table::options!(@man $page $section $(, $row_page $row_section)?)]
            #[doc(alias = $alias)]
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub struct $Option;

            $crate::sockopt::table::options!(@impl $Option, $level, $NAME, $Value, [$($Codec)?], $($direction)+);
            const _: () = assert!($crate::sockopt::table::same($alias, stringify!($NAME)));
        )+

        /// The rows of this level.
        pub(super) const TABLE: &[$crate::sockopt::OptionInfo] = &[$($crate::sockopt::OptionInfo {
            type_name: stringify!($Option),
            c_name: stringify!($NAME),
            name: $crate::sockopt::table::c::$NAME,
            c_level: stringify!($level),
            level: $crate::sockopt::table::c::$level,
            value: stringify!($Value),
            unit: concat!($($unit)?),
            direction: $crate::sockopt::table::options!(@direction $($direction)+),
            summary: $summary,
            forms: $crate::sockopt::table::options!(@forms $Option, $($direction)+),
        }),+];
    };

    (@direction get) => { $crate::sockopt::Direction::Get };
    (@direction set) => { $crate::sockopt::Direction::Set };
    (@direction get set) => { $crate::sockopt::Direction::Both };

    (@direction_text get) => { "can be read" };
    (@direction_text set) => { "can be written" };
    (@direction_text get set) => { "can be read and written" };

    (@socket tcp) => { "let socket = readysock::Socket::new(readysock::Domain::INET, readysock::Type::STREAM, None)?;" };
    (@socket listener) => { "let socket = std::net::TcpListener::bind(\"127.0.0.1:0\")?;" };
    (@socket udp) => { "let socket = std::net::UdpSocket::bind(\"127.0.0.1:0\")?;" };
    (@socket udp6) => { "let socket = readysock::Socket::new(readysock::Domain::INET6, readysock::Type::DGRAM, None)?;" };
    (@socket unix) => { "let (socket, _peer) = std::os::unix::net::UnixStream::pair()?;" };

    (@example $path:literal $Option:ident $directions:tt) => { "" };
    (@example $path:literal $Option:ident $directions:tt [$($attribute:literal)?] $socket:ident $value:expr) => {
        concat!(
            "\n```" $(, $attribute)?, "\nuse readysock::sockopt;\n\n",
            $crate::sockopt::table::options!(@socket $socket), "\n",
            $crate::sockopt::table::options!(@set $directions $path $Option $value),
            "assert_eq!(sockopt::get(&socket, ", $path, "::", stringify!($Option), ")?, ", stringify!($value), ");\n",
            "# Ok::<(), std::io::Error>(())\n```"
        )
    };
    (@set [get] $path:literal $Option:ident $value:expr) => { "" };
    (@set [get set] $path:literal $Option:ident $value:expr) => {
        concat!("sockopt::set(&socket, ", $path, "::", stringify!($Option), ", ", stringify!($value), ")?;\n")
    };

    (@man $page:literal $section:literal) => { concat!(man_page!($page, $section)) };
    (@man $_page:literal $_section:literal, $page:literal $section:literal) => { concat!(man_page!($page, $section)) };

    (@forms $Option:ident, get) => {
        $crate::sockopt::table::Forms {
            get: Some(|fd| $crate::sockopt::get(&fd, $Option).map(|value| $crate::sockopt::text::Show::show(&value))),
            set: None,
        }
    };
    (@forms $Option:ident, set) => {
        $crate::sockopt::table::Forms {
            get: None,
            set: Some(|fd, text| $crate::sockopt::set(&fd, $Option, $crate::sockopt::text::Parse::parse(text)?)),
        }
    };
    (@forms $Option:ident, get set) => {
        $crate::sockopt::table::Forms {
            get: $crate::sockopt::table::options!(@forms $Option, get).get,
            set: $crate::sockopt::table::options!(@forms $Option, set).set,
        }
    };

    (@impl $Option:ident, $level:ident, $NAME:ident, $Value:ty, $Codec:tt, get set) => {
        $crate::sockopt::table::options!(@impl $Option, $level, $NAME, $Value, $Codec, get);
        $crate::sockopt::table::options!(@impl $Option, $level, $NAME, $Value, $Codec, set);
    };
    (@impl $Option:ident, $level:ident, $NAME:ident, $Value:ty, $Codec:tt, get) => {
        impl $crate::sockopt::GetOption for $Option {
            const LEVEL: ::std::ffi::c_int = $crate::sockopt::table::c::$level;
            const NAME: ::std::ffi::c_int = $crate::sockopt::table::c::$NAME;
            type Value = $Value;
        }
        $crate::sockopt::table::options!(@get $Option, $Value, $Codec);
    };
    (@impl $Option:ident, $level:ident, $NAME:ident, $Value:ty, $Codec:tt, set) => {
        impl $crate::sockopt::SetOption for $Option {
            const LEVEL: ::std::ffi::c_int = $crate::sockopt::table::c::$level;
            const NAME: ::std::ffi::c_int = $crate::sockopt::table::c::$NAME;
            type Value = $Value;
        }
        $crate::sockopt::table::options!(@set $Option, $Value, $Codec);
    };

    // Integers and bools have their form already.
    (@get $Option:ident, $Value:ty, []) => {};
    (@set $Option:ident, $Value:ty, []) => {};
    (@get $Option:ident, $Value:ty, [$Codec:ty]) => {
        impl $crate::sockopt::value::sealed::Get<$Option> for $Value {
            fn get(
                fd: ::std::os::fd::BorrowedFd<'_>,
                level: ::std::ffi::c_int,
                name: ::std::ffi::c_int,
            ) -> ::std::io::Result<$Value> {
                <$Codec as $crate::sockopt::value::Decode>::decode(fd, level, name)
            }
        }
    };
    (@set $Option:ident, $Value:ty, [$Codec:ty]) => {
        impl $crate::sockopt::value::sealed::Set<$Option> for $Value {
            fn set(
                self,
                fd: ::std::os::fd::BorrowedFd<'_>,
                level: ::std::ffi::c_int,
                name: ::std::ffi::c_int,
            ) -> ::std::io::Result<()> {
                <$Codec as $crate::sockopt::value::Encode>::encode(fd, level, name, self)
            }
        }
    };
}
pub(super) use options;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_named_once() {
        for level in LEVELS {
            assert!(level.is_sorted_by(|a, b| a.c_name < b.c_name), "{level:?}");
            assert!(level.iter().all(|row| row.level == level[0].level));
        }
        let mut types: Vec<_> = table().map(|row| (row.level, row.type_name)).collect();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), table().count());
    }

    #[test]
    fn a_row_says_what_its_option_is() {
        let row = table().find(|row| row.c_name() == "SO_SNDBUF").unwrap();
        assert_eq!((row.name(), row.level()), (libc::SO_SNDBUF, libc::SOL_SOCKET));
        assert_eq!((row.type_name(), row.c_level()), ("SndBuf", "SOL_SOCKET"));
        assert_eq!((row.value(), row.unit()), ("usize", "bytes"));
        assert_eq!(format!("{}|{:>5}", row.direction(), Direction::Get), "both|  get");
        assert!(row.direction().can_get() && row.direction().can_set());
        let same = table().find(|row| row.type_name() == "SndBuf").unwrap();
        assert!(row == same && format!("{row:?}").ends_with("forms: .. }"), "{row:?}");
        let error = table().find(|row| row.c_name() == "SO_ERROR").unwrap();
        assert_ne!(row, error);
        assert!(error.direction().can_get() && !error.direction().can_set());
        assert!(!Direction::Set.can_get() && Direction::Set.can_set());
        assert_eq!((error.value(), error.unit()), ("Option<io::Error>", ""));
        for row in table() {
            // The documentation of an option begins with its name in C, and says in that line what it does.
            let start = format!("`{}`: ", row.c_name());
            let summary = row.summary();
            assert!(summary.starts_with(&start) && summary.ends_with(['.', '?']), "{row:?}");
            assert!(!summary.contains(['[', ']']), "a link is no text: {summary}");
        }
    }

    #[test]
    fn same_is_equality() {
        assert!(same("", "") && same("SO_TYPE", "SO_TYPE"));
        assert!(
            !same("SO_TYPE", "SO_TYP") && !same("SO_TYP", "SO_TYPE") && !same("SO_TYPE", "SO_TYPO")
        );
    }
}
