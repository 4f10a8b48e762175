use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use readysock::{FdSet, Socket, select};

struct Client {
    socket: Socket,
    owed: VecDeque<u8>,
    open: bool,
}

/// What one client sends goes to all others. Ends when so many clients have come, and all have gone.
pub fn serve(listener: &Socket, clients: usize) -> io::Result<()> {
    let mut here: Vec<Client> = Vec::new();
    let mut came = 0;
    while came < clients || !here.is_empty() {
        let mut inputs = FdSet::from_iter([listener.as_fd()]);
        let mut outputs = FdSet::new();
        for client in &here {
            inputs.insert(client.socket.as_fd());
            if !client.owed.is_empty() {
                outputs.insert(client.socket.as_fd());
            }
        }
        let ready = select(&inputs, &outputs, &FdSet::new(), None)?;
        for place in 0..here.len() {
            if ready.writable().contains(&here[place].socket) {
                here[place].send_some();
            }
            if ready.readable().contains(&here[place].socket) {
                let mut buffer = [0; 4096];
                let length = here[place].receive(&mut buffer);
                for (other, client) in here.iter_mut().enumerate() {
                    if other != place {
                        client.owed.extend(&buffer[..length]);
                    }
                }
            }
        }
        // Only now, when nobody is visited any more.
        here.retain(|client| client.open);
        if ready.readable().contains(listener) {
            let (socket, _) = listener.accept_nonblocking()?;
            here.push(Client { socket, owed: VecDeque::new(), open: true });
            came += 1;
        }
    }
    Ok(())
}

impl Client {
    fn send_some(&mut self) {
        let (front, _) = self.owed.as_slices();
        match self.socket.send(front) {
            Ok(sent) => drop(self.owed.drain(..sent)),
            Err(error) => self.open &= error.kind() == ErrorKind::WouldBlock,
        }
    }

    /// How much came; who has ended, or has failed, is gone.
    fn receive(&mut self, buffer: &mut [u8]) -> usize {
        match self.socket.recv(buffer) {
            Ok(length) => {
                self.open &= length > 0;
                length
            }
            Err(error) => {
                self.open &= error.kind() == ErrorKind::WouldBlock;
                0
            }
        }
    }
}
