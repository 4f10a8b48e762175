use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use readysock::{Domain, FdSet, Socket, Type, select};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::{io, time::Duration};

fn main() -> io::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if most < 1025 {
        println!("skipped: this system gives out no descriptor 1024");
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;

    let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    let number = fcntl(&near, FcntlArg::F_DUPFD(1024))?;
    // SAFETY: fcntl has just made it, and nobody else knows its number.
    let number = unsafe { OwnedFd::from_raw_fd(number) };

    let (inputs, none) = (FdSet::from_iter([number.as_fd()]), FdSet::new());
    let ready = select(&inputs, &none, &none, Duration::ZERO)?;
    println!("descriptor {}: {} ready", number.as_raw_fd(), ready.count());
    far.send_all(b"hello")?;
    let ready = select(&inputs, &none, &none, Duration::ZERO)?;
    println!("descriptor {}: {} ready", number.as_raw_fd(), ready.count());
    Ok(())
}
