use readysock::{Domain, FdSet, Socket, Type, select};
use std::{io, os::fd::AsFd, time::Duration};

fn word(truth: bool) -> &'static str {
    if truth { "True" } else { "False" }
}

fn main() -> io::Result<()> {
    let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    far.send_all(b"hello")?;

    let both = FdSet::from_iter([near.as_fd(), far.as_fd()]);
    let only_near = FdSet::from_iter([near.as_fd()]);
    let ready = select(&both, &only_near, &only_near, Duration::from_secs(20))?;

    println!("near is readable: {}", word(ready.readable().contains(&near)));
    println!("far is readable: {}", word(ready.readable().contains(&far)));
    println!("near is writable: {}", word(ready.writable().contains(&near)));
    println!("near is exceptional: {}", word(ready.exceptional().contains(&near)));
    println!("ready, all in all: {}", ready.count());
    Ok(())
}
