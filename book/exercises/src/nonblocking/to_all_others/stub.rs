use std::io;

use readysock::Socket;

/// What one client sends goes to all others. Ends when so many clients have come, and all have gone.
pub fn serve(_listener: &Socket, _clients: usize) -> io::Result<()> {
    Ok(())
}
