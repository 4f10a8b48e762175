//! The names and types that programs outside compile against, and what every type is.

use std::fmt::Debug;
use std::hash::Hash;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use readysock::sockopt::{self, Direction, GetOption, Linger, OptionInfo, SetOption};
use readysock::{
    Addr, Domain, Events, FdSet, FdSetIter, Key, OtherAddr, PollFd, PollSet, Protocol, Ready,
    ReadyFds, ReadyFdsIter, Socket, Timeout, Type, UnixAddr, libc,
};

fn debug_send_sync<T: Debug + Send + Sync>() {}
fn value<T: Copy + Eq + Hash>() {}

#[test]
fn every_type_prints_and_crosses_threads() {
    debug_send_sync::<Timeout>();
    debug_send_sync::<FdSet<'_>>();
    debug_send_sync::<FdSetIter<'_, '_>>();
    debug_send_sync::<Ready>();
    debug_send_sync::<ReadyFds>();
    debug_send_sync::<ReadyFdsIter<'_>>();
    debug_send_sync::<PollFd<'_>>();
    debug_send_sync::<Events>();
    debug_send_sync::<PollSet<TcpStream>>();
    debug_send_sync::<Key>();
    debug_send_sync::<Addr>();
    debug_send_sync::<UnixAddr>();
    debug_send_sync::<OtherAddr>();
    debug_send_sync::<Domain>();
    debug_send_sync::<Type>();
    debug_send_sync::<Protocol>();
    debug_send_sync::<Socket>();
    debug_send_sync::<Linger>();
    debug_send_sync::<Direction>();
    debug_send_sync::<OptionInfo>();
    debug_send_sync::<sockopt::SndBuf>();
    debug_send_sync::<sockopt::tcp::NoDelay>();
}

#[test]
fn servers_print_and_cross_threads() {
    use readysock::server::{
        Builder, Datagram, Hooked, InTurn, Problem, Processes, Reader, Server, ShutdownHandle,
        Source, Step, Stream, Tcp, TcpServer, Threads, Transport, Udp, UdpServer,
        UnixDatagramServer, UnixStreamServer, Works, Writer,
    };
    debug_send_sync::<ShutdownHandle>();
    debug_send_sync::<Problem>();
    debug_send_sync::<Step>();
    debug_send_sync::<Stream>();
    debug_send_sync::<Datagram>();
    debug_send_sync::<Reader>();
    debug_send_sync::<Source>();
    debug_send_sync::<Writer>();
    debug_send_sync::<Hooked<()>>();
    debug_send_sync::<Builder<Tcp, Threads>>();
    type OnStream = fn(&mut Stream) -> io::Result<()>;
    type OnDatagram = fn(&mut Datagram) -> io::Result<()>;
    debug_send_sync::<TcpServer<OnStream>>();
    debug_send_sync::<UdpServer<OnDatagram>>();
    debug_send_sync::<UnixStreamServer<OnStream, Threads>>();
    debug_send_sync::<UnixDatagramServer<OnDatagram, Processes>>();

    // Any transport by any way, with the three calls of the contract.
    fn calls<T: Transport, W: Works<T::Request, fn(&mut T::Request) -> io::Result<()>>>() {
        type On<R> = fn(&mut R) -> io::Result<()>;
        type At<T, W> = Server<T, On<<T as Transport>::Request>, W>;
        let _: fn(&mut At<T, W>) -> io::Result<bool> = Server::handle_request;
        let _: fn(&mut At<T, W>) -> io::Result<()> = Server::serve_forever;
        let _: fn(&At<T, W>) -> ShutdownHandle = Server::shutdown_handle;
    }
    calls::<Tcp, InTurn>();
    calls::<Udp, Threads>();
    calls::<Tcp, Processes>();
}

#[test]
fn the_loop_s_types_print_and_cross_threads() {
    use readysock::epoll::{Epoll, EpollEvent, EpollFlags, Refused};
    use readysock::reactor::line::{LineTransport, Lines};
    use readysock::reactor::{Backend, Handle, Lost, Packet, Problem, Reactor, Timer, Transport};
    debug_send_sync::<Epoll<TcpStream>>();
    debug_send_sync::<EpollEvent>();
    debug_send_sync::<EpollFlags>();
    debug_send_sync::<Refused<TcpStream>>();
    debug_send_sync::<Backend>();
    debug_send_sync::<Handle>();
    debug_send_sync::<Timer>();
    debug_send_sync::<Lost>();
    debug_send_sync::<Problem>();
    value::<EpollEvent>();
    value::<EpollFlags>();
    value::<Backend>();
    value::<Timer>();
    fn clone<T: Clone>() {}
    clone::<Handle>();
    // These stay in their thread.
    fn debug<T: Debug>() {}
    debug::<Reactor>();
    debug::<Transport<'_>>();
    debug::<LineTransport<'_, '_>>();
    debug::<Lines<TcpStream>>();
    debug::<Packet<'_>>();
    fn shown<T: std::fmt::Display>() {}
    shown::<Lost>();
    shown::<Problem>();
    assert!(Lost::Closed.is_clean() && !Lost::Reset.is_clean() && !Lost::Dropped.is_clean());
}

#[test]
fn the_loop_has_the_signatures_that_are_promised() {
    use readysock::epoll::{Epoll, EpollEvent, EpollFlags, Refused};
    use readysock::reactor::{Backend, Dispatcher, Handle, Protocol, Reactor, Timer, Transport};
    let _: fn(Backend) -> io::Result<Reactor> = Reactor::new;
    let _: [Backend; 3] = [Backend::Select, Backend::Poll, Backend::Epoll];
    let _: fn(&mut Reactor) -> io::Result<()> = Reactor::run;
    let _: [fn(&mut Reactor, Timeout) -> io::Result<bool>; 1] = [Reactor::run_once];
    let _: fn(&mut Reactor) = Reactor::stop;
    let _: fn(&Reactor) -> Handle = Reactor::handle;
    let _: fn(&mut Reactor, Duration, fn(&mut Reactor)) -> Timer = Reactor::call_later;
    let _: fn(&mut Reactor, Timer) -> bool = Reactor::cancel;
    let _: fn(&mut Reactor, Timer, Duration) -> bool = Reactor::reset;
    let _: fn(&Reactor, Timer) -> bool = Reactor::is_active;
    let _: fn(&mut Reactor, Key) -> bool = Reactor::remove;
    let _: fn(&Reactor, Key) -> bool = Reactor::contains;
    let _: fn(&Handle) = Handle::stop;
    let _: fn(&Handle, fn(&mut Reactor)) -> bool = Handle::post;
    // Anything that receives is a protocol, as an object too; so is a dispatcher.
    let _: Box<dyn Protocol> = Box::new(|_: &mut Transport<'_>, _: &[u8]| ());
    let _: Option<Box<dyn Dispatcher>> = None;

    let _: fn() -> io::Result<Epoll<TcpStream>> = Epoll::new;
    type Insert =
        fn(&mut Epoll<TcpStream>, TcpStream, EpollFlags) -> Result<Key, Refused<TcpStream>>;
    let _: Insert = Epoll::insert;
    let _: fn(&mut Epoll<TcpStream>, Key) -> Option<TcpStream> = Epoll::remove;
    let _: fn(&mut Epoll<TcpStream>, Key, EpollFlags) -> io::Result<bool> = Epoll::set_flags;
    type Wait = fn(&mut Epoll<TcpStream>, Option<Duration>) -> io::Result<usize>;
    let _: [Wait; 2] = [Epoll::wait, Epoll::wait_once];
    type Pwait = fn(&mut Epoll<TcpStream>, Instant, Option<&libc::sigset_t>) -> io::Result<usize>;
    let _: Pwait = Epoll::pwait;
    let _: fn(&mut Epoll<TcpStream>) -> Option<EpollEvent> = Epoll::next_ready;
    let _: fn(&Epoll<TcpStream>, Key) -> Option<&TcpStream> = Epoll::get;
}

#[test]
fn small_values_are_values() {
    value::<Timeout>();
    value::<Events>();
    value::<Key>();
    value::<Domain>();
    value::<Type>();
    value::<Protocol>();
    value::<Linger>();
    fn compared<T: Clone + Eq + Hash>() {}
    compared::<Addr>();
    compared::<UnixAddr>();
}

/// A source that is passed about: what takes `impl AsFd` takes it by reference.
#[derive(Debug)]
struct Source(OwnedFd);

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[test]
fn the_waits_have_the_signatures_that_are_promised() {
    type Select = fn(&FdSet<'_>, &FdSet<'_>, &FdSet<'_>, Duration) -> io::Result<Ready>;
    let _: [Select; 2] = [readysock::select, readysock::select_once];
    type SelectInto =
        fn(&FdSet<'_>, &FdSet<'_>, &FdSet<'_>, &mut Ready, Instant) -> io::Result<usize>;
    let _: SelectInto = readysock::select_into;
    type Pselect = fn(
        &FdSet<'_>,
        &FdSet<'_>,
        &FdSet<'_>,
        Timeout,
        Option<&libc::sigset_t>,
    ) -> io::Result<Ready>;
    let _: Pselect = readysock::pselect;
    type Poll = fn(&mut [PollFd<'_>], Option<Duration>) -> io::Result<usize>;
    let _: [Poll; 2] = [readysock::poll, readysock::poll_once];
    type Ppoll = fn(&mut [PollFd<'_>], Duration, Option<&libc::sigset_t>) -> io::Result<usize>;
    let _: Ppoll = readysock::ppoll;

    // Temporaries, references and owners' borrows are all taken.
    let (near, _far) = UnixStream::pair().expect("a pair");
    let source = Source(near.into());
    let mut set: FdSet<'_> = FdSet::new();
    assert!(set.insert(source.as_fd()));
    assert!(set.contains(&source) && set.contains(source.as_fd()));
    let highest: Option<RawFd> = set.highest();
    assert_eq!(highest, Some(source.as_fd().as_raw_fd()));
    assert!(set.remove(&source));
    let slot: PollFd<'_> = PollFd::of(&source, Events::IN);
    assert_eq!(slot.fd().map(|fd| fd.as_raw_fd()), highest);
    let mut owning: PollSet<Source> = PollSet::new();
    let key: Key = owning.insert(source, Events::OUT);
    assert_eq!(owning.wait(None).expect("waited"), 1);
    assert_eq!(owning.next_ready(), Some((key, Events::OUT)));
}

#[test]
fn byte_order_is_const_and_at_the_root() {
    const PORT: u16 = readysock::htons(20000);
    const BACK: (u16, u32, u64) = (
        readysock::byte_order::ntohs(PORT),
        readysock::ntohl(readysock::htonl(20000)),
        readysock::ntohll(readysock::htonll(20000)),
    );
    assert_eq!((readysock::ntohs(PORT), BACK), (20000, (20000, 20000, 20000)));
}

#[test]
fn sockets_convert_both_ways_with_those_of_std() {
    fn there_and_back<T: From<Socket> + AsRawFd>(std: T)
    where
        Socket: From<T>,
    {
        let number = std.as_raw_fd();
        let ours = Socket::from(std);
        assert_eq!(ours.as_raw_fd(), number);
        let std: T = ours.into();
        assert_eq!(std.as_raw_fd(), number);
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    there_and_back(TcpStream::connect(listener.local_addr().expect("bound")).expect("connected"));
    there_and_back(listener);
    there_and_back(UdpSocket::bind("127.0.0.1:0").expect("a socket"));
    let (near, far) = UnixStream::pair().expect("a pair");
    there_and_back(near);
    there_and_back(UnixDatagram::unbound().expect("a socket"));
    there_and_back(OwnedFd::from(far));
    let unnamed = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    unnamed.bind(UnixAddr::unnamed()).expect("bound");
    unnamed.listen(1).expect("listens");
    there_and_back(UnixListener::from(unnamed));
}

#[test]
fn a_socket_is_a_reader_and_a_writer_shared_or_not() {
    fn copy(mut reader: impl Read, mut writer: impl Write) {
        let mut buffer = [0; 8];
        writer.write_all(b"x").expect("written");
        assert_eq!(reader.read(&mut buffer).expect("read"), 1);
    }
    let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair");
    copy(&near, &far);
    copy(near, far);
}

#[test]
fn addresses_come_from_what_std_has() {
    let internet: SocketAddr = ([127, 0, 0, 1], 80).into();
    assert_eq!(Addr::from(internet), Addr::Internet(internet));
    let name = UnixAddr::from_abstract_name("x").expect("short");
    assert!(matches!(Addr::from(name.clone()), Addr::Unix(unix) if unix == name));
    assert_eq!(name.as_abstract_name(), Some(&b"x"[..]));
    assert!(UnixAddr::unnamed().is_unnamed());
    let path = UnixAddr::from_pathname("/tmp/x").expect("short");
    assert_eq!(path.as_pathname().and_then(|path| path.to_str()), Some("/tmp/x"));
}

struct Priority;

impl GetOption for Priority {
    const LEVEL: i32 = libc::SOL_SOCKET;
    const NAME: i32 = libc::SO_PRIORITY;
    type Value = i32;
}

impl SetOption for Priority {
    const LEVEL: i32 = libc::SOL_SOCKET;
    const NAME: i32 = libc::SO_PRIORITY;
    type Value = i32;
}

#[test]
fn options_have_their_four_forms() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    sockopt::set(&socket, Priority, 5).expect("set");
    assert_eq!(sockopt::get(&socket, Priority).expect("got"), 5);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_PRIORITY);
    sockopt::set_int(&socket, level, name, 4).expect("set");
    assert_eq!(sockopt::get_int(&socket, level, name).expect("got"), 4);
    let mut bytes = [0xFF; 8];
    assert_eq!(sockopt::get_bytes(&socket, level, name, &mut bytes).expect("got"), 4);
    assert_eq!(bytes[..4], 4_i32.to_ne_bytes());
    assert_eq!(bytes[4..], [0; 4], "beyond the answer it is zero");
    // SAFETY: to SO_PRIORITY the bytes are an int, and an int is plain data.
    unsafe { sockopt::set_bytes(&socket, level, name, &3_i32.to_ne_bytes()) }.expect("set");
    assert_eq!(sockopt::get(&socket, Priority).expect("got"), 3);
    let _: [Linger; 3] = [Linger::Off, Linger::Abort, Linger::For(Duration::from_secs(1))];
}
