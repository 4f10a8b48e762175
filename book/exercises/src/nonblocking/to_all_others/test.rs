use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use readysock::{Domain, Socket, Type};

fn listener() -> Socket {
    let listener = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
    listener.set_nonblocking(true).expect("a socket");
    listener.bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.listen(10).expect("a bound socket");
    listener
}

fn hears(client: &mut TcpStream, text: &str) {
    let mut buffer = vec![0; text.len()];
    client.read_exact(&mut buffer).expect("what another has said");
    assert_eq!(buffer, text.as_bytes());
}

#[test]
fn all_others_hear_it_and_nobody_waits_for_a_slow_one() {
    let listener = listener();
    let address = listener.local_addr().expect("an address").to_string();
    let server = thread::spawn(move || serve(&listener, 3));
    let mut clients = [(); 3].map(|()| {
        let client = TcpStream::connect(&address).expect("a server");
        client.set_read_timeout(Some(Duration::from_secs(20))).expect("a time above zero");
        client
    });
    // The last has come after the others: when it is heard, all are there.
    clients[2].write_all(b"three").expect("room");
    hears(&mut clients[0], "three");
    hears(&mut clients[1], "three");

    // Far more than the kernel keeps for one who does not read: the third reads later, and the second must not wait.
    const ALL: usize = 16 << 20;
    let mut writer = clients[0].try_clone().expect("a duplicate");
    let writing = thread::spawn(move || writer.write_all(&vec![b'x'; ALL]));
    clients[1].read_exact(&mut vec![0; ALL]).expect("all of it");
    clients[2].read_exact(&mut vec![0; ALL]).expect("all of it, later");
    writing.join().expect("no panic").expect("somebody reads");

    let [mut first, second, mut third] = clients;
    drop(second);
    third.write_all(b"bye").expect("room");
    hears(&mut first, "bye");
    third.set_nonblocking(true).expect("a socket");
    let own = third.read(&mut [0; 8]).expect_err("nobody hears himself");
    assert_eq!(own.kind(), ErrorKind::WouldBlock);
    drop((first, third));
    server.join().expect("no panic").expect("all have gone");
}
