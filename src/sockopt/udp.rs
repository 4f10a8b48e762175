//! Options of UDP: level `IPPROTO_UDP`. Other sockets answer EOPNOTSUPP or ENOPROTOOPT.
#![doc = concat!(man_page!("udp", 7))]

use super::codec::Size;
use super::table::options;

options! {
    level IPPROTO_UDP, path "sockopt::udp", man "udp" 7;

    /// `UDP_CORK`: collect what is sent into one datagram, until the cork is pulled. Since Linux 2.5.44.
    ///
    /// Clearing it sends the datagram. Linux only; one send alone has MSG_MORE for it.
    #[doc(alias = "UDP_CORK")]
    Cork = UDP_CORK: bool, get set, example udp true;

    /// `UDP_GRO`: receive datagrams of one sender together, in one buffer. Since Linux 5.0.
    ///
    /// A control message of recvmsg(2) then says how long each of them is: an `int`. The trap: who does not read that takes several datagrams for one.
    #[doc(alias = "UDP_GRO")]
    Gro = UDP_GRO: bool, get set, example udp true;

    /// `UDP_SEGMENT`: cut what is sent into datagrams of this size. Since Linux 4.18.
    ///
    /// One call then sends up to 64 of them (128 since Linux 6.9), and the network card may do the cutting. 0 is off; over 65535 is EINVAL; more than the interface takes, EMSGSIZE from the send (EINVAL from kernels before 6.14).
    #[doc(alias = "UDP_SEGMENT")]
    Segment = UDP_SEGMENT: usize as Size, "bytes", get set, example udp 1200;
}
