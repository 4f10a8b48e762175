use readysock::{Addr, Domain, FdSet, Socket, Type, select};
use std::collections::VecDeque;
use std::{io, net::Ipv4Addr, os::fd::AsFd, time::Duration};

struct Client {
    socket: Socket,
    name: Addr,
    queue: VecDeque<Vec<u8>>,
    reading: bool,
    writing: bool,
}

impl Client {
    fn send_next(&mut self) -> io::Result<()> {
        if let Some(message) = self.queue.front_mut() {
            println!("sending {} to {}", String::from_utf8_lossy(message), self.name);
            let sent = self.socket.send(message)?;
            message.drain(..sent);
            if message.is_empty() {
                self.queue.pop_front();
            }
        } else {
            println!("{} queue empty", self.name);
            self.writing = false;
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer)?;
        if length == 0 {
            self.reading = false;
        } else {
            let data = &buffer[..length];
            println!("received {} from {}", String::from_utf8_lossy(data), self.name);
            self.queue.push_back(data.to_vec());
            self.writing = true;
        }
        Ok(())
    }
}

fn turn(server: &Socket, clients: &mut Vec<Client>) -> io::Result<()> {
    let mut inputs = FdSet::from_iter([server.as_fd()]);
    inputs.extend(clients.iter().filter(|it| it.reading).map(|it| it.socket.as_fd()));
    let outputs: FdSet =
        clients.iter().filter(|it| it.writing).map(|it| it.socket.as_fd()).collect();
    let ready = select(&inputs, &outputs, &FdSet::new(), Duration::from_secs(20))?;

    for client in clients.iter_mut() {
        if ready.writable().contains(&client.socket) {
            client.send_next()?;
        }
        if ready.readable().contains(&client.socket) {
            client.receive()?;
        }
    }
    clients.retain(|it| {
        let open = it.reading || it.writing;
        if !open {
            println!("closing {}", it.name);
        }
        open
    });
    if ready.readable().contains(server) {
        let (socket, name) = server.accept_nonblocking()?;
        println!("connection from {name}");
        clients.push(Client {
            socket,
            name,
            queue: VecDeque::new(),
            reading: true,
            writing: false,
        });
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let server = Socket::new(Domain::INET, Type::STREAM, None)?;
    server.set_nonblocking(true)?;
    server.bind((Ipv4Addr::LOCALHOST, 0))?;
    server.listen(10)?;
    let mut clients = Vec::new();

    let client = Socket::new(Domain::INET, Type::STREAM, None)?;
    client.connect(server.local_addr()?)?;
    turn(&server, &mut clients)?;
    client.send_all(b"This is the message")?;
    turn(&server, &mut clients)?;
    turn(&server, &mut clients)?;
    turn(&server, &mut clients)?;
    let mut echo = [0; 1024];
    let length = client.recv(&mut echo)?;
    println!("the client received {}", String::from_utf8_lossy(&echo[..length]));
    drop(client);
    turn(&server, &mut clients)
}
