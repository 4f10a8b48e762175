//! Values as text, for programs that show options and take them from a command line.
//!
//! What [`Parse`] reads, [`Show`] writes, and the other way round.

use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::enums::{PathMtu, TimestampFlags};
use super::ip::{Interface, Membership, SourceMembership};
use super::linger::Linger;
use super::peer::Credentials;
use super::tcp_info::TcpInfo;
use super::{ipv6, value::invalid};
use crate::{Domain, Protocol, Type};

/// A value as text.
pub(super) trait Show {
    fn show(&self) -> String;
}

/// A value of text.
pub(super) trait Parse: Sized {
    fn parse(text: &str) -> io::Result<Self>;
}

const NONE: &str = "none";

impl Show for bool {
    fn show(&self) -> String {
        (if *self { "on" } else { "off" }).to_owned()
    }
}

impl Parse for bool {
    fn parse(text: &str) -> io::Result<bool> {
        match text {
            "on" | "true" | "yes" | "1" => Ok(true),
            "off" | "false" | "no" | "0" => Ok(false),
            _ => Err(invalid("not a flag: write on or off")),
        }
    }
}

macro_rules! integers {
    ($($T:ty)*) => { $(
        impl Show for $T {
            fn show(&self) -> String {
                self.to_string()
            }
        }

        impl Parse for $T {
            fn parse(text: &str) -> io::Result<$T> {
                let number = match text.strip_prefix("0x") {
                    Some(digits) => <$T>::from_str_radix(digits, 16),
                    None => text.parse(),
                };
                number.map_err(|_| {
                    let most = <$T>::MAX;
                    io::Error::new(ErrorKind::InvalidInput, format!("not a number from 0 to {most}"))
                })
            }
        }
    )* };
}

integers! { u8 u32 u64 usize }

impl<T: Show> Show for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or(NONE.to_owned(), Show::show)
    }
}

impl<T: Parse> Parse for Option<T> {
    fn parse(text: &str) -> io::Result<Option<T>> {
        if text == NONE { Ok(None) } else { T::parse(text).map(Some) }
    }
}

/// An empty name would not be seen: it is shown as in Rust.
const EMPTY: &str = "\"\"";

impl Show for String {
    fn show(&self) -> String {
        if self.is_empty() { EMPTY.to_owned() } else { self.escape_debug().to_string() }
    }
}

impl Parse for String {
    fn parse(text: &str) -> io::Result<String> {
        if text == EMPTY {
            return Ok(String::new());
        }
        unescape(text).ok_or_else(|| {
            invalid("a backslash in a name is written \\\\, other escapes are Rust's")
        })
    }
}

/// Reads what [`str::escape_debug`] writes.
fn unescape(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        name.push_str(before);
        let mut after = escape.chars();
        name.push(match after.next()? {
            char @ ('\\' | '\'' | '"') => char,
            '0' => '\0',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (digits, behind) = after.as_str().strip_prefix('{')?.split_once('}')?;
                after = behind.chars();
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            _ => return None,
        });
        rest = after.as_str();
    }
    name.push_str(rest);
    Some(name)
}

impl Show for Duration {
    fn show(&self) -> String {
        if self.is_zero() { "0s".to_owned() } else { format!("{self:?}") }
    }
}

impl Parse for Duration {
    fn parse(text: &str) -> io::Result<Duration> {
        duration(text).ok_or_else(|| {
            invalid(
                "not a time: write a number and its unit, ns us ms s min h, as in 900ms or 1.5s",
            )
        })
    }
}

/// `900ms`, `1.5s`; digits below a nanosecond are refused, not dropped.
fn duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(unit_at);
    let unit: u128 = match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let mut nanos = whole.parse::<u64>().ok().map(u128::from)?.checked_mul(unit)?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    if part % scale != 0 {
        return None;
    }
    nanos = nanos.checked_add(part / scale)?;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).ok()?))
}

impl Show for Linger {
    fn show(&self) -> String {
        match self {
            Linger::Off => "off".to_owned(),
            Linger::Abort => "abort".to_owned(),
            Linger::For(time) => time.show(),
        }
    }
}

impl Parse for Linger {
    fn parse(text: &str) -> io::Result<Linger> {
        match text {
            "off" => Ok(Linger::Off),
            "abort" => Ok(Linger::Abort),
            time => duration(time)
                .map(Linger::For)
                .ok_or_else(|| invalid("not a linger: write off, abort, or a time, as in 900ms")),
        }
    }
}

impl Show for io::Error {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for Credentials {
    fn show(&self) -> String {
        format!("pid {}, uid {}, gid {}", self.pid, self.uid, self.gid)
    }
}

impl Show for Vec<u32> {
    fn show(&self) -> String {
        if self.is_empty() {
            return NONE.to_owned();
        }
        self.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
    }
}

impl Show for OwnedFd {
    fn show(&self) -> String {
        "a descriptor".to_owned()
    }
}

impl Show for TcpInfo {
    fn show(&self) -> String {
        let (state, rtt) = (number(&self.state()), self.rtt());
        format!("{state}, round trip {rtt:?}, window {} segments", self.snd_cwnd())
    }
}

/// `INET` of `Domain::INET`, `40` of `Domain(40)`.
fn number(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let name = text.rsplit("::").next().unwrap_or_default();
    name.split(['(', ')']).nth(1).unwrap_or(name).to_owned()
}

macro_rules! numbers {
    ($($T:ty)*) => { $(
        impl Show for $T {
            fn show(&self) -> String {
                number(self)
            }
        }
    )* };
}

numbers! { Domain Type Protocol PathMtu }

impl Parse for PathMtu {
    fn parse(text: &str) -> io::Result<PathMtu> {
        let named = (0..=5).map(PathMtu::from).find(|value| value.show() == text);
        named
            .or_else(|| text.parse::<i32>().ok().map(PathMtu::from))
            .ok_or_else(|| invalid("write DONT, WANT, DO, PROBE, INTERFACE, OMIT, or a number"))
    }
}

impl Show for TimestampFlags {
    fn show(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = bitflags::parser::to_writer(self, &mut text);
        if text.is_empty() { NONE.to_owned() } else { text }
    }
}

impl Parse for TimestampFlags {
    fn parse(text: &str) -> io::Result<TimestampFlags> {
        if text == NONE {
            return Ok(TimestampFlags::empty());
        }
        bitflags::parser::from_str(text).map_err(|_| {
            invalid("write flags as in RX_SOFTWARE|SOFTWARE, a number as in 0x18, or none")
        })
    }
}

impl Show for Ipv4Addr {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Parse for Ipv4Addr {
    fn parse(text: &str) -> io::Result<Ipv4Addr> {
        text.parse().map_err(|_| invalid("not an IPv4 address"))
    }
}

impl Parse for Membership {
    fn parse(text: &str) -> io::Result<Membership> {
        let (group, interface) = match text.split_once('@') {
            None => (text, Interface::Any),
            Some((group, interface)) => match (interface.parse(), interface.parse()) {
                (Ok(index), _) => (group, Interface::Index(index)),
                (_, Ok(address)) => (group, Interface::Address(address)),
                _ => {
                    return Err(invalid(
                        "write GROUP@INTERFACE, the interface as an index or an address",
                    ));
                }
            },
        };
        Ok(Membership { group: Parse::parse(group)?, interface })
    }
}

impl Parse for SourceMembership {
    fn parse(text: &str) -> io::Result<SourceMembership> {
        let (group, rest) = text
            .split_once(',')
            .ok_or_else(|| invalid("write GROUP,SOURCE or GROUP,SOURCE@ADDRESS"))?;
        let (source, interface) = rest.split_once('@').unwrap_or((rest, "0.0.0.0"));
        Ok(SourceMembership {
            group: Parse::parse(group)?,
            source: Parse::parse(source)?,
            interface: Parse::parse(interface)?,
        })
    }
}

impl Parse for ipv6::Membership {
    fn parse(text: &str) -> io::Result<ipv6::Membership> {
        let (group, interface) = text.split_once('@').unwrap_or((text, "0"));
        let group: Ipv6Addr = group.parse().map_err(|_| invalid("not an IPv6 address"))?;
        Ok(ipv6::Membership { group, interface: Parse::parse(interface)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_lose_nothing() {
        for (text, time) in [
            ("0s", Duration::ZERO),
            ("900ms", Duration::from_millis(900)),
            ("1.5s", Duration::from_millis(1500)),
            ("0.000000001s", Duration::from_nanos(1)),
            ("2h", Duration::from_secs(7200)),
            ("1min", Duration::from_secs(60)),
            ("7us", Duration::from_micros(7)),
            ("7µs", Duration::from_micros(7)),
            ("18446744073709551615s", Duration::from_secs(u64::MAX)),
        ] {
            assert_eq!(Duration::parse(text).unwrap(), time, "{text}");
            assert_eq!(Duration::parse(&time.show()).unwrap(), time, "{text}");
        }
        for text in [
            "",
            "900",
            "s",
            "-1s",
            "1 s",
            "1..5s",
            "0.5ns",
            "1.s",
            ".5s",
            "1e3s",
            "18446744073709551616s",
            "9999999999999999999h",
            "1.00000000000000000000000000000000000000000000001s",
        ] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_read_as_they_are_shown() {
        for text in ["on", "off"] {
            assert_eq!(bool::parse(text).unwrap().show(), text);
        }
        for text in ["off", "abort", "3s"] {
            assert_eq!(Linger::parse(text).unwrap().show(), text);
        }
        for text in ["none", "17"] {
            assert_eq!(Option::<u32>::parse(text).unwrap().show(), text);
        }
        // A network device may have a backslash in its name.
        for text in ["\"\"", "cubic", r#"a\\b\t\n\r\0\'\"\u{7f}c"#] {
            assert_eq!(String::parse(text).unwrap().show(), text);
        }
        assert_eq!(String::parse(r"a\\b").unwrap(), r"a\b");
        for text in [r"a\", r"\x", r"\u", r"\u{7f", r"\u{g}", r"\u{d800}"] {
            assert!(String::parse(text).is_err(), "{text}");
        }
        for text in ["DO", "OMIT", "77", "-1"] {
            assert_eq!(PathMtu::parse(text).unwrap().show(), text);
        }
        for text in ["none", "RX_SOFTWARE | SOFTWARE", "0x80000000"] {
            assert_eq!(TimestampFlags::parse(text).unwrap().show(), text);
        }
        assert_eq!(u32::parse("0xff").unwrap(), 255);
        let error = u8::parse("256").unwrap_err();
        assert_eq!(error.to_string(), "not a number from 0 to 255");
        assert_eq!(
            (number(&Domain::INET), number(&Domain::from(40))),
            ("INET".into(), "40".into())
        );
    }

    #[test]
    fn groups_have_an_interface_or_none() {
        let group = Ipv4Addr::new(239, 1, 2, 3);
        for (text, interface) in [
            ("239.1.2.3", Interface::Any),
            ("239.1.2.3@2", Interface::Index(2)),
            ("239.1.2.3@127.0.0.1", Interface::Address(Ipv4Addr::LOCALHOST)),
        ] {
            assert_eq!(Membership::parse(text).unwrap(), Membership { group, interface });
        }
        let source = Ipv4Addr::LOCALHOST;
        assert_eq!(
            SourceMembership::parse("239.1.2.3,127.0.0.1").unwrap(),
            SourceMembership { group, source, interface: Ipv4Addr::UNSPECIFIED }
        );
        let six = ipv6::Membership::parse("ff02::7@3").unwrap();
        assert_eq!((six.group.to_string().as_str(), six.interface), ("ff02::7", 3));
        assert!(Membership::parse("239.1.2.3@eth0").is_err());
        assert!(SourceMembership::parse("239.1.2.3").is_err());
        assert!(ipv6::Membership::parse("ff02::7@-1").is_err());
    }
}
