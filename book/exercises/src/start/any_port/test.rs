use std::net::{SocketAddr, TcpStream};

#[test]
fn somebody_can_connect() {
    let listener = listener().expect("a listening socket");
    let address = listener.local_addr().expect("its address").to_string();
    let address: SocketAddr = address.parse().expect("an Internet address");
    assert!(address.ip().is_loopback() && address.port() != 0, "{address}");
    let client = TcpStream::connect(address).expect("somebody listens");
    let (_, peer) = listener.accept().expect("a client");
    assert_eq!(peer.to_string(), client.local_addr().expect("its address").to_string());
}
