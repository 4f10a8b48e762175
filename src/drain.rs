//! What the end of a connection owes to a peer that still sends: a close with input unread is a reset, and the peer may lose what was
//! sent last. So it is heard for a while.

use std::time::Duration;

/// For how long at most.
pub(crate) const TIME: Duration = Duration::from_secs(1);
/// For how many bytes: more than the buffers of both ends can hold, for a peer that sends all it has before it reads is no endless one.
/// (tcp_rmem and tcp_wmem allow 32 and 4 MiB at most, where the system was not told otherwise.)
pub(crate) const BYTES: usize = 64 << 20;
