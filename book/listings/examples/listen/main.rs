use readysock::{Domain, Socket, Type};
use std::{io, net::Ipv4Addr};

fn main() -> io::Result<()> {
    let listener = Socket::new(Domain::INET, Type::STREAM, None)?;
    listener.bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.listen(10)?;
    println!("listening on {}", listener.local_addr()?);
    Ok(())
}
