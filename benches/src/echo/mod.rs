//! Echo servers beside our event loop, each a process of its own, and the load for them: `cargo xtask bench reactor`.
//!
//! Each does the same: takes connections in, reads each that is ready, and sends back what it has read. All that is compiled is
//! compiled by the same level (3, without link-time optimisation), the C too.

mod load;
mod with_mio;

use std::convert::Infallible;
use std::error::Error;
use std::ffi::c_int;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use readysock::reactor::{Backend, Protocol, Reactor, Transport};

pub use load::{Load, MESSAGE};

use crate::{FD_SETSIZE, OURS};

/// Who serves, and on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The library or the language.
    pub name: &'static str,
    /// What it waits in.
    pub backend: &'static str,
    /// How many connections it can have.
    pub most: usize,
}

const NO_END: usize = usize::MAX;
/// By this one the event loop is judged where all connections are active.
pub const C_ON_POLL: Peer = Peer { name: "C", backend: "poll", most: NO_END };
/// By this one where most of them are idle.
pub const MIO: Peer = Peer { name: "mio", backend: "epoll", most: NO_END };

/// All of them. Those that are compared stand side by side, for so they take turns: what slows the machine down hits both.
pub const PEERS: [Peer; 9] = [
    Peer { name: OURS, backend: "select", most: NO_END },
    // Some numbers are taken: standard streams, the listener.
    Peer { name: "C", backend: "select", most: FD_SETSIZE.unsigned_abs() as usize - 16 },
    Peer { name: OURS, backend: "poll", most: NO_END },
    C_ON_POLL,
    Peer { name: OURS, backend: "epoll", most: NO_END },
    MIO,
    Peer { name: "Python selectors", backend: "epoll", most: NO_END },
    Peer { name: "Python asyncio", backend: "epoll", most: NO_END },
    Peer { name: "Twisted", backend: "epoll", most: NO_END },
];

/// Where `cargo xtask bench reactor` installs the peers in Python, under cargo's target folder.
const PYTHON_PEERS: &str = "python-peers";

const PYTHON: [(&str, &str, &str); 3] = [
    ("Python selectors", "selectors", include_str!("with_selectors.py")),
    ("Python asyncio", "asyncio", include_str!("with_asyncio.py")),
    ("Twisted", "twisted.internet", include_str!("with_twisted.py")),
];

unsafe extern "C" {
    fn echo_on_poll(listener: c_int) -> c_int;
    fn echo_on_select(listener: c_int) -> c_int;
}

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

impl Peer {
    /// Why it cannot serve on this machine, where that is so.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let (_, module, _) = PYTHON.iter().find(|(name, ..)| *name == self.name)?;
        match python().args(["-c", &format!("import {module}")]).output() {
            Ok(output) if output.status.success() => None,
            // The last line of what Python says is what is wrong.
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                Some(text.lines().last().unwrap_or("no answer").to_owned())
            }
            Err(error) => Some(format!("python3: {error}")),
        }
    }

    /// Serves in this process, and does not return but with an error: what `reactor serve NAME BACKEND CPU` does. It ends with the
    /// thread that started it.
    ///
    /// # Errors
    ///
    /// What keeps it from serving.
    pub fn serve(&self, cpu: usize) -> Outcome<Infallible> {
        set_pdeathsig(Signal::SIGKILL)?;
        stay(cpu)?;
        if let Some((.., program)) = PYTHON.iter().find(|(name, ..)| *name == self.name) {
            return Err(python().args(["-c", program]).exec().into());
        }
        match (self.name, self.backend) {
            (OURS, "select") => ours(Backend::Select),
            (OURS, "poll") => ours(Backend::Poll),
            (OURS, "epoll") => ours(Backend::Epoll),
            ("mio", "epoll") => with_mio::serve(),
            ("C", "select") => in_c(echo_on_select),
            ("C", "poll") => in_c(echo_on_poll),
            _ => Err("no such server".into()),
        }
    }
}

fn python() -> Command {
    let mut command = Command::new("python3");
    let here = env::current_exe().unwrap_or_default();
    if let Some(path) = here.ancestors().map(|at| at.join(PYTHON_PEERS)).find(|at| at.is_dir()) {
        command.env("PYTHONPATH", path);
    }
    command
}

fn announce(addr: SocketAddr) -> io::Result<()> {
    println!("{addr}");
    io::stdout().flush()
}

fn ours(backend: Backend) -> Outcome<Infallible> {
    struct Echo;

    impl Protocol for Echo {
        fn data_received(&mut self, transport: &mut Transport<'_>, data: &[u8]) {
            transport.write(data);
        }
    }

    let mut reactor = Reactor::new(backend)?;
    let listener = reactor.listen((Ipv4Addr::LOCALHOST, 0), |_| Echo)?;
    let addr = reactor.local_addr(listener)?;
    announce(addr.as_internet().ok_or("no address of the internet")?)?;
    reactor.run()?;
    Err("stopped".into())
}

fn in_c(serve: unsafe extern "C" fn(c_int) -> c_int) -> Outcome<Infallible> {
    let listener = listener()?;
    announce(listener.local_addr()?)?;
    // SAFETY: it is a listener, which stays open for the length of the call and does not block.
    let errno = unsafe { serve(listener.as_raw_fd()) };
    Err(io::Error::from_raw_os_error(errno).into())
}

/// As ours is made: SO_REUSEADDR, a queue of 1024.
fn listener() -> Outcome<TcpListener> {
    let socket = readysock::Socket::new(readysock::Domain::INET, readysock::Type::STREAM, None)?;
    readysock::sockopt::set(&socket, readysock::sockopt::ReuseAddr, true)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

/// A server at work. It is ended when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Server {
    /// Starts it on a processor. `program` is the one that knows `serve`.
    ///
    /// # Errors
    ///
    /// It does not start, or does not say where it listens.
    pub fn start(program: &Path, peer: &Peer, cpu: usize) -> Outcome<Server> {
        let mut command = Command::new(program);
        command.args(["serve", peer.name, peer.backend, &cpu.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        // From here on it is ended, whatever comes.
        let mut server = Server { child, addr: (Ipv4Addr::UNSPECIFIED, 0).into() };
        let mut line = String::new();
        let output = server.child.stdout.as_mut().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        server.addr = line.trim().parse().map_err(|_| format!("no address: `{line}`"))?;
        Ok(server)
    }

    fn pid(&self) -> Outcome<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.child.id())?))
    }

    /// The CPU time that it has used.
    ///
    /// # Errors
    ///
    /// It is not there any more.
    pub fn cpu(&self) -> Outcome<Duration> {
        // Exact to the nanosecond, unlike the ticks in /proc/PID/stat.
        Ok(clock_gettime(clock_getcpuclockid(self.pid()?)?)?.into())
    }

    /// The most memory that it has had at a time, in KiB.
    ///
    /// # Errors
    ///
    /// It is not there any more.
    pub fn peak(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(number.ok_or("no peak of memory")?.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program that knows `serve`, for the program itself.
///
/// # Errors
///
/// The system does not tell.
pub fn program() -> io::Result<PathBuf> {
    env::current_exe()
}

/// This process stays on one processor.
///
/// # Errors
///
/// It may not run there.
pub fn stay(cpu: usize) -> io::Result<()> {
    let mut one = CpuSet::new();
    one.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &one)?)
}

/// The processors that this process may run on.
///
/// # Errors
///
/// The system does not tell.
pub fn processors() -> io::Result<Vec<usize>> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false)).collect())
}

/// As many descriptors as the system lets this process have, and those it starts; how many that is.
///
/// # Errors
///
/// The system does not tell.
pub fn raise_limit() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
