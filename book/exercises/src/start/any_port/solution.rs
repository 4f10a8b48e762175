use std::io;
use std::net::Ipv4Addr;

use readysock::{Domain, Socket, Type};

/// A socket that listens on a free port of this machine.
pub fn listener() -> io::Result<Socket> {
    let listener = Socket::new(Domain::INET, Type::STREAM, None)?;
    listener.bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.listen(10)?;
    Ok(listener)
}
