//! To and from std's types and bare descriptors. Nothing is called and nothing is checked: the socket goes over as it is.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use super::Socket;

impl From<OwnedFd> for Socket {
    /// Takes any descriptor. Of one that is no socket the calls fail with ENOTSOCK.
    fn from(fd: OwnedFd) -> Socket {
        Socket { fd }
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> OwnedFd {
        socket.fd
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl IntoRawFd for Socket {
    fn into_raw_fd(self) -> RawFd {
        self.fd.into_raw_fd()
    }
}

macro_rules! std_types {
    ($($Std:ident)*) => {$(
        impl From<$Std> for Socket {
            fn from(socket: $Std) -> Socket {
                OwnedFd::from(socket).into()
            }
        }

        impl From<Socket> for $Std {
            /// std does not check what kind of socket it is given, nor whether it is blocking.
            fn from(socket: Socket) -> $Std {
                OwnedFd::from(socket).into()
            }
        }
    )*};
}

std_types!(TcpStream TcpListener UdpSocket UnixStream UnixListener UnixDatagram);
