//! Against other programs: Python's asyncio and its plain sockets, on either end; curl.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;

use readysock::reactor::line::{LineProtocol, LineTransport, Lines};
use readysock::reactor::{Backend, Transport};

use crate::support;
use crate::support::process::Program;
use crate::tools::{Loop, Peer, add, assert_closed, count, pattern};

/// Forty clients at once, each with its own bytes, some of them more than a buffer holds; and what comes back is compared.
const CLIENTS: &str = r#"
import asyncio, sys
host, port = sys.argv[1:]
async def one(number):
    reader, writer = await asyncio.open_connection(host, int(port))
    for round in range(5):
        sent = bytes([(number + round) % 256]) * (1 + number * 4001)
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
async def main():
    await asyncio.gather(*(one(number) for number in range(40)))
asyncio.run(main())
print("all echoed")
"#;

/// A blocking socket, and lines through a file.
const LINES: &str = r#"
import socket, sys
host, port = sys.argv[1:]
with socket.create_connection((host, int(port)), 60) as s, s.makefile("rwb") as f:
    for line in [b"hello", b"", b"x" * 10000]:
        f.write(line + b"\r\n")
        f.flush()
        assert f.readline() == line.upper() + b"\r\n"
    s.shutdown(socket.SHUT_WR)
    assert f.readline() == b""
print("all lines")
"#;

const SERVER: &str = r#"
import asyncio
async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    print("listening on %s:%d" % server.sockets[0].getsockname(), flush=True)
    await asyncio.sleep(100)
asyncio.run(main())
"#;

/// This program; none, and said, where there is no such.
fn foreign(name: &str) -> Option<Command> {
    let version = Command::new(name).arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        support::skipped(&format!("a foreign peer: {name} is not here"));
        return None;
    }
    Some(Command::new(name))
}

fn python(program: &str, addr: Option<SocketAddr>) -> Option<Command> {
    let mut command = foreign("python3")?;
    command.args(["-c", program]);
    if let Some(addr) = addr {
        command.args([addr.ip().to_string(), addr.port().to_string()]);
    }
    Some(command)
}

/// Serves until the program has ended, which says this.
#[track_caller]
fn serves(it: &mut Loop, mut program: Command, says: &[&str]) {
    let handle = it.handle();
    let says: Vec<String> = says.iter().map(ToString::to_string).collect();
    let waiter = thread::spawn(move || {
        let ended = Program::start(&mut program).end();
        handle.stop();
        assert!(ended.status.success() && ended.stdout == says, "{ended:?}");
    });
    it.run().unwrap();
    waiter.join().unwrap();
}

pub fn forty_clients_of_asyncio_at_once(backend: Backend) {
    let mut it = Loop::new(backend);
    let lost = count();
    let gone = Rc::clone(&lost);
    let (_, addr) = it.serve(move || {
        let gone = Rc::clone(&gone);
        let echo = |transport: &mut Transport<'_>, data: &[u8]| transport.write(data);
        Peer::new().0.on_data(echo).on_lost(move |_| add(&gone))
    });
    let Some(clients) = python(CLIENTS, Some(addr)) else { return };
    serves(&mut it, clients, &["all echoed"]);
    it.until(|| lost.get() == 40);
}

pub fn a_client_of_python_s_that_speaks_lines(backend: Backend) {
    let mut it = Loop::new(backend);
    let (_, addr) = it.serve(|| {
        Lines::new(|transport: &mut LineTransport<'_, '_>, line: &[u8]| {
            transport.write_line(&line.to_ascii_uppercase());
        })
    });
    let Some(client) = python(LINES, Some(addr)) else { return };
    serves(&mut it, client, &["all lines"]);
}

/// As much of HTTP as it takes: header lines, as many bytes as they say, an answer, the end.
#[derive(Default)]
struct Shouting {
    length: usize,
    body: bool,
}

impl LineProtocol for Shouting {
    fn line_received(&mut self, transport: &mut LineTransport<'_, '_>, line: &[u8]) {
        if self.body {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", line.len());
            transport.write(answer.as_bytes());
            transport.write(&line.to_ascii_uppercase());
            transport.close();
        } else if line.is_empty() {
            self.body = true;
            transport.set_count(self.length);
        } else if let Some(length) =
            std::str::from_utf8(line).unwrap().strip_prefix("Content-Length: ")
        {
            self.length = length.parse().unwrap();
        }
    }
}

pub fn a_request_of_curl_s(backend: Backend) {
    for body in [String::new(), "hello".into(), "x".repeat(100_000)] {
        let mut it = Loop::new(backend);
        let (_, addr) = it.serve(|| Lines::new(Shouting::default()));
        let Some(mut client) = foreign("curl") else { return };
        // Whatever the environment says of proxies; and the body is sent without a question before it.
        client.args(["--silent", "--show-error", "--noproxy", "*", "--header", "Expect:"]);
        client.args(["--data-binary", &body, "--write-out", "\n%{http_code}"]);
        client.arg(format!("http://{addr}/"));
        serves(&mut it, client, &[&body.to_uppercase(), "200"]);
    }
}

pub fn a_server_of_asyncio(backend: Backend) {
    let Some(mut server) = python(SERVER, None) else { return };
    let mut server = Program::start(&mut server);
    let addr: SocketAddr = server.listening().parse().unwrap();
    let mut it = Loop::new(backend);
    let records: Vec<_> = (0..20)
        .map(|number| {
            let (peer, seen) = Peer::new();
            let sent = pattern(1 + number * 20_000);
            let length = sent.len();
            let received = count();
            let peer = peer.on_made(move |transport| transport.write(&sent)).on_data(
                move |transport, data| {
                    received.set(received.get() + data.len());
                    if received.get() == length {
                        transport.close();
                    }
                },
            );
            it.connect([addr], None, peer).unwrap();
            (seen, length)
        })
        .collect();
    it.until(|| records.iter().all(|(seen, _)| seen.borrow().lost.is_some()));
    for (seen, length) in &records {
        assert_closed(seen);
        assert!(seen.borrow().data == pattern(*length));
    }
}
