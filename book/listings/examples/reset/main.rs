use nix::errno::Errno;
use readysock::{Domain, FdSet, Socket, Type, select};
use std::{io, net::Ipv4Addr, os::fd::AsFd, time::Duration};

fn main() -> io::Result<()> {
    let listener = Socket::new(Domain::INET, Type::STREAM, None)?;
    listener.bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.listen(1)?;
    let near = Socket::new(Domain::INET, Type::STREAM, None)?;
    near.connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;

    let none = FdSet::new();
    near.send_all(b"hello")?;
    select(&FdSet::from_iter([far.as_fd()]), &none, &none, None)?; // it has arrived,
    drop(far); // and nobody reads it: that is a reset

    let near_only = FdSet::from_iter([near.as_fd()]);
    select(&near_only, &none, &none, None)?;
    let ready = select(&near_only, &near_only, &near_only, Duration::ZERO)?;
    println!("readable: {}", ready.readable().len());
    println!("writable: {}", ready.writable().len());
    println!("exceptional: {}", ready.exceptional().len());
    if let Err(error) = near.recv(&mut [0; 1024]) {
        println!("recv: {}", Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc());
    }
    Ok(())
}
