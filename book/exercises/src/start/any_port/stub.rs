use std::io;

use readysock::Socket;

/// A socket that listens on a free port of this machine.
pub fn listener() -> io::Result<Socket> {
    Err(io::Error::other("not written yet"))
}
