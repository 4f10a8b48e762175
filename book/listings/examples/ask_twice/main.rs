use readysock::{Domain, FdSet, Socket, Type, select};
use std::{io, os::fd::AsFd, time::Duration};

fn main() -> io::Result<()> {
    let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    let (inputs, none) = (FdSet::from_iter([near.as_fd()]), FdSet::new());
    let timeout = Duration::from_millis(50);

    let ready = select(&inputs, &none, &none, timeout)?;
    println!("first: {} ready", ready.count());
    println!("the set holds {} and the timeout is {}", inputs.len(), timeout.as_secs_f64());

    far.send_all(b"hello")?;
    let ready = select(&inputs, &none, &none, timeout)?;
    println!("second: {} ready", ready.count());
    Ok(())
}
