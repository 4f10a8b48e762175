//! Addresses as typed: HOST:PORT or unix:PATH, and the two things done with one.

use std::fmt::{self, Display};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use readysock::sockopt::{self, ReuseAddr};
use readysock::{Addr, Socket, Type, UnixAddr};

use super::explain;

/// How many clients may wait to be accepted; the kernel cuts it to net.core.somaxconn. (The notes'
/// 10 is soon full, and then the next client's connect is not refused but late: it tries again
/// after a second.)
const BACKLOG: i32 = 1024;

/// An address of the command line. A host's name is looked up when it is used.
#[derive(Clone, Debug)]
pub enum Place {
    Address(Addr),
    Host(String, u16),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("unix:") {
            return text.parse().map(Place::Address).map_err(|error: io::Error| error.to_string());
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Place::Address(address.into()));
        }
        let parts =
            text.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains(':'));
        match parts.map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) => Ok(Place::Host(host.into(), port)),
            Some((_, Err(_))) => Err("the port is a number from 0 to 65535".into()),
            None => Err("write HOST:PORT, [IPv6]:PORT or unix:PATH".into()),
        }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Address(address) => address.fmt(f),
            Place::Host(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

impl Place {
    /// The address it stands for; of a host's, the first.
    pub fn address(&self) -> io::Result<Addr> {
        self.first(|address| Ok(address.clone()))
    }

    /// The addresses it stands for: one, or those of the host. The first that `works` is taken.
    fn first<T>(&self, works: impl Fn(&Addr) -> io::Result<T>) -> io::Result<T> {
        let addresses = match self {
            Place::Address(address) => vec![address.clone()],
            Place::Host(host, port) => (host.as_str(), *port)
                .to_socket_addrs()
                .map_err(|error| {
                    let what = format!("cannot find the host {host}");
                    explain(what, &error, "; check the name, or give the number")
                })?
                .map(Addr::from)
                .collect(),
        };
        let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in &addresses {
            match works(address) {
                Ok(value) => return Ok(value),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// A listening socket and, for a Unix one, the file it made.
pub struct Listener {
    pub socket: Socket,
    _file: Option<SocketFile>,
}

/// What every server does first: socket, option, bind, listen. The socket does not block.
pub fn listen(place: &Place) -> io::Result<Listener> {
    place.first(|address| {
        let socket = Socket::new(address.domain(), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        sockopt::set(&socket, ReuseAddr, true)?;
        socket.bind(address).map_err(|error| listen_problem(place, &error))?;
        let file = SocketFile::of(address)?;
        socket.listen(BACKLOG).map_err(|error| listen_problem(place, &error))?;
        Ok(Listener { socket, _file: file })
    })
}

/// Two sockets with SO_REUSEADDR may both bind a port; then it is `listen` that finds it in use.
fn listen_problem(place: &Place, error: &io::Error) -> io::Error {
    let advice = match (error.kind(), place) {
        (ErrorKind::AddrInUse, Place::Address(Addr::Unix(_))) => {
            "; remove the file if no server uses it"
        }
        (ErrorKind::AddrInUse, _) => "; choose another port, or 0 for one that is free",
        (ErrorKind::PermissionDenied, _) => "; choose a place where you may",
        _ => "",
    };
    explain(format_args!("cannot listen on {place}"), error, advice)
}

/// What every client does first. Hosts with several addresses are tried in turn.
pub fn connect(place: &Place, patience: Duration) -> io::Result<Socket> {
    place.first(|address| {
        connect_to(address, patience).map_err(|error| {
            let advice = match error.kind() {
                ErrorKind::ConnectionRefused | ErrorKind::NotFound => "; is a server there?",
                _ => "",
            };
            explain(format_args!("cannot connect to {place}"), &error, advice)
        })
    })
}

fn connect_to(address: &Addr, patience: Duration) -> io::Result<Socket> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    if let Addr::Unix(_) = address {
        // A Unix client has no name unless it takes one, and the server could not tell whom it talks to.
        socket.bind(UnixAddr::unnamed())?;
    }
    socket.connect_timeout(address, patience)?;
    Ok(socket)
}

/// The file of a Unix listener. Its maker removes it, unless another has taken its place.
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(address: &Addr) -> io::Result<Option<Self>> {
        let Some(path) = address.as_unix().and_then(UnixAddr::as_pathname) else { return Ok(None) };
        // A relative path means another file once somebody changes the directory.
        let path = std::path::absolute(path)?;
        let identity = identity(&path)?;
        Ok(Some(Self { path, identity }))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &std::path::Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|data| (data.dev(), data.ino()))
}
