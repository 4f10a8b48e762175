//! Servers at the edges that need a process of their own: threads beside a fork, signals, the directory.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::unistd::getppid;

use readysock::UnixAddr;
use readysock::server::{Hooked, ShutdownHandle, Stream, TcpServer, UnixStreamServer};
use readysock::sockopt::{self, Linger, SoLinger};

use crate::support::isolated::Case;
use crate::support::servers::{Folder, LOOPBACK, beside, childless, connect, ended_well, read_all};
use crate::support::sockets::SHORT;

pub const CASES: &[Case] = &[
    ("processes_are_refused_beside_threads", processes_are_refused_beside_threads),
    (
        "a_client_that_came_with_a_thread_is_kept_for_a_process",
        a_client_that_came_with_a_thread_is_kept_for_a_process,
    ),
    ("a_signal_handler_ends_the_server", a_signal_handler_ends_the_server),
    ("a_file_is_removed_where_it_was_made", a_file_is_removed_where_it_was_made),
    ("a_client_that_has_gone_raises_no_signal", a_client_that_has_gone_raises_no_signal),
];

fn processes_are_refused_beside_threads() {
    let (sender, receiver) = mpsc::channel::<()>();
    let other = thread::spawn(move || receiver.recv().is_err());
    let thanks = |stream: &mut Stream| stream.write_all(b"thanks");
    let mut server = TcpServer::builder().processes(2).bind(LOOPBACK, thanks).unwrap();
    let client = connect(&server.local_addr().unwrap());
    let refused = |result: io::Result<()>| {
        let error = result.expect_err("with two threads");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("2 threads"), "{error}");
    };
    refused(server.handle_request().map(drop));
    refused(server.serve_forever());
    // Also where no client is there: found before the wait, not when it is time to fork.
    let quiet = TcpServer::builder().timeout(SHORT).processes(2);
    refused(quiet.bind(LOOPBACK, thanks).unwrap().handle_request().map(drop));
    drop(sender);
    other.join().unwrap();
    // Joined is gone, also where the kernel lists it a moment longer.
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client), b"thanks");
    // The thread may also come between two requests.
    let client = connect(&server.local_addr().unwrap());
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<()>();
        scope.spawn(move || receiver.recv().is_err());
        assert!(server.handle_request().is_err());
        drop(sender);
    });
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client), b"thanks");
}

static ENDS: OnceLock<ShutdownHandle> = OnceLock::new();

extern "C" fn end(_: i32) {
    if let Some(handle) = ENDS.get() {
        handle.shutdown();
    }
}

fn a_signal_handler_ends_the_server() {
    if crate::support::emulated() {
        return crate::support::skipped(
            "not tried under an emulator: valgrind counts what stays open to the end of a process",
        );
    }
    let mut server =
        TcpServer::bind(LOOPBACK, |stream: &mut Stream| stream.write_all(b"thanks")).unwrap();
    ENDS.set(server.shutdown_handle()).unwrap();
    let action = SigAction::new(SigHandler::Handler(end), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler calls what is documented to be safe in one.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let addr = server.local_addr().unwrap();
    let client = beside(|| {
        assert_eq!(read_all(&connect(&addr)), b"thanks");
        kill(getppid(), Signal::SIGUSR1).unwrap();
    });
    server.serve_forever().unwrap();
    ended_well(client);
}

/// A thread that starts between the first look and the fork: the caller is told, and the client is served afterwards. It is not the
/// end of the server: no clock runs for the work in hand.
fn a_client_that_came_with_a_thread_is_kept_for_a_process() {
    let (sender, receiver) = mpsc::channel::<()>();
    let other = RefCell::new(None);
    let receiver = RefCell::new(Some(receiver));
    let handler = Hooked::new(|stream: &mut Stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all)?;
        stream.write_all(&all)
    })
    .on_verify(|_: &Stream| {
        if let Some(receiver) = receiver.take() {
            other.replace(Some(thread::spawn(move || receiver.recv().is_err())));
        }
        true
    });
    let builder = TcpServer::builder().close_within(Duration::ZERO).processes(2);
    let mut server = builder.bind(LOOPBACK, handler).unwrap();
    let client = connect(&server.local_addr().unwrap());
    let error = server.serve_forever().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    drop(sender);
    assert!(other.take().unwrap().join().unwrap());
    client.send_all(b"kept").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert!(server.handle_request().unwrap());
    assert_eq!(read_all(&client), b"kept");
    server.close();
    assert!(childless());
}

/// A relative path is another file after the directory has changed.
fn a_file_is_removed_where_it_was_made() {
    let folder = Folder::new("relative");
    std::env::set_current_dir(folder.path("")).unwrap();
    let addr = UnixAddr::from_pathname("socket").unwrap();
    let server = UnixStreamServer::bind(addr, |_: &mut Stream| Ok(())).unwrap();
    assert!(!folder.is_empty());
    std::env::set_current_dir("/").unwrap();
    drop(server);
    assert!(folder.is_empty());
}

/// SIGPIPE, which would end the process: Rust programs ignore it from their start, but not each program starts in Rust.
fn a_client_that_has_gone_raises_no_signal() {
    let action = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler is installed.
    unsafe { sigaction(Signal::SIGPIPE, &action) }.unwrap();
    let errors = RefCell::new(Vec::new());
    let handler = |stream: &mut Stream| {
        stream.read_to_end(&mut Vec::new()).unwrap_err();
        let error = stream.write_all(b"nobody is here").unwrap_err();
        errors.borrow_mut().push(error.raw_os_error());
        Ok(())
    };
    let mut server = TcpServer::bind(LOOPBACK, handler).unwrap();
    let client = connect(&server.local_addr().unwrap());
    sockopt::set(&client, SoLinger, Linger::Abort).unwrap();
    drop(client);
    assert!(server.handle_request().unwrap());
    drop(server);
    assert_eq!(errors.into_inner(), [Some(libc::EPIPE)]);
}
