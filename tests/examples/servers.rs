//! The programs of the chapter on servers: both ends in one command, or a server that stays.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;

use crate::support::process::Program;

const THANKS: &str = "Thank you for connecting";
const STAYING: [&str; 7] = [
    "tcp_server",
    "udp_server",
    "unix_stream_server",
    "unix_datagram_server",
    "in_turn_server",
    "thread_server",
    "fork_server",
];

/// What a program that runs both ends says, and no line without its prefix.
#[track_caller]
fn both_ends(name: &str, arguments: &[&str]) -> (Vec<String>, Vec<String>) {
    let lines = Program::example(name, arguments).end().succeeded();
    let end = |prefix: &str| -> Vec<String> {
        lines.iter().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect()
    };
    let (server, client) = (end("server | "), end("client | "));
    assert_eq!(server.len() + client.len(), lines.len(), "{lines:#?}");
    assert!(server[0].starts_with("listening on "), "{lines:#?}");
    (server, client)
}

fn count(lines: &[String], what: &str) -> usize {
    lines.iter().filter(|line| line.contains(what)).count()
}

#[test]
fn streams_are_thanked() {
    for (name, clients) in [("tcp_server", 2), ("unix_stream_server", 1), ("handle_request", 2)] {
        let (server, client) = both_ends(name, &["--timeout", "0.1"]);
        assert_eq!(count(&client, &format!("received {THANKS}")), clients, "{client:#?}");
        let said = if name == "handle_request" { "served a request" } else { "connection from" };
        assert_eq!(count(&server, said), clients, "{server:#?}");
    }
}

#[test]
fn packets_come_back_in_capitals() {
    for name in ["udp_server", "unix_datagram_server"] {
        let (server, client) = both_ends(name, &[]);
        assert_eq!(count(&server, "received "), 3, "{server:#?}");
        assert!(client[0].starts_with("received THIS IS THE MESSAGE from "), "{client:#?}");
        assert_eq!(client.len(), 2, "the empty one is not answered: {client:#?}");
    }
}

#[test]
fn in_turn_the_second_waits_and_with_threads_not() {
    for (name, then) in
        [("in_turn_server", "the second waits"), ("thread_server", "the second is answered")]
    {
        let (_, client) = both_ends(name, &[]);
        assert_eq!(client[1], then);
        assert_eq!(client[3], "the second received This is the message");
    }
}

#[test]
fn each_client_gets_a_child() {
    if !crate::support::forks() {
        return;
    }
    let (server, client) = both_ends("fork_server", &["--clients", "5"]);
    assert_eq!(count(&server, "in a child of its own"), 5, "{server:#?}");
    assert_eq!(count(&client, THANKS), 5, "{client:#?}");
}

/// Where a program is told to stay, and the folder of its file if that is one.
fn place(name: &str) -> (String, Option<PathBuf>) {
    if !name.starts_with("unix_") {
        return ("127.0.0.1:0".into(), None);
    }
    let folder = std::env::temp_dir().join(format!("rs-ex-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    (format!("unix:{}", folder.join("socket").display()), Some(folder))
}

#[test]
fn a_server_that_stays_ends_when_it_is_quiet_or_interrupted() {
    for name in STAYING {
        let (place, folder) = place(name);
        let lines =
            Program::example(name, &["--listen", &place, "--timeout", "0.1"]).end().succeeded();
        assert_eq!(lines.last().unwrap(), "timed out", "{name}");
        let mut server = Program::example(name, &["--listen", &place]);
        server.listening();
        assert_eq!(server.interrupt().succeeded().len(), 1, "{name}");
        if let Some(folder) = folder {
            std::fs::remove_dir(folder).expect("the server has removed its file");
        }
    }
}

#[test]
fn a_server_that_stays_serves() {
    for name in ["tcp_server", "fork_server"] {
        if name == "fork_server" && !crate::support::forks() {
            continue;
        }
        let mut server = Program::example(name, &["--listen", "127.0.0.1:0"]);
        let mut client = TcpStream::connect(server.listening()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, THANKS);
        server.wait_for(|line| line.starts_with("connection from 127.0.0.1:"));
        server.interrupt().succeeded();
    }
    let (place, folder) = place("unix_stream_server_serves");
    let path = place.strip_prefix("unix:").unwrap();
    let mut server = Program::example("unix_stream_server", &["--listen", &place]);
    server.listening();
    let mut answer = String::new();
    UnixStream::connect(path).unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!(answer, THANKS);
    server.interrupt().succeeded();
    let mut server = Program::example("unix_datagram_server", &["--listen", &place]);
    server.listening();
    UnixDatagram::unbound().unwrap().send_to(b"no name", path).unwrap();
    server.wait_for(|line| line == "received no name from unix:(unnamed)");
    server.interrupt().succeeded();
    std::fs::remove_dir(folder.unwrap()).unwrap();
}

/// The file of a server that was killed does not keep the next one from starting; one that is alive does.
#[test]
fn a_second_run_at_the_same_path() {
    for name in ["unix_stream_server", "unix_datagram_server"] {
        let (place, folder) = place(&format!("unix_again_{name}"));
        let mut first = Program::example(name, &["--listen", &place]);
        first.listening();
        let problem = Program::example(name, &["--listen", &place]).end().failed(1);
        assert!(problem.contains("in use"), "{problem}");
        drop(first); // which kills it
        let mut second = Program::example(name, &["--listen", &place]);
        second.listening();
        second.interrupt().succeeded();
        std::fs::remove_dir(folder.unwrap()).expect("the server has removed its file");
    }
}

#[test]
fn a_handler_at_work_does_not_keep_a_server_up() {
    for name in ["in_turn_server", "thread_server"] {
        let mut server = Program::example(name, &["--listen", "127.0.0.1:0"]);
        let mut quiet = TcpStream::connect(server.listening()).unwrap();
        server.wait_for(|line| line.starts_with("connection from "));
        server.interrupt().succeeded();
        let _ = quiet.write(b"too late");
    }
}

#[test]
fn arguments_are_as_everywhere() {
    for name in STAYING.into_iter().chain(["handle_request"]) {
        let help = Program::example(name, &["--help"]).end().succeeded();
        assert!(help.iter().any(|line| line.contains("--timeout <SECONDS>")), "{help:#?}");
        let problem = Program::example(name, &["--no-such-option"]).end().failed(2);
        assert!(problem.contains("--no-such-option"), "{problem}");
        let problem = Program::example(name, &["--timeout", "soon"]).end().failed(2);
        assert!(problem.contains("--timeout"), "{problem}");
    }
    let problem = Program::example("tcp_server", &["--listen", "unix:@here"]).end().failed(1);
    assert!(problem.contains("give an IP address and a port"), "{problem}");
}
