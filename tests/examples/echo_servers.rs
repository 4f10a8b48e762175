//! The echo servers of the notes, end to end: the programs themselves, against clients that behave and clients
//! that do not. Each test runs for the server on select, the one on poll and the one on epoll.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{MsgFlags, send, setsockopt, sockopt};

use crate::support::process::{PATIENCE, Program, by_connection, example};
use crate::support::{program, skipped};

macro_rules! on_each_server {
    ($($test:ident)*) => {
        mod select {
            $( #[test] fn $test() { super::$test("select_echo_server") } )*
        }
        mod poll {
            $( #[test] fn $test() { super::$test("poll_echo_server") } )*
        }
        mod epoll {
            $( #[test] fn $test() { super::$test("epoll_echo_server") } )*
        }
    };
}

on_each_server! {
    the_session_of_the_notes
    the_session_with_pythons_sockets
    a_client_that_resets_ends_only_itself
    a_half_closed_client_gets_its_echo
    sixteen_mebibytes_read_late
    a_client_that_never_reads_is_stopped
    five_hundred_at_once
    out_of_descriptors_the_others_wait
    an_out_of_band_byte_ends_only_its_sender
    an_out_of_band_byte_and_the_end_at_once_close_once
    bytes_that_are_no_text_stay_on_one_line
    quiet_ends_it
}

/// A server that ends when it is told to.
#[track_caller]
fn serve(server: &str) -> (Program, SocketAddr) {
    let mut server = Program::example(server, &["--timeout", "1000"]);
    let address = server.listening().parse().expect("HOST:PORT");
    (server, address)
}

#[track_caller]
fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("a listening server");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    client
}

/// Sends a message and reads its echo.
#[track_caller]
fn exchange(client: &mut TcpStream, message: &[u8]) {
    client.write_all(message).expect("room for a message");
    let mut echo = vec![0; message.len()];
    client.read_exact(&mut echo).expect("the whole echo");
    assert_eq!(echo, message);
}

fn message(round: usize, version: usize) -> String {
    let text = ["This is the message", "It will be sent", "in parts "][round];
    format!("{text} version {version}")
}

/// What the server has to say about the k-th of `clients` (from 0) that run the notes' session.
fn session(k: usize, clients: usize) -> Vec<String> {
    let mut lines = vec!["connection from CLIENT".to_owned()];
    for round in 0..3 {
        let text = message(round, round * clients + k + 1);
        lines.push(format!("received {text} from CLIENT"));
        lines.push(format!("sending {text} to CLIENT"));
        lines.push("CLIENT queue empty".to_owned());
    }
    lines.push("closing CLIENT".to_owned());
    lines
}

#[track_caller]
fn assert_session(lines: &[String], clients: usize) {
    let connections = by_connection(lines);
    assert_eq!(connections.len(), clients);
    for (k, (address, said)) in connections.into_iter().enumerate() {
        assert_eq!(said, session(k, clients), "{address}, number {k}");
    }
    let other: Vec<&String> = lines.iter().filter(|line| line.starts_with("waiting")).collect();
    assert!(other.iter().all(|line| *line == "waiting for the next event"), "{other:?}");
}

fn the_session_of_the_notes(server: &str) {
    let (mut server, address) = serve(server);
    let client = Program::example("select_echo_client", &["--connect", &address.to_string()]);
    let lines = client.end().succeeded();

    let mut expected = Vec::new();
    for round in 0..3 {
        for verb in ["sending", "received"] {
            let versions = round * 4 + 1..=round * 4 + 4;
            expected.extend(versions.map(|v| format!("{address} {verb} {}", message(round, v))));
        }
    }
    assert_eq!(lines, expected);

    server.wait_for_lines("closing ", 4);
    assert_session(&server.interrupt().succeeded(), 4);
}

fn the_session_with_pythons_sockets(server: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/notes_client.py");
    if !Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success()) {
        return skipped("the notes' client in Python: there is no python3");
    }
    let (mut server, address) = serve(server);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let client = Program::start(Command::new("python3").arg(script).args([&host, &port]));
    let echoes = client.end().succeeded();
    server.wait_for_lines("closing ", 4);
    let lines = server.interrupt().succeeded();

    assert_session(&lines, 4);
    // And the peers that the server named are the ones that Python's sockets were.
    let mut versions = BTreeMap::new();
    for (address, _) in by_connection(&lines) {
        versions.insert(address.rsplit(':').next().expect("a port").to_owned(), Vec::new());
    }
    for echo in &echoes {
        let (port, text) = echo.split_once(' ').expect("port and text");
        versions.get_mut(port).expect("a port that the server named").push(text);
    }
    let told = |text: &&str| lines.iter().any(|line| line.contains(&format!("sending {text} to")));
    assert!(versions.values().all(|texts| texts.len() == 3 && texts.iter().all(told)));
}

fn a_client_that_resets_ends_only_itself(server: &str) {
    let (mut server, address) = serve(server);
    let (mut stays, mut resets) = (connect(address), connect(address));
    exchange(&mut stays, b"before");
    exchange(&mut resets, b"before");
    let gone = resets.local_addr().expect("a connected socket");
    resets.write_all(b"in the middle").expect("room");
    let abort = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&resets, sockopt::Linger, &abort).expect("SO_LINGER");
    drop(resets);
    server.wait_for(|line| line == format!("closing {gone}"));

    exchange(&mut stays, b"after");
    exchange(&mut connect(address), b"newcomer");
    drop(stays);
    server.wait_for_lines("closing ", 2);
    let ended = server.interrupt();
    assert!(ended.status.success());
    assert_eq!(ended.stderr.len(), 1, "{ended:#?}");
    assert!(ended.stderr[0].starts_with(&format!("{gone}: ")), "{ended:#?}");
}

fn a_half_closed_client_gets_its_echo(server: &str) {
    let (mut server, address) = serve(server);
    let mut client = connect(address);
    // More than the sockets hold: at the end of the stream most of the echo is still in the queue.
    let sent = pattern(LARGE);
    client.write_all(&sent).expect("the server takes all of it");
    client.shutdown(Shutdown::Write).expect("a connected socket");
    let mut echo = Vec::new();
    client.read_to_end(&mut echo).expect("the echo, then the end of the stream");
    assert!(echo == sent, "{} of {} bytes, or other ones", echo.len(), sent.len());
    let name = client.local_addr().expect("a connected socket");
    server.wait_for(|line| line == format!("closing {name}"));
    server.interrupt().succeeded();
}

/// Printable bytes that differ from place to place: what is lost, doubled or moved shows.
fn pattern(length: usize) -> Vec<u8> {
    const MARK: usize = 89;
    let printable = b' '..=b'~';
    // A multiple of both lengths: after that many it begins anew.
    let period = printable.len() * MARK;
    let bytes = printable.cycle().zip(0..period);
    let bytes: Vec<u8> = bytes.map(|(byte, at)| if at % MARK == 0 { b'#' } else { byte }).collect();
    let mut pattern = bytes.repeat(length.div_ceil(period));
    pattern.truncate(length);
    pattern
}

/// False, and said, where each instruction is emulated: many megabytes, or 500 clients, would take minutes there.
fn quick() -> bool {
    let quick = !crate::support::emulated();
    if !quick {
        skipped("many megabytes, and 500 clients: slow by the emulator");
    }
    quick
}

const LARGE: usize = 16 << 20;

fn sixteen_mebibytes_read_late(server: &str) {
    if !quick() {
        return;
    }
    let (mut server, address) = serve(server);
    let (mut late, mut other) = (connect(address), connect(address));
    exchange(&mut other, b"before");
    let sent = pattern(LARGE);
    late.write_all(&sent).expect("the server takes all of it");
    // Not one byte of it has been read yet, and nobody else notices.
    exchange(&mut other, b"meanwhile");
    let mut echo = vec![0; LARGE];
    late.read_exact(&mut echo).expect("each byte of it");
    assert!(echo == sent, "the bytes come back as they were sent");
    drop((late, other));
    server.wait_for_lines("closing ", 2);
    server.interrupt().succeeded();
}

fn a_client_that_never_reads_is_stopped(server: &str) {
    const ROOM: usize = 32 << 20;
    if !quick() {
        return;
    }
    let mut server = Program::example(server, &["--timeout", "2"]);
    let address = server.listening().parse().expect("HOST:PORT");
    let mut client = connect(address);
    let sender = thread::spawn(move || {
        let block = pattern(1 << 20);
        // 80 MiB are more than the server takes and the two sockets hold.
        (0..80).try_for_each(|_| client.write_all(&block)).map_err(|error| error.kind())
    });
    // The client is stuck, so nothing happens any more, and the server ends.
    let lines = server.end().succeeded();
    assert_eq!(lines.last().map(String::as_str), Some("timed out"));
    let sent = sender.join().expect("no panic");
    assert!(matches!(sent, Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{sent:?}");

    let bytes = |verb: &str, name: &str| -> usize {
        let text = lines.iter().filter_map(|line| line.strip_prefix(verb)?.rsplit_once(name));
        text.map(|(text, _)| text.len()).sum()
    };
    let owed = bytes("received ", " from ") - bytes("sending ", " to ");
    assert!((ROOM..ROOM + 2048).contains(&(owed + 1024)), "stopped at {owed} bytes");
}

fn five_hundred_at_once(server: &str) {
    const CLIENTS: usize = 500;
    if !quick() {
        return;
    }
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    if soft < 600 {
        return skipped(&format!("500 clients at once: the limit is {soft} open files"));
    }
    let (mut server, address) = serve(server);
    let arguments = ["--connect", &address.to_string(), "--clients", "500"];
    let client = Program::example("select_echo_client", &arguments);
    // It reads all echoes of a round after all sockets have sent: 500 are open all the time.
    let echoes = client.end().succeeded();
    let mut received = echoes.iter().filter_map(|line| line.split_once(" received "));
    for round in 0..3 {
        for k in 1..=CLIENTS {
            let (_, text) = received.next().expect("1500 echoes");
            assert_eq!(text, message(round, round * CLIENTS + k));
        }
    }
    assert!(received.next().is_none());
    server.wait_for_lines("closing ", CLIENTS);
    assert_session(&server.interrupt().succeeded(), CLIENTS);
}

fn out_of_descriptors_the_others_wait(server: &str) {
    const CLIENTS: usize = 30;
    // 20: the three standard ones, the listener, the signals, and what is left for clients.
    let server = program(example(server));
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 20; exec \"$@\" --timeout 1000", "sh"]);
    command.arg(server.get_program()).args(server.get_args());
    let mut server = Program::start(&mut command);
    let address = server.listening().parse().expect("HOST:PORT");
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(address)).collect();
    for client in &mut clients {
        client.write_all(b"patience").expect("room for a message");
    }
    // While nobody goes, they do not all fit.
    assert!(server.problem().starts_with("cannot accept: "));
    // Nor does the server try again at each turn.
    let mut echo = [0; 8];
    clients[0].read_exact(&mut echo).expect("the echo of the first");
    for _ in 0..10 * CLIENTS {
        exchange(&mut clients[0], b"patience");
    }
    clients[0].write_all(b"patience").expect("room for a message");
    // Each that goes makes room for the next.
    for (number, mut client) in clients.into_iter().enumerate() {
        let mut echo = [0; 8];
        client.read_exact(&mut echo).unwrap_or_else(|error| panic!("client {number}: {error}"));
        assert_eq!(&echo, b"patience");
    }
    server.wait_for_lines("closing ", CLIENTS);
    let ended = server.interrupt();
    assert!(ended.status.success());
    let full = ended.stderr.iter().filter(|line| line.starts_with("cannot accept: ")).count();
    assert!(full == ended.stderr.len() && full <= CLIENTS, "{:#?}", ended.stderr);
}

fn an_out_of_band_byte_ends_only_its_sender(server: &str) {
    let (mut server, address) = serve(server);
    let (mut stays, mut urgent) = (connect(address), connect(address));
    exchange(&mut urgent, b"before");
    let gone = urgent.local_addr().expect("a connected socket");
    send(urgent.as_raw_fd(), b"!", MsgFlags::MSG_OOB).expect("room");
    server.wait_for(|line| line == format!("closing {gone}"));
    exchange(&mut stays, b"after");
    let ended = server.interrupt();
    assert!(ended.status.success());
    assert_eq!(ended.stderr, [format!("{gone}: sent an out-of-band byte, which has no echo")]);
}

fn an_out_of_band_byte_and_the_end_at_once_close_once(server: &str) {
    let (mut server, address) = serve(server);
    for _ in 0..20 {
        let client = connect(address);
        send(client.as_raw_fd(), b"!", MsgFlags::MSG_OOB).expect("room");
    }
    server.wait_for_lines("closing ", 20);
    exchange(&mut connect(address), b"after");
    server.wait_for_lines("closing ", 1);
    let closed = by_connection(&server.interrupt().stdout);
    let closings =
        |lines: &Vec<String>| lines.iter().filter(|line| *line == "closing CLIENT").count();
    assert!(closed.iter().all(|(_, lines)| closings(lines) == 1), "{closed:#?}");
}

fn bytes_that_are_no_text_stay_on_one_line(server: &str) {
    let (mut server, address) = serve(server);
    let mut client = connect(address);
    let name = client.local_addr().expect("a connected socket");
    exchange(&mut client, b"\xFF\n\x1B[2J\xC3 \"\xE4\xBD\xA0\"\0");
    let line = server.wait_for(|line| line.starts_with("received "));
    assert_eq!(
        line,
        format!("received \\xff\\n\\u{{1b}}[2J\\xc3 \"\u{4F60}\"\\u{{0}} from {name}")
    );
    server.interrupt().succeeded();
}

fn quiet_ends_it(server: &str) {
    let mut server = Program::example(server, &["--timeout", "0.2"]);
    server.listening();
    let lines = server.end().succeeded();
    assert_eq!(lines[1..], ["waiting for the next event", "timed out"]);
}
