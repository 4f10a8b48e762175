//! Every option of the table has a case here, by its name in C: its value after the setting differs from the one before it, and
//! reads back as its documentation says. An option without a case fails, and so does a case without an option.

mod cases;
#[path = "../support/mod.rs"]
mod support;

use std::io::{self, ErrorKind};

use libtest_mimic::{Arguments, Failed, Trial};
use readysock::libc;
use readysock::sockopt::{self, OptionInfo};

use self::cases::Case::{Holds, Privileged, Set};
use self::cases::Reads::{As, Back};
use self::cases::{case, sample, unix};
use self::support::options::{assert_errno as errno, assert_refused as refused};
use self::support::skipped;
use self::support::sockets::{tcp, tcp_pair};

// ---- running them ----

fn without(name: &str, reason: &dyn std::fmt::Display) -> Result<(), Failed> {
    skipped(&format!("{name}: {reason}"));
    Ok(())
}

fn run(row: &'static OptionInfo) -> Result<(), Failed> {
    let name = row.c_name();
    let case = case(name).ok_or("no case here: the table has it, the tests do not")?;
    let (on_what, value, reads, privileged) = match case {
        Set(on_what, value, reads) => (on_what, value, reads, false),
        Privileged(on_what, value, reads) => (on_what, value, reads, true),
        Holds(what) => {
            assert!(
                !(row.direction().can_get() && row.direction().can_set()) || HALF.contains(&name)
            );
            return match what(row) {
                Err(error) if missing(&error) => without(name, &error),
                Err(error)
                    if error.raw_os_error() == Some(libc::EPERM) && FORCE.contains(&name) =>
                {
                    without(name, &"needs CAP_NET_ADMIN")
                }
                other => Ok(other?),
            };
        }
    };
    let (socket, _peer) = on_what();
    let before = match row.get_text(&socket) {
        Err(error) if missing(&error) => return without(name, &error),
        before => before?,
    };
    match row.set_text(&socket, value) {
        Err(error) if privileged && error.raw_os_error() == Some(libc::EPERM) => {
            return without(name, &"needs a privilege");
        }
        result => result?,
    }
    let after = row.get_text(&socket)?;
    assert_ne!(before, after, "setting it to {value} changed nothing");
    match reads {
        Back => assert_eq!(after, value),
        As(expected) => assert_eq!(after, expected, "after {value}"),
    }
    // And back again.
    match row.set_text(&socket, &before) {
        Err(error) if privileged && error.raw_os_error() == Some(libc::EPERM) => {
            return without(name, &"needs a privilege to be set back");
        }
        result => result?,
    }
    let again = row.get_text(&socket)?;
    match DOUBLED.contains(&name) {
        true => assert_ne!(again, after, "set back"),
        false => assert_eq!(again, before, "set back"),
    }
    Ok(())
}

/// Options of both directions whose case is longer than a line.
const HALF: [&str; 3] = ["TCP_CONGESTION", "TCP_ULP", "IPV6_MTU"];
const FORCE: [&str; 2] = ["SO_RCVBUFFORCE", "SO_SNDBUFFORCE"];
/// What is read is twice what was set, or what a sysctl allows.
const DOUBLED: [&str; 2] = ["SO_RCVBUF", "SO_SNDBUF"];

/// An older kernel, or one that was built without it.
fn missing(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOPROTOOPT)
}

/// The case of an option; where an emulator does not pass it on, it says so.
fn attempt(row: &'static OptionInfo) -> Result<(), Failed> {
    match run(row) {
        Err(failed) if support::emulated() => without(
            row.c_name(),
            &format_args!("emulated: {}", failed.message().unwrap_or_default()),
        ),
        result => result,
    }
}

/// Each row against each of these: an answer or an error of the kernel's, no panic.
fn on_the_wrong_socket() {
    let (pipe, _writer) = support::fds::pipe();
    let local = unix();
    let foreign = [libc::EOPNOTSUPP, libc::ENOPROTOOPT];
    // An emulator answers by itself for options that it does not know, and for some that it does.
    let emulated = [libc::ENOTSOCK, libc::EOPNOTSUPP, libc::ENOPROTOOPT, libc::EINVAL];
    let no_socket = if support::emulated() { &emulated[..] } else { &emulated[..1] };
    for row in sockopt::table() {
        let value = sample(row.c_name());
        if row.direction().can_get() {
            errno(row.get_text(&pipe), no_socket);
            if row.level() != libc::SOL_SOCKET {
                errno(row.get_text(&local.0), &foreign);
            }
        } else {
            refused(row.get_text(&pipe), "can only be written");
        }
        if row.direction().can_set() {
            errno(row.set_text(&pipe, value), no_socket);
            if row.level() != libc::SOL_SOCKET {
                errno(row.set_text(&local.0, value), &foreign);
            }
        } else {
            refused(row.set_text(&pipe, value), "can only be read");
        }
    }
}

/// A connection whose peer has gone, by closing and by resetting.
fn on_a_dead_connection() {
    for abort in [false, true] {
        let (socket, peer) = tcp_pair();
        if abort {
            sockopt::set(&peer, sockopt::SoLinger, sockopt::Linger::Abort).expect("set");
        }
        drop(peer);
        let _ = socket.recv(&mut [0]);
        for row in sockopt::table() {
            if row.direction().can_get() {
                // Each has an answer or an errno; the options of IPv6 are none of this socket's.
                if let Err(error) = row.get_text(&socket) {
                    assert!(error.raw_os_error().is_some(), "{}: {error}", row.c_name());
                }
            }
            if row.direction().can_set() {
                if let Err(error) = row.set_text(&socket, sample(row.c_name())) {
                    assert!(error.raw_os_error().is_some(), "{}: {error}", row.c_name());
                }
            }
        }
    }
}

/// What is no value of the option's type is refused before the call, whatever the option.
fn on_text_that_is_no_value() {
    let socket = tcp();
    for row in sockopt::table().filter(|row| row.direction().can_set()) {
        for text in ["\0", "-7", "1 2", "99999999999999999999999999", "\u{1F980}"] {
            match row.set_text(&socket, text) {
                // Any text is a name, and any number a way of discovery: what the kernel has not is its own to refuse.
                Err(error) if error.raw_os_error().is_some() => {
                    assert!(
                        ["String", "PathMtu"].contains(&row.value()),
                        "{}: {error}",
                        row.c_name()
                    );
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}: {error}", row.c_name());
                }
                Ok(()) => panic!("{} took {text:?}", row.c_name()),
            }
        }
    }
}

/// The list, so that an option cannot be lost together with its case.
fn the_table_is_whole() {
    let count = |level| sockopt::table().filter(|row| row.c_level() == level).count();
    assert_eq!(count("SOL_SOCKET"), 40);
    assert_eq!(count("IPPROTO_TCP"), 18);
    assert_eq!(count("IPPROTO_IP"), 19);
    assert_eq!(count("IPPROTO_IPV6"), 16);
    assert_eq!(count("IPPROTO_UDP"), 3);
    assert_eq!(sockopt::table().count(), 96);
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> =
        sockopt::table().map(|row| Trial::test(row.c_name(), move || attempt(row))).collect();
    let rest: [(&str, fn()); 4] = [
        ("on_the_wrong_socket", on_the_wrong_socket),
        ("on_a_dead_connection", on_a_dead_connection),
        ("on_text_that_is_no_value", on_text_that_is_no_value),
        ("the_table_is_whole", the_table_is_whole),
    ];
    for (name, test) in rest {
        trials.push(Trial::test(name, move || {
            test();
            Ok(())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
