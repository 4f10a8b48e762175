//! Against the original: Python's socketserver served by our client, our servers driven by Python's socket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::process::{Command, Stdio};
use std::{io, thread};

use readysock::server::{
    Datagram, Stream, TcpServer, UdpServer, UnixDatagramServer, UnixStreamServer,
};
use readysock::{Addr, Socket, Type, UnixAddr};

use crate::support::process::Program;
use crate::support::servers::Folder;

/// What the notes' handler sends.
const THANKS: &[u8] = b"Thank you for connecting";

/// socketserver with the notes' handler: a line that says where, one request, and what was asked.
const SERVER: &str = r#"
import socketserver, sys
kind, path = sys.argv[1:]
stream = "Stream" in kind or "TCP" in kind
base = socketserver.StreamRequestHandler if stream else socketserver.DatagramRequestHandler
class Handler(base):
    def handle(self):
        asked = self.rfile.readline()
        self.wfile.write(b"Thank you for connecting")
        print("asked", asked.decode().strip(), flush=True)
where = path if "Unix" in kind else ("127.0.0.1", 0)
with getattr(socketserver, kind)(where, Handler) as server:
    at = server.server_address
    print("listening on", "unix:" + at if "Unix" in kind else "%s:%d" % at, flush=True)
    server.handle_request()
"#;

/// A client with `socket`: asks, and prints the answer to its end.
const CLIENT: &str = r#"
import socket, sys
family, kind, host, port = sys.argv[1:]
where = host if family == "AF_UNIX" else (host, int(port))
with socket.socket(getattr(socket, family), getattr(socket, kind)) as s:
    s.settimeout(60)
    if kind == "SOCK_DGRAM":
        s.bind("" if family == "AF_UNIX" else ("127.0.0.1", 0))
        s.sendto(b"hello\n", where)
        answer = s.recv(1000)
    else:
        s.connect(where)
        s.sendall(b"hello\n")
        answer = b""
        while part := s.recv(1000):
            answer += part
sys.stdout.buffer.write(answer)
"#;

/// False, and said, where there is no Python.
fn python_is_here() -> bool {
    let version = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    let here = version.is_ok_and(|status| status.success());
    if !here {
        crate::support::skipped("python3 is not here");
    }
    here
}

/// Our client, Python's server.
fn ask_python(kind: &str, ours: Type) {
    if !python_is_here() {
        return;
    }
    let folder = Folder::new(kind);
    let path = folder.path("socket");
    let mut command = Command::new("python3");
    let mut server = Program::start(command.args(["-c", SERVER, kind]).arg(&path));
    let addr: Addr = server.listening().parse().unwrap();
    let mut socket = Socket::new(addr.domain(), ours, None).unwrap();
    let mut answer = Vec::new();
    if ours == Type::STREAM {
        socket.connect(&addr).unwrap();
        socket.send_all(b"hello\n").unwrap();
        socket.read_to_end(&mut answer).unwrap();
    } else {
        match addr {
            Addr::Unix(_) => socket.bind(UnixAddr::unnamed()).unwrap(),
            _ => socket.bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
        }
        assert_eq!(socket.send_to(b"hello\n", &addr).unwrap(), 6);
        answer.resize(1000, 0);
        let (len, _, from) = socket.recv_from(&mut answer).unwrap();
        answer.truncate(len);
        assert_eq!(from, addr);
    }
    assert_eq!(answer, THANKS);
    assert_eq!(server.line(), "asked hello");
    server.end().succeeded();
}

/// What Python's client gets from a server of ours at this address.
fn asked_by_python(addr: &Addr, kind: &str) -> Vec<u8> {
    let (family, host, port) = match addr {
        Addr::Unix(at) => {
            let path = at.as_pathname().unwrap().to_str().unwrap().to_owned();
            ("AF_UNIX", path, "0".to_owned())
        }
        _ => {
            let at = addr.as_internet().unwrap();
            ("AF_INET", at.ip().to_string(), at.port().to_string())
        }
    };
    let client = Command::new("python3")
        .args(["-c", CLIENT, family, kind, &host, &port])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(client.status.success());
    client.stdout
}

fn on_stream(stream: &mut Stream) -> io::Result<()> {
    let mut asked = [0; 6];
    stream.read_exact(&mut asked)?;
    assert_eq!(&asked, b"hello\n");
    stream.write_all(THANKS)?;
    stream.socket().shutdown(Shutdown::Write)
}

fn on_datagram(datagram: &mut Datagram) -> io::Result<()> {
    assert_eq!(datagram.bytes(), b"hello\n");
    datagram.reply(THANKS)
}

macro_rules! driven_by_python {
    ($builder:expr, $addr:expr, $handler:expr, $kind:literal) => {{
        if !python_is_here() {
            return;
        }
        let mut server = $builder.threads(4).bind($addr, $handler).unwrap();
        let (addr, handle) = (server.local_addr().unwrap(), server.shutdown_handle());
        let serves = thread::spawn(move || server.serve_forever());
        let answer = asked_by_python(&addr, $kind);
        handle.shutdown();
        serves.join().unwrap().unwrap();
        assert_eq!(answer, THANKS);
    }};
}

#[test]
fn our_client_and_pythons_tcp_server() {
    ask_python("TCPServer", Type::STREAM);
}

#[test]
fn our_client_and_pythons_threading_tcp_server() {
    ask_python("ThreadingTCPServer", Type::STREAM);
}

#[test]
fn our_client_and_pythons_udp_server() {
    ask_python("UDPServer", Type::DGRAM);
}

#[test]
fn our_client_and_pythons_unix_stream_server() {
    ask_python("UnixStreamServer", Type::STREAM);
}

#[test]
fn our_client_and_pythons_unix_datagram_server() {
    ask_python("UnixDatagramServer", Type::DGRAM);
}

#[test]
fn our_tcp_server_and_pythons_client() {
    let at = (Ipv4Addr::LOCALHOST, 0);
    driven_by_python!(TcpServer::builder(), at, on_stream, "SOCK_STREAM");
}

#[test]
fn our_udp_server_and_pythons_client() {
    let at = (Ipv4Addr::LOCALHOST, 0);
    driven_by_python!(UdpServer::builder(), at, on_datagram, "SOCK_DGRAM");
}

#[test]
fn our_unix_stream_server_and_pythons_client() {
    let folder = Folder::new("stream");
    let at = UnixAddr::from_pathname(folder.path("socket")).unwrap();
    driven_by_python!(UnixStreamServer::builder(), at, on_stream, "SOCK_STREAM");
}

#[test]
fn our_unix_datagram_server_and_pythons_client() {
    let folder = Folder::new("datagram");
    let at = UnixAddr::from_pathname(folder.path("socket")).unwrap();
    driven_by_python!(UnixDatagramServer::builder(), at, on_datagram, "SOCK_DGRAM");
}
