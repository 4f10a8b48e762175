use readysock::{Domain, Socket, Type};
use std::{io, net::Ipv4Addr};

fn main() -> io::Result<()> {
    let listener = Socket::new(Domain::INET, Type::STREAM, None)?;
    listener.bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.listen(1)?;
    let address = listener.local_addr()?;

    let client = Socket::new(Domain::INET, Type::STREAM, None)?;
    println!("somebody listens: connect returned {:?}", client.connect(&address));
    drop(listener);

    let client = Socket::new(Domain::INET, Type::STREAM, None)?;
    let answer = client.connect(&address).map_err(|error| error.kind());
    println!("nobody listens: connect returned {answer:?}");
    Ok(())
}
