//! The table of options: each row is the source of an option's type, its documentation and its line in [`table`].
//!
//! A row, among its kin in the order of the names:
//!
//! ```text
//! /// `SO_SNDBUF`: how many bytes the send buffer may hold.          (one line: it is also the row's summary)
//! ///
//! /// Units, errors, the trap, three lines that run. The man page is added.
//! #[doc(alias = "SO_SNDBUF")]
//! SndBuf = SO_SNDBUF: usize as Size, "bytes", get set;
//! ```
//!
//! that is `Type = C_NAME: Value as Codec, "unit", directions;`. A bool or an integer needs no codec, a value without a unit
//! leaves that out, and `get set` may be one of the two.

use std::ffi::c_int;
use std::fmt;

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
}

/// Every option of this crate: level by level, in the order of their names.
///
/// ```
/// for option in readysock::sockopt::table() {
///     println!("{} {} {} {}", option.c_name(), option.c_level(), option.value(), option.direction());
/// }
/// ```
pub fn table() -> impl Iterator<Item = &'static OptionInfo> {
    [super::socket::TABLE, super::tcp::TABLE].into_iter().flatten()
}

/// Whether two texts are the same, where `==` cannot be used: at compile time.
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
        level $level:ident, man $page:literal $section:literal;
        $(
            #[doc = $summary:literal]
            $(#[doc = $doc:literal])*
            #[doc(alias = $alias:literal)]
            $Option:ident = $NAME:ident: $Value:ty $(as $Codec:ty)? $(, $unit:literal)?, $($direction:ident)+;
        )+
    ) => {
        $(
            #[doc = $summary]
            $(#[doc = $doc])*
            #[doc = concat!(man_page!($page, $section))]
            #[doc(alias = $alias)]
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub struct $Option;

            options!(@impl $Option, $level, $NAME, $Value, [$($Codec)?], $($direction)+);
            const _: () = assert!($crate::sockopt::table::same($alias, stringify!($NAME)));
        )+

        /// The rows of this level.
        pub(super) const TABLE: &[$crate::sockopt::OptionInfo] = &[$($crate::sockopt::OptionInfo {
            type_name: stringify!($Option),
            c_name: stringify!($NAME),
            name: libc::$NAME,
            c_level: stringify!($level),
            level: libc::$level,
            value: stringify!($Value),
            unit: concat!($($unit)?),
            direction: options!(@direction $($direction)+),
            summary: $summary,
        }),+];
    };

    (@direction get) => { $crate::sockopt::Direction::Get };
    (@direction set) => { $crate::sockopt::Direction::Set };
    (@direction get set) => { $crate::sockopt::Direction::Both };

    (@impl $Option:ident, $level:ident, $NAME:ident, $Value:ty, $Codec:tt, get set) => {
        options!(@impl $Option, $level, $NAME, $Value, $Codec, get);
        options!(@impl $Option, $level, $NAME, $Value, $Codec, set);
    };
    (@impl $Option:ident, $level:ident, $NAME:ident, $Value:ty, $Codec:tt, get) => {
        impl $crate::sockopt::GetOption for $Option {
            const LEVEL: ::std::ffi::c_int = libc::$level;
            const NAME: ::std::ffi::c_int = libc::$NAME;
            type Value = $Value;
        }
        options!(@get $Option, $Value, $Codec);
    };
    (@impl $Option:ident, $level:ident, $NAME:ident, $Value:ty, $Codec:tt, set) => {
        impl $crate::sockopt::SetOption for $Option {
            const LEVEL: ::std::ffi::c_int = libc::$level;
            const NAME: ::std::ffi::c_int = libc::$NAME;
            type Value = $Value;
        }
        options!(@set $Option, $Value, $Codec);
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
        for level in [super::super::socket::TABLE, super::super::tcp::TABLE] {
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
        let error = table().find(|row| row.c_name() == "SO_ERROR").unwrap();
        assert!(error.direction().can_get() && !error.direction().can_set());
        assert!(!Direction::Set.can_get() && Direction::Set.can_set());
        assert_eq!((error.value(), error.unit()), ("Option<io::Error>", ""));
        for row in table() {
            // The documentation of an option begins with its name in C, and says in that line what it does.
            let start = format!("`{}`: ", row.c_name());
            assert!(
                row.summary().starts_with(&start) && row.summary().ends_with(['.', '?']),
                "{row:?}"
            );
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
