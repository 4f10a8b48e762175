use std::io;
use std::time::Duration;

use readysock::Socket;

/// The place in `sockets` of one that can be read from; None if all are silent for so long.
pub fn first_to_speak(_sockets: &[Socket], _patience: Duration) -> io::Result<Option<usize>> {
    Ok(None)
}
