//! The options of a socket as a table, and what the kernel makes of a value.
//!
//! ```text
//! cargo run --example sockopt_table -- --socket udp
//! cargo run --example sockopt_table -- --set SO_SNDBUF=65535 --set SO_LINGER=900ms
//! cargo run --example sockopt_table -- --list
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use readysock::sockopt::{self, OptionInfo};
use readysock::{Domain, Socket, Type, libc};

use self::common::{Say, explain};

/// The options of a socket, and what the kernel makes of a value
#[derive(Parser)]
struct Arguments {
    /// Whose options
    #[arg(long, value_name = "KIND", default_value = "tcp", value_parser = ["tcp", "udp", "unix"])]
    socket: String,
    /// Set an option and show it before and after, as in SO_LINGER=900ms; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(&'static OptionInfo, String)>,
    /// Every option that there is, one line each: NAME LEVEL TYPE DIRECTION
    #[arg(long, conflicts_with_all = ["set", "socket"])]
    list: bool,
}

fn assignment(text: &str) -> Result<(&'static OptionInfo, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let row = sockopt::table().find(|row| row.c_name() == name);
    Ok((row.ok_or(format!("there is no option {name}; --list shows them"))?, value.to_owned()))
}

fn main() -> ExitCode {
    common::finish(run(&common::arguments()))
}

fn run(arguments: &Arguments) -> io::Result<()> {
    if arguments.list {
        return sockopt::table().try_for_each(|row| {
            let (name, level) = (row.c_name(), row.c_level());
            Say::plain().line(format_args!("{name} {level} {} {}", row.value(), row.direction()))
        });
    }
    let (domain, kind) = match arguments.socket.as_str() {
        "unix" => (Domain::UNIX, Type::STREAM),
        "udp" => (Domain::INET, Type::DGRAM),
        _ => (Domain::INET, Type::STREAM),
    };
    let socket = Socket::new(domain, kind, None)?;
    match arguments.set.as_slice() {
        [] => show(&socket),
        set => set.iter().try_for_each(|(row, value)| change(&socket, row, value)),
    }
}

// ANCHOR: change
fn change(socket: &Socket, row: &OptionInfo, value: &str) -> io::Result<()> {
    let (name, say) = (row.c_name(), Say::plain());
    let failed = |error| explain(format_args!("{name}={value}"), &error, "");
    let read = || if row.direction().can_get() { row.get_text(socket) } else { Ok("?".into()) };
    let before = read().map_err(failed)?;
    row.set_text(socket, value).map_err(failed)?;
    let after = read().map_err(failed)?;
    say.line(format_args!("{name}: before {before}, set to {value}, after {after}"))?;
    if [value, "?"].contains(&&*after) {
        return Ok(());
    }
    say.line(format_args!(
        "look: not what was asked for; {} in the documentation says why",
        row.type_name()
    ))
}
// ANCHOR_END: change

fn show(socket: &Socket) -> io::Result<()> {
    let say = Say::plain();
    say.line(format_args!("{:23} {:16} {:11} what it means", "name", "value", "unit"))?;
    for row in sockopt::table().filter(|row| row.direction().can_get()) {
        let (name, unit) = (row.c_name(), row.unit());
        let value = match row.get_text(socket) {
            Err(error) => match error.raw_os_error() {
                // An option of another protocol, or of a newer kernel: not of this socket.
                Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT) => continue,
                Some(libc::ENOTCONN | libc::ENODATA) => "(no peer)".into(),
                _ => format!("({error})"),
            },
            Ok(value) => value,
        };
        let meaning = row.summary().replace('`', "").split_off(name.len() + 2);
        let meaning = meaning.split(" Since Linux").next().unwrap_or_default();
        say.line(format_args!("{name:23} {value:16} {unit:11} {meaning}"))?;
    }
    say.line("look: a new socket, so this is what the system gives to each")
}
