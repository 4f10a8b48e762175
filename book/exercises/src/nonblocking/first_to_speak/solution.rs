use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use readysock::{FdSet, Socket, select};

/// The place in `sockets` of one that can be read from; None if all are silent for so long.
pub fn first_to_speak(sockets: &[Socket], patience: Duration) -> io::Result<Option<usize>> {
    let inputs = FdSet::from_iter(sockets.iter().map(|socket| socket.as_fd()));
    let none = FdSet::new();
    let ready = select(&inputs, &none, &none, patience)?;
    Ok(sockets.iter().position(|socket| ready.readable().contains(socket)))
}
