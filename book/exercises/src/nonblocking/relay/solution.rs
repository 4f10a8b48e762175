use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;

use readysock::{FdSet, Socket, select};

struct Way<'a> {
    from: &'a Socket,
    to: &'a Socket,
    open: bool,
    bytes: usize,
}

/// Hands on what comes on either socket to the other, until both have ended. How much went to the right, and to the left.
pub fn relay(left: &Socket, right: &Socket) -> io::Result<(usize, usize)> {
    let way = |from, to| Way { from, to, open: true, bytes: 0 };
    let mut ways = [way(left, right), way(right, left)];
    let none = FdSet::new();
    while ways.iter().any(|way| way.open) {
        // One that has ended stays readable for ever: it is asked about no more.
        let inputs = FdSet::from_iter(ways.iter().filter(|way| way.open).map(|way| way.from.as_fd()));
        let ready = select(&inputs, &none, &none, None)?;
        for way in &mut ways {
            if ready.readable().contains(way.from) {
                way.hand_on()?;
            }
        }
    }
    Ok((ways[0].bytes, ways[1].bytes))
}

impl Way<'_> {
    fn hand_on(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let length = self.from.recv(&mut buffer)?;
        if length == 0 {
            self.open = false;
            return self.to.shutdown(Shutdown::Write);
        }
        self.bytes += length;
        self.to.send_all(&buffer[..length])
    }
}
