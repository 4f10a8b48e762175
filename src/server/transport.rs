//! The first axis: where requests come from.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::builder::Settings;
use super::datagram::Datagram;
use super::shutdown::Ending;
use super::socket_file::{self, SocketFile};
use super::stream::Stream;
use crate::addr::{Addr, Domain, Type, UnixAddr};
use crate::socket::Socket;
use crate::sockopt::ipv6::V6Only;
use crate::sockopt::{self, ReuseAddr, ReusePort};

/// TCP: connections, each a [`Stream`].
#[derive(Clone, Copy, Debug)]
pub struct Tcp(());

/// UDP: each packet is a [`Datagram`].
#[derive(Clone, Copy, Debug)]
pub struct Udp(());

/// Connections over a Unix socket, each a [`Stream`].
#[derive(Clone, Copy, Debug)]
pub struct LocalStream(());

/// Packets over a Unix socket, each a [`Datagram`].
#[derive(Clone, Copy, Debug)]
pub struct LocalDatagram(());

/// Where requests come from: [`Tcp`], [`Udp`], [`LocalStream`] or [`LocalDatagram`].
pub trait Transport: sealed::Transport {
    /// What a handler gets.
    type Request: Request;
}

/// [`Tcp`] and [`LocalStream`]: servers of connections.
pub trait Connections: Transport<Request = Stream> {}

/// [`Udp`] and [`LocalDatagram`]: servers of packets.
pub trait Packets: Transport<Request = Datagram> {}

/// [`Tcp`] and [`Udp`]: servers at an IPv4 or IPv6 address.
pub trait Internet: Transport {}

/// [`LocalStream`] and [`LocalDatagram`]: servers at a path or an abstract name.
pub trait Local: Transport {}

/// A [`Stream`] or a [`Datagram`].
pub trait Request: sealed::Request {}

pub(super) mod sealed {
    use super::{Addr, Type};

    pub trait Transport {
        const INTERNET: bool;
        const KIND: Type;
        const NAME: &'static str;
    }

    pub trait Request: Sized + Send + 'static {
        fn take(endpoint: &mut super::Endpoint) -> std::io::Result<Self>;
        fn peer(&self) -> &Addr;
        fn close(&mut self);
        /// As `close`, but without a wait: this is the server's own time.
        fn refuse(&mut self);
        /// The connection, to be cut at the end of the server; a datagram has none.
        fn connection(&self) -> Option<std::sync::Arc<super::super::stream::Connection>>;
    }
}

macro_rules! transports {
    ($($Name:ident: $internet:literal, $KIND:ident, $Request:ident, $name:literal, $A:ident, $B:ident;)+) => {
        $(
            impl sealed::Transport for $Name {
                const INTERNET: bool = $internet;
                const KIND: Type = Type::$KIND;
                const NAME: &'static str = $name;
            }
            impl Transport for $Name {
                type Request = $Request;
            }
            impl $A for $Name {}
            impl $B for $Name {}
        )+
    };
}

transports! {
    Tcp: true, STREAM, Stream, "a TCP server", Connections, Internet;
    Udp: true, DGRAM, Datagram, "a UDP server", Packets, Internet;
    LocalStream: false, STREAM, Stream, "a Unix server", Connections, Local;
    LocalDatagram: false, DGRAM, Datagram, "a Unix server", Packets, Local;
}

/// Memory that is there from the start. Over IP a datagram has 64 KiB at most, and a Unix one what its sender's `SndBuf` allows: 208 KiB
/// unless somebody raises it.
const LARGEST_PACKET: usize = 64 << 20;

/// The server's socket, and what it needs to make requests of what arrives there.
#[derive(Debug)]
pub struct Endpoint {
    // Held for its drop, and first, so that the file is gone before the socket is: a name that is there is answered.
    _file: Option<SocketFile>,
    socket: Arc<Socket>,
    ending: Arc<Ending>,
    settings: Settings,
    queue: i64,
    buffer: Vec<u8>,
}

impl Endpoint {
    pub(super) fn bind<T: Transport>(
        addr: &Addr,
        settings: Settings,
        ending: &Arc<Ending>,
    ) -> io::Result<Endpoint> {
        let fits = match addr {
            Addr::Internet(_) => T::INTERNET,
            Addr::Unix(_) => !T::INTERNET,
            Addr::Other(_) => false,
        };
        if !fits {
            let wants = if T::INTERNET { "an IP address and a port" } else { "a Unix address" };
            let text = format!("{addr} is no address for {}: give {wants}", T::NAME);
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        if settings.largest_packet > LARGEST_PACKET {
            let text = "largest_packet is over 64 MiB, and so much memory would be taken at once";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let (socket, file) = bind_at(T::KIND, addr, &settings)?;
        let stream = T::KIND == Type::STREAM;
        if stream {
            socket.listen(settings.backlog)?;
        }
        let buffer = vec![0; if stream { 0 } else { settings.largest_packet.max(1) }];
        let (socket, ending, queue) =
            (Arc::new(socket), Arc::clone(ending), queue(settings.backlog));
        Ok(Endpoint { _file: file, socket, ending, settings, queue, buffer })
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// In a child: the listener is the parent's alone. Were it open here too, the port would stay in use, with nobody who
    /// accepts, for as long as the child outlives the parent.
    pub(super) fn leave(&mut self) {
        if self.buffer.is_empty() {
            // Nobody else has it: connections do without. What comes in its place takes no new descriptor, for there may be none.
            if let Some(socket) = Arc::get_mut(&mut self.socket) {
                let _ = socket.replace_by(self.ending.waker());
            }
        }
    }

    /// Takes in no more connections; who is in the queue stays there.
    pub(super) fn stop(&self) -> bool {
        self.buffer.is_empty() && self.socket.listen(0).is_ok()
    }

    /// How many may be in the queue.
    pub(super) fn queue(&self) -> i64 {
        self.queue
    }
}

/// How many may be in the queue of such a backlog: one more than it says; and below 0 it says as many as the system allows.
fn queue(backlog: i32) -> i64 {
    let most = || {
        let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
        text.trim().parse().ok()
    };
    let backlog = u32::try_from(backlog).ok().or_else(most).unwrap_or(SOMAXCONN);
    i64::from(backlog) + 1
}

/// Where the system does not say: as it is since Linux 5.4.
const SOMAXCONN: u32 = 4096;

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn bind_at(
    kind: Type,
    addr: &Addr,
    settings: &Settings,
) -> io::Result<(Socket, Option<SocketFile>)> {
    let path = addr.as_unix().and_then(UnixAddr::as_pathname);
    // A relative path means another file once somebody changes the directory.
    let path = path.map(std::path::absolute).transpose()?;
    let socket = || -> io::Result<Socket> {
        let socket = Socket::new(addr.domain(), kind, None)?;
        socket.set_nonblocking(true)?;
        // Of a Unix socket it means nothing.
        let internet = addr.as_internet().is_some();
        if internet && settings.reuse_addr.unwrap_or(kind == Type::STREAM) {
            sockopt::set(&socket, ReuseAddr, true)?;
        }
        if settings.reuse_port {
            sockopt::set(&socket, ReusePort, true)?;
        }
        if let Some(only) = settings.ipv6_only {
            if addr.domain() != Domain::INET6 {
                let text = "ipv6_only is for an IPv6 address: bind to [::] or leave it out";
                return Err(io::Error::new(ErrorKind::InvalidInput, text));
            }
            sockopt::set(&socket, V6Only, only)?;
        }
        Ok(socket)
    };
    let first = socket()?;
    let bound = match (first.bind(addr), &path) {
        (Err(error), Some(path))
            if error.kind() == ErrorKind::AddrInUse && settings.replace_stale =>
        {
            // A socket whose bind failed may be used again.
            socket_file::remove_stale(path, addr, kind, error)?;
            first.bind(addr)
        }
        (result, _) => result,
    };
    bound?;
    let file = path.map(SocketFile::of).transpose()?;
    Ok((first, file))
}

impl Request for Stream {}

impl sealed::Request for Stream {
    fn take(endpoint: &mut Endpoint) -> io::Result<Stream> {
        let (socket, peer) = endpoint.socket.accept()?;
        Ok(Stream::new(socket, peer, &endpoint.ending, endpoint.settings.client_timeout))
    }

    fn peer(&self) -> &Addr {
        self.peer_addr()
    }

    fn close(&mut self) {
        Stream::close(self);
    }

    fn refuse(&mut self) {
        Stream::refuse(self);
    }

    fn connection(&self) -> Option<Arc<super::stream::Connection>> {
        Some(Arc::clone(Stream::connection(self)))
    }
}

impl Request for Datagram {}

impl sealed::Request for Datagram {
    fn take(endpoint: &mut Endpoint) -> io::Result<Datagram> {
        let (len, truncated, sender) = endpoint.socket.recv_from(&mut endpoint.buffer)?;
        let bytes = endpoint.buffer.get(..len).unwrap_or_default();
        Ok(Datagram::new((bytes, truncated, sender), &endpoint.socket, &endpoint.ending))
    }

    fn peer(&self) -> &Addr {
        self.sender()
    }

    fn close(&mut self) {}

    fn refuse(&mut self) {}

    fn connection(&self) -> Option<Arc<super::stream::Connection>> {
        None
    }
}
