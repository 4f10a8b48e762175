//! `struct tcp_info`: what the kernel knows of a connection.

use std::ffi::c_int;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::enums::TcpState;
use super::value::Decode;
use crate::sys::sockopt as sys;

/// Twice what Linux 6.18 has to say.
const ROOM: usize = 512;

/// `struct tcp_info`: what the kernel knows of a connection, at the moment of the call. The value of
/// [`Info`](super::tcp::Info).
///
/// Each kernel says as much as it knows, newer ones more. What it did not say reads as zero here;
/// [`written`](TcpInfo::written) is how many bytes it said, and [`as_bytes`](TcpInfo::as_bytes) has also those that no
/// method below reads.
///
/// ```
/// use readysock::sockopt::{self, TcpState, tcp::Info};
/// use std::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?)?;
/// let info = sockopt::get(&stream, Info)?;
/// assert_eq!(info.state(), TcpState::ESTABLISHED);
/// println!("round trip {:?}, window {} segments", info.rtt(), info.snd_cwnd());
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc = concat!(man_page!("tcp", 7))]
#[doc(alias = "tcp_info")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TcpInfo {
    bytes: [u8; ROOM],
    written: usize,
}

impl TcpInfo {
    /// How many bytes the kernel wrote: 104 in Linux 2.6, 248 in 6.12.
    #[must_use]
    pub fn written(&self) -> usize {
        self.written
    }

    /// What the kernel wrote, as C has it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.written]
    }

    /// By how much the window that the peer offers is scaled, as a power of two.
    #[must_use]
    pub fn snd_wscale(&self) -> u8 {
        if cfg!(target_endian = "big") { self.bytes[6] >> 4 } else { self.bytes[6] & 15 }
    }

    /// By how much the window that this end offers is scaled, as a power of two.
    #[must_use]
    pub fn rcv_wscale(&self) -> u8 {
        if cfg!(target_endian = "big") { self.bytes[6] & 15 } else { self.bytes[6] >> 4 }
    }

    /// Whether `delivery_rate` was limited by this program, which had nothing to send.
    #[must_use]
    pub fn delivery_rate_app_limited(&self) -> bool {
        self.bytes[7] & if cfg!(target_endian = "big") { 0x80 } else { 1 } != 0
    }

    /// The shortest round trip time of late; `None` before one was measured.
    #[must_use]
    pub fn min_rtt(&self) -> Option<Duration> {
        match u32::from_ne_bytes(self.at(148)) {
            u32::MAX | 0 => None,
            micros => Some(Duration::from_micros(micros.into())),
        }
    }

    /// The `N` bytes at this offset; zeros beyond the end.
    fn at<const N: usize>(&self, offset: usize) -> [u8; N] {
        self.bytes.get(offset..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $Type:ty = $kind:ident at $offset:literal;)+) => {
        impl TcpInfo {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(&self) -> $Type {
                    fields!(@$kind $Type, self.at($offset))
                }
            )+
        }

        impl fmt::Debug for TcpInfo {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("TcpInfo")
                    $(.field(stringify!($name), &self.$name()))+
                    .field("snd_wscale", &self.snd_wscale())
                    .field("rcv_wscale", &self.rcv_wscale())
                    .field("delivery_rate_app_limited", &self.delivery_rate_app_limited())
                    .field("min_rtt", &self.min_rtt())
                    .field("written", &self.written)
                    .finish()
            }
        }
    };
    (@state $Type:ty, $bytes:expr) => { TcpState::from(c_int::from(u8::from_ne_bytes($bytes))) };
    (@u8 $Type:ty, $bytes:expr) => { u8::from_ne_bytes($bytes) };
    (@u16 $Type:ty, $bytes:expr) => { u16::from_ne_bytes($bytes).into() };
    (@u32 $Type:ty, $bytes:expr) => { u32::from_ne_bytes($bytes) };
    (@u64 $Type:ty, $bytes:expr) => { u64::from_ne_bytes($bytes) };
    (@us $Type:ty, $bytes:expr) => { Duration::from_micros(u32::from_ne_bytes($bytes).into()) };
    (@ms $Type:ty, $bytes:expr) => { Duration::from_millis(u32::from_ne_bytes($bytes).into()) };
    (@us64 $Type:ty, $bytes:expr) => { Duration::from_micros(u64::from_ne_bytes($bytes)) };
}

fields! {
    /// The connection's state.
    state: TcpState = state at 0;
    /// What congestion control is at: 0 all well, 1 something out of order, 2 window reduced, 3 recovery, 4 loss.
    ca_state: u8 = u8 at 1;
    /// How often the oldest segment without an acknowledgement was sent again.
    retransmits: u8 = u8 at 2;
    /// Questions to a closed window, or to a silent peer, that no answer has come to.
    probes: u8 = u8 at 3;
    /// How often the time to the next retransmission was doubled.
    backoff: u8 = u8 at 4;
    /// Agreed on in the handshake: bit 0 timestamps, 1 SACK, 2 window scale, 3 ECN, 4 ECN seen, 5 data in the SYN acknowledged.
    options: u8 = u8 at 5;
    /// Time after which a segment without an acknowledgement is sent again.
    rto: Duration = us at 8;
    /// Time for which an acknowledgement is held back.
    ato: Duration = us at 12;
    /// Largest segment that is sent, in bytes.
    snd_mss: u32 = u32 at 16;
    /// Largest segment that was received, as the kernel guesses, in bytes.
    rcv_mss: u32 = u32 at 20;
    /// Segments sent and not acknowledged. Of a listener: connections that wait for `accept`.
    unacked: u32 = u32 at 24;
    /// Segments of those that the peer has, though not the ones before them. Of a listener: its backlog.
    sacked: u32 = u32 at 28;
    /// Segments that are believed lost.
    lost: u32 = u32 at 32;
    /// Segments sent again and not acknowledged.
    retrans: u32 = u32 at 36;
    /// Time since data was last sent.
    last_data_sent: Duration = ms at 44;
    /// Time since data was last received.
    last_data_recv: Duration = ms at 52;
    /// Time since an acknowledgement was last received.
    last_ack_recv: Duration = ms at 56;
    /// Largest packet on the way to the peer, in bytes.
    pmtu: u32 = u32 at 60;
    /// How far the receive window may grow at present, in bytes.
    rcv_ssthresh: u32 = u32 at 64;
    /// Round trip time, smoothed.
    rtt: Duration = us at 68;
    /// How much the round trip time varies.
    rttvar: Duration = us at 72;
    /// Window, in segments, at which slow start ends; 2147483647 before a first loss.
    snd_ssthresh: u32 = u32 at 76;
    /// Congestion window, in segments.
    snd_cwnd: u32 = u32 at 80;
    /// Largest segment that this end has offered to receive, in bytes.
    advmss: u32 = u32 at 84;
    /// By how many segments packets may come out of order before one is believed lost.
    reordering: u32 = u32 at 88;
    /// Round trip time as the receiver sees it; 0 if it has not measured.
    rcv_rtt: Duration = us at 92;
    /// What the receiver tunes its buffer by, in bytes.
    rcv_space: u32 = u32 at 96;
    /// Segments sent again since the connection began.
    total_retrans: u32 = u32 at 100;
    /// Bytes per second at which sending is paced; `u64::MAX` for no limit.
    pacing_rate: u64 = u64 at 104;
    /// The limit of [`MaxPacingRate`](super::MaxPacingRate).
    max_pacing_rate: u64 = u64 at 112;
    /// Bytes that the peer has acknowledged; the SYN counts as one.
    bytes_acked: u64 = u64 at 120;
    /// Bytes that were received.
    bytes_received: u64 = u64 at 128;
    /// Segments sent, all kinds.
    segs_out: u32 = u32 at 136;
    /// Segments received, all kinds.
    segs_in: u32 = u32 at 140;
    /// Bytes written here that were not yet sent.
    notsent_bytes: u32 = u32 at 144;
    /// Segments received that had data.
    data_segs_in: u32 = u32 at 152;
    /// Segments sent that had data.
    data_segs_out: u32 = u32 at 156;
    /// Bytes per second that reached the peer of late.
    delivery_rate: u64 = u64 at 160;
    /// Time for which there was something to send.
    busy_time: Duration = us64 at 168;
    /// Time of that in which the peer's window was the limit.
    rwnd_limited: Duration = us64 at 176;
    /// Time of that in which the send buffer was the limit.
    sndbuf_limited: Duration = us64 at 184;
    /// Segments that reached the peer.
    delivered: u32 = u32 at 192;
    /// Segments of those that met congestion, as the network has marked them.
    delivered_ce: u32 = u32 at 196;
    /// Bytes sent, those sent again included.
    bytes_sent: u64 = u64 at 200;
    /// Bytes sent again.
    bytes_retrans: u64 = u64 at 208;
    /// Segments that the peer says it had twice.
    dsack_dups: u32 = u32 at 216;
    /// How often packets were seen to come out of order.
    reord_seen: u32 = u32 at 220;
    /// Segments received out of order.
    rcv_ooopack: u32 = u32 at 224;
    /// The window that the peer offers, in bytes.
    snd_wnd: u32 = u32 at 228;
    /// The window that this end offers, in bytes.
    rcv_wnd: u32 = u32 at 232;
    /// How often the connection tried another path.
    rehash: u32 = u32 at 236;
    /// How often a retransmission timed out.
    total_rto: u32 = u16 at 240;
    /// How often the connection recovered from that.
    total_rto_recoveries: u32 = u16 at 242;
    /// Time that went by until it did.
    total_rto_time: Duration = ms at 244;
}

/// A struct that grows with the kernel's version.
#[derive(Debug)]
pub(crate) struct Growing;

impl Decode for Growing {
    type Value = TcpInfo;

    fn decode(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<TcpInfo> {
        let mut bytes = [0; ROOM];
        let written = sys::get(fd, level, name, &mut bytes)?;
        Ok(TcpInfo { bytes, written })
    }
}
