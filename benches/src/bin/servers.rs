//! The servers under load: short connections in a row, then many at once; each stream way, and Python's ThreadingMixIn.
//!
//! The server is a process of its own: what it and its children used is what the kernel says when it has been waited for.

use std::error::Error;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, io};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;
use readysock::server::{ShutdownHandle, Stream, TcpServer, UnixStreamServer};
use readysock::{Addr, Socket, Timeout, Type, UnixAddr};

const IN_A_ROW: u32 = 10_000;
const AT_ONCE: u32 = 500;
/// How often the 500 come.
const WAVES: u32 = 4;
const LIMIT: usize = 64;
const MESSAGE: &[u8] = b"This is the message\n";

/// The same handler; its queue is as long as ours, or most of the 500 would wait for a second try to connect.
const PYTHON: &str = r#"
import socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())
class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    request_queue_size = 1024
    daemon_threads = True
with Server(("127.0.0.1", 0), Handler) as server:
    print("127.0.0.1:%d" % server.server_address[1], flush=True)
    import threading
    threading.Thread(target=server.serve_forever).start()
    sys.stdin.read()
    server.shutdown()
"#;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [serve, transport, way] if serve == "serve" => serve_as(transport, way),
        _ => load(),
    }
}

fn load() -> Outcome {
    println!(
        "{:<24} {:>12} {:>14} {:>12} {:>14} {:>6}",
        "server", "in a row/s", "CPU us each", "at once/s", "CPU us each", "lost"
    );
    let mut lost = 0;
    for transport in ["tcp", "unix"] {
        for way in ["in_turn", "threads", "processes"] {
            let serve = || {
                let mut command = Command::new(env::current_exe()?);
                command.args(["serve", transport, way]);
                Ok(command)
            };
            lost += measure(&format!("{transport} {way}"), serve)?;
        }
    }
    let here = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if here.is_ok_and(|status| status.success()) {
        let python = || {
            let mut command = Command::new("python3");
            command.args(["-c", PYTHON]);
            Ok(command)
        };
        lost += measure("python ThreadingMixIn", python)?;
    } else {
        println!("skipped: python3 is not here");
    }
    if lost > 0 { Err(format!("{lost} connections were lost").into()) } else { Ok(()) }
}

/// A row of the table; how many were lost.
fn measure(name: &str, command: impl Fn() -> io::Result<Command>) -> Outcome<u32> {
    let row = with_server(command()?, |addr| (0..IN_A_ROW).filter(|_| !one(addr)).count())?;
    let once = with_server(command()?, |addr| (0..WAVES).map(|_| wave(addr)).sum())?;
    let per_second = |count: u32, run: &Run| f64::from(count) / run.took.as_secs_f64();
    let each = |count: u32, run: &Run| run.cpu.as_secs_f64() * 1e6 / f64::from(count);
    let many = AT_ONCE * WAVES;
    let lost = u32::try_from(row.lost + once.lost)?;
    println!(
        "{name:<24} {:>12.0} {:>14.1} {:>12.0} {:>14.1} {lost:>6}",
        per_second(IN_A_ROW, &row),
        each(IN_A_ROW, &row),
        per_second(many, &once),
        each(many, &once),
    );
    Ok(lost)
}

struct Run {
    took: Duration,
    cpu: Duration,
    lost: usize,
}

fn with_server(mut command: Command, load: impl FnOnce(&Addr) -> usize) -> Outcome<Run> {
    let before = used()?;
    let server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut server = Server(server);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let addr: Addr = line.trim().parse()?;
    let start = Instant::now();
    let lost = load(&addr);
    let took = start.elapsed();
    // Python ends with its input; ours, which may have no thread to read it in, gets a signal.
    drop(server.0.stdin.take());
    let _ = kill(Pid::from_raw(i32::try_from(server.0.id())?), Signal::SIGUSR1);
    server.0.wait()?;
    Ok(Run { took, cpu: used()?.saturating_sub(before), lost })
}

/// Not left running by an error.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// By the children that have been waited for, and by theirs.
fn used() -> Outcome<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}

fn connect(addr: &Addr) -> io::Result<Socket> {
    let socket = Socket::new(addr.domain(), Type::STREAM, None)?;
    socket.connect_timeout(addr, Timeout::After(Duration::from_secs(60)))?;
    Ok(socket)
}

fn answer(mut socket: &Socket) -> bool {
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).is_ok() && answer == MESSAGE
}

fn one(addr: &Addr) -> bool {
    connect(addr).is_ok_and(|socket| socket.send_all(MESSAGE).is_ok() && answer(&socket))
}

fn wave(addr: &Addr) -> usize {
    let sockets: Vec<_> = (0..AT_ONCE).map(|_| connect(addr)).collect();
    let asked = sockets
        .into_iter()
        .map(|socket| socket.and_then(|socket| socket.send_all(MESSAGE).map(|()| socket)));
    let asked: Vec<_> = asked.collect();
    asked.iter().filter(|socket| !socket.as_ref().is_ok_and(answer)).count()
}

fn echo(stream: &mut Stream) -> io::Result<()> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    stream.write_all(&line)
}

static ENDS: OnceLock<ShutdownHandle> = OnceLock::new();

extern "C" fn end(_: i32) {
    if let Some(handle) = ENDS.get() {
        handle.shutdown();
    }
}

/// A server of ours, until the signal.
fn serve_as(transport: &str, way: &str) -> Outcome {
    macro_rules! run {
        ($builder:expr, $at:expr) => {{
            let mut server = $builder.bind($at, echo)?;
            let _ = ENDS.set(server.shutdown_handle());
            let action =
                SigAction::new(SigHandler::Handler(end), SaFlags::SA_RESTART, SigSet::empty());
            // SAFETY: the handler calls what is documented to be safe in one.
            unsafe { sigaction(Signal::SIGUSR1, &action) }?;
            println!("{}", server.local_addr()?);
            io::stdout().flush()?;
            Ok(server.serve_forever()?)
        }};
    }
    let tcp = TcpServer::builder().backlog(1024);
    let unix = UnixStreamServer::builder().backlog(1024);
    let (loopback, name) = ((Ipv4Addr::LOCALHOST, 0), UnixAddr::unnamed());
    match (transport, way) {
        ("tcp", "in_turn") => run!(tcp, loopback),
        ("tcp", "threads") => run!(tcp.threads(LIMIT), loopback),
        ("tcp", "processes") => run!(tcp.processes(LIMIT), loopback),
        ("unix", "in_turn") => run!(unix, name),
        ("unix", "threads") => run!(unix.threads(LIMIT), name),
        ("unix", "processes") => run!(unix.processes(LIMIT), name),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "no such server").into()),
    }
}
