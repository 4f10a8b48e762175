//! The programs on the event loop, as a reader runs them, on each of its three backends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::support::process::{PATIENCE, Program, by_connection};
use nix::sys::signal::Signal;

const BACKENDS: [&str; 3] = ["select", "poll", "epoll"];
const SERVERS: [&str; 2] = ["reactor_echo", "line_chat"];
const ALONE: [&str; 4] = ["timers", "dispatcher", "backpressure", "async_await"];

/// The lines of one end, without its prefix.
fn end_of(lines: &[String], prefix: &str) -> Vec<String> {
    lines.iter().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect()
}

fn start(server: &str, backend: &str) -> (Program, String) {
    let mut server = Program::example(server, &["--timeout", "1000", "--backend", backend]);
    let address = server.listening();
    (server, address)
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    stream
}

#[test]
fn those_that_need_nothing_end_by_themselves() {
    for backend in BACKENDS {
        let arguments = ["--backend", backend];
        let run = |name| Program::example(name, &arguments).end().succeeded();

        let lines = run("timers");
        let ticks = lines.iter().filter(|line| line.starts_with("tick")).count();
        let others: Vec<&str> =
            lines.iter().map(String::as_str).filter(|line| !line.starts_with("tick")).collect();
        let due = ["20 ms: set second, and due first", "60 ms: set first", "40 ms, put off to 100"];
        assert_eq!((ticks, &others[..3], others[3]), (3, &due[..], "nothing is left"));

        let lines = run("dispatcher");
        assert_eq!(end_of(&lines, "client | ")[1], "received This is the message");
        let server = end_of(&lines, "server | ");
        // A client that resets, which ends nothing but itself, and one that is answered.
        let [reset, answered] = &by_connection(&server)[..] else { panic!("{server:#?}") };
        assert_eq!((reset.1.len(), answered.1.len()), (2, 4), "{server:#?}");
        let problem = format!("{}: Connection reset by peer (os error 104)", reset.0);
        assert!(server.contains(&problem), "{server:#?}");

        let lines = run("backpressure");
        let server = end_of(&lines, "server | ");
        assert_eq!(end_of(&lines, "client | "), ["received 64 MiB"]);
        assert!(server[1].ends_with("pausing") && server[2].ends_with("going on"), "{server:#?}");
        assert_eq!(server[3], "closed");

        let lines = run("async_await");
        let client = end_of(&lines, "client | ");
        assert_eq!(client, ["received This is the message", "received It will be sent"]);
        assert_eq!(by_connection(&end_of(&lines, "server | ")).len(), 2);
    }
}

#[test]
fn the_notes_client_is_echoed() {
    for backend in BACKENDS {
        let (server, address) = start("reactor_echo", backend);
        let client = Program::example("select_echo_client", &["--connect", &address]);
        let received =
            client.end().succeeded().iter().filter(|line| line.contains(" received ")).count();
        let mut server = server;
        server.wait_for_lines("closing ", 4);
        let lines = server.interrupt().succeeded();
        let connections = by_connection(&lines);
        assert_eq!((received, connections.len()), (12, 4));
        // Connection, three times received and sending, closing.
        assert!(connections.iter().all(|(_, said)| said.len() == 8), "{connections:#?}");
    }
}

#[test]
fn who_reads_late_stops_the_writer_and_loses_nothing() {
    // More than the buffers of a Unix connection and the server's queue hold.
    const ALL: usize = 4 << 20;
    for backend in BACKENDS {
        let path = socket_file(backend);
        let place = format!("unix:{}", path.display());
        let arguments = ["--timeout", "1000", "--backend", backend, "--listen", &place];
        let mut server = Program::example("reactor_echo", &arguments);
        server.listening();
        let mut client = UnixStream::connect(&path).expect("a server");
        client.set_nonblocking(true).expect("a socket");
        // As much as goes without reading: then the server reads no more, either.
        let (message, mut sent) = (vec![b'x'; ALL], 0);
        while let Ok(n) = client.write(&message[sent..]) {
            sent += n;
            assert!(sent < ALL, "the server takes everything");
            std::thread::yield_now();
        }
        client.set_nonblocking(false).expect("a socket");
        client.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
        client.shutdown(Shutdown::Write).expect("still connected");
        let mut all = Vec::new();
        client.read_to_end(&mut all).expect("all of the echo");
        assert_eq!(all.len(), sent);
        server.interrupt().succeeded();
    }
}

fn socket_file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("readysock-loop-{name}-{}", std::process::id()))
}

#[test]
fn a_chat_goes_to_all_others() {
    for backend in BACKENDS {
        let (mut server, address) = start("line_chat", backend);
        let guests: Vec<TcpStream> = (0..3)
            .map(|_| {
                let guest = connect(&address);
                server.wait_for(|line| line.ends_with(" has come"));
                guest
            })
            .collect();
        let names: Vec<String> =
            guests.iter().map(|guest| guest.local_addr().expect("a name").to_string()).collect();
        let mut readers: Vec<_> = guests
            .iter()
            .map(|guest| BufReader::new(guest.try_clone().expect("a duplicate")).lines())
            .collect();
        let mut hears = |guest: usize| readers[guest].next().expect("a line").expect("read");

        assert_eq!(hears(0), format!("{} has come", names[1]));
        assert_eq!(hears(0), format!("{} has come", names[2]));
        assert_eq!(hears(1), format!("{} has come", names[2]));
        // In two pieces, and two lines in one.
        (&guests[1]).write_all(b"hel").expect("room");
        (&guests[1]).write_all(b"lo\r\nand \xff\n").expect("room");
        for guest in [0, 2] {
            assert_eq!(hears(guest), format!("{}: hello", names[1]));
            assert_eq!(hears(guest), format!("{}: and \\xff", names[1]));
        }
        // Too long a line ends its writer, and nobody else.
        (&guests[2]).write_all(&[b'x'; 5000]).expect("room");
        for guest in [0, 1] {
            assert_eq!(hears(guest), format!("{} has gone", names[2]));
        }
        (&guests[0]).write_all(b"still here\n").expect("room");
        assert_eq!(hears(1), format!("{}: still here", names[0]));
        server.interrupt().succeeded();
    }
}

#[test]
fn unix_guests_are_told_apart() {
    let path = socket_file("chat");
    let place = format!("unix:{}", path.display());
    let mut server = Program::example("line_chat", &["--timeout", "1000", "--listen", &place]);
    assert_eq!(server.listening(), place);
    let guests = [(); 3].map(|()| {
        let guest = UnixStream::connect(&path).expect("a server");
        server.wait_for(|line| line.ends_with(" has come"));
        guest
    });
    let [first, mut second, third] = guests;
    drop(third);
    server.wait_for(|line| line.ends_with(" has gone"));
    second.write_all(b"hello\n").expect("room");
    let mut lines = BufReader::new(first).lines().map(|line| line.expect("read"));
    assert!(lines.any(|line| line == "unix:(unnamed): hello"));
    server.interrupt().succeeded();
    assert!(!path.exists(), "it removes its file");
}

#[test]
fn quiet_ends_a_server() {
    for server in SERVERS {
        let lines = Program::example(server, &["--timeout", "0.01"]).end().succeeded();
        assert_eq!(lines.last().map(String::as_str), Some("timed out"));
    }
}

#[test]
fn arguments_and_signals_are_as_everywhere() {
    for program in SERVERS.into_iter().chain(ALONE) {
        let help = Program::example(program, &["--help"]).end().succeeded();
        assert!(help.iter().any(|line| line.contains("--backend <BACKEND>")), "{help:#?}");
        for wrong in [&["--backend", "kqueue"][..], &["--no-such-option"], &["surplus"]] {
            let line = Program::example(program, wrong).end().failed(2);
            assert!(line.contains(wrong[wrong.len() - 1]), "{line}");
        }
    }
    for server in SERVERS {
        for backend in BACKENDS {
            for signal in [Signal::SIGINT, Signal::SIGTERM] {
                let (server, _) = start(server, backend);
                server.signal(signal);
                server.end().succeeded();
            }
        }
        let line = Program::example(server, &["--listen", "unix:/no/such/place"]).end().failed(1);
        assert!(line.contains("cannot listen on unix:/no/such/place"), "{line}");
    }
}

#[test]
fn nobody_needs_to_read_on() {
    for program in ALONE {
        Program::head(program, &[]).1.end().succeeded();
    }
    let (line, server) = Program::head("reactor_echo", &["--timeout", "1000"]);
    let address = line.strip_prefix("listening on ").expect("a server's first line");
    // A program that another test is just starting may hold the pipe open for a moment yet, so
    // the server gets something to say until it finds that nobody listens.
    if let Ok(mut client) = TcpStream::connect(address) {
        while client.write_all(b"x").is_ok() && client.read_exact(&mut [0]).is_ok() {}
    }
    server.end().succeeded();
}
