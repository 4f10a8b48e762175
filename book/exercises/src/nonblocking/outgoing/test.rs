use std::io::Read;
use std::os::unix::net::UnixStream;

use readysock::Socket;

#[test]
fn the_rest_stays_at_the_head() {
    let mut outgoing = Outgoing::default();
    outgoing.push(b"hello");
    outgoing.push(b"again");
    outgoing.sent(2);
    assert_eq!(outgoing.head(), Some(&b"llo"[..]));
    outgoing.sent(0);
    assert_eq!(outgoing.head(), Some(&b"llo"[..]));
    outgoing.sent(3);
    assert_eq!(outgoing.head(), Some(&b"again"[..]));
    outgoing.sent(5);
    assert_eq!(outgoing.head(), None);
}

#[test]
fn a_message_larger_than_the_kernel_s_buffer_arrives() {
    let (near, mut far) = UnixStream::pair().expect("a pair");
    let near = Socket::from(near);
    near.set_nonblocking(true).expect("a socket");
    let mut outgoing = Outgoing::default();
    let message: Vec<u8> = (0..4_000_000_u32).map(|number| (number % 251) as u8).collect();
    outgoing.push(&message);
    let (mut arrived, mut buffer) = (Vec::new(), vec![0; 65_536]);
    while let Some(head) = outgoing.head() {
        match near.send(head) {
            Ok(bytes) => outgoing.sent(bytes),
            Err(_) => {
                let length = far.read(&mut buffer).expect("something");
                arrived.extend_from_slice(&buffer[..length]);
            }
        }
    }
    drop(near);
    far.read_to_end(&mut arrived).expect("the rest");
    assert!(arrived == message, "{} of {} bytes arrived", arrived.len(), message.len());
}
