//! What holds for every example: its arguments, its exit status, its lines, and how it ends.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use readysock::{Domain, Socket, Type};

use crate::support::process::{Program, by_connection, example};
use crate::support::servers::Folder;

const SERVERS: [&str; 3] = ["select_echo_server", "poll_echo_server", "epoll_echo_server"];
const CLIENT: &str = "select_echo_client";
const BOTH: &str = "select_echo";
const ALL: [&str; 5] = [
    "select_echo_server",
    "poll_echo_server",
    "epoll_echo_server",
    "select_echo_client",
    "select_echo",
];

#[test]
fn both_ends_in_one_command() {
    let lines = Program::example(BOTH, &[]).end().succeeded();
    let end = |prefix: &str| -> Vec<String> {
        lines.iter().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect()
    };
    let (server, client) = (end("server | "), end("client | "));
    assert_eq!(server.len() + client.len(), lines.len(), "each line has its prefix");
    for (end, start) in [(&server, "received "), (&client, "")] {
        let received = |line: &&String| line.starts_with(start) && line.contains("received ");
        assert_eq!(end.iter().filter(received).count(), 12, "{end:#?}");
    }
    assert!(server[0].starts_with("listening on 127.0.0.1:"), "{}", server[0]);
    assert_eq!(server.last().map(String::as_str), Some("timed out"));
    assert_eq!(by_connection(&server).len(), 4);
}

#[test]
fn help_goes_to_standard_output() {
    for program in ALL {
        let lines = Program::example(program, &["--help"]).end().succeeded();
        assert!(lines.iter().any(|line| line.contains("--timeout <SECONDS>")), "{lines:#?}");
    }
}

#[test]
fn a_usage_error_is_one_line_and_status_2() {
    let bad_addresses = [
        "",
        "localhost",
        ":80",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "::1:80",
        "[::1]",
        "unix:",
    ];
    for program in SERVERS.into_iter().chain([BOTH]) {
        for address in bad_addresses {
            usage_error(program, &["--listen", address], "'--listen <ADDR>'");
        }
    }
    for address in bad_addresses {
        usage_error(CLIENT, &["--connect", address], "'--connect <ADDR>'");
    }
    let long = format!("unix:/tmp/{}", "x".repeat(200));
    usage_error(SERVERS[0], &["--listen", &long], "'--listen <ADDR>'");
    usage_error(CLIENT, &[], "--connect <ADDR>");
    for clients in ["0", "-1", "65536", "many"] {
        let arguments = ["--connect", "127.0.0.1:1", "--clients", clients];
        usage_error(CLIENT, &arguments, "--clients");
    }
    if crate::support::emulated() {
        return crate::support::skipped(
            "usage errors of every program: two hundred starts by the emulator",
        );
    }
    for program in ALL {
        usage_error(program, &["--no-such-option"], "--no-such-option");
        usage_error(program, &["surplus"], "surplus");
        usage_error(program, &["--timeout"], "--timeout");
        for timeout in ["-1", "nan", "NaN", "soon", "", "1s", "-inf"] {
            usage_error(program, &["--timeout", timeout], "");
            usage_error(program, &[&format!("--timeout={timeout}")], "--timeout");
        }
    }
}

#[track_caller]
fn usage_error(program: &str, arguments: &[&str], names: &str) {
    let ended = Program::example(program, arguments).end();
    assert!(ended.stdout.is_empty(), "{arguments:?}: {ended:#?}");
    let line = ended.failed(2);
    assert!(line.contains(names), "{arguments:?}: {line}");
}

#[test]
fn what_fails_at_run_time_is_one_line_and_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let busy = taken.local_addr().expect("an address").to_string();
    for program in SERVERS.into_iter().chain([BOTH]) {
        let line = Program::example(program, &["--listen", &busy]).end().failed(1);
        assert!(line.contains(&busy) && line.contains("choose another port"), "{line}");
        // RFC 2606: this name will never be one. RFC 5737: this address is nobody's.
        let line =
            Program::example(program, &["--listen", "no.such.host.invalid:0"]).end().failed(1);
        assert!(line.contains("no.such.host.invalid") && line.contains("check the name"), "{line}");
        let line = Program::example(program, &["--listen", "192.0.2.1:0"]).end().failed(1);
        assert!(line.contains("cannot listen on 192.0.2.1:0"), "{line}");
        let line = Program::example(program, &["--listen", "unix:/no/such/place"]).end().failed(1);
        assert!(line.contains("cannot listen on unix:/no/such/place"), "{line}");
    }
    // Taken, so that nobody else gets the port, and deaf.
    let deaf = Socket::new(Domain::INET, Type::STREAM, None).expect("a socket");
    deaf.bind(([127, 0, 0, 1], 0)).expect("a free port");
    let nobody = deaf.local_addr().expect("an address").to_string();
    let line = Program::example(CLIENT, &["--connect", "no.such.host.invalid:1"]).end().failed(1);
    assert!(line.contains("check the name"), "{line}");
    for address in [nobody.as_str(), "unix:/no/such/place"] {
        let line = Program::example(CLIENT, &["--connect", address]).end().failed(1);
        assert!(line.contains(address) && line.contains("is a server there?"), "{line}");
    }
}

#[test]
fn a_client_whose_server_fails_it_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let connect = ["--connect", &address, "--clients", "1", "--timeout", "0.2"];
    // Nobody accepts, so nobody answers.
    let line = Program::example(CLIENT, &connect).end().failed(1);
    assert!(line.contains("does not answer"), "{line}");
    drop(listener.accept().expect("the one of before"));

    let client = Program::example(CLIENT, &["--connect", &address, "--clients", "1"]);
    let (mut stream, _) = listener.accept().expect("a client");
    stream.read_exact(&mut [0; 29]).expect("its first message");
    drop(stream);
    let line = client.end().failed(1);
    assert!(line.contains("closed too early"), "{line}");
}

#[test]
fn an_echo_in_pieces_is_put_together() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let client = Program::example(CLIENT, &["--connect", &address]);
    let mut streams: Vec<TcpStream> =
        (0..4).map(|_| listener.accept().expect("a client").0).collect();
    let mut texts = Vec::new();
    for message in ["This is the message", "It will be sent", "in parts "] {
        for stream in &mut streams {
            let text = format!("{message} version {}", texts.len() + 1);
            stream.set_nodelay(true).expect("a TCP socket");
            stream.read_exact(&mut vec![0; text.len()]).expect("the whole message");
            for byte in text.as_bytes() {
                stream.write_all(&[*byte]).expect("room for a byte");
            }
            texts.push(text);
        }
    }
    let lines = client.end().succeeded();
    let received = lines.iter().filter_map(|line| Some(line.split_once(" received ")?.1));
    assert_eq!(received.collect::<Vec<_>>(), texts);
}

#[test]
fn any_time_is_taken_or_refused() {
    for server in SERVERS {
        for short in ["0", "0.0", "1e-300", "0.01"] {
            let lines = Program::example(server, &["--timeout", short]).end().succeeded();
            assert_eq!(lines.last().map(String::as_str), Some("timed out"), "{short}");
        }
        for long in ["1e300", "inf", "18446744073709551616", "9e18"] {
            let mut server = Program::example(server, &["--timeout", long]);
            server.wait_for(|line| line == "waiting for the next event");
            server.interrupt().succeeded();
        }
    }
}

#[test]
fn after_a_signal_the_exit_status_is_0() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        for server in SERVERS {
            let mut server = Program::example(server, &["--timeout", "1000"]);
            let mut client = TcpStream::connect(server.listening()).expect("a server");
            client.write_all(b"x").expect("room for a byte");
            server.wait_for(|line| line.ends_with(" queue empty"));
            server.signal(signal);
            server.end().succeeded();
        }
        let mut both = Program::example(BOTH, &["--timeout", "1000"]);
        both.wait_for(|line| line.starts_with("server | connection from "));
        both.signal(signal);
        both.end().succeeded();

        // A server that accepts nobody and answers nothing.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let mut client = Program::example(CLIENT, &["--connect", &address, "--timeout", "1000"]);
        client.wait_for_lines(&format!("{address} sending "), 4);
        client.signal(signal);
        client.end().succeeded();
    }
}

#[test]
fn nobody_needs_to_read_on() {
    for server in SERVERS {
        let (line, server) = Program::head(server, &["--timeout", "1000"]);
        let address = line.strip_prefix("listening on ").expect("a server's first line");
        // A program that another test is just starting may hold the pipe open for a moment yet, so
        // the server gets something to say until it finds that nobody listens.
        if let Ok(mut client) = TcpStream::connect(address) {
            while client.write_all(b"x").is_ok() && client.read_exact(&mut [0]).is_ok() {}
        }
        server.end().succeeded();
    }
    Program::head(BOTH, &[]).1.end().succeeded();

    let mut server = Program::example(SERVERS[0], &["--timeout", "1000"]);
    let connect = ["--connect", &server.listening()];
    Program::head(CLIENT, &connect).1.end().succeeded();
}

#[test]
fn a_full_disk_is_an_error() {
    SERVERS.into_iter().chain([BOTH]).for_each(says_that_the_disk_is_full);
}

fn says_that_the_disk_is_full(program: &str) {
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    let output =
        crate::support::program(example(program)).stdin(Stdio::null()).stdout(full).output();
    let output = output.expect("a program that starts");
    let line = String::from_utf8(output.stderr).expect("plain text");
    assert_eq!(output.status.code(), Some(1), "{program}: {line}");
    assert!(line.starts_with("error: cannot write") && line.lines().count() == 1, "{line}");
}

/// What each program that ends by itself does: help, one line for what it does not know, an end where nobody reads on.
pub fn keeps_to_the_form(program: &str) {
    let help = Program::example(program, &["--help"]).end().succeeded();
    assert!(help.iter().any(|line| line.contains("--help")), "{help:#?}");
    for surplus in ["--no-such-option", "surplus"] {
        let ended = Program::example(program, &[surplus]).end();
        assert!(ended.stdout.is_empty());
        assert!(ended.failed(2).contains(surplus));
    }
    Program::head(program, &[]).1.end().succeeded();
    says_that_the_disk_is_full(program);
}

/// A name for a Unix socket, as these programs take it.
fn argument(path: &Path) -> String {
    format!("unix:{}", path.display())
}

#[test]
fn unix_sockets_work_the_same() {
    for server in SERVERS {
        let folder = Folder::new(server);
        let path = folder.path("socket");
        let place = argument(&path);
        let mut server = Program::example(server, &["--listen", &place]);
        assert_eq!(server.listening(), place);
        let client = Program::example(CLIENT, &["--connect", &place]);
        let lines = client.end().succeeded();
        assert_eq!(lines.len(), 24);
        assert!(lines.iter().all(|line| line.starts_with(&format!("{place} "))));
        // A client that took no name is served too.
        let mut nameless = UnixStream::connect(&path).expect("a server");
        nameless.write_all(b"x").expect("room for a byte");
        nameless.read_exact(&mut [0]).expect("its echo");
        drop(nameless);
        server.wait_for_lines("closing ", 5);
        let said = by_connection(&server.interrupt().succeeded());
        // Four names and the one who has none: the true peer on each line.
        assert_eq!(said.len(), 5, "{said:#?}");
        assert!(
            said[..4]
                .iter()
                .all(|(address, lines)| { address.starts_with("unix:@") && lines.len() == 11 })
        );
        assert_eq!(said[4].0, "unix:(unnamed)");
        assert!(!path.exists(), "the server removes its file");
    }
    let folder = Folder::new(BOTH);
    let path = folder.path("socket");
    let place = argument(&path);
    let arguments = ["--listen", &place, "--timeout", "0.2"];
    let lines = Program::example(BOTH, &arguments).end().succeeded();
    assert_eq!(lines.iter().filter(|line| line.contains("received ")).count(), 24);
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_not_the_servers_stays() {
    for server in SERVERS {
        let folder = Folder::new(&format!("{server}-other"));
        let path = folder.path("socket");
        let place = argument(&path);
        let other = UnixListener::bind(&path).expect("a new name");
        let line = Program::example(server, &["--listen", &place]).end().failed(1);
        assert!(line.contains("remove the file"), "{line}");
        UnixStream::connect(&path).expect("the other server is still there");
        fs::remove_file(&path).expect("its file");
        drop(other);

        let mut server = Program::example(server, &["--listen", &place]);
        server.listening();
        fs::remove_file(&path).expect("its file");
        fs::write(&path, "mine").expect("a file in its place");
        server.interrupt().succeeded();
        assert_eq!(fs::read_to_string(&path).expect("left alone"), "mine");
    }
}
