//! Options of TCP: level `IPPROTO_TCP`. Other sockets answer EOPNOTSUPP or ENOPROTOOPT.
#![doc = concat!(man_page!("tcp", 7))]

use super::table::options;

options! {
    level IPPROTO_TCP, man "tcp" 7;

    /// `TCP_CORK`: send full segments only, until the cork is pulled.
    ///
    /// While it is set, less than a segment waits, though not longer than 200 ms; clearing it sends what waits. For a header
    /// and a file that belong together. Linux only. [`NoDelay`] yields to it, though setting that once more sends what waits.
    ///
    /// ```
    /// use readysock::sockopt::{self, tcp::Cork};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// sockopt::set(&listener, Cork, true)?;
    /// assert!(sockopt::get(&listener, Cork)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "TCP_CORK")]
    Cork = TCP_CORK: bool, get set;

    /// `TCP_NODELAY`: send small segments at once.
    ///
    /// Without it (Nagle's algorithm), less than a segment waits while sent data is unacknowledged, and the peer may hold its acknowledgement
    /// back for 40 ms: a request written in two pieces is slow for that reason. Set it where you
    /// write whole messages; it does not help who writes byte by byte. Setting it also sends what waits.
    /// Accepted sockets inherit it from the listener.
    ///
    /// ```
    /// use readysock::sockopt::{self, tcp::NoDelay};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// sockopt::set(&stream, NoDelay, true)?;
    /// assert!(stream.nodelay()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "TCP_NODELAY")]
    NoDelay = TCP_NODELAY: bool, get set;
}
